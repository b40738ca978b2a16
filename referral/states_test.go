package referral_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"handover/internal/fault"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
)

// life is the business machine as docs/states.md tells it, written down apart from
// the code: event, whose step it is, from which states, to which; "=" stays. "asked"
// stands for received while the ball is with the sender.
const life = `
	receive   recipient  requested                                      received
	ask       recipient  received,asked                                 =
	answer    sender     asked                                          =
	accept    recipient  requested,received,asked                       accepted
	decline   recipient  requested,received,asked                       rejected
	redirect  recipient  requested,received,asked                       rejected
	start     recipient  accepted                                       in-progress
	complete  recipient  accepted,in-progress                           completed
	fail      recipient  accepted,in-progress                           failed
	withdraw  sender     requested,received,asked,accepted,in-progress  cancelled
	message   sender     requested,received,asked,accepted,in-progress  =
	message   recipient  requested,received,asked,accepted,in-progress  =
`

// states are all that a referral can be in.
var states = []string{"requested", "received", "asked", "accepted", "rejected", "in-progress", "completed", "failed", "cancelled"}

// ruled says what the table has an event do: the state after it, or the refusal.
func ruled(event, side, from string) (to, refusal string) {
	mine := false
	for line := range strings.Lines(strings.TrimSpace(life)) {
		f := strings.Fields(line)
		if f[0] != event || f[1] != side {
			continue
		}
		mine = true
		if !slices.Contains(strings.Split(f[2], ","), from) {
			continue
		}
		if to = f[3]; to == "=" {
			to = stored(from)
		}
		return to, ""
	}
	if !mine {
		return "", "not-your-step"
	}
	return "", "step-not-possible"
}

// stored is the state as the database calls it.
func stored(state string) string {
	if state == "asked" {
		return "received"
	}
	return state
}

// TestEveryEventInEveryStateBySideDoesWhatTheTableSays tries all of them on one
// referral, which is put back each time.
func TestEveryEventInEveryStateBySideDoesWhatTheTableSays(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	r := p.Sent(t, "need")
	callers := map[string]partners.Caller{"sender": p.From.Caller(t), "recipient": p.To.Caller(t)}
	agencies := map[string]*hubtest.Agency{"sender": p.From, "recipient": p.To}
	better := h.Offer(t, h.Agency(t, "better-placed", partners.Housing))
	tried := 0
	for _, event := range packet.Events() {
		if event == packet.Request {
			continue // it begins a referral, and cannot name one
		}
		for side, by := range agencies {
			for _, from := range states {
				h.Exec(t, `UPDATE referral SET state = $1, asked = $2, head = id, due_at = NULL, due_for = NULL`, stored(from), from == "asked")
				other := p.From
				if by == p.From {
					other = p.To
				}
				d := by.Event(other, event, r.Digest, r.Digest)
				if event == packet.Redirect {
					d.Service = better
				}
				if event == packet.Ask || event == packet.Answer || event == packet.Message {
					d = d.With(p.Consent, "note")
				}
				u, err := packet.Read(d.Seal(t).Body)
				do(t, err)
				_, err = h.Referrals.Receive(t.Context(), callers[side], u, r.Digest)
				got := outcome(err, hubtest.Value[string](t, h, `SELECT state || CASE WHEN asked THEN '+asked' ELSE '' END FROM referral`))
				if want := expected(string(event), side, from); got != want {
					t.Errorf("%s by the %s in %s: %s, want %s", event, side, from, got, want)
				}
				tried++
			}
		}
	}
	if want := (len(packet.Events()) - 1) * 2 * len(states); tried != want {
		t.Errorf("%d combinations were tried, want %d", tried, want)
	}
}

// expected is what the table says, as outcome puts it: an ask passes the ball, an
// answer passes it back, and a refusal changes nothing.
func expected(event, side, from string) string {
	to, refusal := ruled(event, side, from)
	if refusal != "" {
		to = stored(from)
	}
	asked := from == "asked"
	if refusal == "" {
		asked = event == "ask" || asked && event != "answer"
	}
	if asked {
		to += "+asked"
	}
	return strings.TrimSpace(refusal + " " + to)
}

func outcome(err error, state string) string {
	var refusal *fault.Fault
	if errors.As(err, &refusal) {
		return refusal.Code + " " + state
	}
	if err != nil {
		return fmt.Sprintf("failed: %v", err)
	}
	return state
}

