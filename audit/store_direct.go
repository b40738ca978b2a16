package audit

import (
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit/proof"
	"handover/internal/pg"
)

// insertEntries writes several entries in one statement.
const insertEntries = `
	INSERT INTO audit_entry (id, at, partner, other, act, outcome, salt, body, leaf)
	SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
	                     $7::bytea[], $8::bytea[], $9::bytea[])`

// Direct appends entries and gives them their places in one and the same transaction,
// so that whoever waits for a receipt waits for one commit and not for two. It does so
// when the log is free at that moment and as this hub knows it; otherwise the entries
// wait for the sequencer like all others. Its methods go into the caller's
// transaction in this order:
//
//	Entries   with the first statements that write
//	Claim     last in that batch: from here on the role is the log's
//	Places    the next batch, and the last
//	Committed after the commit
type Direct struct {
	log     *Log
	entries []stored
	free    bool // the log is ours until the transaction ends
	head    *head
	made    *extension
	ready   chan struct{} // closed when made is set, if it will be
}

// Entries queues the writing of entries into b. Their ids are those of IDs.
func (l *Log) Entries(b *pgx.Batch, entries []proof.Entry) (*Direct, error) {
	d := &Direct{log: l, entries: make([]stored, len(entries)), head: newHead()}
	ids, at := make([]EntryID, len(entries)), make([]time.Time, len(entries))
	partner, other := make([]string, len(entries)), make([]string, len(entries))
	act, outcome := make([]string, len(entries)), make([]string, len(entries))
	salt, body, leaf := make([][]byte, len(entries)), make([][]byte, len(entries)), make([][]byte, len(entries))
	for i, e := range entries {
		s, err := seal(e)
		if err != nil {
			return nil, err
		}
		ids[i], at[i], partner[i], other[i] = s.id, s.e.Time, s.e.Partner, s.e.Other
		act[i], outcome[i], salt[i], body[i], leaf[i] = s.e.Act, s.e.Outcome, s.salt[:], s.body, s.leaf
		d.entries[i] = stored{id: s.id, leaf: s.leaf, salt: s.salt[:], body: s.body, said: &s.e}
	}
	b.Queue(insertEntries, ids, at, partner, other, act, outcome, salt, body, leaf)
	return d, nil
}

// IDs are the ids of the entries, in the order they were given in.
func (d *Direct) IDs() []EntryID {
	ids := make([]EntryID, len(d.entries))
	for i, e := range d.entries {
		ids[i] = e.id
	}
	return ids
}

// Claim queues the taking of the log, if nobody has it, and the reading of its head.
// It waits for nobody: in a queue for the lock, locks that others wait for would be
// held the longer. The plans of what follows go by index always (see store.session).
//
// While the database is busy with all that, the entries get their places behind the
// tree that this hub knows, in memory. If it turns out not to be the stored one, that
// work and its signature are forgotten: a checkpoint leaves this process only by a
// transaction that has found the log as the checkpoint continues it.
func (d *Direct) Claim(b *pgx.Batch) {
	b.Queue(`SELECT set_config('role', $1, true), set_config('enable_seqscan', 'off', true), pg_try_advisory_xact_lock($2)`,
		pg.RoleLog, int64(sequencerLock)).
		QueryRow(func(row pgx.Row) error { return row.Scan(nil, nil, &d.free) })
	d.head.queue(b)
	d.ready = make(chan struct{})
	go func() {
		defer close(d.ready)
		if from := d.log.lastKnown(); from.note != nil && d.log.Healthy() == nil {
			d.made, _ = d.log.extend(from, d.entries) // the sequencer will say what is wrong
		}
	}()
}

// Places returns what gives the entries their places, or else leaves them to the
// sequencer: when another transaction has the log, or another hub has extended it since,
// or the sequencer is not in order.
func (d *Direct) Places() (*pgx.Batch, error) {
	<-d.ready
	b := &pgx.Batch{}
	if d.made != nil && d.free && d.made.from.is(*d.head) {
		d.made.queue(b)
		return b, nil
	}
	d.made = nil
	b.Queue(`SELECT set_config('role', $1, true)`, pg.RoleHub)
	b.Queue(`INSERT INTO audit_pending (entry) SELECT unnest($1::uuid[])`, d.IDs())
	return b, nil
}

// Committed tells those who wait for the entries. Call it once the transaction has
// been committed.
func (d *Direct) Committed() {
	if d.made != nil {
		d.log.committed(*d.made)
	}
}
