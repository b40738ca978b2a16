package signin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
)

// Store keeps ceremonies, passkeys, sessions and notices. Each change is one transaction
// with its log entry.
type Store struct {
	pool *pgxpool.Pool
}

// NewStore returns the store over pool, which needs the hub's role and no more.
func NewStore(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

func (s *Store) begin(ctx context.Context, digest []byte, c ceremony) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO oauth_ceremony (digest, kind, state, subject, partner, bound, expires_at)
		VALUES (@digest, @kind, @state, nullif(@subject, '')::uuid, nullif(@partner, ''), @bound, now() + @life)`,
		pgx.StrictNamedArgs{"digest": digest, "kind": string(c.kind), "state": string(c.state), "subject": c.subject,
			"partner": string(c.partner), "bound": c.bound, "life": ceremonyLife})
	if err != nil {
		return fmt.Errorf("beginning a ceremony: %w", err)
	}
	return nil
}

// take removes the ceremony and returns it: of two that ask at the same time, one gets it.
func (s *Store) take(ctx context.Context, digest []byte) (ceremony, error) {
	var c ceremony
	var state string
	var live bool
	err := s.pool.QueryRow(ctx, `
		DELETE FROM oauth_ceremony WHERE digest = $1
		RETURNING kind, state, coalesce(subject::text, ''), coalesce(partner, ''), bound, now() < expires_at`, digest).
		Scan(&c.kind, &state, &c.subject, &c.partner, &c.bound, &live)
	if errors.Is(err, pgx.ErrNoRows) {
		return ceremony{}, because(ErrStale, "ceremony-used")
	}
	if err != nil {
		return ceremony{}, fmt.Errorf("taking a ceremony: %w", err)
	}
	if !live {
		return ceremony{}, because(ErrStale, "ceremony-late")
	}
	c.state = []byte(state)
	return c, nil
}

const sessionColumns = `id::text, user_id::text, partner, passkey IS NOT NULL, device, made_at, seen_at, proved_at, expires_at`

// live is the condition for a session to count at all; whether its person may act is
// judged besides. $2 is IdleLife.
const live = `now() < expires_at AND now() < seen_at + $2::interval`

func scanSession(row pgx.Row, s *Session, more ...any) error {
	return row.Scan(append([]any{&s.ID, &s.person.id, &s.person.partner, &s.Passkey, &s.Device, &s.Made, &s.Seen, &s.Proved, &s.Expires}, more...)...)
}

// session returns the session of that digest, and whether it is time to note that it was
// seen, or ErrSignedOut.
func (s *Store) session(ctx context.Context, digest []byte) (Session, bool, error) {
	found := Session{digest: digest}
	var stale bool
	err := scanSession(s.pool.QueryRow(ctx, `
		SELECT `+sessionColumns+`, seen_at < now() - $3::interval FROM oauth_session WHERE digest = $1 AND `+live,
		digest, IdleLife, seenPause), &found, &stale)
	if errors.Is(err, pgx.ErrNoRows) {
		return Session{}, false, ErrSignedOut
	}
	if err != nil {
		return Session{}, false, fmt.Errorf("reading a session: %w", err)
	}
	return found, stale, nil
}

func (s *Store) touch(ctx context.Context, digest []byte) error {
	_, err := s.pool.Exec(ctx, `UPDATE oauth_session SET seen_at = now() WHERE digest = $1 AND `+live, digest, IdleLife)
	if err != nil {
		return fmt.Errorf("noting that a session was seen: %w", err)
	}
	return nil
}

// sessions lists the sessions of a person that count.
func (s *Store) sessions(ctx context.Context, p person) ([]Session, error) {
	var all []Session
	err := pg.As(ctx, s.pool, string(p.partner), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT `+sessionColumns+` FROM oauth_session WHERE user_id = $1 AND `+live+`
			AND proved_at >= (SELECT signed_out_at FROM partner_user WHERE id = $1)
			ORDER BY made_at DESC, id LIMIT 100`, p.id, IdleLife)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Session, error) {
			var one Session
			return one, scanSession(row, &one)
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing sessions: %w", err)
	}
	return all, nil
}

