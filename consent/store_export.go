package consent

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/audit"
)

// Grounds tells the entries by which the nevers that are named were recorded and lifted.
func (s *Store) Grounds(ctx context.Context, tx pgx.Tx, n audit.Named, found func(audit.EntryID)) error {
	rows, err := tx.Query(ctx, `
		SELECT log_entry FROM consent_never WHERE id = ANY ($1::uuid[])
		UNION ALL SELECT log_entry FROM consent_never_state WHERE id = ANY ($1::uuid[]) AND lifted_at IS NOT NULL`, n.Targets)
	if err != nil {
		return fmt.Errorf("finding nevers: %w", err)
	}
	var id audit.EntryID
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { found(id); return nil }); err != nil {
		return fmt.Errorf("finding nevers: %w", err)
	}
	return nil
}

// exportStatements are the signed statements and nothing of what is sealed or posted beside
// them. A record and an override come by their id too: a recipient is not shown the entry that
// stored them, and may read them.
const exportStatements = `
	SELECT 'consent', recorder, token FROM consent WHERE id = ANY (@consents::uuid[])
	UNION ALL SELECT 'withdrawal', withdrawn_by, withdrawal FROM consent_state
		WHERE id = ANY (@consents::uuid[]) AND withdrawal_digest = ANY (@digests::text[])
	UNION ALL SELECT 'decision', recorder, token FROM consent_review WHERE id = ANY (@consents::uuid[]) AND digest = ANY (@digests::text[])
	UNION ALL SELECT 'override', recorder, token FROM consent_override WHERE id = ANY (@overrides::uuid[])
	UNION ALL SELECT kind, recorder, token FROM consent_override_step WHERE override = ANY (@overrides::uuid[]) AND digest = ANY (@digests::text[])
	UNION ALL SELECT 'never', recorder, token FROM consent_never WHERE id = ANY (@targets::uuid[]) AND digest = ANY (@digests::text[])
	UNION ALL SELECT 'lift', recorder, lift FROM consent_never_state WHERE id = ANY (@targets::uuid[]) AND lift_digest = ANY (@digests::text[])`

// Statements gives the signed statements about consent that are named.
func (s *Store) Statements(ctx context.Context, tx pgx.Tx, n audit.Named, give func(audit.Statement) error) error {
	rows, err := tx.Query(ctx, exportStatements, pgx.StrictNamedArgs{"consents": n.Consents, "overrides": n.Overrides,
		"targets": n.Targets, "digests": n.Digests})
	if err != nil {
		return fmt.Errorf("reading statements about consent: %w", err)
	}
	var st audit.Statement
	_, err = pgx.ForEachRow(rows, []any{&st.Kind, &st.Signer, &st.Text}, func() error { return give(st) })
	return err
}
