package hubtest

import (
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/keys/jose"
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

// Rotate puts a new signing or encryption key in the place of the agency's, as its
// administrator, with the signature of its signing key, and returns the old key.
func (a *Agency) Rotate(t testing.TB, admin *Person, use partners.Use, overlap time.Duration) (old jose.PrivateKey) {
	t.Helper()
	key, place := Key(t, use), &a.Signing
	if use == partners.Encryption {
		place = &a.Sealing
	}
	r := partners.Rotation{Hub: a.hub.issuer, Partner: a.ID, Use: use, Key: key.Public(), IssuedAt: a.hub.Now().Unix(),
		Retire: place.KeyID(), Overlap: int64(overlap / time.Second)}
	if use == partners.Signing {
		r.Possession = Possession(t, r, key)
	}
	var made partners.HeldKey
	admin.Do(t, Call{Method: http.MethodPost, Path: "/v1/keys", Type: "application/jose",
		Body: []byte(SignAs(t, partners.RotationType, r, a.Signing.Signer()))}).Into(t, http.StatusCreated, &made)
	old, *place = *place, key
	return old
}
