package referral_test

import (
	"bytes"
	"net/http"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/packet"
)

// posters is how many post at the same time: fewer than the hub has connections.
const posters = 6

// everywhere is the agency as it calls each of three hubs on one database. A hub by
// itself stores the requests of a partner group after group, so it takes several for
// two of the same to meet.
func everywhere(t *testing.T, h *hubtest.Hub, a *hubtest.Agency) []*hubtest.Agency {
	t.Helper()
	all := []*hubtest.Agency{a, a.At(h.Another(t)), a.At(h.Another(t))}
	for _, a := range all {
		a.Token(t)
	}
	return all
}

func TestTheSameBytesGetTheSameReceiptWhateverHasChangedSince(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	request := p.Request().Seal(t)
	first := p.From.Send(t, request)
	event := p.To.Event(p.From, packet.Message, request.Digest, request.Digest).With(p.Consent, "note").Seal(t)
	firstEvent := p.To.Send(t, event)
	if first.Status != http.StatusCreated || firstEvent.Status != http.StatusCreated {
		t.Fatalf("answered %d and %d: %s %s", first.Status, firstEvent.Status, first.Body, firstEvent.Body)
	}
	changes := []struct {
		name string
		make func()
	}{
		{"nothing", func() {}},
		{"the consent was withdrawn", func() { p.From.Withdraw(t, p.Consent) }},
		{"the agreements ended", func() {
			do(t, h.Operator.EndAgreement(t.Context(), p.Agreement))
			do(t, h.Operator.EndAgreement(t.Context(), p.Back))
		}},
		{"the service paused", func() { h.Exec(t, `UPDATE service SET capacity = 'paused' WHERE id = $1`, p.Service) }},
		{"the recipient's key was revoked", func() {
			h.Exec(t, `UPDATE partner_key SET revoked_at = now() WHERE use = 'encryption'`)
		}},
		{"the signing keys were revoked", func() { h.Exec(t, `UPDATE partner_key SET revoked_at = now() WHERE use = 'signing'`) }},
		{"the packets expired", func() { h.Exec(t, `UPDATE packet SET expires_at = now()`) }},
		{"the referral ended", func() {
			h.Exec(t, `UPDATE referral SET state = 'cancelled', due_at = NULL, due_for = NULL, head = repeat('A', 43)`)
		}},
	}
	for _, change := range changes {
		t.Run(change.name, func(t *testing.T) {
			change.make()
			content, logged := h.Content(t), h.Logged(t)
			if again := p.From.Send(t, request); again.Status != http.StatusCreated || !bytes.Equal(again.Body, first.Body) {
				t.Errorf("the request again: %d %s, want 201 and the first receipt", again.Status, again.Body)
			}
			if again := p.To.Send(t, event); again.Status != http.StatusCreated || !bytes.Equal(again.Body, firstEvent.Body) {
				t.Errorf("the event again: %d %s, want 201 and the first receipt", again.Status, again.Body)
			}
			same(t, content, h.Content(t))
			if n := h.Logged(t) - logged; n != 0 {
				t.Errorf("the repetition made %d log entries", n)
			}
		})
	}
}

// oneReceipt checks that every answer is the same receipt, and that one packet of the
// event is stored and one entry of it logged.
func oneReceipt(t *testing.T, h *hubtest.Hub, e packet.Event, answers []hubtest.Answer) {
	t.Helper()
	for _, a := range answers {
		if a.Status != http.StatusCreated || !bytes.Equal(a.Body, answers[0].Body) {
			t.Errorf("answered %d %s, want 201 and one receipt for all", a.Status, a.Body)
		}
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM packet WHERE event = $1`, string(e)); n != 1 {
		t.Errorf("%d packets are stored, want 1", n)
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM audit_entry WHERE act = $1`, "referral."+string(e)); n != 1 {
		t.Errorf("%d entries are logged, want 1", n)
	}
}

func TestTheSameBytesPostedAtOnceAreOnePacketAndOneReceipt(t *testing.T) {
	t.Parallel()
	for _, e := range []packet.Event{packet.Request, packet.Accept, packet.Message, packet.Withdraw} {
		t.Run(string(e), func(t *testing.T) {
			h := hubtest.New(t)
			p := h.Pair(t, partners.BoroughOutreach)
			by, s := p.From, p.Request().Seal(t)
			if e != packet.Request {
				p.From.Sent(t, s)
				d := p.To.Event(p.From, e, s.Digest, s.Digest)
				switch e {
				case packet.Message:
					d = d.With(p.Consent, "note")
				case packet.Withdraw:
					d = p.From.Event(p.To, e, s.Digest, s.Digest)
				}
				s = d.Seal(t)
			}
			if s.Claims.Issuer == string(p.To.ID) {
				by = p.To
			}
			hubs := everywhere(t, h, by)
			sessions := posters
			if e == packet.Request {
				sessions = len(hubs) // one group on each
			}
			// All have read that nothing is stored, or wait to read it.
			oneReceipt(t, h, e, hubtest.Convoy(t, h, posters, sessions, func(i int) hubtest.Answer { return hubs[i%len(hubs)].Send(t, s) },
				`LOCK TABLE packet IN SHARE MODE`))
		})
	}
}

func TestOfSeveralPacketsUnderOneIdAtOnceOneIsStoredAndTheOthersConflict(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	first := p.Request().Seal(t)
	packets := make([]hubtest.Sealed, posters)
	for i := range packets {
		packets[i] = p.Request().Seal(t, func(d *hubtest.Draft) { d.ID = first.Claims.ID })
	}
	hubs := everywhere(t, h, p.From)
	won := 0
	for _, a := range hubtest.Convoy(t, h, posters, len(hubs), func(i int) hubtest.Answer { return hubs[i%len(hubs)].Send(t, packets[i]) },
		`LOCK TABLE packet IN SHARE MODE`) {
		switch {
		case a.Status == http.StatusCreated:
			won++
		case a.Status != http.StatusConflict || a.Problem().Code != "packet-conflict":
			t.Errorf("answered %d %s, want a receipt or packet-conflict", a.Status, a.Body)
		}
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM referral`); won != 1 || n != 1 {
		t.Errorf("%d were accepted and %d referrals are stored, want 1 of each", won, n)
	}
}
