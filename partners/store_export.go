package partners

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/internal/strict"
)

// WithKeys returns the ids of all partners that ever had a key, within tx.
func (s *Store) WithKeys(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM partner p WHERE EXISTS (SELECT FROM partner_key k WHERE k.partner = p.id) ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("listing partners with keys: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("listing partners with keys: %w", err)
	}
	return all, nil
}

// PartnerKeys returns a partner's category and keys, and the whole history of them, within tx.
func (s *Store) PartnerKeys(ctx context.Context, tx pgx.Tx, id string) (audit.PartnerKeys, error) {
	var known audit.PartnerKeys
	var keys []Key
	var b pgx.Batch
	b.Queue(`SELECT category FROM partner WHERE id = $1`, id).QueryRow(func(row pgx.Row) error { return row.Scan(&known.Category) })
	b.Queue(keysOfPartner, id).Query(func(rows pgx.Rows) error {
		return s.scanKeys(rows, func(_ ID, k Key) { keys = append(keys, k) })
	})
	b.Queue(`SELECT position, coalesce(statement, ''), log_entry FROM partner_key_change WHERE partner = $1 ORDER BY position`, id).
		Query(func(rows pgx.Rows) (err error) {
			known.Changes, err = pgx.CollectRows(rows, pgx.RowToStructByPos[audit.KeyStep])
			return err
		})
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return known, fmt.Errorf("reading the keys of a partner: %w", err)
	}
	members, err := jwks(keys)
	if err != nil {
		return known, err
	}
	for _, m := range members {
		text, err := strict.Marshal(m)
		if err != nil {
			return known, fmt.Errorf("writing a key: %w", err)
		}
		known.Keys = append(known.Keys, jsontext.Value(text))
	}
	return known, nil
}
