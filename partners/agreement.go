package partners

import (
	"slices"
	"strings"
	"time"

	"handover/internal/codes"
)

// Agreement is one direction of a data-sharing agreement: what Sender may send
// Recipient, for which purposes, from when until when.
type Agreement struct {
	ID        string    `json:"id"` // UUID
	Sender    ID        `json:"sender"`
	Recipient ID        `json:"recipient"`
	Purposes  []string  `json:"purposes"`
	Sections  []string  `json:"sections"`
	From      time.Time `json:"valid_from"`
	To        time.Time `json:"valid_to"`
}

func (a Agreement) validate() error {
	known := len(a.Purposes) > 0
	for _, p := range a.Purposes {
		known = known && codes.Purposes().Has(p)
	}
	for _, s := range a.Sections {
		known = known && codes.Sections().Has(s)
	}
	if !known || a.Sender == a.Recipient || !a.To.After(a.From) {
		return ErrAgreementInvalid
	}
	return nil
}

// Passage is what someone wants to send: the sections by the class they are judged
// as ("need", or for an attachment the class it declares).
type Passage struct {
	Purpose string
	Area    string // GSS code; "" where no service is asked for
	Classes []string
}

// Terms is what stands between two partners, read under locks in one transaction
// by LockTerms. Until its batch has run it permits nothing.
type Terms struct {
	firewall  *Firewall
	From, To  ID
	Now       time.Time // the database's time of the transaction
	recipient Category
	active    bool
	agreed    []Agreement
	service   Service // only what takes needs
	asked     bool    // whether a service was asked for
	found     bool    // whether the recipient has it
}

// Permit decides whether the passage may go from From to To now, or returns the
// refusal: the recipient first, then the service, the firewall, the agreement.
// It stops a section that no rule names, because every list here is one of what is
// allowed.
func (t *Terms) Permit(p Passage) error {
	if !t.active {
		return ErrRecipientInactive
	}
	if t.asked && (!t.found || !t.service.takes(p.Purpose, p.Area)) {
		return ErrService
	}
	for _, class := range p.Classes {
		if !t.firewall.Allows(t.recipient, class, p.Purpose) {
			return ErrFirewall.With("section", class)
		}
	}
	return t.agree(p)
}

// RecipientCategory is the category of the partner the passage goes to.
func (t *Terms) RecipientCategory() Category { return t.recipient }

// agree holds the passage against the agreements in force: one of them must name
// the purpose and every section. Two agreements never add up to a third.
func (t *Terms) agree(p Passage) error {
	missing := ""
	for _, a := range t.agreed {
		if t.Now.Before(a.From) || !t.Now.Before(a.To) || !slices.Contains(a.Purposes, p.Purpose) {
			continue
		}
		i := slices.IndexFunc(p.Classes, func(c string) bool { return !slices.Contains(a.Sections, c) })
		if i < 0 {
			return nil
		}
		missing = p.Classes[i]
	}
	if missing != "" {
		return ErrAgreement.With("section", missing)
	}
	return ErrAgreement
}

// Class returns the class a section is judged as: its own name, or for
// attachment-N the class it declares.
func Class(section, declared string) string {
	if strings.HasPrefix(section, "attachment-") {
		return declared
	}
	return section
}
