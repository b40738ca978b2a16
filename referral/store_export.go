package referral

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/audit"
)

// Grounds tells the entries of every step of the referrals that are named: what was asked
// first says for whom and for what purpose, and each step follows the one before it.
func (s *Store) Grounds(ctx context.Context, tx pgx.Tx, n audit.Named, found func(audit.EntryID)) error {
	rows, err := tx.Query(ctx, `
		SELECT p.log_entry FROM referral r JOIN packet p ON p.referral = r.seq WHERE r.id = ANY ($1::text[])`, n.Referrals)
	if err != nil {
		return fmt.Errorf("finding steps: %w", err)
	}
	var id audit.EntryID
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { found(id); return nil }); err != nil {
		return fmt.Errorf("finding steps: %w", err)
	}
	return nil
}

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
