package partners

import (
	"slices"
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
	Terms     string    `json:"terms,omitempty"` // id of the agreement that both administrators signed; "": the hub's operator put it in force
}

// agreementColumns are the members of an Agreement, in their order.
const agreementColumns = `id::text, sender, recipient, purposes, sections, valid_from, valid_to, coalesce(terms::text, '')`

func (a Agreement) validate() error {
	known := len(a.Purposes) > 0 && len(a.Sections) > 0
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

// Asked is a recipient and the service of it that is asked for; "" for none.
type Asked struct {
	To      ID
	Service string // UUID
}

// TermSet is what stands between one partner and several others, read under locks in
// one transaction by LockTerms. Until its batch has run it permits nothing.
type TermSet struct {
	firewall   *Firewall
	now        time.Time // the database's time of the transaction
	recipients map[ID]recipient
	services   map[Asked]Service // only what takes needs
	agreed     map[ID][]Agreement
}

type recipient struct {
	category Category
	active   bool
}

// For returns the terms of one recipient. One that was not found is inactive.
func (t *TermSet) For(a Asked) *Terms {
	r := t.recipients[a.To]
	service, found := t.services[a]
	return &Terms{firewall: t.firewall, now: t.now, recipient: r, agreed: t.agreed[a.To],
		service: service, lacks: a.Service != "" && !found}
}

// Better is a service that a recipient redirects to, read in one transaction. Until its
// batch has run it takes nothing.
type Better struct {
	service Service
	active  bool // its partner takes part
}

// Takes returns ErrService unless the service is another partner's than those two and takes
// referrals for the purpose in the area now.
func (b *Better) Takes(purpose, area string, not ...ID) error {
	if !b.active || slices.Contains(not, b.service.Partner) || !b.service.takes(purpose, area) {
		return ErrService
	}
	return nil
}

// Terms is what stands between two partners in one transaction.
type Terms struct {
	firewall  *Firewall
	now       time.Time
	recipient recipient
	agreed    []Agreement
	service   Service
	lacks     bool // a service was asked for that the recipient does not have
}

// Permit decides whether the passage may go to the recipient now, or returns the
// refusal: the recipient first, then the service, the firewall, the agreement.
// It stops a section that no rule names, because every list here is one of what is
// allowed.
func (t *Terms) Permit(p Passage) error {
	if !t.recipient.active {
		return ErrRecipientInactive
	}
	if t.lacks || (t.service.ID != "" && !t.service.takes(p.Purpose, p.Area)) {
		return ErrService
	}
	for _, class := range p.Classes {
		if !t.firewall.Allows(t.recipient.category, class, p.Purpose) {
			return ErrFirewall.With("section", class)
		}
	}
	return t.agree(p)
}

// RecipientCategory is the category of the partner the passage goes to.
func (t *Terms) RecipientCategory() Category { return t.recipient.category }

// agree holds the passage against the agreements in force: one of them must name
// the purpose and every section. Two agreements never add up to a third.
func (t *Terms) agree(p Passage) error {
	missing := ""
	for _, a := range t.agreed {
		if t.now.Before(a.From) || !t.now.Before(a.To) || !slices.Contains(a.Purposes, p.Purpose) {
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
