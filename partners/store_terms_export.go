package partners

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/audit"
)

// Grounds tells the entries by which the agreements that are named were proposed: what an answer
// or an end is about.
func (s *Store) Grounds(ctx context.Context, tx pgx.Tx, n audit.Named, found func(audit.EntryID)) error {
	rows, err := tx.Query(ctx, `SELECT log_entry FROM signed_agreement WHERE id = ANY ($1::uuid[])`, n.Targets)
	if err != nil {
		return fmt.Errorf("finding agreements: %w", err)
	}
	var id audit.EntryID
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { found(id); return nil }); err != nil {
		return fmt.Errorf("finding agreements: %w", err)
	}
	return nil
}

// Statements gives the signed statements about agreements that are named, to either of the two
// agencies.
func (s *Store) Statements(ctx context.Context, tx pgx.Tx, n audit.Named, give func(audit.Statement) error) error {
	rows, err := tx.Query(ctx, `
		SELECT 'agreement', proposer, token FROM signed_agreement WHERE id = ANY ($1::uuid[]) AND digest = ANY ($2::text[])
		UNION ALL
		SELECT 'agreement-' || kind, partner, token FROM signed_agreement_step WHERE agreement = ANY ($1::uuid[]) AND digest = ANY ($2::text[])`,
		n.Targets, n.Digests)
	if err != nil {
		return fmt.Errorf("reading agreements: %w", err)
	}
	var st audit.Statement
	_, err = pgx.ForEachRow(rows, []any{&st.Kind, &st.Signer, &st.Text}, func() error { return give(st) })
	return err
}
