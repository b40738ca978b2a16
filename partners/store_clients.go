package partners

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/keys/jose"
)

// inviteLife is how long an initial access token can be used.
const inviteLife = 24 * time.Hour

// System is one of a partner's own systems as its administrator sees it.
type System struct {
	ID        string    `json:"client_id"`
	Name      string    `json:"client_name"`
	Scopes    []Scope   `json:"scopes"`
	Grants    []string  `json:"grant_types"`
	Redirects []string  `json:"redirect_uris"`
	Active    bool      `json:"active"`
	Since     time.Time `json:"since"`
	Keys      []HeldKey `json:"keys"` // with which it authenticates
}

// HeldKey is one of a partner's own keys as its administrator sees it.
type HeldKey struct {
	ID        string         `json:"kid"` // its RFC 7638 thumbprint
	Use       Use            `json:"use"`
	Client    string         `json:"client,omitempty"` // of an authentication key: its system
	Algorithm jose.Algorithm `json:"alg"`
	Custody   Custody        `json:"custody"` // who holds the private part
	NotBefore time.Time      `json:"not_before"`
	NotAfter  time.Time      `json:"not_after"`
	Revoked   time.Time      `json:"revoked,omitzero"`
}

// What an administrator, or a new system with her leave, can cause.
var (
	// ErrInitialToken is for the authorization server alone, which says it in RFC 6750's form.
	ErrInitialToken = errors.New("the initial access token is unknown, used or expired")
	// ErrRegisteredKey is for the authorization server too: a key that was ever registered.
	ErrRegisteredKey = errors.New("a key of the registration was registered before")
)

