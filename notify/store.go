package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/keys"
	"handover/partners"
)

// Store keeps webhooks and their deliveries. What an administrator does to them is one transaction
// each, in a session of her partner, with its log entry.
type Store struct {
	Pool     *pgxpool.Pool
	Partners *partners.Store
	Keys     keys.Store
	Egress   *Egress
}

// Webhooks lists those of the caller's agency, oldest first.
func (s *Store) Webhooks(ctx context.Context, c partners.Caller) ([]Webhook, error) {
	return s.read(ctx, c, ``)
}

// Webhook returns one of the caller's agency, or ErrWebhookNotThere.
func (s *Store) Webhook(ctx context.Context, c partners.Caller, id string) (Webhook, error) {
	if !ids.IsUUID(id) {
		return Webhook{}, ErrWebhookNotThere
	}
	found, err := s.read(ctx, c, `AND w.id = @id`, id)
	if err == nil && len(found) == 0 {
		err = ErrWebhookNotThere
	}
	if err != nil {
		return Webhook{}, err
	}
	return found[0], nil
}

func (s *Store) read(ctx context.Context, c partners.Caller, where string, id ...string) ([]Webhook, error) {
	args := pgx.NamedArgs{}
	if len(id) > 0 {
		args["id"] = id[0]
	}
	all := []Webhook{}
	err := pg.As(ctx, s.Pool, string(c.Partner()), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT w.id::text, w.url, w.events, w.state, w.since, w.failing_since, x.made_at, nullif(x.ends_at, 'infinity')
			FROM webhook w LEFT JOIN webhook_secret x ON x.webhook = w.id AND x.ends_at > now()
			WHERE w.state <> 'removed' `+where+` ORDER BY w.since, w.id, x.made_at DESC`, args)
		if err != nil {
			return err
		}
		var w Webhook
		var failing, made, ends *time.Time
		_, err = pgx.ForEachRow(rows, []any{&w.ID, &w.URL, &w.Events, &w.State, &w.Since, &failing, &made, &ends}, func() error {
			if len(all) == 0 || all[len(all)-1].ID != w.ID {
				w.Failing, w.Secrets = orZero(failing), []Secret{}
				all = append(all, w)
			}
			if of := &all[len(all)-1]; made != nil {
				of.Secrets = append(of.Secrets, Secret{*made, orZero(ends)})
			}
			w.Events = nil
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing webhooks: %w", err)
	}
	return all, nil
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// entry begins the log entry of an act on a webhook. It names the address by its digest, so that
// one that is changed in the database is found.
func entry(c partners.Caller, act, id, url string) proof.Entry {
	e := c.Entry(act)
	e.Target, e.Digest = id, ids.Digest(url)
	return e
}

// Add makes a webhook for the caller's agency and returns it with its secret, which is shown this
// once. Errors: ErrAddress, ErrEvents, ErrTooMany.
func (s *Store) Add(ctx context.Context, c partners.Caller, url string, events []Event) (w Webhook, secret string, err error) {
	if err := s.Egress.checkURL(url); err != nil {
		return Webhook{}, "", err
	}
	w = Webhook{ID: uuid.NewString(), URL: url, State: Active}
	if w.Events, err = wanted(events); err != nil {
		return Webhook{}, "", err
	}
	fresh, err := s.newSecret(ctx, c, w.ID)
	if err != nil {
		return Webhook{}, "", err
	}
	err = s.Partners.Administer(ctx, c, entry(c, "webhook.add", w.ID, url), func(tx pgx.Tx, entry audit.EntryID) error {
		tag, err := tx.Exec(ctx, `
			INSERT INTO webhook (id, partner, url, events, state, since, rest_until, log_entry)
			SELECT $1, $2, $3, $4, 'active', now(), now(), $5
			WHERE (SELECT count(*) FROM webhook WHERE partner = $2 AND state <> 'removed') < $6`, w.ID, c.Partner(), url, w.Events, entry, MostWebhooks)
		if err != nil {
			return fmt.Errorf("adding a webhook: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return ErrTooMany
		}
		w.Since, err = fresh.insert(ctx, tx, c, entry)
		w.Secrets = []Secret{{Since: w.Since}}
		return err
	})
	if err != nil {
		return Webhook{}, "", err
	}
	return w, fresh.spelled, nil
}

// freshSecret is a new secret, wrapped before the transaction that keeps it: the key store may be
// elsewhere, and slow.
type freshSecret struct{ id, webhook, wrapped, spelled string }

func (s *Store) newSecret(ctx context.Context, c partners.Caller, webhook string) (freshSecret, error) {
	secret := newSecret()
	defer clear(secret)
	f := freshSecret{id: uuid.NewString(), webhook: webhook, spelled: spell(secret)}
	var err error
	if f.wrapped, err = s.Keys.Wrap(ctx, secret, secretAAD(c.Partner(), webhook, f.id)); err != nil {
		return freshSecret{}, fmt.Errorf("wrapping a secret: %w", err)
	}
	return f, nil
}

func (f freshSecret) insert(ctx context.Context, tx pgx.Tx, c partners.Caller, entry audit.EntryID) (at time.Time, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO webhook_secret (id, webhook, partner, wrapped, made_at, log_entry) VALUES ($1, $2, $3, $4, now(), $5)
		RETURNING made_at`, f.id, f.webhook, c.Partner(), f.wrapped, entry).Scan(&at)
	if err != nil {
		return time.Time{}, fmt.Errorf("keeping a secret: %w", err)
	}
	return at, nil
}

// Rotate gives a webhook a new secret, shown this once. The one before counts for another day; one
// before that, no more.
func (s *Store) Rotate(ctx context.Context, c partners.Caller, id string) (secret string, until time.Time, err error) {
	w, err := s.Webhook(ctx, c, id)
	if err != nil {
		return "", time.Time{}, err
	}
	fresh, err := s.newSecret(ctx, c, id)
	if err != nil {
		return "", time.Time{}, err
	}
	err = s.Partners.Administer(ctx, c, entry(c, "webhook.rotate", id, w.URL), func(tx pgx.Tx, entry audit.EntryID) error {
		if err := hold(ctx, tx, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM webhook_secret WHERE webhook = $1 AND ends_at < 'infinity'`, id); err != nil {
			return fmt.Errorf("ending a secret: %w", err)
		}
		if _, err := tx.Exec(ctx, `UPDATE webhook_secret SET ends_at = now() + $2 WHERE webhook = $1`, id, overlap); err != nil {
			return fmt.Errorf("ending a secret: %w", err)
		}
		at, err := fresh.insert(ctx, tx, c, entry)
		until = at.Add(overlap)
		return err
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return fresh.spelled, until, nil
}

// hold locks a webhook of the session's partner that is not removed, or returns
// ErrWebhookNotThere.
func hold(ctx context.Context, tx pgx.Tx, id string) error {
	var found bool
	err := tx.QueryRow(ctx, `SELECT true FROM webhook WHERE id = $1 AND state <> 'removed' FOR NO KEY UPDATE`, id).Scan(&found)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrWebhookNotThere
	}
	if err != nil {
		return fmt.Errorf("holding a webhook: %w", err)
	}
	return nil
}
