package referral_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/jackc/pgx/v5"

	"handover/consent"
	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/pg"
	"handover/partners"
)

// TestAShareThatWaitedForALaterRecordIsDecidedByIt shows why consent.Lock reads the later
// records in a second statement. A later record is stored while a share waits for the row of
// the first: what both let through passes, what the later one leaves out does not. Read by a
// statement that began before the wait, the later record would not be there to be asked.
func TestAShareThatWaitedForALaterRecordIsDecidedByIt(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	for _, row := range []struct {
		name    string
		section string
		early   bool // the second statement is run before the first
		want    string
	}{
		{"what both let through", "need", false, "ok"},
		{"what the later one leaves out", "risk", false, "not-covered"},
		{"what both let through, read too early", "need", true, "not-covered"},
	} {
		first := p.From.Record(t, hubtest.Subject(), p.Named())
		second := p.From.Consent(t, first.Subject, p.Named(), func(c *record.Claims) { c.Supersedes, c.Sections = first.ID, []string{"need"} })
		share := func() string {
			b := &pgx.Batch{}
			grants := consent.Lock(b, first.ID)
			if len(b.QueuedQueries) != 2 {
				t.Fatalf("consent.Lock has %d statements", len(b.QueuedQueries))
			}
			if row.early {
				slices.Reverse(b.QueuedQueries)
			}
			return code(pg.Decide(t.Context(), h.DB.Hub, string(p.To.ID), b, func() (*pgx.Batch, error) {
				return nil, grants.Of(first.ID).Covers(first.Digest, record.Passage{Subject: first.Subject, Purpose: first.Purpose, Sender: first.Issuer,
					Recipient: string(p.To.ID), Category: string(p.To.Category), Classes: []string{row.section}, Now: time.Now()})
			}))
		}
		tx := holding(t, h, `LOCK TABLE consent IN SHARE MODE`) // the later record has locked the chain, and is not stored yet
		stored, shared := make(chan int, 1), make(chan string, 1)
		go func() { stored <- p.From.PostConsent(t, second).Status }()
		err := hubtest.Blocked(t, h, tx, 1)
		go func() { shared <- share() }()
		err = errors.Join(err, hubtest.Blocked(t, h, tx, 2), tx.Commit(t.Context()))
		if status, got := <-stored, <-shared; err != nil || status != http.StatusCreated || got != row.want {
			t.Errorf("%s: %v, recorded %d, shared %q, want %q", row.name, err, status, got, row.want)
		}
	}
}

// holding is a transaction of the owner's that holds what the statement locks.
func holding(t *testing.T, h *hubtest.Hub, statement string, args ...any) pgx.Tx {
	t.Helper()
	tx, err := h.DB.Owner.Begin(t.Context())
	if err == nil {
		_, err = tx.Exec(t.Context(), statement, args...)
	}
	do(t, err)
	return tx
}

// TestASharingAndALaterRecordNeverWaitForEachOther stops a request between what it rests on
// and what it goes on from, which are two records of one chain, while a third is put behind
// them: whoever comes second waits, and both are done.
func TestASharingAndALaterRecordNeverWaitForEachOther(t *testing.T) {
	t.Parallel()
	for name, onFirst := range map[string]bool{"rests on the later one": false, "rests on the earlier one": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRelay(t)
			said, one := r.said(t, "named")
			second := later(t, r.pair.From, said, func(c *record.Claims) { c.Onward = "named" })
			s := r.pair.From.Request(r.pair.To, r.pair.Service, second, "need").Seal(t)
			r.pair.From.Sent(t, s)
			on, from := second, one
			if onFirst {
				on, from = said, s.Digest
			}
			r.pair.To.Token(t)
			r.pair.From.Token(t)
			d := r.pair.To.Request(r.third, r.service, on, "need")
			d.OnwardFrom = from
			request := d.Seal(t)
			third := r.pair.From.Consent(t, said.Subject, said.Recipients, func(c *record.Claims) { c.Supersedes, c.Onward = second.ID, "named" })
			// Whoever shares something about her takes this lock after those of the records.
			tx := holding(t, r.hub, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, said.Subject)
			sent, stored := make(chan hubtest.Answer, 1), make(chan hubtest.Answer, 1)
			go func() { sent <- r.pair.To.Send(t, request) }()
			err := hubtest.Blocked(t, r.hub, tx, 1)
			go func() { stored <- r.pair.From.PostConsent(t, third) }()
			err = errors.Join(err, hubtest.Blocked(t, r.hub, tx, 2), tx.Commit(t.Context()))
			if a, b := <-sent, <-stored; err != nil || a.Status != http.StatusCreated || b.Status != http.StatusCreated {
				t.Errorf("%v; sent: %d %s; recorded: %d %s", err, a.Status, a.Body, b.Status, b.Body)
			}
		})
	}
}

