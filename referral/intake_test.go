package referral_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/packet"
)

// gathered posts requests of one agency so that they gather in one group: another is
// held up before them, and let go once they are in line. It is refused then, so that
// the group is next. before is called while all wait.
func gathered(t *testing.T, h *hubtest.Hub, p hubtest.Pair, requests []hubtest.Sealed, before func()) []hubtest.Answer {
	t.Helper()
	gate := p.From.Record(t, hubtest.Subject(), p.Named())
	plug := p.From.Request(p.To, p.Service, gate).Seal(t)
	tx, err := h.DB.Owner.Begin(t.Context())
	if err == nil {
		_, err = tx.Exec(t.Context(), `UPDATE consent_state SET withdrawn_at = now(), withdrawn_by = $2, withdrawal = 'x', withdrawal_digest = 'x' WHERE id = $1`,
			gate.ID, string(p.From.ID))
	}
	do(t, err)
	inLine := make(chan error, 1)
	admitted := hubtest.Value[int](t, h, `SELECT count(*) FROM oauth_proof`) + 1 + len(requests)
	go func() {
		err := hubtest.Blocked(t, h, tx, 1)
		for seen := 0; err == nil && seen < admitted; {
			err = h.DB.Owner.QueryRow(t.Context(), `SELECT count(*) FROM oauth_proof`).Scan(&seen)
		}
		before()
		inLine <- errors.Join(err, tx.Commit(t.Context()))
	}()
	answers := hubtest.Together(1+len(requests), func(i int) hubtest.Answer {
		if i == 0 {
			return p.From.Send(t, plug)
		}
		if err := hubtest.Blocked(t, h, tx, 1); err != nil {
			t.Error(err)
		}
		return p.From.Send(t, requests[i-1])
	})
	do(t, <-inLine)
	return answers[1:]
}

// TestRequestsThatArriveTogetherAreEachJudgedAlone mixes good ones with others that
// are refused for all kinds of reasons: each gets its own answer, the good ones are
// stored and no refused one takes a neighbour with it or rides in beside it.
func TestRequestsThatArriveTogetherAreEachJudgedAlone(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p, other := h.Pair(t, partners.BoroughOutreach), h.Pair(t, partners.Housing)
	h.Agree(t, p.From, other.To, func(a *partners.Agreement) { a.Sections = []string{"need"} })
	withOther := p.From.Record(t, hubtest.Subject(), []string{string(other.To.ID)})
	withdrawn := p.From.Record(t, hubtest.Subject(), p.Named())
	p.From.Withdraw(t, withdrawn)
	narrow := p.From.Record(t, hubtest.Subject(), p.Named(), func(c *record.Claims) { c.Withheld = []string{"need"} })
	stored := p.Sent(t)
	request := func(change ...func(*hubtest.Draft)) hubtest.Sealed { return p.Request().Seal(t, change...) }
	rows := []struct {
		name, code string // "" when it is accepted
		s          hubtest.Sealed
	}{
		{"wrong hub", "wrong-hub", request(func(d *hubtest.Draft) { d.Hub = "https://staging.hub.example" })},
		{"withdrawn", "consent-withdrawn", p.From.Request(p.To, p.Service, withdrawn).Seal(t)},
		{"withheld", "not-covered", p.From.Request(p.To, p.Service, narrow).Seal(t)},
		{"consent of another recipient", "not-covered", p.From.Request(p.To, p.Service, withOther).Seal(t)},
		{"another recipient, within its agreement", "", p.From.Request(other.To, other.Service, withOther, "need").Seal(t)},
		{"another recipient, beyond its agreement", "no-agreement", p.From.Request(other.To, other.Service, withOther).Seal(t)},
		{"another recipient's service", "service-unavailable-for-referral", request(func(d *hubtest.Draft) { d.Service = other.Service })},
		{"sealed to another recipient", "recipient-key-retired", request(func(d *hubtest.Draft) { d.To.Recipient = other.To.Sealing.Public() })},
		{"firewall", "firewall", p.Request("justice").Seal(t)},
		{"unknown key", "sender-key-unknown", request(func(d *hubtest.Draft) { d.Signer = hubtest.Key(t, partners.Signing).Signer() })},
		{"no such recipient", "recipient-inactive", request(func(d *hubtest.Draft) { d.Audience = "nobody" })},
		{"stored before", "packet-conflict", request(func(d *hubtest.Draft) { d.ID = stored.Claims.ID })},
		{"the very same as before", "", stored},
	}
	for range 2 * len(rows) {
		rows = append(rows, struct {
			name, code string
			s          hubtest.Sealed
		}{"good", "", request()})
	}
	packets := make([]hubtest.Sealed, len(rows))
	for i := range rows {
		j := (i*7 + 3) % len(rows) // good and bad mixed: 7 and the 39 rows share no divisor
		packets[j] = rows[i].s
		rows[i].s.Body = nil
	}
	logged := h.Logged(t)
	answers := gathered(t, h, p, packets, func() {})
	refusals := map[string]int{"consent-withdrawn": 1} // the one that went before
	for i, row := range rows {
		a := answers[(i*7+3)%len(rows)]
		switch got := a.Problem().Code; {
		case row.code == "" && a.Status != http.StatusCreated, row.code != "" && got != row.code:
			t.Errorf("%s: %d %s, want %q", row.name, a.Status, a.Body, row.code)
		case row.code == "":
			receiptOf(t, a, row.s.Digest)
		default:
			refusals[row.code]++
		}
		there := hubtest.Value[bool](t, h, `SELECT EXISTS (SELECT FROM packet WHERE digest = $1)`, row.s.Digest)
		if there != (row.code == "") {
			t.Errorf("%s is stored: %v", row.name, there)
		}
	}
	for _, e := range h.Entries(t, logged) {
		if e.Act == "refused" {
			refusals[e.Outcome]--
		}
	}
	for code, n := range refusals {
		if n != 0 {
			t.Errorf("%s was answered %d times more than it is logged", code, n)
		}
	}
	if at := hubtest.Value[int](t, h, `SELECT count(DISTINCT stored_at) FROM packet WHERE digest <> $1`, stored.Digest); at > 2 { // some were admitted and not in line yet
		t.Errorf("they were stored at %d times: not in a group", at)
	}
	sections := hubtest.Value[int](t, h, `SELECT count(*) FROM section s JOIN packet p ON p.seq = s.packet WHERE s.audience <> p.audience OR s.issuer <> p.issuer`)
	if sections != 0 {
		t.Errorf("%d sections lie under a packet to somebody else", sections)
	}
}

