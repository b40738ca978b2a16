package hubtest

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/partners"
)

// register registers the key with which an agency's system authenticates behind the hub's
// back, and tells the log and the history of it, as the hub does.
func (h *Hub) register(t testing.TB, a *Agency) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), h.DB.Owner, func(tx pgx.Tx) error {
		var now time.Time
		var position int64
		err := tx.QueryRow(t.Context(), `SELECT now(), count(*) + 1 FROM partner_key_change WHERE partner = $1`, string(a.ID)).Scan(&now, &position)
		if err != nil {
			return err
		}
		until := now.Add(24 * time.Hour)
		entry, err := audit.Append(t.Context(), tx, proof.Entry{Act: proof.KeyAdded, Time: now, Partner: string(a.ID), Key: &proof.KeyChange{
			Position: position, Key: a.Auth.KeyID(), Use: string(partners.Authentication), Client: a.Client, From: now, Until: until,
			Introduced: proof.Registered}})
		if err != nil {
			return err
		}
		_, err = tx.Exec(t.Context(), `
			INSERT INTO partner_key (partner, kid, use, client, jwk, thumbprint, not_before, not_after, log_entry)
			VALUES ($1, $2, 'authentication', $3, $4, $2, $5, $6, $7)`,
			string(a.ID), a.Auth.KeyID(), a.Client, string(must(a.Auth.Public().MarshalJSON())), now, until, entry)
		if err != nil {
			return err
		}
		_, err = tx.Exec(t.Context(), `
			INSERT INTO partner_key_change (partner, position, kid, change, log_entry) VALUES ($1, $2, $3, 'added', $4)`,
			string(a.ID), position, a.Auth.KeyID(), entry)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
