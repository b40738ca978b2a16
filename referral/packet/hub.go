package packet

import "slices"

// hubStep is a step that a hub takes of itself.
type hubStep struct {
	event  Event
	reason string
}

// hubSteps is the closed list of what a hub may sign of itself. A hub that could sign any
// step could accept, or close, in an agency's place; of these, neither agency can be said to
// have taken one.
func hubSteps() []hubStep {
	return []hubStep{{Withdraw, "consent-withdrawn"}}
}

// ByHub reports whether the envelope says that the hub itself took the step: its issuer is
// the hub's own URL, which is no partner's id. What a partner posts in the hub's name is
// refused, since its issuer is not the caller.
func (c Claims) ByHub() bool { return c.Hub != "" && c.Issuer == c.Hub }

// hubStep names the claim for which the envelope is no step of the hub's own, or "". It
// carries nothing: the hub has no word about her.
func (c Claims) hubStep() string {
	switch {
	case !slices.ContainsFunc(hubSteps(), func(s hubStep) bool { return s.event == c.Event }):
		return "event"
	case !slices.Contains(hubSteps(), hubStep{c.Event, c.Reason}):
		return "reason"
	case c.Act != "":
		return "act"
	case len(c.Sections) > 0:
		return "sections"
	case c.Basis != nil:
		return "basis"
	}
	return ""
}
