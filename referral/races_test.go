package referral_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/jackc/pgx/v5"

	"handover/consent"
	"handover/consent/record"
	"handover/internal/fault"
	"handover/internal/hubtest"
	"handover/internal/pg"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
)

// histories is how many random histories each race is tried in.
func histories() int {
	if testing.Short() {
		return 50
	}
	return 200
}

// operation is one thing that a client does: what it asks is in, what it saw out.
type operation struct {
	in any
	do func() (out any)
}

// run has every client do its operations one after the other, all clients at the same
// time, and returns what happened when.
func run(clients ...[]operation) []porcupine.Operation {
	var mu sync.Mutex
	var history []porcupine.Operation
	began := time.Now()
	hubtest.Together(len(clients), func(id int) any {
		for _, op := range clients[id] {
			call := time.Since(began).Nanoseconds()
			out := op.do()
			mu.Lock()
			history = append(history, porcupine.Operation{ClientId: id, Input: op.in, Call: call,
				Output: out, Return: time.Since(began).Nanoseconds()})
			mu.Unlock()
		}
		return nil
	})
	return history
}

// code is "ok", or the code of the refusal.
func code(err error) string {
	var refusal *fault.Fault
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &refusal):
		return refusal.Code
	}
	return "failed: " + err.Error()
}

// chain is a referral as one step at a time would leave it.
type chain struct{ state, head string }

// taken is a step: its packet, the envelope it was signed on, and the state it leads
// to from which others.
type taken struct {
	digest, prev, to string
	from             []string
}

// chains is the specification of a referral: a step succeeds exactly if the referral
// is in a state that allows it and its newest envelope is the one that was signed on;
// a reader sees what the steps before made.
func chains(start chain) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return start },
		Step: func(s, in, out any) (bool, any) {
			now := s.(chain)
			step, isStep := in.(taken)
			if !isStep {
				return out == now, now
			}
			if slices.Contains(step.from, now.state) && step.prev == now.head {
				return out == "ok", chain{step.to, step.digest}
			}
			return out == "referral-moved" || out == "step-not-possible", now
		},
	}
}

// TestOfAllThatDecideAReferralAtOnceOneDoes has two workers of the recipient and the
// sender decide one referral at the same time, read it, and try once more on what
// they read.
func TestOfAllThatDecideAReferralAtOnceOneDoes(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	sender, receiver := p.From.Caller(t), p.To.Caller(t)
	undecided := []string{"requested", "received"}
	open := append(slices.Clone(undecided), "accepted")
	won := map[string]int{}
	for range histories() {
		id := received(t, h, sender, p.Request("need").Seal(t))
		step := func(by *hubtest.Agency, e packet.Event, to string, from []string, prev string) operation {
			c, other := receiver, p.From
			if by == p.From {
				c, other = sender, p.To
			}
			s := by.Event(other, e, id, prev).Seal(t)
			u, err := packet.Read(s.Body)
			do(t, err)
			return operation{taken{s.Digest, prev, to, from}, func() any {
				_, err := h.Referrals.Receive(t.Context(), c, u, id)
				return code(err)
			}}
		}
		read := func(c partners.Caller) operation {
			return operation{"read", func() any {
				m, _, err := h.Referrals.Read(t.Context(), c, id)
				if err != nil {
					return code(err)
				}
				return chain{m.State, m.Head}
			}}
		}
		history := run(
			[]operation{step(p.To, packet.Accept, "accepted", undecided, id), read(receiver)},
			[]operation{step(p.To, packet.Decline, "rejected", undecided, id), read(receiver)},
			[]operation{step(p.To, packet.Accept, "accepted", undecided, id), read(receiver)},
			[]operation{read(sender), step(p.From, packet.Withdraw, "cancelled", open, id), read(sender)},
		)
		if !porcupine.CheckOperations(chains(chain{"requested", id}), history) {
			t.Fatalf("no order of these explains what each saw:\n%+v", history)
		}
		for _, op := range history {
			if step, ok := op.Input.(taken); ok && op.Output == "ok" {
				won[step.to]++
			}
		}
	}
	t.Logf("done: %v", won)
}

// received stores a request and returns the referral's id.
func received(t *testing.T, h *hubtest.Hub, c partners.Caller, s hubtest.Sealed) string {
	t.Helper()
	u, err := packet.Read(s.Body)
	do(t, err)
	_, err = h.Referrals.Receive(t.Context(), c, u, "")
	do(t, err)
	return s.Digest
}

// sharing is what she allowed and what was shared on it.
type sharing struct {
	withdrawn bool
	shared    string // one line for each
}

// sharings is the specification of a consent: something is shared exactly if she has
// not withdrawn, and who reads the list of what was shared sees all of it. So the
// list that is read after a withdrawal is final.
func sharings(start string) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return sharing{shared: start} },
		Step: func(s, in, out any) (bool, any) {
			now := s.(sharing)
			switch in {
			case "withdraw":
				return out == "ok", sharing{true, now.shared}
			case "list":
				return out == now.shared, now
			}
			if now.withdrawn {
				return out == "consent-withdrawn", now
			}
			lines := append(strings.Fields(now.shared), in.(string))
			slices.Sort(lines)
			return out == "ok", sharing{false, strings.Join(lines, " ")}
		},
	}
}

