package partners

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/pg"
)

// keyLife is how long a newly enrolled key counts.
const keyLife = 2 * 365 * 24 * time.Hour

// LoopbackRedirect is where the command line of a partner's first system waits for the
// code of a person who signs in; the port is its own choice (RFC 8252 §7.3).
const LoopbackRedirect = "http://127.0.0.1/callback"

// Enrol redeems a one-time code with the statement of the partner's new system:
// its keys are registered, its client made, and an invited partner takes part from
// then on. The code, the statement and the keys are decided in one transaction; a
// refused enrolment leaves the code usable. A system whose answer was lost asks again
// with the same code and keys, and is told the same. Errors: ErrInvitation,
// ErrEnrolment, ErrKeyTaken.
func (s *Store) Enrol(ctx context.Context, hub, code, statement string) (Client, error) {
	digest := sha256.Sum256([]byte(code))
	var client Client
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var now time.Time
		err := tx.QueryRow(ctx, `
			UPDATE invitation SET used_at = now()
			WHERE code_digest = $1 AND used_at IS NULL AND now() < expires_at
			      AND partner NOT IN (SELECT id FROM partner WHERE status = 'suspended')
			RETURNING partner, now()`, digest[:]).Scan(&client.Partner, &now)
		if errors.Is(err, pgx.ErrNoRows) {
			client, err = enrolled(ctx, tx, hub, digest, statement)
			return err
		}
		if err != nil {
			return fmt.Errorf("redeeming an invitation: %w", err)
		}
		e, err := OpenEnrolment(statement, hub, base64.RawURLEncoding.EncodeToString(digest[:]), now)
		if err != nil {
			return err
		}
		return s.register(ctx, tx, &client, e, statement)
	})
	if pg.Violates(err, "partner_key_once") || pg.Violates(err, "partner_key_pkey") {
		return Client{}, ErrKeyTaken
	}
	if err != nil {
		return Client{}, err
	}
	return client, nil
}

// enrolled returns the client that was made for the keys of the statement, if the code
// has been used by its partner, or ErrInvitation. It changes nothing. A used code tells
// nobody anything: whoever asks has signed with a key that was enrolled.
func enrolled(ctx context.Context, tx pgx.Tx, hub string, code [sha256.Size]byte, statement string) (Client, error) {
	var c Client
	var now time.Time
	err := tx.QueryRow(ctx, `
		SELECT partner, now() FROM invitation
		WHERE code_digest = $1 AND used_at IS NOT NULL AND now() < expires_at`, code[:]).Scan(&c.Partner, &now)
	if errors.Is(err, pgx.ErrNoRows) {
		return Client{}, ErrInvitation
	}
	if err != nil {
		return Client{}, fmt.Errorf("looking for an enrolment: %w", err)
	}
	e, err := OpenEnrolment(statement, hub, base64.RawURLEncoding.EncodeToString(code[:]), now)
	if err != nil {
		return Client{}, ErrInvitation
	}
	var thumbprints []string
	for _, k := range e.byUse() {
		thumbprints = append(thumbprints, k.Thumbprint())
	}
	err = tx.QueryRow(ctx, `
		SELECT c.id, c.scopes, c.active FROM partner_client c
		WHERE c.partner = $1 AND c.active AND (SELECT count(*) FROM partner_key k
			WHERE k.partner = c.partner AND k.not_before = c.since AND k.thumbprint = ANY ($2)) = 3`, c.Partner, thumbprints).
		Scan(&c.ID, &c.Scopes, &c.Active)
	if errors.Is(err, pgx.ErrNoRows) {
		return Client{}, ErrInvitation
	}
	if err != nil {
		return Client{}, fmt.Errorf("looking for an enrolment: %w", err)
	}
	return c, nil
}

// register makes the client and its keys. The signing key comes first: it vouches for itself,
// and for the encryption key, by the statement.
func (s *Store) register(ctx context.Context, tx pgx.Tx, c *Client, e Enrolment, statement string) error {
	c.ID = string(c.Partner) + "." + strings.ToLower(rand.Text()[:5])
	c.Scopes, c.Active = PeopleScopes(), true // among them all that it may carry for itself
	entry, err := logNow(ctx, tx, proof.Entry{Act: "partner.enrol", Partner: string(c.Partner), Client: c.ID,
		Digest: e.Keys.Signing.Thumbprint(), Target: e.Keys.Encryption.Thumbprint()})
	if err != nil {
		return err
	}
	history, err := holdKeys(ctx, tx, c.Partner)
	if err != nil {
		return err
	}
	var batch pgx.Batch
	pg.Bind(&batch, string(c.Partner))
	queueFirstSystem(&batch, *c, history.now, entry)
	by := e.Keys.Signing.KeyID()
	for _, n := range []newKey{
		{use: Signing, key: e.Keys.Signing, introduced: proof.SelfSigned, by: by, statement: statement},
		{use: Encryption, key: e.Keys.Encryption, introduced: proof.Countersigned, by: by, statement: statement},
		{use: Authentication, key: e.Keys.Authentication, client: c.ID, introduced: proof.Registered},
	} {
		if err := history.add(&batch, n); err != nil {
			return err
		}
	}
	batch.Queue(`UPDATE partner SET status = 'active', log_entry = $2 WHERE id = $1 AND status = 'invited'`, c.Partner, entry)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("registering keys: %w", err)
	}
	return nil
}

// queueFirstSystem queues the row of a partner's first system.
func queueFirstSystem(b *pgx.Batch, c Client, at time.Time, entry audit.EntryID) {
	b.Queue(`
		INSERT INTO partner_client (id, partner, name, scopes, grant_types, redirect_uris, active, since, log_entry)
		VALUES ($1, $2, 'First system', $3, '{client_credentials,authorization_code,refresh_token}', $4, true, $5, $6)`,
		c.ID, c.Partner, c.Scopes, []string{LoopbackRedirect}, at, entry)
}
