package agreements

import (
	"slices"
	"strings"

	"handover/internal/codes"
	"handover/partners"
	"handover/partners/terms"
)

// way is what may go one way, in words.
type way struct {
	Ours     bool // our agency sends
	Nothing  bool
	Purposes []string
	Sections []section
	Never    []string // what the firewall never lets go to such an agency, whatever is agreed
	Ended    bool
}

// section is a kind of information; Only says for which of the purposes it passes the firewall,
// if not for all.
type section struct {
	Label string
	Only  []string
}

// Kinds are the sections by their labels alone.
func (w way) Kinds() []string {
	labels := make([]string, len(w.Sections))
	for i, s := range w.Sections {
		labels[i] = s.Label
	}
	return labels
}

// way puts a way in words, with what the firewall says of it: an agreement promises nothing that
// the firewall stops.
func (h *Handler) way(of partners.AgreementWay, known agencies) way {
	if len(of.Sections) == 0 {
		return way{Nothing: true}
	}
	f, to := h.Partners.Firewall(), known.of(of.Recipient).Category
	w := way{Purposes: labels(codes.Purposes(), of.Purposes), Ended: of.EndedAt != nil}
	for _, s := range codes.Sections().Codes() {
		if !slices.Contains(of.Sections, s) {
			continue
		}
		passes := passing(f, to, s, of.Purposes)
		kind := section{Label: codes.Sections().Label(s)}
		if len(passes) < len(of.Purposes) {
			kind.Only = labels(codes.Purposes(), passes)
		}
		w.Sections = append(w.Sections, kind)
	}
	w.Never = labels(codes.Sections(), f.Barred(to, codes.Purposes().Codes()))
	return w
}

// passing are the purposes for which the section may go to the category.
func passing(f *partners.Firewall, to partners.Category, section string, purposes []string) []string {
	return slices.DeleteFunc(slices.Clone(purposes), func(p string) bool { return !f.Allows(to, section, p) })
}

func labels(list codes.List, of []string) []string {
	words := make([]string, len(of))
	for i, code := range of {
		words[i] = list.Label(code)
	}
	return words
}

// stateInWords says where the agreement stands, as the agency me sees it.
func stateInWords(a partners.SignedAgreement, me partners.ID) string {
	switch {
	case a.State == terms.Proposed && a.Proposer == me:
		return "Waiting for them to sign"
	case a.State == terms.Proposed:
		return "Waiting for you to sign"
	case a.State == terms.Ended && a.End == nil:
		return "Ended by the hub’s operator"
	}
	return sentence(terms.States().Label(string(a.State)))
}

// tag is the colour of a state.
func tag(s terms.State) string {
	switch s {
	case terms.InForce:
		return "govuk-tag--green"
	case terms.Proposed, terms.Agreed:
		return "govuk-tag--yellow"
	}
	return "govuk-tag--grey"
}

// sentence begins with a capital.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
