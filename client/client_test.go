package client_test

import (
	"errors"
	"strings"
	"testing"

	"handover/client"
	"handover/keys/jose"
)

// pair is two partners with a consent and one referral between them.
type pair struct {
	hub        *fakeHub
	from, to   *client.Client
	consent    client.RecordedConsent
	referral   string
	wasReceipt client.Receipt
}

func newPair(t testing.TB) *pair {
	t.Helper()
	p := &pair{hub: newHub(t)}
	p.from, p.to = member(t, p.hub, "camden-outreach"), member(t, p.hub, "westside-aid")
	p.consent = agreed(t, p.from)
	receipt, err := p.from.Send(t.Context(), asking(p.consent.ID))
	if err != nil {
		t.Fatal(err)
	}
	p.referral, p.wasReceipt = receipt.Referral, receipt
	return p
}

func (p *pair) step(t testing.TB, c *client.Client, s client.Step) client.Receipt {
	t.Helper()
	s.Referral = p.referral
	receipt, err := c.Step(t.Context(), s)
	if err != nil {
		t.Fatalf("%s: %v", s.Event, err)
	}
	return receipt
}

func saying(text string) map[string]client.Content {
	return map[string]client.Content{"note": client.Content(`{"schema":"note/1","text":"` + text + `"}`)}
}

func TestOneReferralPassesFromRequestToOutcome(t *testing.T) {
	p := newPair(t)
	var listed []client.Summary
	for s, err := range p.to.Inbox(t.Context(), client.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, s)
	}
	if len(listed) != 1 || listed[0].ID != p.referral || listed[0].State != "requested" {
		t.Fatalf("the inbox lists %+v", listed)
	}
	opened, err := p.to.Open(t.Context(), client.Opening{Referral: p.referral, Reason: "triage"})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(opened.Sections["need"]); got != `{"schema":"need/1","summary":"somewhere to sleep"}` || opened.From != "camden-outreach" {
		t.Fatalf("opened %s from %s", got, opened.From)
	}
	p.step(t, p.to, client.Step{Event: "receive"})
	p.step(t, p.to, client.Step{Event: "ask", Sections: saying("tonight?"), Consent: p.consent.ID})
	answer := p.step(t, p.from, client.Step{Event: "answer", Sections: saying("yes"), Consent: p.consent.ID})
	p.step(t, p.to, client.Step{Event: "accept"})
	if got := p.step(t, p.to, client.Step{Event: "complete", Outcome: "housed"}); got.State != "completed" {
		t.Errorf("completing leads to %s", got.State)
	}
	read, err := p.to.Open(t.Context(), client.Opening{Referral: p.referral, Envelope: answer.Envelope, Reason: "provide-service"})
	if err != nil || string(read.Sections["note"]) != `{"schema":"note/1","text":"yes"}` {
		t.Errorf("the answer's note reads %s, %v", []byte(read.Sections["note"]), err)
	}
	bundle, err := p.from.Bundle(t.Context(), p.referral)
	if err != nil {
		t.Fatal(err)
	}
	data, err := bundle.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	findings, err := client.Verify(data, client.Trust{LogKey: p.from.LogKey()})
	if err != nil {
		t.Errorf("%v: %+v", err, findings)
	}
}

func TestSenderReadsHerOwnCopies(t *testing.T) {
	p := newPair(t)
	opened, err := p.from.Open(t.Context(), client.Opening{Referral: p.referral, Reason: "resend"})
	if err != nil || string(opened.Sections["need"]) != `{"schema":"need/1","summary":"somewhere to sleep"}` {
		t.Errorf("her copy reads %s, %v", []byte(opened.Sections["need"]), err)
	}
}

func TestSamePacketPostedAgainFindsItsReceipt(t *testing.T) {
	p := newPair(t)
	sealed, err := p.from.Seal(t.Context(), asking(p.consent.ID))
	if err != nil {
		t.Fatal(err)
	}
	first, err := p.from.Post(t.Context(), sealed)
	if err != nil {
		t.Fatal(err)
	}
	second, err := p.from.Post(t.Context(), sealed)
	if err != nil || first != second {
		t.Errorf("the second receipt differs: %v", err)
	}
}