// TestEveryEventOfTheFormatIsInTheTable guards the test above against an event that
// somebody adds without saying what it does.
func TestEveryEventOfTheFormatIsInTheTable(t *testing.T) {
	t.Parallel()
	for _, e := range packet.Events() {
		if e != packet.Request && !strings.Contains(life, "\t"+string(e)+" ") {
			t.Errorf("%s is not in the table", e)
		}
	}
}

// TestTheTransportStateOnlyGoesForward tries listing and opening in each transport
// state of a packet.
func TestTheTransportStateOnlyGoesForward(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	list := func(t *testing.T, _ hubtest.Sealed) { p.To.Get(t, "/v1/inbox") }
	open := func(t *testing.T, s hubtest.Sealed) { opened(t, p.To, s.Digest, "", "need") }
	readCopy := func(t *testing.T, s hubtest.Sealed) { opened(t, p.From, s.Digest, "", "need") }
	read := func(t *testing.T, s hubtest.Sealed) { p.To.Get(t, "/v1/referrals/"+s.Digest) }
	sent := func(t *testing.T, _ hubtest.Sealed) { p.From.Get(t, "/v1/referrals?role=sent") }
	for _, row := range []struct {
		name  string
		steps []func(*testing.T, hubtest.Sealed)
		want  string
		shown string // by the directory of referrals once it has been listed
	}{
		{"sent", nil, "stored", "delivered"},
		{"the sender lists and reads her copy", []func(*testing.T, hubtest.Sealed){sent, readCopy}, "stored", "delivered"},
		{"the recipient reads the chain, which lists nothing", []func(*testing.T, hubtest.Sealed){read}, "stored", "delivered"},
		{"listed", []func(*testing.T, hubtest.Sealed){list}, "delivered", "delivered"},
		{"listed twice", []func(*testing.T, hubtest.Sealed){list, list}, "delivered", "delivered"},
		{"opened without a list", []func(*testing.T, hubtest.Sealed){open}, "opened", "opened"},
		{"listed and opened", []func(*testing.T, hubtest.Sealed){list, open}, "opened", "opened"},
		{"listed after opening", []func(*testing.T, hubtest.Sealed){open, list}, "opened", "opened"},
		{"opened twice", []func(*testing.T, hubtest.Sealed){list, open, open}, "opened", "opened"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := p.Sent(t, "need")
			for _, step := range row.steps {
				step(t, s)
			}
			state := hubtest.Value[string](t, h, `SELECT d.state ||
				CASE WHEN (d.delivered_at IS NULL) <> (d.state = 'stored') THEN ', delivered at the wrong time' ELSE '' END ||
				CASE WHEN (d.opened_at IS NULL) <> (d.state <> 'opened') THEN ', opened at the wrong time' ELSE '' END
				FROM delivery d JOIN packet p ON p.seq = d.packet WHERE p.digest = $1`, s.Digest)
			if state != row.want {
				t.Errorf("the packet is %s, want %s", state, row.want)
			}
			list(t, s)
			if got := listed(t, p.To, "/v1/inbox")[s.Digest].Transport; got != row.shown {
				t.Errorf("listed as %s, want %s", got, row.shown)
			}
			h.Exec(t, `UPDATE packet SET expires_at = now() WHERE digest = $1`, s.Digest)
			want := "expired"
			if row.shown == "opened" {
				want = "opened"
			}
			if got := listed(t, p.From, "/v1/referrals?role=sent")[s.Digest].Transport; got != want {
				t.Errorf("past its time it is listed as %s, want %s", got, want)
			}
		})
	}
}

// TestWhatIsOfferedIsWhatTheTableAllows: a page offers neither what would be refused nor less
// than what may be done.
func TestWhatIsOfferedIsWhatTheTableAllows(t *testing.T) {
	t.Parallel()
	for _, state := range states {
		for _, side := range []referral.Side{referral.SenderSide, referral.RecipientSide} {
			offered := referral.Summary{State: stored(state), Asked: state == "asked"}.Possible(side)
			for _, event := range packet.Events() {
				_, refusal := ruled(string(event), string(side), state)
				if allowed := refusal == ""; allowed != slices.Contains(offered, event) {
					t.Errorf("%s by the %s of what is %s: offered %v, allowed %v", event, side, state, !allowed, allowed)
				}
			}
		}
	}
}