// Systems lists the systems of the caller's agency, each with its keys.
func (s *Store) Systems(ctx context.Context, c Caller) ([]System, error) {
	systems := []System{}
	keys, err := s.HeldKeys(ctx, c)
	if err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT id, name, scopes, grant_types, redirect_uris, active, since FROM partner_client
		WHERE partner = $1 ORDER BY since, id`, c.Partner())
	if err != nil {
		return nil, fmt.Errorf("listing systems: %w", err)
	}
	var y System
	_, err = pgx.ForEachRow(rows, []any{&y.ID, &y.Name, &y.Scopes, &y.Grants, &y.Redirects, &y.Active, &y.Since}, func() error {
		y.Keys = slices.DeleteFunc(slices.Clone(keys), func(k HeldKey) bool { return k.Client != y.ID })
		systems = append(systems, y)
		y = System{}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing systems: %w", err)
	}
	return systems, nil
}

// HeldKeys lists all keys of the caller's agency, newest first.
func (s *Store) HeldKeys(ctx context.Context, c Caller) ([]HeldKey, error) {
	keys := []HeldKey{}
	rows, err := s.pool.Query(ctx, `
		SELECT kid, use, coalesce(client, ''), jwk, custody, not_before, not_after, revoked_at FROM partner_key
		WHERE partner = $1 ORDER BY not_before DESC, kid`, c.Partner())
	if err != nil {
		return nil, fmt.Errorf("listing keys: %w", err)
	}
	var k HeldKey
	var jwk string
	var revoked *time.Time
	_, err = pgx.ForEachRow(rows, []any{&k.ID, &k.Use, &k.Client, &jwk, &k.Custody, &k.NotBefore, &k.NotAfter, &revoked}, func() error {
		public, err := s.parsed.parse(jwk)
		if err != nil {
			return err
		}
		k.Algorithm, k.Revoked = public.Algorithm(), time.Time{}
		if revoked != nil {
			k.Revoked = *revoked
		}
		keys = append(keys, k)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing keys: %w", err)
	}
	return keys, nil
}

// InviteSystem gives leave for one new system of the caller's agency: an initial access
// token (RFC 7591 §3), shown once and stored as a digest.
func (s *Store) InviteSystem(ctx context.Context, c Caller) (token string, expires time.Time, err error) {
	return s.inviteSystem(ctx, c, func(pgx.Tx) error { return nil })
}

// InviteSystemAfter is InviteSystem unless a token was made after the one of last, which was the
// agency's newest when the administrator's page was made (Leave.Given): whoever sends one page
// twice makes one token, and is told ErrAlready the second time.
func (s *Store) InviteSystemAfter(ctx context.Context, c Caller, last time.Time) (token string, expires time.Time, err error) {
	return s.inviteSystem(ctx, c, func(tx pgx.Tx) error {
		return unchanged(ctx, tx, last, `SELECT max(invited_at) FROM client_invitation WHERE partner = $1`, c.Partner())
	})
}

func (s *Store) inviteSystem(ctx context.Context, c Caller, may func(pgx.Tx) error) (token string, expires time.Time, err error) {
	token = strings.ToLower(rand.Text())
	digest := sha256.Sum256([]byte(token))
	err = s.administer(ctx, c, c.Entry("client.invite"), func(tx pgx.Tx, entry audit.EntryID) error {
		if err := may(tx); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `
			INSERT INTO client_invitation (code_digest, partner, invited_by, invited_at, expires_at, log_entry)
			VALUES ($1, $2, $3, now(), now() + $4, $5) RETURNING expires_at`,
			digest[:], c.Partner(), c.User(), inviteLife, entry).Scan(&expires)
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return token, expires, nil
}

// InvitedBy returns whose system an initial access token is for, without using it, or
// ErrInitialToken.
func (s *Store) InvitedBy(ctx context.Context, token string) (ID, error) {
	digest := sha256.Sum256([]byte(token))
	var partner ID
	err := s.pool.QueryRow(ctx, `
		SELECT partner FROM client_invitation WHERE code_digest = $1 AND used_at IS NULL AND now() < expires_at`, digest[:]).Scan(&partner)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", ErrInitialToken
	}
	if err != nil {
		return "", fmt.Errorf("reading an initial access token: %w", err)
	}
	return partner, nil
}

// Register makes a new system with the token that an administrator gave it. Token, keys
// and system are decided in one transaction: a refused registration leaves the token
// usable, and of two at once one is made. The token ends with its giver's part, and when she is
// signed out everywhere: what a removed administrator has left behind opens nothing, nor
// what somebody made at her screen. Errors: ErrInitialToken,
// ErrRegisteredKey, *MetadataError.
func (s *Store) Register(ctx context.Context, token string, r Registration) (System, error) {
	if err := r.Check(); err != nil {
		return System{}, err
	}
	digest := sha256.Sum256([]byte(token))
	var y System
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var partner ID
		var giver string
		var given time.Time
		err := tx.QueryRow(ctx, `
			UPDATE client_invitation SET used_at = now() WHERE code_digest = $1 AND used_at IS NULL AND now() < expires_at
			RETURNING partner, invited_by::text, invited_at, used_at`, digest[:]).Scan(&partner, &giver, &given, &y.Since)
		if err == nil {
			err = lockGiver(ctx, tx, partner, giver, given)
		}
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrInitialToken
		}
		if err != nil {
			return fmt.Errorf("redeeming an initial access token: %w", err)
		}
		return y.make(ctx, tx, partner, giver, r)
	})
	if pg.Violates(err, "partner_key_once") || pg.Violates(err, "partner_key_pkey") {
		return System{}, ErrRegisteredKey
	}
	if err != nil {
		return System{}, err
	}
	return y, nil
}

// lockGiver binds the transaction to the partner and finds its administrator who gave the
// token, if both take part now and she was not signed out since; else pgx.ErrNoRows.
func lockGiver(ctx context.Context, tx pgx.Tx, partner ID, giver string, given time.Time) error {
	var batch pgx.Batch
	pg.Bind(&batch, string(partner))
	batch.Queue(`
		SELECT u.id::text FROM partner_user u JOIN partner p ON p.id = u.partner
		WHERE u.id = $1 AND u.role = 'administrator' AND u.status = 'active' AND p.status = 'active'
		AND u.signed_out_at <= $2 FOR SHARE OF u`, giver, given).
		QueryRow(func(row pgx.Row) error { return row.Scan(&giver) })
	return tx.SendBatch(ctx, &batch).Close()
}

// make inserts the system with its keys. The log says of them one digest: that of their
// thumbprints, in order, one a line.
func (y *System) make(ctx context.Context, tx pgx.Tx, partner ID, giver string, r Registration) error {
	y.ID = string(partner) + "." + strings.ToLower(rand.Text()[:5])
	y.Name, y.Scopes, y.Grants, y.Redirects, y.Active = r.Name, r.Scopes, r.Grants, r.Redirects, true
	if y.Redirects == nil {
		y.Redirects = []string{}
	}
	var thumbprints []string
	for _, k := range r.Keys {
		thumbprints = append(thumbprints, k.Thumbprint())
	}
	slices.Sort(thumbprints)
	e := proof.Entry{Act: "client.register", Partner: string(partner), Client: y.ID, User: giver, Target: y.ID,
		Digest: ids.Digest(strings.Join(thumbprints, "\n"))}
	entry, err := logNow(ctx, tx, e)
	if err != nil {
		return err
	}
	history, err := holdKeys(ctx, tx, partner)
	if err != nil {
		return err
	}
	y.Since = history.now
	var batch pgx.Batch
	batch.Queue(`
		INSERT INTO partner_client (id, partner, name, scopes, grant_types, redirect_uris, active, since, log_entry)
		VALUES ($1, $2, $3, $4, $5, $6, true, $7, $8)`,
		y.ID, partner, y.Name, y.Scopes, y.Grants, y.Redirects, y.Since, entry)
	for _, k := range r.Keys {
		if err := history.add(&batch, newKey{use: Authentication, client: y.ID, key: k, introduced: proof.Registered}); err != nil {
			return err
		}
		y.Keys = append(y.Keys, HeldKey{ID: k.KeyID(), Use: Authentication, Client: y.ID, Algorithm: k.Algorithm(), Custody: HeldByPartner,
			NotBefore: y.Since, NotAfter: y.Since.Add(keyLife)})
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("registering a system: %w", err)
	}
	return nil
}

// SuspendSystem stops a system at once: its next request is refused, and so is that of
// everybody who acts through it.
func (s *Store) SuspendSystem(ctx context.Context, c Caller, client string) error {
	return s.switchSystem(ctx, c, client, "client.suspend", false)
}

// ResumeSystem lets a suspended system take part again.
func (s *Store) ResumeSystem(ctx context.Context, c Caller, client string) error {
	return s.switchSystem(ctx, c, client, "client.resume", true)
}

func (s *Store) switchSystem(ctx context.Context, c Caller, client, act string, on bool) error {
	if !ids.IsClient(client) {
		return ErrSystemNotThere
	}
	e := c.Entry(act)
	e.Target = client
	return s.administer(ctx, c, e, func(tx pgx.Tx, entry audit.EntryID) error {
		var active bool
		err := tx.QueryRow(ctx, `SELECT active FROM partner_client WHERE id = $1 AND partner = $2 FOR NO KEY UPDATE`, client, c.Partner()).Scan(&active)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrSystemNotThere
		}
		if err != nil {
			return fmt.Errorf("finding a system: %w", err)
		}
		tag, err := tx.Exec(ctx, `UPDATE partner_client SET active = $3, log_entry = $4 WHERE id = $1 AND partner = $2 AND active <> $3`,
			client, c.Partner(), on, entry)
		if err != nil {
			return fmt.Errorf("switching a system: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return ErrStanding.With("status", map[bool]string{true: "active", false: "suspended"}[active])
		}
		return nil
	})
}