func TestListsGoOnToTheirLastPage(t *testing.T) {
	p := newPair(t)
	for range 4 {
		if _, err := p.from.Send(t.Context(), asking(p.consent.ID)); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for s, err := range p.from.Sent(t.Context(), client.Filter{Page: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		seen[s.ID] = true
	}
	if len(seen) != 5 {
		t.Errorf("listed %d of 5", len(seen))
	}
	for range p.from.Sent(t.Context(), client.Filter{Page: 2}) {
		break // a caller may stop
	}
}

func TestResolveFindsAReferralByItsReferenceHoweverItIsTyped(t *testing.T) {
	p := newPair(t)
	reference := p.wasReceipt.Reference
	for _, name := range []string{p.referral, reference, strings.ToLower(reference), " " + reference,
		strings.ReplaceAll(reference, "0", "O"), strings.ReplaceAll(reference, "1", "l")} {
		if got, err := p.to.Resolve(t.Context(), name); err != nil || got != p.referral {
			t.Errorf("%q resolves to %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "R-0000-0000", "x", "../log/key"} {
		if _, err := p.to.Resolve(t.Context(), name); client.Code(err) != "referral-not-found" {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestStrangersReferralLooksLikeNone(t *testing.T) {
	p := newPair(t)
	third := member(t, p.hub, "northgate-homes")
	_, err := third.Referral(t.Context(), p.referral)
	_, none := third.Referral(t.Context(), strings.Repeat("A", 43))
	if client.Code(err) != "referral-not-found" || err.Error() != none.Error() {
		t.Errorf("%v and %v differ", err, none)
	}
}

func TestStepOnWhatHasMovedIsRefused(t *testing.T) {
	p := newPair(t)
	p.step(t, p.to, client.Step{Event: "receive"})
	_, err := p.to.Step(t.Context(), client.Step{Referral: p.referral, Event: "accept", Prev: p.referral})
	var problem *client.Problem
	if !errors.As(err, &problem) || problem.Code != "referral-moved" || problem.Status != 409 {
		t.Errorf("%v", err)
	}
}

func TestWhatCannotBeSignedIsRefusedBeforeItIsSent(t *testing.T) {
	p := newPair(t)
	for name, change := range map[string]func(*client.Request){
		"sections": func(q *client.Request) { q.Sections = map[string]client.Content{"secrets": client.Content(`{}`)} },
		"aud":      func(q *client.Request) { q.To = "../westside" },
		"area":     func(q *client.Request) { q.Area = "Camden" },
		"purpose":  func(q *client.Request) { q.Purpose = "other" },
	} {
		q := asking(p.consent.ID)
		change(&q)
		_, err := p.from.Seal(t.Context(), q)
		var problem *client.Problem
		if !errors.As(err, &problem) || problem.Status != 0 || problem.Members["claim"] != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWithdrawnConsentShowsItsWithdrawal(t *testing.T) {
	p := newPair(t)
	receipt, err := p.to.WithdrawConsent(t.Context(), p.consent.ID)
	if err != nil || receipt.State != "withdrawn" {
		t.Fatalf("%+v, %v", receipt, err)
	}
	stored, err := p.from.Consent(t.Context(), p.consent.ID)
	if err != nil || stored.State != "withdrawn" || stored.Receipt != receipt {
		t.Errorf("%+v, %v", stored.State, err)
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	h := newHub(t)
	key, err := jose.Generate(jose.ES256, jose.P256)
	must(err)
	seal, err := jose.Generate(jose.ECDHESA256KW, jose.X25519)
	must(err)
	good := client.Options{Hub: h.issuer, Partner: "camden-outreach", ClientID: "camden-outreach.abcde", LogKey: h.log.key,
		Keys: client.Keys{Authentication: key, Signing: key.Signer(), Encryption: []jose.PrivateKey{seal}}}
	if _, err := client.New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*client.Options){
		"plain http to another machine": func(o *client.Options) { o.Hub = "http://hub.example" },
		"a path in the hub":             func(o *client.Options) { o.Hub = "https://hub.example/v1" },
		"a password in the hub":         func(o *client.Options) { o.Hub = "https://a:b@hub.example" },
		"no hub":                        func(o *client.Options) { o.Hub = "" },
		"another hub's log key":         func(o *client.Options) { o.Hub = "https://other.example" },
		"no log key":                    func(o *client.Options) { o.LogKey = client.LogKey{} },
		"no client id":                  func(o *client.Options) { o.ClientID = "" },
		"no authentication key":         func(o *client.Options) { o.Keys.Authentication = jose.PrivateKey{} },
	} {
		o := good
		change(&o)
		if _, err := client.New(o); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