// receiptOf checks that the answer is the receipt of the packet.
func receiptOf(t *testing.T, a hubtest.Answer, digest string) {
	t.Helper()
	var r struct{ Referral, Envelope string }
	a.Into(t, http.StatusCreated, &r)
	if r.Envelope != digest || r.Referral != digest {
		t.Errorf("the receipt is of %s in %s, want %s", r.Envelope, r.Referral, digest)
	}
}

// TestOneThatTheDatabaseRefusesDoesNotTakeItsGroupWithIt lets a packet be stored by
// another hub, under the id of one of a group, between the group's reading and its
// writing: the group fails as a whole, and all of it but that one is stored after all.
func TestOneThatTheDatabaseRefusesDoesNotTakeItsGroupWithIt(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	p.Sent(t)
	requests := make([]hubtest.Sealed, 20)
	for i := range requests {
		requests[i] = p.Request("need").Seal(t)
	}
	const unlucky = 10
	elsewhere, err := h.DB.Owner.Begin(t.Context())
	do(t, err)
	committed := make(chan error, 1)
	answers := gathered(t, h, p, requests, func() {
		_, err := elsewhere.Exec(t.Context(), `INSERT INTO packet (referral, issuer, audience, jti, event, digest, envelope, state, expires_at, stored_at, log_entry)
			SELECT referral, issuer, audience, $1, event, repeat('A', 43), envelope, state, expires_at, stored_at, log_entry FROM packet`, requests[unlucky].Claims.ID)
		go func() {
			committed <- errors.Join(err, hubtest.Blocked(t, h, elsewhere, 1), elsewhere.Commit(t.Context()))
		}()
	})
	do(t, <-committed)
	for i, a := range answers {
		if i == unlucky && a.Problem().Code != "packet-conflict" {
			t.Errorf("the one under the other's id: %d %s, want packet-conflict", a.Status, a.Body)
		} else if i != unlucky {
			receiptOf(t, a, requests[i].Digest)
		}
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM referral`); n != len(requests) {
		t.Errorf("%d referrals are stored, want %d", n, len(requests))
	}
}

// TestACallerWhoLeavesDoesNotTakeHerNeighboursWithHer has the first of a group leave
// while it waits: the others are answered, and her own packet is found when she sends
// it again.
func TestACallerWhoLeavesDoesNotTakeHerNeighboursWithHer(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	caller := p.From.Caller(t)
	packets := make([]hubtest.Sealed, 12)
	for i := range packets {
		packets[i] = p.Request("need").Seal(t)
	}
	leaving, leave := context.WithCancel(t.Context())
	defer leave()
	errs := hubtest.Convoy(t, h, len(packets), 1, func(i int) error {
		u, err := packet.Read(packets[i].Body)
		if err != nil {
			return err
		}
		ctx := t.Context()
		if i%3 == 0 {
			ctx = leaving
		}
		if i == 1 { // the last to come tells the others to go
			leave()
		}
		_, err = h.Referrals.Receive(ctx, caller, u, "")
		return err
	}, `LOCK TABLE packet IN SHARE MODE`)
	for i, err := range errs {
		if i%3 != 0 && err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	for _, s := range packets {
		receiptOf(t, p.From.Send(t, s), s.Digest)
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM packet`); n != len(packets) {
		t.Errorf("%d packets are stored, want %d", n, len(packets))
	}
}
