package inbox

import (
	"slices"

	"handover/internal/codes"
	"handover/partners"
	"handover/referral"
	"handover/web/shell"
)

// card is a referral as a list shows it: enough to choose the next, and nothing about her.
type card struct {
	referral.Summary
	Other   string // the agency on the other side
	Service string // of her own agency, that it asks for
	Area    string
	Stands  string
	Badge   string // the urgency, if it is more than routine
	Due     string
	Late    bool
	Consent string // when it ends, if that is soon
	Holder  string
	Nobody  string // what is said where there is none
	Mine    bool
	Gone    bool // who has it can do nothing about it now
	Open    bool
}

// things are what is due, as one says it to somebody.
var things = map[string]string{
	"delivered": "collect it", "opened": "open it", "decided": "decide", "first-contact": "contact her",
}

// Due says to one side by when what is due next of a referral has to be done, and whether that
// moment has passed; "" when nothing is due. What is due is always the recipient's to do: to the
// sender it says what the other agency has to do.
func Due(s *shell.Shell, m referral.Summary, side referral.Side, late bool) string {
	what := things[m.DueFor]
	switch {
	case m.DueAt == nil || what == "":
		return ""
	case side == referral.SenderSide && late:
		return "They are " + s.Ago(*m.DueAt) + " late to " + what
	case side == referral.SenderSide:
		return "They have until " + s.Clock(*m.DueAt) + " to " + what
	case late:
		return "Overdue by " + s.Ago(*m.DueAt) + ": " + what
	}
	return "Respond by " + s.Clock(*m.DueAt) + ": " + what
}

// Stands says in a word or two where a referral stands.
func Stands(m referral.Summary) string {
	switch {
	case m.Withdrawn:
		return "Cancelled: she took her consent back"
	case m.Asked && m.State == string(referral.Received):
		return "Question asked"
	}
	return map[referral.State]string{
		referral.Requested: "New", referral.Received: "Seen", referral.Accepted: "Accepted", referral.InProgress: "In progress",
		referral.Rejected: "Declined", referral.Completed: "Completed", referral.Failed: "Ended without an outcome", referral.Cancelled: "Withdrawn",
	}[referral.State(m.State)]
}

// soon is within how many days the end of a consent is told: as the list of those has it.
const soon = 7 * 24

// card says what a referral's card shows to the caller.
func (h *Handler) card(v view, m referral.Summary) card {
	now := h.Now()
	c := card{Summary: m, Other: v.name(m.Sender), Area: area(m.Area), Stands: Stands(m), Open: !referral.State(m.State).Final(),
		Service: v.services[m.Service], Nobody: "Nobody has it"}
	if m.SideOf(v.caller) == referral.SenderSide {
		c.Other = v.name(m.Recipient)
	}
	if m.Urgency != "routine" {
		c.Badge = map[string]string{"emergency": "Emergency", "urgent": "Urgent"}[m.Urgency]
	}
	c.Late = m.DueAt != nil && m.DueAt.Before(now)
	c.Due = Due(h.Shell, m, m.SideOf(v.caller), c.Late)
	if m.SideOf(v.caller) == referral.SenderSide {
		c.Nobody = "Nobody here has it" // the other agency's people are its own business
	}
	if c.Open && m.Ends != nil {
		switch left := m.Ends.Sub(now).Hours(); {
		case left <= 0:
			c.Consent = "Her consent ended " + h.Shell.Ago(*m.Ends) + " ago. Nothing can be opened."
		case left < soon:
			c.Consent = "Her consent ends " + h.Shell.Clock(*m.Ends) + "."
		}
	}
	if m.Holder != nil {
		c.Holder, c.Mine = m.Holder.Name, m.Holder.User == v.caller.User()
		c.Gone = !slices.ContainsFunc(v.people, func(u partners.User) bool { return u.ID == m.Holder.User && holds(u) })
	}
	return c
}

// area is an area as people call it. Of one whose name is not known it is the code.
func area(code string) string {
	if name := codes.LondonAuthorities().Label(code); name != "" {
		return name
	}
	return code
}

// name is what an agency is called. One that does not take part any more is called by its id.
func (v view) name(id string) string {
	if name, ok := v.agencies[partners.ID(id)]; ok {
		return name
	}
	return id
}
