package police

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/audit"
)

// Grounds tells the entries by which the requests that are named were stored. Those of decisions
// it never tells: when a no was given, and by whom, is not for the police to know.
func (s *Store) Grounds(ctx context.Context, tx pgx.Tx, n audit.Named, found func(audit.EntryID)) error {
	rows, err := tx.Query(ctx, `SELECT log_entry FROM police_request WHERE id = ANY ($1::uuid[])`, n.Targets)
	if err != nil {
		return fmt.Errorf("finding requests of the police: %w", err)
	}
	var id audit.EntryID
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { found(id); return nil }); err != nil {
		return fmt.Errorf("finding requests of the police: %w", err)
	}
	return nil
}

// Statements gives the requests and decisions that are named. Of a no the police have no
// entry, and none before it may be shown to them.
func (s *Store) Statements(ctx context.Context, tx pgx.Tx, n audit.Named, give func(audit.Statement) error) error {
	rows, err := tx.Query(ctx, `
		SELECT 'police-request', issuer, token FROM police_request WHERE id = ANY ($1::uuid[]) AND digest = ANY ($2::text[])
		UNION ALL
		SELECT 'police-decision', holder, token FROM police_decision WHERE request = ANY ($1::uuid[]) AND digest = ANY ($2::text[])`,
		n.Targets, n.Digests)
	if err != nil {
		return fmt.Errorf("reading requests of the police: %w", err)
	}
	var st audit.Statement
	_, err = pgx.ForEachRow(rows, []any{&st.Kind, &st.Signer, &st.Text}, func() error { return give(st) })
	return err
}
