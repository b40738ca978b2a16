package partners

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/internal/ids"
)

// Bearer is what credentials say of whoever sends them.
type Bearer struct {
	Client  string  // the system that sends them; "" for a person in the hub's own pages
	AuthKey string  // the authentication key that the system's token was issued to; "" if by none
	Granted []Scope // with the token; a person in the hub's own pages has all of her role

	User   string    // the person who acts, by id; "" for a system alone
	Proved time.Time // when she last proved who she is
}

// Admit makes the Callers of requests that came together, one for each bearer, nil for
// one that may not act. Partner, system, authentication key, person and role are judged
// now, in the database, so a suspension, a revoked key or another role counts at the next
// request and not at the next token. once may queue more statements (the replay check of
// the requests' DPoP proofs), which run in the same round trip and the same transaction.
func (s *Store) Admit(ctx context.Context, bearers []Bearer, once func(*pgx.Batch)) ([]*Caller, error) {
	var batch pgx.Batch
	if once != nil {
		once(&batch)
	}
	systems, people := queueSystems(&batch, bearers), queuePeople(&batch, bearers)
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("admitting callers: %w", err)
	}
	callers := make([]*Caller, len(bearers))
	for i, b := range bearers {
		callers[i] = b.caller(systems, people)
	}
	return callers, nil
}

// credential is a system with the key it authenticated by. A token serves many requests:
// each credential is asked for once.
type credential struct{ client, key string }

// standing is what the database says of a system or a person that may act.
type standing struct {
	partner   ID
	category  Category
	scopes    []Scope   // of a system
	role      Role      // of a person
	signedOut time.Time // of a person: what she proved before does not count
}

func queueSystems(batch *pgx.Batch, bearers []Bearer) map[credential]standing {
	found := make(map[credential]standing, len(bearers))
	var clients, keys []string
	for _, b := range bearers {
		c := credential{b.Client, b.AuthKey}
		if _, asked := found[c]; !asked && b.Client != "" {
			found[c] = standing{}
			clients, keys = append(clients, c.client), append(keys, c.key)
		}
	}
	clear(found)
	if len(clients) == 0 {
		return found
	}
	batch.Queue(`
		SELECT asked.client, asked.key, c.partner, p.category, c.scopes
		FROM unnest($1::text[], $2::text[]) AS asked(client, key)
		CROSS JOIN LATERAL (SELECT id, partner, scopes FROM partner_client WHERE id = asked.client AND active OFFSET 0) c
		CROSS JOIN LATERAL (SELECT category FROM partner WHERE id = c.partner AND status = 'active' OFFSET 0) p
		WHERE asked.key = '' OR EXISTS (SELECT FROM partner_key k WHERE k.client = c.id AND k.kid = asked.key
		      AND k.revoked_at IS NULL AND now() < k.not_after)`, clients, keys).
		Query(func(rows pgx.Rows) error {
			var c credential
			var s standing
			_, err := pgx.ForEachRow(rows, []any{&c.client, &c.key, &s.partner, &s.category, &s.scopes}, func() error {
				found[c] = s
				s.scopes = nil
				return nil
			})
			return err
		})
	return found
}

// queuePeople asks for the persons among the bearers; where there are none, nothing.
func queuePeople(batch *pgx.Batch, bearers []Bearer) map[string]standing {
	found := map[string]standing{}
	var users []string
	for _, b := range bearers {
		if ids.IsUUID(b.User) && !slices.Contains(users, b.User) {
			users = append(users, b.User)
		}
	}
	if len(users) == 0 {
		return found
	}
	batch.Queue(`SELECT id::text, partner, category, role, nullif(signed_out_at, '-infinity') FROM user_standing($1::text[]::uuid[])`, users).
		Query(func(rows pgx.Rows) error {
			var id string
			var s standing
			var out *time.Time // nil if she has never signed out
			_, err := pgx.ForEachRow(rows, []any{&id, &s.partner, &s.category, &s.role, &out}, func() error {
				s.signedOut = time.Time{}
				if out != nil {
					s.signedOut = *out
				}
				found[id] = s
				return nil
			})
			return err
		})
	return found
}

// caller is the Caller of one bearer, or nil. The rights are those that every side has:
// the token, the system, and the person's role, or what a system may have by itself.
func (b Bearer) caller(systems map[credential]standing, people map[string]standing) *Caller {
	c := &Caller{client: b.Client, user: b.User, proved: b.Proved, scopes: b.Granted}
	if b.Client != "" {
		system, ok := systems[credential{b.Client, b.AuthKey}]
		if !ok {
			return nil
		}
		c.partner, c.category, c.scopes = system.partner, system.category, both(c.scopes, system.scopes)
	}
	if b.User == "" {
		c.scopes = both(c.scopes, SystemScopes())
		if b.Client == "" {
			return nil
		}
		return c
	}
	person, ok := people[b.User]
	if !ok || b.Proved.Before(person.signedOut) || b.Client != "" && person.partner != c.partner {
		return nil
	}
	c.partner, c.category, c.role = person.partner, person.category, person.role
	if b.Client == "" {
		c.scopes = person.role.Scopes()
		return c
	}
	c.scopes = both(c.scopes, person.role.Scopes())
	return c
}

// both are the scopes of a that are in b too.
func both(a, b []Scope) []Scope {
	return slices.DeleteFunc(slices.Clone(a), func(s Scope) bool { return !slices.Contains(b, s) })
}
