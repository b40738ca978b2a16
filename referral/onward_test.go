package referral_test

import (
	"net/http"
	"testing"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/packet"
)

// relay is a referral from one agency to a second, and a third that it may travel on to.
type relay struct {
	hub     *hubtest.Hub
	pair    hubtest.Pair
	third   *hubtest.Agency
	service string // of the third
}

func newRelay(t *testing.T) relay {
	t.Helper()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	third := h.Agency(t, "the-third", partners.Housing)
	h.Agree(t, p.To, third)
	h.Agree(t, p.From, third)
	return relay{h, p, third, h.Offer(t, third)}
}

// said records what she told the first agency, who named the second and the third, and sends
// a referral on it.
func (r relay) said(t *testing.T, onward string) (c hubtest.Consent, referral string) {
	t.Helper()
	c = r.pair.From.Record(t, hubtest.Subject(), append(r.pair.Named(), string(r.third.ID)), func(c *record.Claims) { c.Onward = onward })
	s := r.pair.From.Request(r.pair.To, r.pair.Service, c, "need").Seal(t)
	r.pair.From.Sent(t, s)
	return c, s.Digest
}

// passes has an agency send on to the third, and returns the code of the refusal, "" for none.
func (r relay) passes(t *testing.T, by *hubtest.Agency, on hubtest.Consent, from string) string {
	t.Helper()
	d := by.Request(r.third, r.service, on, "need")
	d.OnwardFrom = from
	return by.Send(t, d.Seal(t)).Problem().Code
}

// fresh is what she told the agency herself: since is whether after she told the first one.
func (r relay) fresh(t *testing.T, by *hubtest.Agency, since bool) hubtest.Consent {
	t.Helper()
	return by.Record(t, hubtest.Subject(), []string{string(r.third.ID)}, func(c *record.Claims) {
		c.GivenAt, c.ValidFrom = c.IssuedAt, c.IssuedAt
		if !since {
			c.GivenAt, c.ValidFrom = c.IssuedAt-3600, c.IssuedAt-3600
		}
	})
}

// TestWhatSheSaidDecidesWhetherItTravelsOn: who received her story passes it on only as she
// said she might.
func TestWhatSheSaidDecidesWhetherItTravelsOn(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	second := r.pair.To
	for _, row := range []struct {
		onward string
		on     string // which record the second agency relies on: the first's, its own, or its own from before
		want   string
	}{
		{"none", "first", "onward-not-allowed"},
		{"none", "own", "onward-not-allowed"},
		{"ask-each-time", "first", "onward-not-allowed"},
		{"ask-each-time", "before", "onward-not-allowed"},
		{"ask-each-time", "own", ""},
		{"named", "first", ""},
		{"named", "own", ""},
		{"named", "before", ""},
	} {
		said, referral := r.said(t, row.onward)
		on := said
		if row.on != "first" {
			on = r.fresh(t, second, row.on == "own")
		}
		if got := r.passes(t, second, on, referral); got != row.want {
			t.Errorf("onward %s, on %s: %q, want %q", row.onward, row.on, got, row.want)
		}
	}
}

// Whoever sent a referral, and sends anew to somebody else, needs her agreement to that one
// and nothing besides. Nobody continues a referral that is not hers.
func TestWhoContinuesWhich(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	said, referral := r.said(t, "none")
	if got := r.passes(t, r.pair.From, said, referral); got != "" {
		t.Errorf("the sender anew: %q", got)
	}
	stranger := r.hub.Agency(t, "a-stranger", partners.VAWGService)
	r.hub.Agree(t, stranger, r.third)
	for _, from := range []string{referral, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if got := r.passes(t, stranger, r.fresh(t, stranger, true), from); got != "referral-not-found" {
			t.Errorf("a stranger, from %s: %q", from, got)
		}
	}
}

