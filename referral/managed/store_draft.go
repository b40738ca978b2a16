package managed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
)

// BeginDraft begins an empty draft of the caller's. Errors: ErrDraftMany,
// partners.ErrNotManaged, partners.ErrNoPerson.
func (d *Desk) BeginDraft(ctx context.Context, c partners.Caller, kind string) (Draft, error) {
	if err := mayDraft(c, kind); err != nil {
		return Draft{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Draft{}, fmt.Errorf("choosing a draft's id: %w", err)
	}
	made := Draft{ID: id.String(), Kind: kind, Answers: map[string][]string{}}
	var have int
	read := &pgx.Batch{}
	held := d.Partners.QueueHeld(read, c)
	read.Queue(`SELECT clock_timestamp(), (SELECT count(*) FROM draft WHERE partner = $1 AND user_id = $2)`, c.Partner(), c.User()).
		QueryRow(func(row pgx.Row) error { return row.Scan(&made.Made, &have) })
	err = pg.Decide(ctx, d.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if have >= mostDrafts {
			return nil, ErrDraftMany
		}
		made.Changed = made.Made
		kid, sealed, err := made.sealed(c, held)
		if err != nil {
			return nil, err
		}
		write := &pgx.Batch{}
		entry, err := audit.Queue(write, draftEntry(c, "draft.begin", made.ID, sealed, made.Made))
		if err != nil {
			return nil, err
		}
		write.Queue(`INSERT INTO draft (id, partner, user_id, kind, kid, sealed, made_at, changed_at, log_entry)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)`, made.ID, c.Partner(), c.User(), kind, kid, sealed, made.Made, entry)
		return write, nil
	})
	if err != nil {
		return Draft{}, gone(err)
	}
	return made, nil
}

// sealed is the draft as it is kept, and the key that it is sealed to.
func (d Draft) sealed(c partners.Caller, held *partners.Held) (kid, sealed string, err error) {
	_, to, err := held.Keys()
	if err != nil {
		return "", "", err
	}
	sealed, err = d.seal(c, to)
	return to.KeyID(), sealed, err
}

// draftEntry says which draft, and by its digest in which form: a row that somebody has put
// back to what it was differs from its entry.
func draftEntry(c partners.Caller, act, id, sealed string, now time.Time) proof.Entry {
	e := c.Entry(act)
	e.Time, e.Target = now, id
	if sealed != "" {
		e.Digest = ids.Digest(sealed)
	}
	return e
}

// theDraft is the caller's own draft with the id $1, still to be had.
const theDraft = ` FROM draft WHERE id = $1 AND partner = $2 AND user_id = $3 AND changed_at > now() - $4::interval`

// Draft opens a draft of the caller's, which is logged, or returns ErrDraftGone.
func (d *Desk) Draft(ctx context.Context, c partners.Caller, id string) (Draft, error) {
	if err := person(c); err != nil {
		return Draft{}, err
	}
	if !ids.IsUUIDv7(id) {
		return Draft{}, ErrDraftGone
	}
	opened := Draft{ID: id}
	var sealed, kid string
	var now time.Time
	read := &pgx.Batch{}
	held := d.Partners.QueueHeld(read, c)
	read.Queue(`SELECT kind, sealed, kid, made_at, changed_at, clock_timestamp()`+theDraft, id, c.Partner(), c.User(), DraftLife).
		QueryRow(func(row pgx.Row) error {
			return row.Scan(&opened.Kind, &sealed, &kid, &opened.Made, &opened.Changed, &now)
		})
	err := pg.Decide(ctx, d.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if err := held.Opens(); err != nil {
			return nil, err
		}
		if err := mayDraft(c, opened.Kind); err != nil {
			return nil, err
		}
		write := &pgx.Batch{}
		_, err := audit.Queue(write, draftEntry(c, "draft.open", id, sealed, now))
		return write, err
	})
	if err != nil {
		return Draft{}, gone(err)
	}
	var b pgx.Batch
	pg.Bind(&b, string(c.Partner()))
	wrapped := d.Partners.QueueWrapped(&b, c, []string{kid})
	if err := d.Pool.SendBatch(ctx, &b).Close(); err != nil {
		return Draft{}, fmt.Errorf("reading managed keys: %w", err)
	}
	opening, err := wrapped.Unwrap(ctx, d.Keys)
	defer partners.Destroy(opening)
	if err == nil {
		err = opened.unseal(c, sealed, opening)
	}
	if err != nil {
		return Draft{}, err
	}
	return opened, nil
}

