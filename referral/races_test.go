package referral_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"handover/internal/fault"
	"handover/internal/hubtest"
	"handover/partners"
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
