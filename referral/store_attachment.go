package referral

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/codes"
	"handover/internal/pg"
	"handover/partners"
	"handover/referral/packet/attachment"
)

// put stores a chunk of the caller's, or finds the same stored already. The first of an
// attachment begins it, with a log entry.
func (s *Store) put(ctx context.Context, c partners.Caller, chunk sealedChunk) error {
	err := s.putOnce(ctx, c, chunk)
	if pg.Violates(err, "attachment_pkey") { // two began it at once: now it is there
		err = s.putOnce(ctx, c, chunk)
	}
	return err
}

func (s *Store) putOnce(ctx context.Context, c partners.Caller, chunk sealedChunk) error {
	var now time.Time
	var begun, named bool
	var stored string
	var bytes, count int64
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	key := []any{c.Partner(), chunk.packet, chunk.section}
	// The lock holds off the packet that would name it, and whoever forgets it.
	read.Queue(`SELECT true, packet IS NOT NULL FROM attachment WHERE issuer = $1 AND jti = $2 AND name = $3 FOR UPDATE`, key...).
		Query(scanOne(&begun, &named))
	read.Queue(`SELECT digest FROM attachment_chunk WHERE issuer = $1 AND jti = $2 AND name = $3 AND n = $4`, append(key, chunk.number)...).
		Query(scanOne(&stored))
	read.Queue(`SELECT coalesce(sum(bytes), 0)::bigint, count(*) FROM attachment WHERE issuer = $1 AND packet IS NULL`, c.Partner()).
		Query(scanOne(&bytes, &count))
	return pg.Decide(ctx, s.pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		switch {
		case stored == chunk.digest:
			return nil, nil
		case stored != "" || named:
			return nil, ErrChunkConflict
		case bytes+int64(len(chunk.token)) > unnamedBytes || !begun && count >= unnamedMost:
			return nil, ErrUploads
		}
		write := &pgx.Batch{}
		if begun {
			write.Queue(`UPDATE attachment SET bytes = bytes + $4 WHERE issuer = $1 AND jti = $2 AND name = $3`, append(key, len(chunk.token))...)
		} else if err := queueBeginning(write, c, chunk, now); err != nil {
			return nil, err
		}
		write.Queue(`INSERT INTO attachment_chunk (issuer, jti, name, n, ends, digest, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			append(key, chunk.number, chunk.ends, chunk.digest, chunk.token)...)
		return write, nil
	})
}

func queueBeginning(b *pgx.Batch, c partners.Caller, chunk sealedChunk, now time.Time) error {
	e := c.Entry("attachment.begin")
	e.Time, e.Target, e.Sections = now, chunk.packet, []string{chunk.section}
	entry, err := audit.Queue(b, e)
	if err != nil {
		return fmt.Errorf("logging an attachment: %w", err)
	}
	b.Queue(`INSERT INTO attachment (issuer, jti, name, bytes, begun_at, log_entry) VALUES ($1, $2, $3, $4, $5, $6)`,
		c.Partner(), chunk.packet, chunk.section, len(chunk.token), now, entry)
	return nil
}

// scanOne reads the one row that may come.
func scanOne(into ...any) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, into, func() error { return nil })
		return err
	}
}

// PutChunk is a chunk that is here.
type PutChunk struct {
	Number int    `json:"number"`
	Digest string `json:"digest"`
}

// putChunks lists what is here of an attachment of the caller's, in order.
func (s *Store) putChunks(ctx context.Context, c partners.Caller, at place) ([]PutChunk, error) {
	found := []PutChunk{}
	read := &pgx.Batch{}
	read.Queue(`SELECT n, digest FROM attachment_chunk WHERE issuer = $1 AND jti = $2 AND name = $3 ORDER BY n`,
		c.Partner(), at.packet, at.section).Query(func(rows pgx.Rows) (err error) {
		found, err = pgx.AppendRows(found, rows, pgx.RowToStructByPos[PutChunk])
		return err
	})
	err := pg.Decide(ctx, s.pool, string(c.Partner()), read, func() (*pgx.Batch, error) { return nil, nil })
	if err != nil {
		return nil, fmt.Errorf("listing chunks: %w", err)
	}
	return found, nil
}

// queueUploads queues the reading of what is here of the attachments that the group names,
// and locks it: nothing is added to it, and it is not forgotten, while the group is decided.
// The chunks are read by a statement of their own, since one that has waited for a lock sees
// of other tables what was there before it waited.
func queueUploads(b *pgx.Batch, issuer string, group []*arrival) uploads {
	var jtis, names []string
	for _, a := range group {
		for name := range a.claims().Sections {
			if codes.IsAttachment(name) {
				jtis, names = append(jtis, a.claims().ID), append(names, name)
			}
		}
	}
	if len(jtis) == 0 {
		return nil
	}
	found := uploads{}
	const asked = ` JOIN unnest($2::text[]::uuid[], $3::text[]) AS asked(jti, name) USING (jti, name) WHERE issuer = $1 `
	b.Queue(`SELECT FROM attachment a`+asked+`ORDER BY jti, name FOR UPDATE OF a`, issuer, jtis, names)
	b.Queue(`SELECT jti::text, name, n, digest, ends FROM attachment_chunk`+asked+`ORDER BY jti, name, n`, issuer, jtis, names).
		Query(func(rows pgx.Rows) error {
			var key uploadKey
			var n int
			var digest string
			var ends bool
			_, err := pgx.ForEachRow(rows, []any{&key.packet, &key.section, &n, &digest, &ends}, func() error {
				if found[key] == nil {
					found[key] = &upload{}
				}
				found[key].add(n, digest, ends)
				return nil
			})
			return err
		})
	return found
}

// nameAttachments gives attachments to the packets that name them.
const nameAttachments = `, t AS (
		UPDATE attachment a SET packet = p.seq, audience = p.audience, log_entry = p.log_entry
		FROM unnest(@attached::text[], @attachedTo::text[]::uuid[], @attachments::text[]) AS u(digest, jti, name) JOIN p USING (digest)
		WHERE a.issuer = @issuer AND a.jti = u.jti AND a.name = u.name)`

// attach adds to args what nameAttachments needs, and returns it if there is anything to
// name.
func attach(args pgx.StrictNamedArgs, accepted []*arrival) string {
	var digests, jtis, names []string
	for _, a := range accepted {
		for _, name := range a.opened.Names() {
			if codes.IsAttachment(name) {
				digests, jtis, names = append(digests, a.opened.Digest()), append(jtis, a.opened.ID), append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	args["attached"], args["attachedTo"], args["attachments"] = digests, jtis, names
	return nameAttachments
}

// destroyUnopenedAttachments goes with destroyUnopened. The sender's way back to them goes
// too: there is one copy of the chunks.
const destroyUnopenedAttachments = `
	DELETE FROM attachment WHERE packet IN (SELECT seq FROM packet WHERE referral = $1)
	AND NOT EXISTS (SELECT FROM release x
	                WHERE x.packet = attachment.packet AND x.name = attachment.name AND x.reader = attachment.audience)`

// Chunk is one sealed chunk of an attachment that was released to the caller, for who opens it
// for her; io.EOF if there is none of that number. The packet is the one with the envelope's
// digest.
func (s *Store) Chunk(ctx context.Context, c partners.Caller, id, envelope, section string, number int) (string, error) {
	if number >= attachment.MaxChunks {
		return "", io.EOF
	}
	sealed, err := s.chunk(ctx, c, id, envelope, place{section: section, number: number})
	if errors.Is(err, ErrNoSection) {
		return "", io.EOF
	}
	return sealed, err
}

// chunk returns one sealed chunk of an attachment of the packet with the envelope's digest,
// "" for the request. The right to it is a release to this caller within the hour, which
// was logged with its reason; and what releases are decided by is decided again each time,
// so that a withdrawal stops what is under way.
func (s *Store) chunk(ctx context.Context, c partners.Caller, id, envelope string, at place) (string, error) {
	names := []string{at.section}
	h, err := s.find(ctx, c, id, Opening{Envelope: envelope, Sections: names})
	if err != nil {
		return "", err
	}
	own := h.issuer == string(c.Partner())
	read := &pgx.Batch{}
	to := partners.Asked{To: partners.ID(h.audience)}
	terms := s.partners.LockTerms(read, partners.ID(h.issuer), to)
	grants := lockBases(read, reliance{h.basis, h.audience})
	var r row
	queueRow(read, id, "FOR SHARE", &r)
	queueNames(read, h, own, names)
	var released bool
	read.Queue(`
		SELECT EXISTS (SELECT FROM release WHERE packet = $1 AND name = $2 AND reader = $3
			AND actor IS NOT DISTINCT FROM nullif($4, '')::uuid AND at > now() - $5::interval)`,
		h.seq, at.section, c.Partner(), c.User(), releaseLife).Query(scanOne(&released))
	var sealed string
	err = pg.Decide(ctx, s.pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if err := r.sideOf(c).Allows(c); err != nil {
			return nil, err
		}
		switch {
		case len(h.names) != 1:
			return nil, ErrNoSection
		case !released:
			return nil, ErrNotReleased
		}
		if !own {
			if err := h.releasable(r, terms.For(to), grants); err != nil {
				return nil, err
			}
		}
		write := &pgx.Batch{}
		write.Queue(`SELECT sealed FROM attachment_chunk WHERE issuer = $1 AND jti = $2 AND name = $3 AND n = $4`,
			h.issuer, h.claims.ID, at.section, at.number).Query(scanOne(&sealed))
		return write, nil
	})
	if err == nil && sealed == "" {
		return "", ErrNoSection
	}
	return sealed, err
}

// forgetMost is how many attachments of one partner are forgotten at once.
const forgetMost = 100

// ForgetUnnamed removes attachments that no packet has named within a day, of every
// partner, each with a log entry. A client that has not posted its packet by then begins
// anew.
func (s *Store) ForgetUnnamed(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `SELECT id FROM partner`)
	if err != nil {
		return fmt.Errorf("listing partners: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("listing partners: %w", err)
	}
	var failed []error
	for _, partner := range all {
		for more := true; more && ctx.Err() == nil; {
			if more, err = s.forgetSome(ctx, partner); err != nil {
				failed = append(failed, fmt.Errorf("forgetting attachments: %w", err))
				break
			}
		}
	}
	return errors.Join(failed...)
}

func (s *Store) forgetSome(ctx context.Context, partner string) (more bool, err error) {
	var now time.Time
	var old []place
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	read.Queue(`
		SELECT jti::text, name FROM attachment WHERE issuer = $1 AND packet IS NULL AND begun_at < now() - $2::interval
		ORDER BY begun_at LIMIT $3 FOR UPDATE SKIP LOCKED`, partner, unnamedLife, forgetMost).Query(func(rows pgx.Rows) error {
		var p place
		_, err := pgx.ForEachRow(rows, []any{&p.packet, &p.section}, func() error {
			old = append(old, p)
			return nil
		})
		return err
	})
	err = pg.Decide(ctx, s.pool, partner, read, func() (*pgx.Batch, error) {
		write := &pgx.Batch{}
		for _, p := range old {
			if _, err := audit.Queue(write, proof.Entry{Act: "attachment.forget", Time: now, Other: partner, Target: p.packet, Sections: []string{p.section}}); err != nil {
				return nil, err
			}
			write.Queue(`DELETE FROM attachment WHERE issuer = $1 AND jti = $2 AND name = $3 AND packet IS NULL`, partner, p.packet, p.section)
		}
		return write, nil
	})
	return len(old) == forgetMost, err
}
