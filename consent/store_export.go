package consent

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/audit"
)

// exportGrounds finds what stored the records, overrides and nevers that are named, what was
// signed about them, and what can stop what a record would let through: every record that
// later took its place, and nevers about the same woman.
const exportGrounds = `
	WITH record AS (
		SELECT n.id, n.log_entry, n.subject FROM consent c JOIN consent n ON n.chain = c.chain AND n.place >= c.place
		WHERE c.id = ANY (@consents::uuid[])),
	never AS (
		SELECT id, log_entry FROM consent_never WHERE id = ANY (@targets::uuid[]) OR id IN (
			SELECT l.never FROM consent_never_line l JOIN record USING (subject)))
	SELECT log_entry FROM record
	UNION ALL SELECT s.log_entry FROM consent_state s JOIN record USING (id) WHERE s.withdrawn_at IS NOT NULL
	UNION ALL SELECT r.log_entry FROM consent_review r JOIN record USING (id)
	UNION ALL SELECT log_entry FROM never
	UNION ALL SELECT s.log_entry FROM consent_never_state s JOIN never USING (id) WHERE s.lifted_at IS NOT NULL
	UNION ALL SELECT log_entry FROM consent_override WHERE id = ANY (@overrides::uuid[])
	UNION ALL SELECT log_entry FROM consent_override_step WHERE override = ANY (@overrides::uuid[])`

// Grounds tells the entries of what is named and of what stands beside it.
func (s *Store) Grounds(ctx context.Context, tx pgx.Tx, n audit.Named, found func(audit.EntryID)) error {
	rows, err := tx.Query(ctx, exportGrounds, pgx.StrictNamedArgs{"consents": n.Consents, "overrides": n.Overrides, "targets": n.Targets})
	if err != nil {
		return fmt.Errorf("finding what consent rests on: %w", err)
	}
	var id audit.EntryID
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { found(id); return nil }); err != nil {
		return fmt.Errorf("finding what consent rests on: %w", err)
	}
	return nil
}

// exportStatements are the signed statements and nothing of what is sealed or posted beside
// them. A record and an override come by their id: what rests on them names them so.
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
