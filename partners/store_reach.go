package partners

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"handover/internal/codes"
	"handover/internal/pg"
)

// Reach is what one agency may send to some others at all: what the firewall and an agreement
// in force let pass. It is for who composes; whoever sends is asked again under locks.
type Reach struct{ terms *TermSet }

// Reach reads what the caller's agency may send to those partners.
func (s *Store) Reach(ctx context.Context, c Caller, to ...ID) (*Reach, error) {
	asked := make([]Asked, len(to))
	for i, id := range to {
		asked[i] = Asked{To: id}
	}
	var b pgx.Batch
	pg.Bind(&b, string(c.Partner()))
	r := &Reach{s.LockTerms(&b, c.Partner(), asked...)}
	if err := s.pool.SendBatch(ctx, &b).Close(); err != nil {
		return nil, fmt.Errorf("reading what may be sent: %w", err)
	}
	return r, nil
}

// Sections returns the sections that may go to the partner for the purpose, in reading order;
// none if there is no agreement for it. Of several agreements the one that allows most counts:
// two never add up to a third.
func (r *Reach) Sections(to ID, purpose string) (most []string) {
	t := r.terms.For(Asked{To: to})
	if !t.recipient.active {
		return nil
	}
	for _, a := range t.agreed {
		if t.now.Before(a.From) || !t.now.Before(a.To) || !slices.Contains(a.Purposes, purpose) {
			continue
		}
		may := slices.DeleteFunc(codes.Sections().Codes(), func(section string) bool {
			return !slices.Contains(a.Sections, section) || !t.firewall.Allows(t.recipient.category, section, purpose)
		})
		if len(may) > len(most) {
			most = may
		}
	}
	return most
}

// Rules returns what the firewall says of the partner's category, with the reasons.
func (r *Reach) Rules(to ID) []Rule {
	return r.terms.firewall.Rules(r.terms.For(Asked{To: to}).recipient.category)
}

// Category returns the partner's category; "" of one that was not asked about.
func (r *Reach) Category(to ID) Category { return r.terms.For(Asked{To: to}).recipient.category }
