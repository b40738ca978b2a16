package referral

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/pg"
	"handover/keys/jose"
)

// showHubKey makes a key known as the hub's, with its log entry, before it signs anything:
// a signature of the hub's counts by a key that the log has, and is in the log itself, so a
// key that somebody else has forges nothing that clients take.
func (s *Store) showHubKey(ctx context.Context, key jose.PublicKey) error {
	if _, shown := s.shown.Load(key.KeyID()); shown {
		return nil
	}
	text, err := key.MarshalJSON()
	if err != nil {
		return fmt.Errorf("writing a key of the hub: %w", err)
	}
	var known bool
	e := proof.Entry{Act: proof.HubKey, Digest: key.Thumbprint()}
	read := &pgx.Batch{}
	read.Queue(`SELECT EXISTS (SELECT FROM hub_key WHERE kid = $1), clock_timestamp()`, key.KeyID()).
		QueryRow(func(row pgx.Row) error { return row.Scan(&known, &e.Time) })
	err = pg.Decide(ctx, s.pool, nobody, read, func() (*pgx.Batch, error) {
		if known {
			return nil, nil
		}
		write := &pgx.Batch{}
		entry, err := audit.Queue(write, e)
		if err != nil {
			return nil, err
		}
		write.Queue(`INSERT INTO hub_key (kid, jwk, log_entry) VALUES ($1, $2, $3)`, key.KeyID(), string(text), entry)
		return write, nil
	})
	if err != nil && !pg.Violates(err, "hub_key_pkey") { // another hub was first
		return fmt.Errorf("showing a key of the hub: %w", err)
	}
	s.log.Kick()
	s.shown.Store(key.KeyID(), true)
	return nil
}

// hubKey is a public key that the hub signs its own steps with, and the entry that says so.
type hubKey struct {
	jwk   jsontext.Value
	entry audit.EntryID
}

// hubKeys returns every key that the hub ever signed a step of its own with, oldest first.
func (s *Store) hubKeys(ctx context.Context) ([]hubKey, error) { return readHubKeys(ctx, s.pool) }

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func readHubKeys(ctx context.Context, q querier) ([]hubKey, error) {
	rows, err := q.Query(ctx, `SELECT jwk, log_entry FROM hub_key ORDER BY log_entry`)
	if err != nil {
		return nil, fmt.Errorf("listing the hub's keys: %w", err)
	}
	var all []hubKey
	var text string
	var k hubKey
	_, err = pgx.ForEachRow(rows, []any{&text, &k.entry}, func() error {
		k.jwk = jsontext.Value(text)
		all = append(all, k)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the hub's keys: %w", err)
	}
	return all, nil
}
