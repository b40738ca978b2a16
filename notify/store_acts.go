package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
)

// Pause has nothing sent to a webhook until it is resumed. What would be is kept for three days.
func (s *Store) Pause(ctx context.Context, c partners.Caller, id string) error {
	return s.change(ctx, c, id, "webhook.pause", `UPDATE webhook SET state = 'paused', log_entry = $2 WHERE id = $1 AND state = 'active'`)
}

// Resume lets a webhook go on that was paused, or that the hub had disabled. What waits is due at
// once.
func (s *Store) Resume(ctx context.Context, c partners.Caller, id string) error {
	return s.change(ctx, c, id, "webhook.resume", `
		UPDATE webhook SET state = 'active', failing_since = NULL, rest_until = now(), turn = NULL, log_entry = $2
		WHERE id = $1 AND state IN ('paused', 'disabled')`,
		`UPDATE webhook_delivery SET next_at = now(), attempts = 0 WHERE webhook = $1 AND state = 'waiting'`)
}

// Remove ends a webhook for good, with its secrets.
func (s *Store) Remove(ctx context.Context, c partners.Caller, id string) error {
	return s.change(ctx, c, id, "webhook.remove", `UPDATE webhook SET state = 'removed', turn = NULL, log_entry = $2 WHERE id = $1 AND state <> 'removed'`,
		`DELETE FROM webhook_secret WHERE webhook = $1`,
		`UPDATE webhook_delivery SET state = 'failed' WHERE webhook = $1 AND state = 'waiting'`)
}

// change moves a webhook of the caller's agency by a statement that has the states it may come
// from in its WHERE, and then does what else belongs to it. Errors: ErrWebhookNotThere, ErrWebhookState.
func (s *Store) change(ctx context.Context, c partners.Caller, id, act, move string, then ...string) error {
	w, err := s.Webhook(ctx, c, id)
	if err != nil {
		return err
	}
	return s.Partners.Administer(ctx, c, entry(c, act, id, w.URL), func(tx pgx.Tx, entry audit.EntryID) error {
		tag, err := tx.Exec(ctx, move, id, entry)
		if err != nil {
			return fmt.Errorf("changing a webhook: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return stands(ctx, tx, id)
		}
		for _, sql := range then {
			if _, err := tx.Exec(ctx, sql, id); err != nil {
				return fmt.Errorf("changing a webhook: %w", err)
			}
		}
		return nil
	})
}

// stands says why a change found no webhook to move.
func stands(ctx context.Context, tx pgx.Tx, id string) error {
	var state State
	err := tx.QueryRow(ctx, `SELECT state FROM webhook WHERE id = $1 AND state <> 'removed'`, id).Scan(&state)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrWebhookNotThere
	}
	if err != nil {
		return fmt.Errorf("reading a webhook: %w", err)
	}
	return ErrWebhookState.With("state", string(state))
}

// Try has a test sent to an active webhook, and returns the message's id. It goes the way of
// every other message: by its entry in the log.
func (s *Store) Try(ctx context.Context, c partners.Caller, id string) (message string, err error) {
	w, err := s.Webhook(ctx, c, id)
	if err != nil {
		return "", err
	}
	err = s.Partners.Administer(ctx, c, entry(c, "webhook.test", id, w.URL), func(tx pgx.Tx, entry audit.EntryID) error {
		message = entry.String()
		if err := hold(ctx, tx, id); err != nil {
			return err
		}
		var active bool
		if err := tx.QueryRow(ctx, `SELECT state = 'active' FROM webhook WHERE id = $1`, id).Scan(&active); err != nil {
			return fmt.Errorf("reading a webhook: %w", err)
		}
		if !active {
			return stands(ctx, tx, id)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return message, nil
}

// Deliveries lists the newest messages to a webhook of the caller's agency, at most 100.
func (s *Store) Deliveries(ctx context.Context, c partners.Caller, id string) ([]Delivery, error) {
	if _, err := s.Webhook(ctx, c, id); err != nil {
		return nil, err
	}
	all := []Delivery{}
	err := pg.As(ctx, s.Pool, string(c.Partner()), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT entry::text, event, at, state, attempts, tried_at, CASE WHEN state = 'waiting' THEN next_at END, coalesce(outcome, '')
			FROM webhook_delivery WHERE webhook = $1 ORDER BY place DESC LIMIT $2`, id, listMost)
		if err != nil {
			return err
		}
		var d Delivery
		var tried, next *time.Time
		_, err = pgx.ForEachRow(rows, []any{&d.ID, &d.Event, &d.Time, &d.Status, &d.Attempts, &tried, &next, &d.Outcome}, func() error {
			d.Tried, d.Next = orZero(tried), orZero(next)
			all = append(all, d)
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing deliveries: %w", err)
	}
	return all, nil
}

// Replay has a message sent once more, under the id that it had: whoever has it already knows it
// again. Errors: ErrWebhookNotThere, ErrDeliveryNotThere, ErrDeliveryWaits.
func (s *Store) Replay(ctx context.Context, c partners.Caller, id, delivery string) error {
	w, err := s.Webhook(ctx, c, id)
	if err != nil {
		return err
	}
	if !ids.IsUUID(delivery) {
		return ErrDeliveryNotThere
	}
	return s.Partners.Administer(ctx, c, entry(c, "webhook.replay", id, w.URL), func(tx pgx.Tx, _ audit.EntryID) error {
		var waits bool
		err := tx.QueryRow(ctx, `SELECT state = 'waiting' FROM webhook_delivery WHERE webhook = $1 AND entry = $2 FOR UPDATE`, id, delivery).Scan(&waits)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrDeliveryNotThere
		}
		if err != nil {
			return fmt.Errorf("finding a delivery: %w", err)
		}
		if waits {
			return ErrDeliveryWaits
		}
		_, err = tx.Exec(ctx, `UPDATE webhook_delivery SET state = 'waiting', attempts = 0, made_at = now(), next_at = now() WHERE webhook = $1 AND entry = $2`, id, delivery)
		if err != nil {
			return fmt.Errorf("sending a delivery again: %w", err)
		}
		return nil
	})
}
