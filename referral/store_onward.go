package referral

import (
	"time"

	"github.com/jackc/pgx/v5"

	"handover/consent"
	"handover/consent/record"
	"handover/referral/packet"
)

// onwards are the referrals that requests continue, by id, as far as the session may see
// them.
type onwards map[string]*onward

// onward is a referral that a request continues: who took it, and what she said then
// about its travelling on.
type onward struct {
	recipient string
	said      []string  // the onward of its record and of all that came after, one at least; of one she took back, none
	shown     bool      // all of those could be seen
	given     time.Time // when she said it
}

// queueOnward queues the reading of the referrals that the group continues, with the record
// of each locked FOR SHARE, so that no later record can say "to nobody else" until this
// transaction has ended. What the requests rest on is locked with them, the oldest record of a
// chain first, as a later record locks it: two records of one chain locked one after the other
// could be the wrong way round, and the two would wait for each other.
func queueOnward(b *pgx.Batch, group []*arrival) onwards {
	found := onwards{}
	var from, on []string
	for _, a := range group {
		c := a.claims()
		if c.OnwardFrom != "" {
			from = append(from, c.OnwardFrom)
		}
		if c.Basis != nil && c.Basis.Consent != "" {
			on = append(on, c.Basis.Consent)
		}
	}
	if len(from) == 0 {
		return found
	}
	const record = `referral r JOIN packet p ON p.referral = r.seq AND p.digest = r.id JOIN consent_state s ON s.id = p.consent`
	b.Queue(`
		SELECT s.id FROM consent c JOIN consent_state s ON s.id = c.id
		WHERE c.id = ANY (ARRAY(SELECT s.id FROM `+record+` WHERE r.id = ANY ($1)) || $2::text[]::uuid[])
		ORDER BY c.chain, c.place FOR SHARE OF s`, from, on)
	// A statement of its own: the one before may have waited for a later record.
	b.Queue(`
		SELECT r.id, r.recipient, c.given_at, 1 + s.successors = count(n.id),
		       array_agg(CASE WHEN ns.withdrawn_at IS NULL THEN n.onward ELSE 'none' END)
		FROM `+record+` JOIN consent c ON c.id = s.id JOIN consent n ON n.chain = c.chain AND n.place >= c.place JOIN consent_state ns ON ns.id = n.id
		WHERE r.id = ANY ($1) GROUP BY r.id, r.recipient, c.given_at, s.successors`, from).Query(func(rows pgx.Rows) error {
		var id string
		var o onward
		_, err := pgx.ForEachRow(rows, []any{&id, &o.recipient, &o.given, &o.shown, &o.said}, func() error {
			read := o
			found[id] = &read
			return nil
		})
		return err
	})
	// Of what was shared without her agreement she said nothing: who took it asks her.
	b.Queue(`
		SELECT r.id, r.recipient, o.valid_from
		FROM referral r JOIN packet p ON p.referral = r.seq AND p.digest = r.id JOIN consent_override o ON o.id = p.override_id
		WHERE r.id = ANY ($1)`, from).Query(func(rows pgx.Rows) error {
		var id string
		o := onward{said: []string{"ask-each-time"}, shown: true}
		_, err := pgx.ForEachRow(rows, []any{&id, &o.recipient, &o.given}, func() error {
			read := o
			found[id] = &read
			return nil
		})
		return err
	})
	return found
}

// allow decides whether a request that continues another referral may, given the record
// that it rests on and that covers it. Whoever took the other one and passes on what she was
// told there needs what she said then to let her, and, unless the new agency was named
// then, a fresh agreement that she recorded herself. Whoever sent the other one, and sends
// anew after a redirect, needs no more than that her record covers the new recipient.
func (o onwards) allow(p packet.Opened, grant *consent.Grant) error {
	if p.OnwardFrom == "" {
		return nil
	}
	from, ok := o[p.OnwardFrom]
	switch {
	case !ok:
		return ErrNotThere
	case from.recipient != p.Issuer:
		return nil
	case !from.shown:
		return record.ErrOnward // a later record does not name her any more
	}
	for _, said := range from.said {
		if said == "none" || said == "ask-each-time" && !grant.Fresh(p.Issuer, from.given) {
			return record.ErrOnward
		}
	}
	return nil
}