// TestThatHistoryIsExplainedOnlyBecauseOfTheLocks shows that the random histories of
// endings_test.go would notice. It shares on the very statements of consent.Lock, LockOverrides
// and LockNevers, and lets what ends sharing go as far as it gets between the decision and the
// write: with its lock it waits; the same statement without it gives a history that no order
// explains.
func TestThatHistoryIsExplainedOnlyBecauseOfTheLocks(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.hub.Exec(t, `CREATE TABLE scratch (basis uuid, line text)`)
	d.hub.Exec(t, `GRANT SELECT, INSERT ON scratch TO handover_hub`)
	const share, advisory = " FOR SHARE OF s", "pg_advisory_xact_lock_shared"
	for name, row := range map[string]struct {
		on        func(desk, *testing.T) grounds
		statement int // of those that share reads by
		lock      string
		refusal   string
	}{
		"she takes it back":      {desk.withdrawn, 0, share, "consent-withdrawn"},
		"she agrees to less":     {desk.narrowed, 0, share, "not-covered"},
		"the later one is taken": {desk.laterWithdrawn, 1, share, "consent-withdrawn"},
		"never":                  {desk.stopped, 2, advisory, "not-covered"},
		"an override is refused": {desk.overridden, 2, share, "override-refused"},
		"an override is ended":   {desk.ended, 2, share, "override-ended"},
		"an override, never":     {desk.overrideStopped, 3, advisory, "not-covered"},
	} {
		for _, locked := range []bool{true, false} {
			history := d.between(t, row.on(d, t), func(batch *pgx.Batch) {
				q := batch.QueuedQueries[row.statement]
				if !strings.Contains(q.SQL, row.lock) {
					t.Fatalf("%s: statement %d does not say %q: %s", name, row.statement, row.lock, q.SQL)
				}
				if !locked {
					q.SQL = strings.Replace(q.SQL, row.lock, "", 1)
				}
			})
			if explained := porcupine.CheckOperations(sharings("", row.refusal), history); explained != locked {
				t.Errorf("%s: with the lock %v, the history is explained %v:\n%+v", name, locked, explained, history)
			}
		}
	}
}

// between shares on the grounds and has them end between the decision and the write.
func (d desk) between(t *testing.T, on grounds, change func(*pgx.Batch)) []porcupine.Operation {
	draft := on.draft("need")
	basis, decided, read := *draft.Basis, make(chan struct{}), make(chan struct{})
	share := operation{"shared", func() any {
		b := &pgx.Batch{}
		var overrides, consents []string
		if basis.Override != "" {
			overrides = []string{basis.Override}
		} else {
			consents = []string{basis.Consent}
		}
		grants := consent.Lock(b, consents...)
		grants.LockOverrides(b, overrides...)
		to := consent.Reliance{Basis: on.id, Recipient: string(d.To.ID)}
		grants.LockNevers(b, to)
		change(b)
		return code(pg.Decide(t.Context(), d.hub.DB.Hub, string(d.From.ID), b, func() (*pgx.Batch, error) {
			defer close(decided)
			p := record.Passage{Subject: draft.Subject, Purpose: draft.Purpose, Sender: string(d.From.ID), Recipient: string(d.To.ID),
				Category: string(d.To.Category), Classes: []string{"need"}, Now: time.Now()}
			covers := grants.Of(basis.Consent).Covers
			if basis.Override != "" {
				covers = grants.Override(basis.Override).Covers
			}
			if err := errors.Join(covers(basis.Digest, p), grants.Stops(to)); err != nil {
				return nil, err
			}
			decided <- struct{}{}
			untilReadOrBlocked(t, d.hub, read)
			write := &pgx.Batch{}
			write.Queue(`INSERT INTO scratch VALUES ($1, 'shared')`, on.id)
			return write, nil
		}))
	}}
	end := operation{"end", func() any {
		<-decided
		return code(on.end())
	}}
	list := operation{"list", func() any {
		defer close(read)
		return hubtest.Value[string](t, d.hub, `SELECT coalesce(string_agg(line, ' '), '') FROM scratch WHERE basis = $1`, on.id)
	}}
	return run([]operation{share}, []operation{end, list})
}

// untilReadOrBlocked returns once the list has been read, or somebody waits for a lock.
func untilReadOrBlocked(t *testing.T, h *hubtest.Hub, read <-chan struct{}) {
	for {
		select {
		case <-read:
			return
		default:
		}
		var blocked bool
		err := h.DB.Owner.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&blocked)
		if err != nil || blocked {
			return
		}
	}
}