// KeepDraft keeps what the caller has written in the place of what was there, sealed to the
// newest key. Errors: ErrDraftGone, ErrDraftChanged if it was kept since it was opened,
// ErrDraftSize.
func (d *Desk) KeepDraft(ctx context.Context, c partners.Caller, draft Draft) error {
	if err := mayDraft(c, draft.Kind); err != nil {
		return err
	}
	if !ids.IsUUIDv7(draft.ID) {
		return ErrDraftGone
	}
	var kind string
	var changed, now time.Time
	read := &pgx.Batch{}
	held := d.Partners.QueueHeld(read, c)
	read.Queue(`SELECT kind, changed_at, clock_timestamp()`+theDraft+` FOR UPDATE`, draft.ID, c.Partner(), c.User(), DraftLife).
		QueryRow(func(row pgx.Row) error { return row.Scan(&kind, &changed, &now) })
	err := pg.Decide(ctx, d.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		switch {
		case kind != draft.Kind:
			return nil, ErrDraftGone
		case !changed.Equal(draft.Changed):
			return nil, ErrDraftChanged
		}
		kid, sealed, err := draft.sealed(c, held)
		if err != nil {
			return nil, err
		}
		write := &pgx.Batch{}
		entry, err := audit.Queue(write, draftEntry(c, "draft.keep", draft.ID, sealed, now))
		if err != nil {
			return nil, err
		}
		write.Queue(`UPDATE draft SET kid = $4, sealed = $5, changed_at = $6, log_entry = $7
			WHERE id = $1 AND partner = $2 AND user_id = $3 AND changed_at = $8`,
			draft.ID, c.Partner(), c.User(), kid, sealed, now, entry, draft.Changed)
		return write, nil
	})
	return gone(err)
}

// Drafts lists the caller's drafts, the one she kept last first. Nothing in them is opened.
func (d *Desk) Drafts(ctx context.Context, c partners.Caller) ([]DraftLine, error) {
	if err := person(c); err != nil {
		return nil, err
	}
	lines := []DraftLine{}
	err := pg.As(ctx, d.Pool, string(c.Partner()), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id::text, kind, made_at, changed_at FROM draft
			WHERE partner = $1 AND user_id = $2 AND changed_at > now() - $3::interval ORDER BY changed_at DESC`, c.Partner(), c.User(), DraftLife)
		if err != nil {
			return err
		}
		lines, err = pgx.CollectRows(rows, pgx.RowToStructByPos[DraftLine])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing drafts: %w", err)
	}
	return lines, nil
}

// DropDraft deletes a draft of the caller's, or returns ErrDraftGone.
func (d *Desk) DropDraft(ctx context.Context, c partners.Caller, id string) error {
	if err := person(c); err != nil {
		return err
	}
	if !ids.IsUUIDv7(id) {
		return ErrDraftGone
	}
	var now time.Time
	read := &pgx.Batch{}
	read.Queue(`SELECT clock_timestamp()`+theDraft+` FOR UPDATE`, id, c.Partner(), c.User(), DraftLife).
		QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	err := pg.Decide(ctx, d.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		write := &pgx.Batch{}
		if _, err := audit.Queue(write, draftEntry(c, "draft.drop", id, "", now)); err != nil {
			return nil, err
		}
		write.Queue(`DELETE FROM draft WHERE id = $1 AND partner = $2 AND user_id = $3`, id, c.Partner(), c.User())
		return write, nil
	})
	return gone(err)
}

// forgetMost is how many drafts are forgotten at once, so that none holds up others.
const forgetMost = 1000

// ForgetDrafts removes drafts of every agency that nobody has touched for DraftLife. Call it now
// and then; several hubs may do so at once.
func (d *Desk) ForgetDrafts(ctx context.Context) error {
	for n := forgetMost; n == forgetMost; {
		if err := d.Pool.QueryRow(ctx, `SELECT draft_forget($1, $2)`, DraftLife, forgetMost).Scan(&n); err != nil {
			return fmt.Errorf("forgetting drafts: %w", err)
		}
	}
	return nil
}

// gone is ErrDraftGone for a draft that is not there, or not hers: the same answer. Where the
// hub gave up the agency's key at this moment, it is partners.ErrNotManaged.
func gone(err error) error {
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ErrDraftGone
	case pg.Violates(err, "draft_key"):
		return partners.ErrNotManaged
	}
	return err
}
