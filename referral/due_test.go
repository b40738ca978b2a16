package referral_test

import (
	"testing"
	"time"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral"
	"handover/referral/clock"
	"handover/referral/packet"
)

// standing is a referral as the agency reads it.
func standing(t *testing.T, h *hubtest.Hub, by *hubtest.Agency, id string) referral.Summary {
	t.Helper()
	m, _, err := h.Referrals.Read(t.Context(), by.Caller(t), id)
	do(t, err)
	return m
}

// TestEachStepSetsWhatIsDueNext walks a referral of each urgency through its life, and compares
// what is due with the table, from when it came.
func TestEachStepSetsWhatIsDueNext(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	for _, urgency := range []string{"routine", "urgent", "emergency"} {
		s := p.Request("need").Seal(t, func(d *hubtest.Draft) { d.Urgency = urgency })
		p.From.Sent(t, s)
		head, from := s.Digest, standing(t, h, p.From, s.Digest).Created
		due := func(after string, d clock.Due) {
			t.Helper()
			m := standing(t, h, p.To, s.Digest)
			if d == "" {
				if m.DueAt != nil || m.DueFor != "" {
					t.Errorf("%s, %s: %s is due at %v, want nothing", urgency, after, m.DueFor, m.DueAt)
				}
				return
			}
			at, _ := clock.By(urgency, d, from, clock.Usual())
			if m.DueFor != string(d) || m.DueAt == nil || !m.DueAt.Equal(at.Truncate(time.Microsecond)) {
				t.Errorf("%s, %s: %q is due at %v, want %s at %s", urgency, after, m.DueFor, m.DueAt, d, at)
			}
		}
		step := func(by *hubtest.Agency, e packet.Event) { head = p.Step(t, by, e, s.Digest, head).Digest }
		due("sent", clock.Delivered)
		p.From.Get(t, "/v1/referrals?role=sent")
		due("listed to its sender", clock.Delivered)
		shown := listed(t, p.To, "/v1/inbox")[s.Digest]
		due("listed", clock.Opened)
		if m := standing(t, h, p.To, s.Digest); shown.DueFor != m.DueFor || !shown.DueAt.Equal(*m.DueAt) {
			t.Errorf("the list that delivers it says that %s is due at %s", shown.DueFor, shown.DueAt)
		}
		p.From.Open(t, s.Digest, "", "need")
		due("opened by its sender", clock.Opened)
		p.To.Open(t, s.Digest, "", "need")
		due("opened", clock.Decided)
		step(p.From, packet.Message)
		p.To.Get(t, "/v1/inbox")
		due("written about", clock.Decided)
		step(p.To, packet.Receive)
		due("received", clock.Decided)
		step(p.To, packet.Ask)
		due("asked about", "")
		p.To.Open(t, s.Digest, "", "need")
		due("opened again meanwhile", "")
		step(p.From, packet.Answer)
		m := standing(t, h, p.To, s.Digest)
		if from = m.Changed; !from.After(m.Created) {
			t.Fatal("the answer came no later than the request")
		}
		due("answered", clock.Decided)
		step(p.To, packet.Accept)
		due("accepted", clock.FirstContact)
		step(p.To, packet.Start)
		due("begun", "")
		step(p.To, packet.Complete)
		due("completed", "")
	}
}

// TestWhatIsDecidedUnseenSkipsTheClocksBetween: an agency's system may answer what it has not
// listed, or have said that it has it.
func TestWhatIsDecidedUnseenSkipsTheClocksBetween(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	for e, want := range map[packet.Event]string{packet.Receive: "opened", packet.Accept: "first-contact", packet.Decline: ""} {
		s := p.Sent(t, "need")
		p.Step(t, p.To, e, s.Digest, s.Digest)
		if m := standing(t, h, p.To, s.Digest); m.DueFor != want {
			t.Errorf("after %s %q is due, want %q", e, m.DueFor, want)
		}
		p.To.Get(t, "/v1/inbox?state=all")
		if m := standing(t, h, p.To, s.Digest); m.DueFor != want {
			t.Errorf("after %s, and listed, %q is due, want %q", e, m.DueFor, want)
		}
	}
	s := p.Sent(t, "need")
	p.From.Withdraw(t, p.Consent)
	do(t, h.Aftermath.Round(t.Context()))
	if m := standing(t, h, p.To, s.Digest); m.State != "cancelled" || m.DueFor != "" || m.DueAt != nil {
		t.Errorf("of what the hub has cancelled, which is %s, %q is due", m.State, m.DueFor)
	}
}

// TestARenewalMovesTheEndOfWhatRestsOnIt: the end of the newest record counts.
func TestARenewalMovesTheEndOfWhatRestsOnIt(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := p.Sent(t, "need")
	ends := func() time.Time {
		return hubtest.Value[time.Time](t, h, `SELECT consent_ends FROM referral WHERE id = $1`, s.Digest)
	}
	before := hubtest.Value[time.Time](t, h, `SELECT expires_at FROM consent WHERE id = $1`, p.Consent.ID)
	if !ends().Equal(before) {
		t.Errorf("it ends %s, and its consent %s", ends(), before)
	}
	later := p.From.Record(t, p.Consent.Subject, p.Named(), func(c *record.Claims) { c.Supersedes, c.Expires = p.Consent.ID, c.Expires+7200 })
	if after := hubtest.Value[time.Time](t, h, `SELECT expires_at FROM consent WHERE id = $1`, later.ID); !ends().Equal(after) || after.Equal(before) {
		t.Errorf("it ends %s, its consent %s and the renewal %s", ends(), before, after)
	}
}
