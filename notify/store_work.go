package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/keys"
	"handover/partners"
)

// What the hub does of itself is done in sessions that are bound to no partner, by the functions of
// 00034_webhooks.sql (docs/decisions/0016 says why).

// nobody is the partner that such a session is bound to.
const nobody = ""

// webhookMoved names the refusal of those functions when what they were to act on is not so any
// more.
const webhookMoved = "webhook_moved"

// alone runs one statement of the hub's own.
func (s *Store) alone(ctx context.Context, scan func(pgx.Row) error, sql string, args ...any) error {
	read := &pgx.Batch{}
	read.Queue(sql, args...).QueryRow(scan)
	return pg.Decide(ctx, s.Pool, nobody, read, func() (*pgx.Batch, error) { return nil, nil })
}

// feed reads at most `most` entries of the log on, and returns how many it has read; 0 also while
// another hub reads.
func (s *Store) feed(ctx context.Context, most int) (read int, err error) {
	err = s.alone(ctx, func(row pgx.Row) error { return row.Scan(&read) }, `SELECT webhook_feed($1)`, most)
	if err != nil {
		return 0, fmt.Errorf("reading the log for webhooks: %w", err)
	}
	return read, nil
}

// turn is one hub's turn at one webhook.
type turn struct {
	webhook, token string
	partner        partners.ID
	url            string
	due            []due // in the order of the log
	secrets        []wrappedSecret
}

type wrappedSecret struct{ id, wrapped string }

