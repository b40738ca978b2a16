package hubtest

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/partners"
)

// thief has all rights in the hub's database, keys of her own, and a hub that signs whatever
// the log is given.
type thief struct {
	hub           *Hub
	victim        *Agency
	signing, seal jose.PrivateKey
}

// rewrites runs a change with every trigger and constraint of the database out of the way.
func (x thief) rewrites(t testing.TB, change func(tx pgx.Tx) error) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), x.hub.DB.Owner, func(tx pgx.Tx) error {
		for _, statement := range []string{
			`ALTER TABLE partner_key_change DISABLE TRIGGER USER`, `ALTER TABLE partner_key DISABLE TRIGGER USER`,
			`ALTER TABLE partner_key_change DROP CONSTRAINT partner_key_change_entry, DROP CONSTRAINT partner_key_change_key`,
		} {
			if _, err := tx.Exec(t.Context(), statement); err != nil {
				return err
			}
		}
		return change(tx)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// row writes the thief's key as one of the victim's.
func (x thief) row(t testing.TB, tx pgx.Tx, use partners.Use, key jose.PrivateKey, from time.Time, entry audit.EntryID) error {
	t.Helper()
	jwk, err := key.Public().MarshalJSON()
	if err != nil {
		return err
	}
	_, err = tx.Exec(t.Context(), `
		INSERT INTO partner_key (partner, kid, use, jwk, thumbprint, not_before, not_after, log_entry)
		VALUES ($1, $2, $3, $4, $2, $5, $5::timestamptz + interval '1 year', $6)`, string(x.victim.ID), key.KeyID(), string(use), string(jwk), from, entry)
	return err
}

// place writes a change of the victim's history.
func (x thief) place(t testing.TB, tx pgx.Tx, key jose.PrivateKey, statement string, entry audit.EntryID) error {
	t.Helper()
	_, err := tx.Exec(t.Context(), `
		INSERT INTO partner_key_change (partner, position, kid, change, statement, log_entry)
		SELECT $1, count(*) + 1, $2, 'added', nullif($3, ''), $4 FROM partner_key_change WHERE partner = $1`, string(x.victim.ID), key.KeyID(), statement, entry)
	return err
}

// logs brings a key with an entry that the hub's own log has.
func (x thief) logs(t testing.TB, tx pgx.Tx, use partners.Use, key jose.PrivateKey, introduced, by, statement string) error {
	t.Helper()
	var position int64
	if err := tx.QueryRow(t.Context(), `SELECT count(*) + 1 FROM partner_key_change WHERE partner = $1`, string(x.victim.ID)).Scan(&position); err != nil {
		return err
	}
	from := time.Now().UTC().Truncate(time.Microsecond)
	k := proof.KeyChange{Position: position, Key: key.KeyID(), Use: string(use), From: from, Until: from.AddDate(1, 0, 0), Introduced: introduced, By: by}
	if statement != "" {
		k.Statement = ids.Digest(statement)
	}
	entry, err := audit.Append(t.Context(), tx, proof.Entry{Act: proof.KeyAdded, Time: from, Partner: string(x.victim.ID), Key: &k})
	if err != nil {
		return err
	}
	if err := x.row(t, tx, use, key, from, entry); err != nil {
		return err
	}
	if _, err := tx.Exec(t.Context(), `UPDATE partner_key SET not_after = $2 WHERE kid = $1`, key.KeyID(), k.Until); err != nil {
		return err
	}
	return x.place(t, tx, key, statement, entry)
}

// states is a rotation of the victim's to the thief's key, signed by the thief.
func (x thief) states(t testing.TB, use partners.Use, key jose.PrivateKey) string {
	t.Helper()
	return SignAs(t, partners.RotationType, partners.Rotation{Hub: Issuer, Partner: x.victim.ID, Use: use, Key: key.Public(),
		IssuedAt: time.Now().Unix()}, x.signing.Signer())
}

// Swaps lists ways to have another key taken for an agency's, for whoever has all rights in the
// database of its hub.
func Swaps() map[string]func(t testing.TB, victim *Agency) {
	swaps := map[string]func(testing.TB, *Agency){}
	for name, swap := range map[string]func(thief, testing.TB, pgx.Tx) error{
		"the key in the row is swapped":             func(x thief, t testing.TB, tx pgx.Tx) error { return x.swaps(t, tx, x.seal.KeyID()) },
		"and keeps the old one's fingerprint":       func(x thief, t testing.TB, tx pgx.Tx) error { return x.swaps(t, tx, x.victim.Sealing.KeyID()) },
		"a key beside it, without an entry":         thief.adds,
		"with the entry of another":                 thief.borrows,
		"logged by the hub, and nobody's signature": thief.forges,
		"logged by the hub, with the thief's own":   thief.vouches,
		"a change of the history is deleted":        thief.deletes,
		"the history is replaced":                   thief.replaces,
	} {
		swaps[name] = func(t testing.TB, victim *Agency) {
			t.Helper()
			x := thief{victim.hub, victim, Key(t, partners.Signing), Key(t, partners.Encryption)}
			x.rewrites(t, func(tx pgx.Tx) error { return swap(x, t, tx) })
		}
	}
	return swaps
}

func (x thief) swaps(t testing.TB, tx pgx.Tx, kid string) error {
	jwk := strings.Replace(string(must(x.seal.Public().MarshalJSON())), x.seal.KeyID(), kid, 1)
	_, err := tx.Exec(t.Context(), `UPDATE partner_key SET jwk = $1 WHERE kid = $2`, jwk, x.victim.Sealing.KeyID())
	return err
}

func (x thief) adds(t testing.TB, tx pgx.Tx) error {
	var some audit.EntryID
	if err := tx.QueryRow(t.Context(), `SELECT id FROM audit_entry LIMIT 1`).Scan(&some); err != nil {
		return err
	}
	return x.row(t, tx, partners.Encryption, x.seal, time.Now(), some)
}

func (x thief) borrows(t testing.TB, tx pgx.Tx) error {
	var anothers audit.EntryID
	err := tx.QueryRow(t.Context(), `SELECT log_entry FROM partner_key WHERE partner <> $1 AND use = 'encryption' LIMIT 1`, string(x.victim.ID)).Scan(&anothers)
	if err == nil {
		err = x.row(t, tx, partners.Encryption, x.seal, time.Now(), anothers)
	}
	if err == nil {
		err = x.place(t, tx, x.seal, "", anothers)
	}
	return err
}

func (x thief) forges(t testing.TB, tx pgx.Tx) error {
	return x.logs(t, tx, partners.Encryption, x.seal, proof.Countersigned, x.victim.Signing.KeyID(), "")
}

func (x thief) vouches(t testing.TB, tx pgx.Tx) error {
	err := x.logs(t, tx, partners.Signing, x.signing, proof.SelfSigned, x.signing.KeyID(), x.states(t, partners.Signing, x.signing))
	if err != nil {
		return err
	}
	return x.logs(t, tx, partners.Encryption, x.seal, proof.Countersigned, x.signing.KeyID(), x.states(t, partners.Encryption, x.seal))
}

func (x thief) deletes(t testing.TB, tx pgx.Tx) error {
	_, err := tx.Exec(t.Context(), `DELETE FROM partner_key_change WHERE partner = $1 AND position = 2`, string(x.victim.ID))
	return err
}

func (x thief) replaces(t testing.TB, tx pgx.Tx) error {
	for _, table := range []string{"partner_key_change", "partner_key"} {
		if _, err := tx.Exec(t.Context(), `DELETE FROM `+table+` WHERE partner = $1`, string(x.victim.ID)); err != nil {
			return err
		}
	}
	return x.vouches(t, tx)
}