// end ends a session of the person who acts in by.
func (s *Store) end(ctx context.Context, by Session, id string) error {
	if !ids.IsUUID(id) {
		return ErrSessionNotThere
	}
	return s.within(ctx, by.person, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM oauth_session WHERE id = $1 AND user_id = $2`, id, by.person.id)
		if err != nil {
			return fmt.Errorf("ending a session: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return ErrSessionNotThere
		}
		_, err = by.person.log(ctx, tx, proof.Entry{Act: "user.signout", Target: id})
		return err
	})
}

// within runs fn in a transaction bound to the person's partner.
func (s *Store) within(ctx context.Context, p person, fn func(pgx.Tx) error) error {
	return pg.As(ctx, s.pool, string(p.partner), fn)
}

// log appends an entry with the person as its actor, at the time of the transaction.
func (p person) log(ctx context.Context, tx pgx.Tx, e proof.Entry) (audit.EntryID, error) {
	e.Partner, e.User = string(p.partner), p.id
	if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&e.Time); err != nil {
		return audit.EntryID{}, fmt.Errorf("reading the time: %w", err)
	}
	return audit.Append(ctx, tx, e)
}

// enter makes a session under the digest, in the transaction that has decided who she is.
// The one that her browser had before ends (ASVS 7.2.4): a cookie that somebody planted,
// or took, before she signed in is worth nothing afterwards. Her standing is locked first:
// if her administrator suspends her or signs her out at this moment, one of the two waits,
// and the times of both are those at which they were done.
func enter(ctx context.Context, tx pgx.Tx, e entrance, digest []byte) error {
	if _, err := partners.LockStanding(ctx, tx, e.person.id); err != nil {
		return err
	}
	if e.before != nil {
		if _, err := tx.Exec(ctx, `DELETE FROM oauth_session WHERE digest = $1`, e.before); err != nil {
			return fmt.Errorf("ending the session before: %w", err)
		}
	}
	entry, err := e.person.log(ctx, tx, proof.Entry{Act: "user.signin", Target: e.passkey})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO oauth_session (digest, user_id, partner, passkey, device, made_at, seen_at, proved_at, expires_at, log_entry)
		VALUES (@digest, @user, @partner, nullif(@passkey, '')::uuid, @device, now(), now(), clock_timestamp(), now() + @life, @entry)`,
		pgx.StrictNamedArgs{"digest": digest, "user": e.person.id, "partner": e.person.partner, "passkey": e.passkey,
			"device": e.device, "life": absoluteLife, "entry": entry})
	if err != nil {
		return fmt.Errorf("making a session: %w", err)
	}
	return nil
}

// prove renews a running session under a new digest: she has proved who she is once more.
// The old cookie ends with it. It is refused with ErrSignedOut if the session, or what she
// proved in it, has been ended since: a step-up must not bring back what a sign-out ended.
func prove(ctx context.Context, tx pgx.Tx, s Session, digest []byte) error {
	since, err := partners.LockStanding(ctx, tx, s.person.id)
	if err != nil {
		return err
	}
	entry, err := s.person.log(ctx, tx, proof.Entry{Act: "user.stepup", Target: s.ID})
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `
		UPDATE oauth_session SET digest = $3, proved_at = clock_timestamp(), seen_at = now(), log_entry = $4
		WHERE digest = $1 AND `+live+` AND user_id = $5 AND proved_at >= $6`, s.digest, IdleLife, digest, entry, s.person.id, since)
	if err != nil {
		return fmt.Errorf("renewing a session: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return ErrSignedOut
	}
	return nil
}

// still refuses with ErrSignedOut if a session, or what was proved in it, has ended since it
// was read, and keeps it until the transaction ends. A request that is sent slowly was
// admitted long ago: without this, whoever has the cookie could add a passkey after the
// recovery that was to end all that he has.
func still(ctx context.Context, tx pgx.Tx, s Session, since time.Time) error {
	var id string
	err := tx.QueryRow(ctx, `
		SELECT id::text FROM oauth_session WHERE digest = $1 AND `+live+` AND user_id = $3 AND proved_at >= $4 FOR SHARE`,
		s.digest, IdleLife, s.person.id, since).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrSignedOut
	}
	if err != nil {
		return fmt.Errorf("reading a session again: %w", err)
	}
	return nil
}

// pruneRows is how many ceremonies are forgotten at once.
const pruneRows = 5000

// Prune forgets ceremonies and sessions that are over. Call it now and then; several hubs
// may do so at once.
func (s *Store) Prune(ctx context.Context) error {
	// A part at a time: strangers make ceremonies, and a statement that must take all of a
	// flood's would run out of time and take none.
	for more := true; more; {
		tag, err := s.pool.Exec(ctx, `
			DELETE FROM oauth_ceremony WHERE digest IN (SELECT digest FROM oauth_ceremony WHERE expires_at < now() LIMIT $1)`, pruneRows)
		if err != nil {
			return fmt.Errorf("pruning ceremonies: %w", err)
		}
		more = tag.RowsAffected() == pruneRows
	}
	_, err := s.pool.Exec(ctx, `DELETE FROM oauth_session WHERE expires_at < now() OR seen_at < now() - $1::interval`, IdleLife)
	if err != nil {
		return fmt.Errorf("pruning sessions: %w", err)
	}
	return nil
}
