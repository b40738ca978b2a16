package referral_test

import (
	"context"
	"net/http"
	"testing"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/packet"
)

// together posts the packets at the same time, while the table of packets is held, so
// that those behind the first gather in groups.
func together(t *testing.T, h *hubtest.Hub, by *hubtest.Agency, packets []hubtest.Sealed) []hubtest.Answer {
	t.Helper()
	by.Token(t)
	return hubtest.Convoy(t, h, len(packets), groups, func(i int) hubtest.Answer { return by.Send(t, packets[i]) },
		`LOCK TABLE packet IN SHARE MODE`)
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
	answers := together(t, h, p.From, packets)
	refusals := map[string]int{}
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
	if at, n := hubtest.Value[int](t, h, `SELECT count(DISTINCT stored_at) FROM packet`), hubtest.Value[int](t, h, `SELECT count(*) FROM packet`); at == n {
		t.Errorf("%d packets were stored at %d times: nothing was stored in a group", n, at)
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

// TestOneThatTheDatabaseRefusesDoesNotTakeItsGroupWithIt sends a step and a request
// under one id at the same moment: the group of the loser fails as a whole, and all of
// it but the loser is stored all the same.
func TestOneThatTheDatabaseRefusesDoesNotTakeItsGroupWithIt(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := p.Sent(t)
	step := p.From.Event(p.To, packet.Withdraw, s.Digest, s.Digest).Seal(t)
	packets := []hubtest.Sealed{step}
	for i := range 20 {
		packets = append(packets, p.Request("need").Seal(t, func(d *hubtest.Draft) {
			if i == 10 {
				d.ID = step.Claims.ID
			}
		}))
	}
	p.From.Token(t)
	answers := hubtest.Convoy(t, h, len(packets), groups+1, func(i int) hubtest.Answer { return p.From.Send(t, packets[i]) },
		`LOCK TABLE packet IN SHARE MODE`)
	won := 0
	for i, a := range answers {
		if twin := i == 0 || i == 11; !twin && a.Status != http.StatusCreated {
			t.Errorf("request %d: %d %s", i, a.Status, a.Body)
		} else if twin && a.Status == http.StatusCreated {
			won++
		} else if twin && a.Problem().Code != "packet-conflict" {
			t.Errorf("twin %d: %d %s", i, a.Status, a.Body)
		}
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM packet`); won != 1 || n != 21 {
		t.Errorf("%d of two packets under one id were accepted and %d packets are stored, want 1 and 21", won, n)
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
	errs := hubtest.Convoy(t, h, len(packets), groups, func(i int) error {
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
