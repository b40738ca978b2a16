package referral_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"handover/consent"
	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/pg"
	"handover/partners"
)

// sharedWith shares on the very statements of Grants.LockNevers, changed as a mutation says,
// and waits between the decision and the write until the list has been read.
type sharedWith struct {
	h             *hubtest.Hub
	p             hubtest.Pair
	c             hubtest.Consent
	mutate        func(*pgx.Batch)
	decided, read chan struct{}
}

func (s sharedWith) do(t *testing.T) any {
	b := &pgx.Batch{}
	grants := consent.Lock(b, s.c.ID)
	on := consent.Reliance{Basis: s.c.ID, Recipient: string(s.p.To.ID)}
	grants.LockNevers(b, on)
	s.mutate(b)
	return code(pg.Decide(t.Context(), s.h.DB.Hub, string(s.p.From.ID), b, func() (*pgx.Batch, error) {
		if err := grants.Stops(on); err != nil {
			return nil, err
		}
		close(s.decided)
		untilReadOrBlocked(t, s.h, s.read)
		write := &pgx.Batch{}
		write.Queue(`INSERT INTO scratch VALUES ($1, 'shared')`, s.c.ID)
		return write, nil
	}))
}

// list reads what was shared.
func (s sharedWith) list(t *testing.T) operation {
	return operation{"list", func() any {
		defer close(s.read)
		return hubtest.Value[string](t, s.h, `SELECT coalesce(string_agg(line, ' '), '') FROM scratch WHERE consent = $1`, s.c.ID)
	}}
}

func (s sharedWith) never(t *testing.T) func() any {
	token, err := record.NeverClaims{Hub: hubtest.Issuer, Issuer: string(s.p.From.ID), ID: uuid.Must(uuid.NewV7()).String(),
		IssuedAt: s.h.Now().Unix(), Subjects: []string{s.c.Subject}, Recipients: []string{string(s.p.To.ID)}}.Sign(s.p.From.Signing.Signer())
	do(t, err)
	caller := s.p.From.Caller(t)
	return func() any {
		_, err := s.h.Consents.Never(t.Context(), caller, token)
		return code(err)
	}
}

// unlocked takes the lock out, and its statement with it; inOne has one statement lock and
// read, as if that were the same.
func unlocked(t *testing.T) func(*pgx.Batch) {
	return func(b *pgx.Batch) {
		at := lockAt(t, b)
		b.QueuedQueries = append(b.QueuedQueries[:at:at], b.QueuedQueries[at+1:]...)
	}
}

func inOne(t *testing.T) func(*pgx.Batch) {
	return func(b *pgx.Batch) {
		at := lockAt(t, b)
		lock, read := b.QueuedQueries[at].SQL, b.QueuedQueries[at+1]
		read.SQL = fmt.Sprintf("WITH held AS MATERIALIZED (SELECT count(*) FROM (%s) l) ", lock) + read.SQL + " WHERE (SELECT count FROM held) > 0"
		unlocked(t)(b)
	}
}

func lockAt(t *testing.T, b *pgx.Batch) int {
	for i, q := range b.QueuedQueries {
		if strings.Contains(q.SQL, "pg_advisory_xact_lock_shared") {
			return i
		}
	}
	t.Fatal("nothing locks the subject")
	return 0
}

// TestANeverWaitsForWhoeverIsAboutToShare has somebody decide to share, and a never recorded
// as far as it gets before she has: with the lock it waits, and what is counted after it is
// final; without, it does not, and no order explains what was seen.
func TestANeverWaitsForWhoeverIsAboutToShare(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.Exec(t, `CREATE TABLE scratch (consent uuid, line text)`)
	h.Exec(t, `GRANT SELECT, INSERT ON scratch TO handover_hub`)
	p := h.Pair(t, partners.Housing)
	for _, row := range []struct {
		name      string
		mutate    func(*pgx.Batch)
		explained bool
	}{{"as it is", func(*pgx.Batch) {}, true}, {"without the lock", unlocked(t), false}} {
		s := sharedWith{h, p, p.From.Record(t, hubtest.Subject(), p.Named()), row.mutate, make(chan struct{}), make(chan struct{})}
		say := s.never(t)
		share := operation{"shared", func() any { return s.do(t) }}
		never := operation{"end", func() any {
			<-s.decided
			return say()
		}}
		history := run([]operation{share}, []operation{never, s.list(t)})
		if explained := porcupine.CheckOperations(sharings("", "not-covered"), history); explained != row.explained {
			t.Errorf("%s: the history is explained %v:\n%+v", row.name, explained, history)
		}
	}
}

// TestWhoeverWaitedForANeverIsStoppedByIt has somebody wait for one that is being recorded.
// She has to see it when she goes on, so she reads in a statement that begins after she has
// waited: in one statement, she reads the time before, and shares after it was recorded.
func TestWhoeverWaitedForANeverIsStoppedByIt(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.Exec(t, `CREATE TABLE scratch (consent uuid, line text)`)
	h.Exec(t, `GRANT SELECT, INSERT ON scratch TO handover_hub`)
	p := h.Pair(t, partners.Housing)
	for _, row := range []struct {
		name      string
		mutate    func(*pgx.Batch)
		explained bool
	}{{"as it is", func(*pgx.Batch) {}, true}, {"in one statement", inOne(t), false}} {
		s := sharedWith{h, p, p.From.Record(t, hubtest.Subject(), p.Named()), row.mutate, make(chan struct{}), make(chan struct{})}
		say := s.never(t)
		// It holds the never between its lock and its commit, and nobody who reads.
		hold := holding(t, h, `LOCK TABLE consent_never_state IN SHARE MODE`)
		recorded, done := make(chan struct{}), make(chan error, 1)
		go func() {
			first := hubtest.Blocked(t, h, hold, 1)
			close(recorded)
			done <- errors.Join(first, hubtest.Blocked(t, h, hold, 2), hold.Commit(t.Context()))
		}()
		recording := operation{"end", func() any { return say() }}
		share := operation{"shared", func() any {
			<-recorded
			return s.do(t)
		}}
		history := run([]operation{recording, s.list(t)}, []operation{share})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if explained := porcupine.CheckOperations(sharings("", "not-covered"), history); explained != row.explained {
			t.Errorf("%s: the history is explained %v:\n%+v", row.name, explained, history)
		}
	}
}
