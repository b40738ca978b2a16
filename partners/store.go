package partners

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/keys/jose"
)

// Store is the registry in the database. Each method is one transition or one
// read; there is no blind update.
type Store struct {
	pool     *pgxpool.Pool
	firewall *Firewall
	parsed   *keyCache
}

// NewStore returns the registry over pool. Operator transitions (Add, Suspend,
// Agree, Invite, Offer) need a pool of the owner's role; the hub's own role is
// refused them by the database.
func NewStore(pool *pgxpool.Pool, firewall *Firewall) *Store {
	return &Store{pool: pool, firewall: firewall, parsed: newKeyCache()}
}

// Firewall is the table that the store judges by.
func (s *Store) Firewall() *Firewall { return s.firewall }

// Client is a partner's own system as the authorization server knows it.
type Client struct {
	ID        string
	Partner   ID
	Name      string
	Scopes    []Scope  // all that it may carry, for itself or for a person
	Grants    []string // RFC 7591 §2 grant_types
	Redirects []string // RFC 7591 §2 redirect_uris
	Active    bool     // whether client and partner both take part now
	Keys      []Key    // its authentication keys that are valid now
}

// SystemScopes are the scopes that the system may carry for itself, with no person.
func (c Client) SystemScopes() []Scope { return both(SystemScopes(), c.Scopes) }

// PeopleScopes are the scopes that people can lend to the system.
func (c Client) PeopleScopes() []Scope { return both(PeopleScopes(), c.Scopes) }

