package referral

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/audit"
)

// Grounds tells nothing: a step of a referral rests on the steps before it by their digests,
// which are in the envelopes.
func (s *Store) Grounds(context.Context, pgx.Tx, audit.Named, func(audit.EntryID)) error { return nil }

// Statements gives the envelopes that are named, which hold no section, and the answers to
// what a withdrawal asks.
func (s *Store) Statements(ctx context.Context, tx pgx.Tx, n audit.Named, give func(audit.Statement) error) error {
	rows, err := tx.Query(ctx, `
		SELECT 'envelope', p.issuer, p.envelope FROM referral r JOIN packet p ON p.referral = r.seq
		WHERE r.id = ANY ($1::text[]) AND p.digest = ANY ($2::text[])
		UNION ALL
		SELECT 'recall', partner, statement FROM recall WHERE id = ANY ($3::uuid[]) AND statement_digest = ANY ($2::text[])`,
		n.Referrals, n.Digests, n.Targets)
	if err != nil {
		return fmt.Errorf("reading envelopes: %w", err)
	}
	var st audit.Statement
	_, err = pgx.ForEachRow(rows, []any{&st.Kind, &st.Signer, &st.Text}, func() error { return give(st) })
	return err
}

// HubKeys returns every key that the hub ever signed a step of its own with, within tx.
func (s *Store) HubKeys(ctx context.Context, tx pgx.Tx) ([]audit.HubKey, error) {
	known, err := readHubKeys(ctx, tx)
	if err != nil {
		return nil, err
	}
	all := make([]audit.HubKey, len(known))
	for i, k := range known {
		all[i] = audit.HubKey{JWK: k.jwk, Entry: k.entry}
	}
	return all, nil
}
