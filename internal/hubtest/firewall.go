package hubtest

import (
	"slices"

	"handover/partners"
)

// MayReceive is the firewall as its rules are told, written down apart from the table
// that the hub reads: whether a partner of the category may ever be sent the section
// for the purpose.
func MayReceive(to partners.Category, section, purpose string) bool {
	switch to {
	case partners.VAWGService, partners.LegalAdvice:
		return true // all, if she agrees
	case partners.Oversight:
		return false // entries and figures, never a section
	case partners.Police:
		// Four sections, and only to protect her or others from harm.
		return purpose == "protect-from-harm" && slices.Contains([]string{"identity", "need", "risk", "safe-contact"}, section)
	}
	switch section {
	case "immigration", "justice":
		return false // to nobody else, ever
	case "health":
		if to == partners.BoroughOutreach { // only where outreach brings her to care or takes over
			return slices.Contains([]string{"health-care", "mental-health", "substance-use", "outreach", "handover", "protect-from-harm"}, purpose)
		}
		return to != partners.Housing // access-needs says what a landlord must know
	}
	return true
}
