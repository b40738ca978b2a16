package oauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/partners"
)

// grantRow is a grant as the database holds it.
type grantRow struct {
	id        string
	redirect  string
	state     string
	challenge string
	jkt       string // "" while it is bound to no key
	scopes    []partners.Scope
	user      string    // whose grant it is; "" until she has said yes
	proved    time.Time // when she had last proved who she is
}

// errNoGrant means that no row fits every guard of a transition.
var errNoGrant = errors.New("there is no such grant")

// How long each step of a grant may wait for the next, by the database's time.
const (
	requestLife = 5 * time.Minute  // from the pushed request to her yes; under ten minutes (FAPI 2.0 §5.3.2.2)
	codeLife    = time.Minute      // from her yes to the redemption (FAPI 2.0 §5.3.2.1)
	refreshLife = 12 * time.Hour   // from the redemption to the last refresh: a working day
	grantMemory = 24 * time.Hour   // that a grant which has ended is kept, so that its code is known for used
	revokedFor  = 20 * time.Minute // longer than an access token lives, with hubs whose clocks differ
)

// push keeps a pushed request under the digest of its request_uri.
func (s *Store) push(ctx context.Context, client string, request use, g grantRow) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO oauth_grant (client, request_digest, request_expires_at, redirect_uri, state, challenge, scopes, jkt)
		VALUES ($1, $2, now() + $3, $4, $5, $6, $7, nullif($8, ''))`,
		client, request[:], requestLife, g.redirect, g.state, g.challenge, g.scopes, g.jkt)
	if err != nil {
		return fmt.Errorf("keeping a pushed request: %w", err)
	}
	return nil
}

// waiting is the guard of a request that waits for a person: pushed by this client, and
// neither answered nor too old. Somebody else's client_id finds nothing and uses nothing
// up.
const waiting = ` request_digest = $1 AND client = $2 AND code_digest IS NULL AND revoked_at IS NULL AND now() < request_expires_at`

// pushed returns the request that waits for a person, or errNoGrant. It may be read as
// often as a page is loaded.
func (s *Store) pushed(ctx context.Context, client string, request use) (grantRow, error) {
	return s.grant(ctx, `SELECT `+grantColumns+` FROM oauth_grant WHERE`+waiting, request[:], client)
}

const grantColumns = `id::text, redirect_uri, state, challenge, coalesce(jkt, ''), scopes, coalesce(user_id::text, ''), coalesce(proved_at, 'epoch')`

func (s *Store) grant(ctx context.Context, query string, args ...any) (grantRow, error) {
	var g grantRow
	err := s.pool.QueryRow(ctx, query, args...).Scan(&g.id, &g.redirect, &g.state, &g.challenge, &g.jkt, &g.scopes, &g.user, &g.proved)
	if errors.Is(err, pgx.ErrNoRows) {
		return grantRow{}, errNoGrant
	}
	if err != nil {
		return grantRow{}, fmt.Errorf("reading a grant: %w", err)
	}
	return g, nil
}

// permit records the person's yes to a request and gives it its code, once, or returns
// errNoGrant.
func (s *Store) permit(ctx context.Context, c partners.Caller, client string, request, code use, scopes []partners.Scope) error {
	e := c.Entry("grant.permit")
	e.Client = client
	return s.logged(ctx, e, func(tx pgx.Tx, entry audit.EntryID) error {
		tag, err := tx.Exec(ctx, `
			UPDATE oauth_grant SET user_id = $3, proved_at = $4, code_digest = $5, code_expires_at = now() + $6, scopes = $7, log_entry = $8
			WHERE`+waiting, request[:], client, c.User(), c.Proved(), code[:], codeLife, scopes, entry)
		return one(tag.RowsAffected(), err)
	})
}

// deny ends a request that waits for a person, or returns errNoGrant. Nothing was granted, so
// the row names no entry: what happened is in the log alone.
func (s *Store) deny(ctx context.Context, c partners.Caller, client string, request use, why string) error {
	e := c.Entry("grant.deny")
	e.Client, e.Reason = client, why
	return s.logged(ctx, e, func(tx pgx.Tx, _ audit.EntryID) error {
		tag, err := tx.Exec(ctx, `UPDATE oauth_grant SET revoked_at = now() WHERE`+waiting, request[:], client)
		return one(tag.RowsAffected(), err)
	})
}

// redemption is all that a code is redeemed with. Every part of it is a guard of one
// statement, so that no part can be checked at another moment than the rest.
type redemption struct {
	code      use
	client    string
	redirect  string
	challenge string // made of the verifier
	jkt       string // of the DPoP proof
}

const redeemable = ` code_digest = $1 AND client = $2 AND redirect_uri = $3 AND challenge = $4 AND coalesce(jkt, $5) = $5
	AND redeemed_at IS NULL AND revoked_at IS NULL AND now() < code_expires_at`

func (r redemption) args() []any { return []any{r.code[:], r.client, r.redirect, r.challenge, r.jkt} }

// code returns the grant that a code would redeem, or errNoGrant.
func (s *Store) code(ctx context.Context, r redemption) (grantRow, error) {
	return s.grant(ctx, `SELECT `+grantColumns+` FROM oauth_grant WHERE`+redeemable, r.args()...)
}

// redeem uses the code, once, whatever has happened since code was asked, and keeps the
// refresh token's digest if there is one. Otherwise it returns errNoGrant.
func (s *Store) redeem(ctx context.Context, r redemption, refresh *use) error {
	var digest []byte
	if refresh != nil {
		digest = refresh[:]
	}
	tag, err := s.pool.Exec(ctx, `
		UPDATE oauth_grant SET redeemed_at = now(), jkt = $5, refresh_digest = $6,
			refresh_expires_at = CASE WHEN $6::bytea IS NOT NULL THEN now() + $7::interval END
		WHERE`+redeemable, append(r.args(), digest, refreshLife)...)
	return one(tag.RowsAffected(), err)
}

// replayed revokes the grant of a code that its own client has redeemed before, and
// reports whether there is one: then the code is in two hands (RFC 6749 §4.1.2).
func (s *Store) replayed(ctx context.Context, r redemption, e proof.Entry) (bool, error) {
	err := s.end(ctx, e, `code_digest = $1 AND client = $2 AND redeemed_at IS NOT NULL`, r.code[:], r.client)
	if errors.Is(err, errNoGrant) {
		return false, nil
	}
	return err == nil, err
}

// refresh returns the grant of a refresh token, or errNoGrant.
func (s *Store) refresh(ctx context.Context, client, jkt string, token use) (grantRow, error) {
	return s.grant(ctx, `
		SELECT `+grantColumns+` FROM oauth_grant
		WHERE refresh_digest = $1 AND client = $2 AND jkt = $3 AND revoked_at IS NULL AND now() < refresh_expires_at`,
		token[:], client, jkt)
}

// revokeRefresh ends the grant of a refresh token of that client, with every access
// token that came of it, or returns errNoGrant.
func (s *Store) revokeRefresh(ctx context.Context, client string, token use, e proof.Entry) error {
	return s.end(ctx, e, `refresh_digest = $1 AND client = $2`, token[:], client)
}

// end revokes the one grant that fits, at once for all of its tokens.
func (s *Store) end(ctx context.Context, e proof.Entry, guard string, args ...any) error {
	return s.logged(ctx, e, func(tx pgx.Tx, entry audit.EntryID) error {
		n := len(args)
		tag, err := tx.Exec(ctx, fmt.Sprintf(`
			WITH ended AS (UPDATE oauth_grant SET revoked_at = now(), log_entry = $%d WHERE %s AND revoked_at IS NULL RETURNING id)
			INSERT INTO oauth_revoked (name, until) SELECT id::text, now() + $%d::interval FROM ended`, n+1, guard, n+2),
			append(args, entry, revokedFor)...)
		return one(tag.RowsAffected(), err)
	})
}

// revokeAccess revokes one access token by its jti; that it was revoked before is fine.
func (s *Store) revokeAccess(ctx context.Context, id string, e proof.Entry) error {
	return s.logged(ctx, e, func(tx pgx.Tx, _ audit.EntryID) error {
		_, err := tx.Exec(ctx, `INSERT INTO oauth_revoked (name, until) VALUES ($1, now() + $2::interval) ON CONFLICT DO NOTHING`, id, revokedFor)
		return err
	})
}

// revoked reports whether the token or its grant was revoked.
func (s *Store) revoked(ctx context.Context, names ...string) (bool, error) {
	var found bool
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM oauth_revoked WHERE name = ANY ($1))`, names).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("asking for revoked tokens: %w", err)
	}
	return found, nil
}

// logged runs one change with its log entry, or neither.
func (s *Store) logged(ctx context.Context, e proof.Entry, change func(pgx.Tx, audit.EntryID) error) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&e.Time); err != nil {
			return err
		}
		entry, err := audit.Append(ctx, tx, e)
		if err != nil {
			return err
		}
		return change(tx, entry)
	})
	if err != nil && !errors.Is(err, errNoGrant) {
		return fmt.Errorf("changing a grant: %w", err)
	}
	return err
}

// one turns a guarded change of no row into errNoGrant.
func one(rows int64, err error) error {
	if err != nil {
		return fmt.Errorf("changing a grant: %w", err)
	}
	if rows == 0 {
		return errNoGrant
	}
	return nil
}

// secretUse digests a random value that this hub gave out, as the kind it is.
func secretUse(kind, secret string) use { return useOf(kind, "", ids.Digest(secret)) }