// TestOnceAWithdrawalIsFinalNothingMoreIsStoredOrReleased sends, opens and withdraws
// at the same time, and reads the list of what was shared before and after.
func TestOnceAWithdrawalIsFinalNothingMoreIsStoredOrReleased(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	sender, receiver := p.From.Caller(t), p.To.Caller(t)
	outcomes := map[any]int{}
	for range histories() {
		c := p.From.Consent(t, hubtest.Subject(), p.Named())
		_, err := h.Consents.Record(t.Context(), sender, c.Body)
		do(t, err)
		first := received(t, h, sender, p.From.Request(p.To, p.Service, c).Seal(t))
		send := func() operation {
			s := p.From.Request(p.To, p.Service, c, "need").Seal(t)
			u, err := packet.Read(s.Body)
			do(t, err)
			return operation{s.Digest, func() any {
				_, err := h.Referrals.Receive(t.Context(), sender, u, "")
				return code(err)
			}}
		}
		open := func(section string) operation {
			return operation{first + "/" + section, func() any {
				released, _, err := h.Referrals.Open(t.Context(), receiver, first, referral.Opening{Sections: []string{section}, Reason: "triage"})
				if err == nil && released[section] == "" {
					return "released nothing"
				}
				return code(err)
			}}
		}
		list := operation{"list", func() any { return shared(t, h, c.ID) }}
		withdrawal := p.To.Withdrawal(t, c)
		withdraw := operation{"withdraw", func() any {
			_, err := h.Consents.Withdraw(t.Context(), receiver, c.ID, withdrawal)
			return code(err)
		}}
		last := slices.Concat(slices.Repeat([]operation{list}, rand.IntN(4)), []operation{withdraw, list})
		history := run([]operation{send(), send(), list}, []operation{open("need"), send()}, []operation{send(), open("safe-contact")}, last)
		if !porcupine.CheckOperations(sharings(first), history) {
			t.Fatalf("no order of these explains what each saw:\n%+v", history)
		}
		for _, op := range history {
			if op.Input != "list" && op.Input != "withdraw" {
				outcomes[op.Output]++
			}
		}
	}
	t.Logf("sharing ended: %v", outcomes)
	if outcomes["ok"] == 0 || outcomes["consent-withdrawn"] == 0 {
		t.Errorf("the withdrawal never fell among the others: %v", outcomes)
	}
	late := hubtest.Value[int](t, h, `
		SELECT (SELECT count(*) FROM packet p JOIN consent_state s ON s.id = p.consent WHERE p.stored_at > s.withdrawn_at)
		     + (SELECT count(*) FROM release r JOIN packet p ON p.seq = r.packet JOIN consent_state s ON s.id = p.consent WHERE r.at > s.withdrawn_at)`)
	if late != 0 {
		t.Errorf("by the times that are logged, %d were shared after the withdrawal", late)
	}
}

// shared lists what was stored and released on a consent.
func shared(t *testing.T, h *hubtest.Hub, consent string) string {
	var lines string
	err := h.DB.Owner.QueryRow(t.Context(), `
		SELECT coalesce(string_agg(line, ' ' ORDER BY line COLLATE "C"), '') FROM (
			SELECT digest AS line FROM packet WHERE consent = $1
			UNION ALL SELECT p.digest || '/' || r.name FROM release r JOIN packet p ON p.seq = r.packet WHERE p.consent = $1) x`,
		consent).Scan(&lines)
	if err != nil {
		return "failed: " + err.Error()
	}
	return lines
}

// TestThatHistoryIsExplainedOnlyBecauseOfTheRowLock shows that the check above would
// notice. It shares on the very statement of consent.Lock, and lets the withdrawal go
// as far as it gets between the decision and the write: with the lock it waits; the
// same statement without the lock gives a history that no order explains.
func TestThatHistoryIsExplainedOnlyBecauseOfTheRowLock(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	caller := p.From.Caller(t)
	h.Exec(t, `CREATE TABLE scratch (consent uuid, line text)`)
	h.Exec(t, `GRANT SELECT, INSERT ON scratch TO handover_hub`)
	const lock = " FOR SHARE OF s"
	for _, locked := range []bool{true, false} {
		c := p.From.Record(t, hubtest.Subject(), p.Named())
		withdrawal := p.From.Withdrawal(t, c)
		decided, read := make(chan struct{}), make(chan struct{})
		share := operation{"shared", func() any {
			b := &pgx.Batch{}
			grants := consent.Lock(b, c.ID)
			if q := b.QueuedQueries[0]; !locked {
				if q.SQL = strings.Replace(q.SQL, lock, "", 1); strings.Contains(q.SQL, "FOR SHARE") {
					t.Error("the lock was not taken out")
				}
			} else if !strings.Contains(q.SQL, lock) {
				t.Errorf("consent.Lock does not say %q", lock)
			}
			return code(pg.Decide(t.Context(), h.DB.Hub, string(p.From.ID), b, func() (*pgx.Batch, error) {
				if err := grants.Of(c.ID).Covers(c.Digest, record.Passage{Subject: c.Subject, Purpose: c.Purpose, Sender: c.Issuer,
					Recipient: string(p.To.ID), Category: string(p.To.Category), Classes: []string{"need"}, Now: time.Now()}); err != nil {
					return nil, err
				}
				close(decided)
				untilReadOrBlocked(t, h, read)
				write := &pgx.Batch{}
				write.Queue(`INSERT INTO scratch VALUES ($1, 'shared')`, c.ID)
				return write, nil
			}))
		}}
		withdraw := operation{"withdraw", func() any {
			<-decided
			_, err := h.Consents.Withdraw(t.Context(), caller, c.ID, withdrawal)
			return code(err)
		}}
		list := operation{"list", func() any {
			defer close(read)
			return hubtest.Value[string](t, h, `SELECT coalesce(string_agg(line, ' '), '') FROM scratch WHERE consent = $1`, c.ID)
		}}
		history := run([]operation{share}, []operation{withdraw, list})
		if explained := porcupine.CheckOperations(sharings(""), history); explained != locked {
			t.Errorf("with the lock %v, the history is explained %v:\n%+v", locked, explained, history)
		}
	}
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
