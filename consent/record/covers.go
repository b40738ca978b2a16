package record

import (
	"slices"
	"time"

	"handover/internal/fault"
)

// What a record can fail to cover.
var (
	ErrNotCovered = fault.New(fault.Forbidden, "not-covered", fault.Sender,
		"What she agreed to does not cover this. Ask her again, or leave out what she did not agree to share.")
	ErrExpired = fault.New(fault.Forbidden, "consent-expired", fault.Sender,
		"Her agreement has run out, or is not in force yet. Ask her whether she still agrees, and record it.")
	ErrAuthority = fault.New(fault.Forbidden, "authority-not-chosen", fault.Sender,
		"She chose another housing authority. Send a homelessness referral only to the authority that she chose, or ask her again.")
	ErrOnward = fault.New(fault.Forbidden, "onward-not-allowed", fault.Sender,
		"What she agreed to does not let this travel on. Ask her, and record her agreement to the new agency yourself; if she said to nobody else, the agency that recorded it must.")
)

// Passage is what someone wants to share about her.
type Passage struct {
	Subject   string
	Purpose   string
	Sender    string // partner id
	Recipient string // partner id
	Category  string // the recipient's category
	Area      string // GSS code of the authority that the referral asks for
	Opens     bool   // it opens a referral
	Classes   []string
	Now       time.Time
}

// Covers decides whether what she agreed to covers the passage: it reaches that far, and
// is in force. Whether the record has been withdrawn, superseded or reviewed is not in it;
// the caller holds that under a lock.
func (c Claims) Covers(p Passage) error {
	if err := c.Reaches(p); err != nil {
		return err
	}
	return c.InForce(p.Now)
}

// InForce returns ErrExpired unless the record is in force at that time.
func (c Claims) InForce(now time.Time) error {
	if now.Unix() < c.ValidFrom || now.Unix() >= c.Expires {
		return ErrExpired
	}
	return nil
}

// Reaches decides whether what she agreed to is about this: her, this purpose, this
// recipient, every section. A partial yes is the normal case: what was withheld wins over
// what was allowed, and what was not named is not covered.
func (c Claims) Reaches(p Passage) error {
	switch {
	case !c.Grants(), c.Subject != p.Subject, c.Purpose != p.Purpose:
		return ErrNotCovered
	case p.Sender != c.Issuer && !slices.Contains(c.Recipients, p.Sender):
		// Only who recorded it, or was named in it, may rely on it.
		return ErrNotCovered
	case !c.names(p.Recipient, p.Category):
		return ErrNotCovered
	case p.Sender != c.Issuer && c.Onward != "named" && (p.Opens || p.Recipient != c.Issuer):
		// Or whoever received her story could send it on in her name: by a request, or by a
		// step of another referral. Who received it answers who recorded it, and nobody else.
		return ErrOnward
	case c.Gate.Authority != "" && c.Gate.Authority != p.Area:
		return ErrAuthority // she chooses the authority (Housing Act 1996 s213B(3)(b))
	}
	for _, class := range p.Classes {
		if slices.Contains(c.Withheld, class) || !slices.Contains(c.Sections, class) {
			return ErrNotCovered.With("section", class)
		}
	}
	return nil
}

// names reports whether she named the recipient, by itself or by its category.
// Police must be named as police: a force's short name alone, which she may never
// have understood to be one, is not enough.
func (c Claims) names(partner, category string) bool {
	byCategory := slices.Contains(c.Recipients, CategoryPrefix+category)
	if category == "police" {
		return byCategory
	}
	return byCategory || slices.Contains(c.Recipients, partner)
}
