package signin

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/internal/ids"
	"handover/partners"
)

// Notice tells a person how her own way in, or that of somebody of her agency, was changed.
type Notice struct {
	ID    string
	Kind  string // sign-in-reset, passkey-added, passkey-removed
	At    time.Time
	Own   bool   // it is about her herself
	About string // whose way in it is: a name, for her eyes
	By    string // who made it so; "" is the hub's operator
}

// notices lists what a person has not marked as read, the newest first.
func (s *Store) notices(ctx context.Context, p person) ([]Notice, error) {
	var all []Notice
	err := s.within(ctx, p, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT n.id::text, n.kind, n.at, n.about = n.reader, a.name, coalesce(b.name, '')
			FROM oauth_notice n JOIN partner_user a ON a.id = n.about LEFT JOIN partner_user b ON b.id = n.by_user
			WHERE n.reader = $1 AND n.read_at IS NULL ORDER BY n.at DESC, n.id LIMIT 50`, p.id)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Notice])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading notices: %w", err)
	}
	return all, nil
}

// dismiss marks a notice as read by the person it is for.
func (s *Store) dismiss(ctx context.Context, p person, id string) error {
	if !ids.IsUUID(id) {
		return ErrNoticeNotThere
	}
	return s.within(ctx, p, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE oauth_notice SET read_at = now() WHERE id = $1 AND reader = $2 AND read_at IS NULL`, id, p.id)
		if err != nil {
			return fmt.Errorf("marking a notice as read: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return ErrNoticeNotThere
		}
		return nil
	})
}

// tell writes a notice for a person about what was done with her own session.
func tell(ctx context.Context, tx pgx.Tx, p person, kind string, entry audit.EntryID) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO oauth_notice (partner, reader, kind, about, by_user, at, log_entry) VALUES ($1, $2, $3, $2, $2, now(), $4)`,
		p.partner, p.id, kind, entry)
	if err != nil {
		return fmt.Errorf("writing a notice: %w", err)
	}
	return nil
}

// Notices lists what she is to be told.
func (h *Handler) Notices(ctx context.Context, s Session) ([]Notice, error) {
	return h.store.notices(ctx, s.person)
}

// Dismiss marks one as read. It wants a fresh proof: whoever changed something in
// her session must not be able to hide it from her. Errors:
// partners.ErrStepUp, ErrNoticeNotThere.
func (h *Handler) Dismiss(ctx context.Context, s Session, id string) error {
	if !h.Fresh(s) {
		return partners.ErrStepUp
	}
	return h.store.dismiss(ctx, s.person, id)
}