// Clients returns the systems that there are under those client ids, in one statement.
func (s *Store) Clients(ctx context.Context, ids []string) (map[string]Client, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT c.id, c.partner, c.name, c.scopes, c.grant_types, c.redirect_uris, c.active AND p.status = 'active',
		       coalesce(k.kid, ''), coalesce(k.jwk, ''), k.not_before, k.not_after
		FROM unnest($1::text[]) AS asked(id)
		CROSS JOIN LATERAL (SELECT * FROM partner_client WHERE id = asked.id OFFSET 0) c
		CROSS JOIN LATERAL (SELECT status FROM partner WHERE id = c.partner OFFSET 0) p
		LEFT JOIN LATERAL (SELECT kid, jwk, not_before, not_after FROM partner_key
			WHERE client = c.id AND revoked_at IS NULL AND now() >= not_before AND now() < not_after OFFSET 0) k ON true`, ids)
	if err != nil {
		return nil, fmt.Errorf("reading clients: %w", err)
	}
	found := map[string]Client{}
	var c Client
	var kid, jwk string
	var from, to *time.Time // nil where the client has no key that counts now
	_, err = pgx.ForEachRow(rows, []any{&c.ID, &c.Partner, &c.Name, &c.Scopes, &c.Grants, &c.Redirects, &c.Active,
		&kid, &jwk, &from, &to}, func() error {
		c.Keys = found[c.ID].Keys
		if from != nil && to != nil {
			key, err := s.parsed.parse(jwk)
			if err != nil {
				return fmt.Errorf("reading key %s: %w", kid, err)
			}
			c.Keys = append(c.Keys, Key{PublicKey: key, Use: Authentication, NotBefore: *from, NotAfter: *to})
		}
		found[c.ID] = c
		c.Scopes, c.Grants, c.Redirects = nil, nil, nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading clients: %w", err)
	}
	return found, nil
}

// LockTerms queues the reading of what stands between one partner and those asked
// for, and of the services asked for, into the transaction that batch runs in. The
// agreement rows are locked FOR SHARE: an agreement cannot be ended between this
// decision and its commit.
func (s *Store) LockTerms(batch *pgx.Batch, from ID, asked ...Asked) *TermSet {
	t := &TermSet{firewall: s.firewall, recipients: map[ID]recipient{}, services: map[Asked]Service{}, agreed: map[ID][]Agreement{}}
	to, services := make([]ID, 0, len(asked)), make([]string, 0, len(asked))
	for _, a := range asked {
		to = append(to, a.To)
		if a.Service != "" {
			services = append(services, a.Service)
		}
	}
	batch.Queue(`
		SELECT now(), p.id, p.category, p.status = 'active', coalesce(s.id::text, ''),
		       coalesce(s.status, ''), coalesce(s.capacity, ''), s.purposes, s.areas
		FROM partner p LEFT JOIN service s ON s.partner = p.id AND s.id = ANY ($2::text[]::uuid[])
		WHERE p.id = ANY ($1)`, to, services).Query(func(rows pgx.Rows) error {
		var id ID
		var r recipient
		var o Service
		_, err := pgx.ForEachRow(rows, []any{&t.now, &id, &r.category, &r.active, &o.ID, &o.Status, &o.Capacity,
			&o.Purposes, &o.Areas}, func() error {
			t.recipients[id], t.services[Asked{id, o.ID}] = r, o
			return nil
		})
		return err
	})
	batch.Queue(`
		SELECT `+agreementColumns+` FROM agreement
		WHERE sender = $1 AND recipient = ANY ($2) AND ended_at IS NULL FOR SHARE`, from, to).
		Query(func(rows pgx.Rows) error {
			found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Agreement])
			for _, a := range found {
				t.agreed[a.Recipient] = append(t.agreed[a.Recipient], a)
			}
			return err
		})
	return t
}

// QueueBetter queues the reading of a service that somebody redirects to.
func (s *Store) QueueBetter(batch *pgx.Batch, service string) *Better {
	b := &Better{}
	batch.Queue(`
		SELECT s.partner, s.status, s.capacity, s.purposes, s.areas, p.status = 'active'
		FROM service s JOIN partner p ON p.id = s.partner WHERE s.id = $1`, service).Query(func(rows pgx.Rows) error {
		o := &b.service
		_, err := pgx.ForEachRow(rows, []any{&o.Partner, &o.Status, &o.Capacity, &o.Purposes, &o.Areas, &b.active}, func() error { return nil })
		return err
	})
	return b
}

// QueueKeys queues the reading of the keys that signed statements of one issuer are
// judged by: its signing keys of the given kids, and the encryption keys of those
// addressed. One statement, since every packet asks.
func (s *Store) QueueKeys(batch *pgx.Batch, issuer ID, kids []string, addressed []ID) *Ring {
	ring := &Ring{sealing: map[ID][]Key{}}
	batch.Queue(`
		SELECT partner, kid, use, custody, jwk, not_before, not_after, revoked_at FROM partner_key
		WHERE (partner = $1 AND kid = ANY ($2) AND use = 'signing') OR (partner = ANY ($3) AND use = 'encryption')
		ORDER BY not_before DESC, kid`, issuer, kids, addressed).Query(func(rows pgx.Rows) error {
		return s.scanKeys(rows, func(owner ID, k Key) {
			if k.Use == Signing {
				ring.signing = append(ring.signing, k)
				s.parsed.name(owner, k.PublicKey)
			} else {
				ring.sealing[owner] = append(ring.sealing[owner], k)
			}
		})
	})
	return ring
}

// Guess returns the signing key that an issuer named kid when this hub last read it,
// or the zero key. It may be out of date, so it decides nothing: it is there to do the
// arithmetic of a signature before the transaction that reads the key anew.
func (s *Store) Guess(issuer ID, kid string) jose.PublicKey { return s.parsed.guess(issuer, kid) }

const keysOfPartner = `
	SELECT partner, kid, use, custody, jwk, not_before, not_after, revoked_at FROM partner_key
	WHERE partner = $1 ORDER BY not_before DESC, kid`

// Keys returns all keys of a partner, newest first, those outlived and revoked
// among them, or ErrNotThere.
func (s *Store) Keys(ctx context.Context, partner ID) ([]Key, error) {
	if !partner.Valid() {
		return nil, ErrNotThere // some of what is no id the database would refuse as an error of ours
	}
	rows, err := s.pool.Query(ctx, keysOfPartner, partner)
	if err != nil {
		return nil, fmt.Errorf("reading keys: %w", err)
	}
	var keys []Key
	err = s.scanKeys(rows, func(_ ID, k Key) { keys = append(keys, k) })
	if err == nil && len(keys) == 0 {
		return nil, ErrNotThere
	}
	return keys, err
}

func (s *Store) scanKeys(rows pgx.Rows, take func(owner ID, k Key)) error {
	var owner ID
	var kid, jwk string
	var k Key
	var revoked *time.Time
	_, err := pgx.ForEachRow(rows, []any{&owner, &kid, &k.Use, &k.Custody, &jwk, &k.NotBefore, &k.NotAfter, &revoked}, func() (err error) {
		if k.PublicKey, err = s.parsed.parse(jwk); err != nil {
			return fmt.Errorf("reading key %s: %w", kid, err)
		}
		if !k.Use.fits(k.Algorithm()) { // no enrolment wrote this row
			return fmt.Errorf("reading key %s: a key of %s is there for %s", kid, k.Algorithm(), k.Use)
		}
		k.Revoked = time.Time{}
		if revoked != nil {
			k.Revoked = *revoked
		}
		take(owner, k)
		return nil
	})
	return err
}

// Find returns one partner that takes part, or ErrNotThere.
func (s *Store) Find(ctx context.Context, id ID) (Partner, error) {
	if !id.Valid() {
		return Partner{}, ErrNotThere
	}
	found, err := s.list(ctx, `WHERE status = 'active' AND id = $1`, id)
	if err == nil && len(found) == 0 {
		return Partner{}, ErrNotThere
	}
	if err != nil {
		return Partner{}, err
	}
	return found[0], nil
}

// Directory lists the partners that take part.
func (s *Store) Directory(ctx context.Context) ([]Partner, error) {
	return s.list(ctx, `WHERE status = 'active' ORDER BY id`)
}

// List lists every partner, for the operator.
func (s *Store) List(ctx context.Context) ([]Partner, error) {
	return s.list(ctx, `ORDER BY id`)
}

func (s *Store) list(ctx context.Context, where string, args ...any) ([]Partner, error) {
	rows, err := s.pool.Query(ctx, `SELECT id, name, category, areas, status, since, `+custodyColumn+` FROM partner `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("reading partners: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Partner])
}
