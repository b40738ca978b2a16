package partners

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/codes"
	"handover/internal/pg"
)

// The operator's transitions: each one transaction, one change, one log entry. They
// run as the schema's owner; the hub's serving role has no right to them.

// Add registers a partner in the state invited: it takes part once its keys arrive.
func (s *Store) Add(ctx context.Context, p Partner) error {
	valid := p.ID.Valid() && p.Category.Valid() && p.Name != "" && len(p.Name) <= 120 && len(p.Areas) > 0 &&
		!slices.ContainsFunc(p.Areas, func(a string) bool { return !codes.IsArea(a) })
	if !valid {
		return ErrPartnerInvalid
	}
	err := s.operate(ctx, proof.Entry{Act: "partner.add", Target: string(p.ID), Reason: string(p.Category)}, func(tx pgx.Tx, entry audit.EntryID) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO partner (id, name, category, areas, status, since, log_entry)
			VALUES (@id, @name, @category, @areas, 'invited', now(), @entry)`,
			pgx.StrictNamedArgs{"id": p.ID, "name": p.Name, "category": p.Category, "areas": p.Areas, "entry": entry})
		return err
	})
	if pg.Violates(err, "partner_pkey") {
		return ErrPartnerExists
	}
	return err
}

// Suspend stops a partner at once: its next request is refused. Its packets stay.
func (s *Store) Suspend(ctx context.Context, id ID) error {
	return s.setStatus(ctx, id, Suspended, "partner.suspend", Active, Invited)
}

// Resume lets a suspended partner take part again, or, if its keys have never
// arrived, be invited again.
func (s *Store) Resume(ctx context.Context, id ID) error {
	return s.setStatus(ctx, id, Active, "partner.resume", Suspended)
}

// RevokeKeyOf takes a key of a partner out of use at once, for when its own administrator
// cannot. Errors: those of RevokeKey.
func (s *Store) RevokeKeyOf(ctx context.Context, id ID, kid string, why RevocationReason) error {
	if err := why.check(kid); err != nil {
		return err
	}
	e := proof.Entry{Act: "key.revoke", Other: string(id), Target: kid, Reason: string(why)}
	return s.operate(ctx, e, func(tx pgx.Tx, _ audit.EntryID) error { return revokeKey(ctx, tx, id, kid, why) })
}

// VouchedBy returns the other keys of a partner that came by a statement of the key: whoever
// else had it may have brought them. It needs the schema owner's pool.
func (s *Store) VouchedBy(ctx context.Context, id ID, kid string) ([]string, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT kid FROM partner_key_change WHERE partner = $1 AND kid <> $2 AND jose_kid(statement) = $2 ORDER BY position`, id, kid)
	if err != nil {
		return nil, fmt.Errorf("finding what a key vouched for: %w", err)
	}
	kids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("finding what a key vouched for: %w", err)
	}
	return kids, nil
}

// Outlive waits until the transactions that were open when it was called have ended, at
// most ten seconds. One that read a key a moment before it was revoked may yet store what
// the key signed: whoever lists that afterwards misses nothing.
func (s *Store) Outlive(ctx context.Context) error {
	var since time.Time
	if err := s.pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&since); err != nil {
		return fmt.Errorf("reading the time: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		var open int
		err := s.pool.QueryRow(ctx, `
			SELECT count(*) FROM pg_stat_activity
			WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid() AND xact_start < $1`, since).Scan(&open)
		if err != nil {
			return fmt.Errorf("waiting for open transactions: %w", err)
		}
		if open == 0 {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("waiting for open transactions: %w", ctx.Err())
		}
	}
}

func (s *Store) setStatus(ctx context.Context, id ID, to Status, act string, from ...Status) error {
	return s.operate(ctx, proof.Entry{Act: act, Target: string(id)}, func(tx pgx.Tx, entry audit.EntryID) error {
		tag, err := tx.Exec(ctx, `
			UPDATE partner SET log_entry = $3, status = CASE
				WHEN $2 = 'active' AND NOT EXISTS (SELECT FROM partner_key k WHERE k.partner = partner.id) THEN 'invited'
				ELSE $2 END
			WHERE id = $1 AND status = ANY ($4)`, id, to, entry, from)
		if err == nil && tag.RowsAffected() == 0 {
			return ErrNotThere
		}
		return err
	})
}

