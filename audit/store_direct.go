package audit

import (
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit/proof"
	"handover/internal/pg"
)

// insertEntries writes several entries in one statement.
const insertEntries = `
	INSERT INTO audit_entry (id, at, partner, other, act, outcome, salt, body, leaf, referral, consent, subject)
	SELECT id, at, partner, other, act, outcome, salt, body, leaf, nullif(referral, ''), nullif(consent, ''), nullif(subject, '')
	FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::bytea[], $9::bytea[],
	            $10::text[], $11::text[], $12::text[])
	     AS u(id, at, partner, other, act, outcome, salt, body, leaf, referral, consent, subject)`

// columns are the arguments of insertEntries.
func columns(entries []sealed) []any {
	n := len(entries)
	ids, at := make([]EntryID, n), make([]time.Time, n)
	salt, body, leaf := make([][]byte, n), make([][]byte, n), make([][]byte, n)
	var texts [7][]string
	for i := range texts {
		texts[i] = make([]string, n)
	}
	for i, s := range entries {
		ids[i], at[i], salt[i], body[i], leaf[i] = s.id, s.e.Time, s.salt[:], s.body, s.leaf
		for k, text := range [...]string{s.e.Partner, s.e.Other, s.e.Act, s.e.Outcome, s.e.Referral, s.basis(), s.e.Subject} {
			texts[k][i] = text
		}
	}
	return []any{ids, at, texts[0], texts[1], texts[2], texts[3], salt, body, leaf, texts[4], texts[5], texts[6]}
}

// signTime is how long a transaction that holds locks waits for the signature of its
// checkpoint: a key that lives elsewhere may be slow to answer.
const signTime = 250 * time.Millisecond

// Direct appends entries and gives them their places in one and the same transaction,
// so that whoever waits for a receipt waits for one commit and not for two. It does so
// when the log is free at that moment and as this hub knows it; otherwise the entries
// wait for the sequencer like all others. Its methods go into the caller's
// transaction in this order:
//
//	Entries   in the batch that writes
//	Place     last in that batch: from here on the role is the log's
//	Committed after the commit
type Direct struct {
	log     *Log
	entries []stored
	making  chan *extension // of the tree this hub knows; nil comes if none can be made
	made    *extension      // what came
	placed  bool            // the database found that tree, and the entries have their places
}

// Entries queues the writing of entries into b. Their ids are those of IDs.
//
// From here on the entries get their places behind the tree that this hub knows, in
// memory, beside whatever else the caller prepares. If the stored tree turns out to be
// another, that work and its signature are forgotten: a checkpoint is stored only by a
// statement that has found the log as the checkpoint continues it.
func (l *Log) Entries(b *pgx.Batch, entries []proof.Entry) (*Direct, error) {
	d := &Direct{log: l, entries: make([]stored, len(entries)), making: make(chan *extension, 1)}
	written := make([]sealed, len(entries))
	for i, e := range entries {
		s, err := seal(e)
		if err != nil {
			return nil, err
		}
		written[i] = s
		d.entries[i] = stored{id: s.id, leaf: s.leaf, salt: written[i].salt[:], body: s.body, said: &written[i].e}
	}
	b.Queue(insertEntries, columns(written)...)
	go func() { d.making <- l.extendKnown(d.entries) }()
	return d, nil
}

// extendKnown gives entries their places behind the tree that this hub knows, or
// returns nil if it cannot: the sequencer will say why.
func (l *Log) extendKnown(entries []stored) *extension {
	from := l.lastKnown()
	if from.note == nil || l.sequencing() != nil {
		return nil
	}
	x, err := l.signer().extend(from, entries)
	if err != nil {
		return nil
	}
	return x
}

// IDs are the ids of the entries, in the order they were given in.
func (d *Direct) IDs() []EntryID {
	ids := make([]EntryID, len(d.entries))
	for i, e := range d.entries {
		ids[i] = e.id
	}
	return ids
}

// Place queues what gives the entries their places if nobody has the log and its stored
// head is, byte for byte, the one they were placed behind, and what leaves them to the
// sequencer otherwise: when another transaction has the log, or another hub has extended
// it since, or the sequencer is not in order.
//
// It waits for nobody: in a queue for the lock, locks that others wait for would be
// held the longer. The lock is tried by a statement of its own, because the one after
// it must take its snapshot when the lock is held. The plans go by index always (see
// store.session).
func (d *Direct) Place(b *pgx.Batch) {
	select {
	case d.made = <-d.making:
	case <-time.After(signTime):
	}
	if d.made == nil {
		b.Queue(`INSERT INTO audit_pending (entry) SELECT unnest($1::uuid[])`, d.IDs())
		return
	}
	b.Queue(`SELECT set_config('role', $1, true), set_config('enable_seqscan', 'off', true),
		set_config('hub.log_free', pg_try_advisory_xact_lock($2)::text, true)`, pg.RoleLog, int64(sequencerLock))
	d.made.queueIfNext(b, &d.placed)
}

// Committed tells those who wait for the entries. Call it once the transaction has
// been committed.
func (d *Direct) Committed() {
	if d.placed {
		d.log.committed(*d.made)
	}
}