// What she says later counts: also for what had been sent before it.
func TestALaterNoEndsTravellingOn(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	said, referral := r.said(t, "named")
	if got := r.passes(t, r.pair.To, said, referral); got != "" {
		t.Fatalf("named: %q", got)
	}
	second := later(t, r.pair.From, said, func(c *record.Claims) { c.Onward = "none" })
	for _, on := range []hubtest.Consent{said, r.fresh(t, r.pair.To, true)} {
		if got := r.passes(t, r.pair.To, on, referral); got != "onward-not-allowed" {
			t.Errorf("after a no: %q", got)
		}
	}
	// Nor does it travel on from an agency that a later record does not name any more.
	later(t, r.pair.From, second, func(c *record.Claims) { c.Onward, c.Recipients = "named", []string{string(r.third.ID)} })
	if got := r.passes(t, r.pair.To, r.fresh(t, r.pair.To, true), referral); got != "onward-not-allowed" {
		t.Errorf("named no more: %q", got)
	}
}

// Nor by a step of another referral: who passes on what she told somebody else in an answer
// sends it on as much as who opens a referral with it. Who received it answers whom she told.
func TestNothingTravelsOnByAStepOfAnotherReferral(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	second := r.pair.To
	r.hub.Agree(t, r.third, second)
	for onward, want := range map[string]string{"none": "onward-not-allowed", "ask-each-time": "onward-not-allowed", "named": ""} {
		said, referral := r.said(t, onward)
		own := second.Record(t, said.Subject, []string{string(r.third.ID), string(second.ID)}, func(c *record.Claims) { c.Sections = []string{"need", "note"} })
		request := second.Request(r.third, r.service, own, "need").Seal(t)
		second.Sent(t, request)
		receive := r.third.Event(second, packet.Receive, request.Digest, request.Digest).Seal(t)
		r.third.Sent(t, receive)
		ask := r.third.Event(second, packet.Ask, request.Digest, receive.Digest).With(own, "note").Seal(t)
		r.third.Sent(t, ask)
		answer := second.Event(r.third, packet.Answer, request.Digest, ask.Digest).With(said, "note", "risk").Seal(t)
		if got := second.Send(t, answer).Problem().Code; got != want {
			t.Errorf("onward %s, in an answer: %q, want %q", onward, got, want)
		}
		note := second.Event(r.pair.From, packet.Message, referral, referral).With(said, "note").Seal(t)
		if a := second.Send(t, note); a.Status != http.StatusCreated {
			t.Errorf("onward %s, to whom she told it: %d %s", onward, a.Status, a.Body)
		}
	}
}

// Of what was shared without her agreement she said nothing: whoever took it asks her before
// it travels on, and an override of the first agency is no leave for the second.
func TestWhatWasSharedWithoutHerAgreementTravelsOnWhenSheIsAsked(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	first, second := r.pair.From, r.pair.To
	worker, manager := r.hub.Person(t, first.ID, partners.Caseworker), r.hub.Person(t, first.ID, partners.Manager)
	o := first.Override(t, worker.ID, second, hubtest.Subject())
	if a, b := worker.Propose(t, o), first.Decide(t, manager, o, record.Approved); a.Status != http.StatusCreated || b.Status != http.StatusCreated {
		t.Fatalf("%d %s; %d %s", a.Status, a.Body, b.Status, b.Body)
	}
	s := first.RequestOn(second, r.pair.Service, o, "need").Seal(t)
	first.Sent(t, s)
	opens(t, second, s.Digest, "need", "")
	asked := func(before bool) hubtest.Consent {
		return second.Record(t, o.Subject, []string{string(r.third.ID)}, func(c *record.Claims) {
			c.Purpose = o.Purpose
			if c.GivenAt, c.ValidFrom = o.ValidFrom+1, o.ValidFrom+1; before {
				c.GivenAt, c.ValidFrom = o.ValidFrom-60, o.ValidFrom-60
			}
		})
	}
	if got := r.passes(t, second, asked(true), s.Digest); got != "onward-not-allowed" {
		t.Errorf("on what she had said before: %q", got)
	}
	on := second.RequestOn(r.third, r.service, o, "need")
	on.OnwardFrom = s.Digest
	if got := second.Send(t, on.Seal(t)).Problem().Code; got != "override-not-covered" {
		t.Errorf("on the first agency's override: %q", got)
	}
	fresh := asked(false)
	h := r.hub
	h.Exec(t, `UPDATE consent SET valid_from = valid_from - interval '5 seconds' WHERE id = $1`, fresh.ID) // in force at once
	if got := r.passes(t, second, fresh, s.Digest); got != "" {
		t.Errorf("on what she said since: %q", got)
	}
}