// turn takes the next turn there is, for `held`, with at most `most` deliveries; false if nothing is due.
func (s *Store) turn(ctx context.Context, held time.Duration, most int) (t turn, found bool, err error) {
	err = pg.As(ctx, s.Pool, nobody, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT webhook::text, turn::text, partner, url, entry::text, event, at, about, name, coalesce(urgency, ''), attempts FROM webhook_turn($1, $2)`, held, most)
		if err != nil {
			return err
		}
		var d due
		_, err = pgx.ForEachRow(rows, []any{&t.webhook, &t.token, &t.partner, &t.url, &d.entry, &d.event, &d.at, &d.about, &d.id, &d.urgency, &d.attempts},
			func() error {
				t.due = append(t.due, d)
				return nil
			})
		if err != nil || len(t.due) == 0 {
			return err
		}
		if rows, err = tx.Query(ctx, `SELECT id::text, wrapped FROM webhook_secrets($1, $2)`, t.webhook, t.token); err != nil {
			return err
		}
		var w wrappedSecret
		_, err = pgx.ForEachRow(rows, []any{&w.id, &w.wrapped}, func() error {
			t.secrets = append(t.secrets, w)
			return nil
		})
		return err
	})
	if err != nil {
		return turn{}, false, fmt.Errorf("taking a turn: %w", err)
	}
	return t, len(t.due) > 0, nil
}

// tried notes an attempt and reports whether the turn goes on. A failure is tried again after `next`, if there
// is to be another attempt.
func (s *Store) tried(ctx context.Context, t turn, d due, outcome string) (goesOn bool, err error) {
	var next *time.Duration
	if wait, more := again(d.attempts + 1); more {
		next = &wait
	}
	err = s.alone(ctx, func(row pgx.Row) error { return row.Scan(&goesOn) }, `SELECT webhook_tried($1, $2, $3, $4, $5, $6)`,
		t.webhook, t.token, d.entry, taken(outcome), outcome, next)
	if err != nil {
		return false, fmt.Errorf("noting an attempt: %w", err)
	}
	return goesOn, nil
}

// end ends a turn. Nothing more goes to the webhook for `rest`.
func (s *Store) end(ctx context.Context, t turn, rest time.Duration) error {
	write := &pgx.Batch{}
	write.Queue(`SELECT webhook_rests($1, $2, $3)`, t.webhook, t.token, rest)
	if err := pg.Decide(ctx, s.Pool, nobody, &pgx.Batch{}, func() (*pgx.Batch, error) { return write, nil }); err != nil {
		return fmt.Errorf("ending a turn: %w", err)
	}
	return nil
}

// Why the hub disables a webhook, as the log has it.
const (
	becauseGone  = "gone"        // its receiver said so
	becauseFails = "unreachable" // it took nothing for three days
)

// disable stops a webhook, with an entry in its agency's log.
func (s *Store) disable(ctx context.Context, webhook string, partner partners.ID, url, why string) error {
	var now time.Time
	read := &pgx.Batch{}
	read.Queue(`SELECT clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	err := pg.Decide(ctx, s.Pool, nobody, read, func() (*pgx.Batch, error) {
		write := &pgx.Batch{}
		entry, err := audit.Queue(write, proof.Entry{Act: "webhook.disable", Time: now, Other: string(partner), Target: webhook, Digest: ids.Digest(url), Reason: why})
		if err != nil {
			return nil, err
		}
		write.Queue(`SELECT webhook_disable($1, $2)`, webhook, entry)
		return write, nil
	})
	if pg.Violates(err, webhookMoved) { // an administrator, or another hub, was first
		return nil
	}
	if err != nil {
		return fmt.Errorf("disabling a webhook: %w", err)
	}
	return nil
}

// disableHopeless disables each webhook that has taken nothing for too long.
func (s *Store) disableHopeless(ctx context.Context) error {
	for ctx.Err() == nil {
		var id, url string
		var partner partners.ID
		err := s.alone(ctx, func(row pgx.Row) error {
			err := row.Scan(&id, &partner, &url)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		}, `SELECT id::text, partner, url FROM webhook_hopeless($1)`, hopeless)
		if err != nil {
			return fmt.Errorf("looking for webhooks that fail: %w", err)
		}
		if id == "" {
			return nil
		}
		if err := s.disable(ctx, id, partner, url, becauseFails); err != nil {
			return err
		}
	}
	return nil
}

// prune gives up, and forgets, what is old.
func (s *Store) prune(ctx context.Context) error {
	write := &pgx.Batch{}
	write.Queue(`SELECT webhook_prune($1, $2)`, tooOld, kept)
	if err := pg.Decide(ctx, s.Pool, nobody, &pgx.Batch{}, func() (*pgx.Batch, error) { return write, nil }); err != nil {
		return fmt.Errorf("forgetting old deliveries: %w", err)
	}
	return nil
}

// Lag is how far webhooks are behind.
type Lag struct {
	Due    int64         // deliveries that are due, of webhooks that do not fail
	Oldest time.Duration // how long the first of them has been
	Unread int64         // entries of the log that were not read for webhooks yet
}

// Lag measures.
func (s *Store) Lag(ctx context.Context) (l Lag, err error) {
	err = s.alone(ctx, func(row pgx.Row) error { return row.Scan(&l.Due, &l.Oldest, &l.Unread) },
		`SELECT due, coalesce(clock_timestamp() - since, '0'), unread FROM webhook_lag()`)
	if err != nil {
		return Lag{}, fmt.Errorf("measuring how far webhooks are behind: %w", err)
	}
	return l, nil
}

// Rewrap wraps the secrets of webhooks anew, by the newest key of k, and returns how many. It
// is for the operator, as the schema's owner; a hub that runs meanwhile opens either blob.
func (s *Store) Rewrap(ctx context.Context, k keys.Store) (int, error) {
	type row struct {
		ID, Webhook string
		Partner     partners.ID
		Wrapped     string
	}
	rows, err := s.Pool.Query(ctx, `SELECT id::text, webhook::text, partner, wrapped FROM webhook_secret ORDER BY id`)
	if err != nil {
		return 0, fmt.Errorf("reading secrets of webhooks: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return 0, fmt.Errorf("reading secrets of webhooks: %w", err)
	}
	for _, r := range all {
		fresh, err := keys.Rewrap(ctx, k, r.Wrapped, secretAAD(r.Partner, r.Webhook, r.ID))
		if err != nil {
			return 0, fmt.Errorf("wrapping the secret of the webhook %s anew: %w", r.Webhook, err)
		}
		if _, err := s.Pool.Exec(ctx, `UPDATE webhook_secret SET wrapped = $3 WHERE id = $1 AND wrapped = $2`, r.ID, r.Wrapped, fresh); err != nil {
			return 0, fmt.Errorf("writing a secret of a webhook: %w", err)
		}
	}
	return len(all), nil
}
