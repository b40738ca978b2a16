package record

import (
	"slices"
	"time"
)

// Passage is what someone wants to share about her.
type Passage struct {
	Subject   string
	Purpose   string
	Sender    string // partner id
	Recipient string // partner id
	Category  string // the recipient's category
	Classes   []string
	Now       time.Time
}

// Covers decides whether what she agreed to covers the passage: her, this purpose,
// this recipient, every section, now. A partial yes is the normal case: what was
// withheld wins over what was allowed, and what was not named is not covered. Whether
// the record has been withdrawn is not in it; the caller holds that under a lock.
func (c Claims) Covers(p Passage) error {
	switch {
	case c.Agreement != "agreed", c.Subject != p.Subject, c.Purpose != p.Purpose:
		return ErrNotCovered
	case p.Sender != c.Issuer && !slices.Contains(c.Recipients, p.Sender):
		// Only who recorded it, or was named in it, may rely on it.
		return ErrNotCovered
	case !c.names(p.Recipient, p.Category):
		return ErrNotCovered
	case p.Now.Unix() < c.ValidFrom || p.Now.Unix() >= c.Expires:
		return ErrExpired
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