// Agree puts one direction of a data-sharing agreement in force that nobody has signed, and
// returns its id. Whoever reads it is told so: it is the operator's word that the two agreed.
func (s *Store) Agree(ctx context.Context, a Agreement) (string, error) {
	if err := a.validate(); err != nil {
		return "", err
	}
	id := uuid.NewString()
	e := proof.Entry{Act: "agreement.add", Target: id, Other: string(a.Recipient), Digest: a.terms()}
	err := s.operate(ctx, e, func(tx pgx.Tx, entry audit.EntryID) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO agreement (id, sender, recipient, purposes, sections, valid_from, valid_to, log_entry)
			VALUES (@id, @sender, @recipient, @purposes, @sections, @from, @to, @entry)`,
			pgx.StrictNamedArgs{"id": id, "sender": a.Sender, "recipient": a.Recipient, "purposes": a.Purposes,
				"sections": a.Sections, "from": a.From, "to": a.To, "entry": entry})
		return err
	})
	if pg.Violates(err, "agreement_sender_fkey") || pg.Violates(err, "agreement_recipient_fkey") {
		return "", ErrNotThere
	}
	if err != nil {
		return "", err
	}
	return id, nil
}

// EndAgreement ends one direction of an agreement at once, signed or not. It waits for the packets that are being
// accepted under it, and none is accepted under it afterwards.
func (s *Store) EndAgreement(ctx context.Context, id string) error {
	return s.operate(ctx, proof.Entry{Act: "agreement.end", Target: id}, func(tx pgx.Tx, entry audit.EntryID) error {
		tag, err := tx.Exec(ctx, `UPDATE agreement SET ended_at = now(), log_entry = $2 WHERE id = $1 AND ended_at IS NULL`, id, entry)
		if err == nil && tag.RowsAffected() == 0 {
			return ErrNotThere
		}
		return err
	})
}

// Offer publishes a service of a partner, for one that does not do so itself, and returns its id.
// How long a waiting list is may be left out. Errors: ErrServiceInvalid, ErrCapacity, ErrNotThere.
func (s *Store) Offer(ctx context.Context, o Service) (string, error) {
	o.Status = "active"
	if err := o.check(); err != nil {
		return "", err
	}
	if err := checkCapacity(o.Capacity, o.Wait); err != nil && (o.Capacity != "waiting-list" || o.Wait != "") {
		return "", err
	}
	var id string
	err := s.operate(ctx, proof.Entry{Act: "service.offer", Target: string(o.Partner)}, func(tx pgx.Tx, entry audit.EntryID) error {
		return tx.QueryRow(ctx, `
			INSERT INTO service (id, partner, name, purposes, areas, status, capacity, women_only,
			                     accepts_no_recourse, self_referral, updated_at, capacity_at, wait, log_entry)
			VALUES (gen_random_uuid(), @partner, @name, @purposes, @areas, 'active', @capacity, @women,
			        @recourse, @self, now(), now(), nullif(@wait, ''), @entry)
			RETURNING id::text`, o.args(o.Partner, entry)).Scan(&id)
	})
	if pg.Violates(err, "service_partner_fkey") {
		return "", ErrNotThere
	}
	return id, err
}

// Invite makes a one-time enrolment code for a partner, good for ttl. It is shown
// once and stored as a digest only. A partner whose keys the hub holds is not invited: what
// enrolled so would have no word of the old keys for the new. Errors: ErrNotThere, ErrHasKeys.
func (s *Store) Invite(ctx context.Context, partner ID, ttl time.Duration) (string, error) {
	code := strings.ToLower(rand.Text())
	digest := sha256.Sum256([]byte(code))
	err := s.operate(ctx, proof.Entry{Act: "partner.invite", Target: string(partner)}, func(tx pgx.Tx, entry audit.EntryID) error {
		tag, err := tx.Exec(ctx, `
			INSERT INTO invitation (code_digest, partner, expires_at, log_entry)
			SELECT $1, $2, now() + $3, $4 WHERE NOT EXISTS (SELECT FROM partner_key k WHERE k.partner = $2 AND k.use = 'signing'
				AND k.custody = 'hub' AND k.revoked_at IS NULL AND now() < k.not_after)`, digest[:], partner, ttl, entry)
		if err == nil && tag.RowsAffected() == 0 {
			return ErrHasKeys
		}
		return err
	})
	if pg.Violates(err, "invitation_partner_fkey") {
		return "", ErrNotThere
	}
	return code, err
}

// operate runs one change with its log entry, which comes first here because the
// rows it explains refer to it.
func (s *Store) operate(ctx context.Context, e proof.Entry, change func(pgx.Tx, audit.EntryID) error) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		entry, err := logNow(ctx, tx, e)
		if err != nil {
			return err
		}
		return change(tx, entry)
	})
}

func logNow(ctx context.Context, tx pgx.Tx, e proof.Entry) (audit.EntryID, error) {
	if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&e.Time); err != nil {
		return audit.EntryID{}, fmt.Errorf("reading the time: %w", err)
	}
	return audit.Append(ctx, tx, e)
}

// Agreements lists the agreements that have not been ended, for the operator.
func (s *Store) Agreements(ctx context.Context) ([]Agreement, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT `+agreementColumns+`
		FROM agreement WHERE ended_at IS NULL ORDER BY sender, recipient, valid_from`)
	if err != nil {
		return nil, fmt.Errorf("reading agreements: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Agreement])
}
