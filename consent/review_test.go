package consent_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
)

// doubtful records a consent of somebody whom perhaps somebody presses.
func (o office) doubtful(t *testing.T) hubtest.Consent {
	t.Helper()
	how := hubtest.Asked()
	how.Coercion = "suspected"
	c := o.pair.From.ConsentAsked(t, how, hubtest.Subject(), o.pair.Named(), func(c *record.Claims) { c.Act = o.worker.ID })
	a := o.worker.Do(t, hubtest.Call{Method: http.MethodPost, Path: "/v1/consents", Type: record.MediaType, Body: c.Body})
	if a.Status != http.StatusCreated {
		t.Fatalf("recording: %d %s", a.Status, a.Body)
	}
	return c
}

// reviews has a manager decide about a consent record and wants it answered so: "" for done.
func (o office) reviews(t *testing.T, by *hubtest.Person, c hubtest.Consent, decision, want string) {
	t.Helper()
	a := by.Says(t, "/v1/consents/"+c.ID+"/review", o.pair.From.Decision(t, by.ID, c.ID, c.Digest, decision))
	if got := a.Problem().Code; got != want || want == "" && a.Status != http.StatusCreated {
		t.Errorf("reviewing: %d %s, want %q", a.Status, a.Body, want)
	}
}

func (o office) sendsOn(t *testing.T, c hubtest.Consent, want string) hubtest.Sealed {
	t.Helper()
	s := o.pair.From.Request(o.pair.To, o.pair.Service, c).Seal(t)
	if a := o.pair.From.Send(t, s); a.Problem().Code != want {
		t.Errorf("sending: %d %s, want %q", a.Status, a.Body, want)
	}
	return s
}

func TestADoubtfulConsentStandsWhenAManagerSaysSo(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	stands, fails := o.doubtful(t), o.doubtful(t)
	o.sendsOn(t, stands, "consent-review-awaited")
	o.reviews(t, o.worker, stands, record.Approved, "manager-needed")
	logged := o.hub.Logged(t)
	o.reviews(t, o.manager, stands, record.Approved, "")
	e := o.hub.Entries(t, logged)
	if len(e) != 1 || e[0].Act != "consent.review" || e[0].Consent != stands.ID || e[0].State != "stands" || e[0].User != o.manager.ID || e[0].Other != "" {
		t.Errorf("logged %+v", e)
	}
	o.opens(t, o.sendsOn(t, stands, ""), "")
	o.reviews(t, o.another, stands, record.Refused, "consent-review-not-awaited")

	o.reviews(t, o.manager, fails, record.Refused, "")
	o.sendsOn(t, fails, "not-covered")
	o.reviews(t, o.another, fails, record.Approved, "consent-review-not-awaited")
}

func TestWhoMayReviewADoubtfulConsent(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	from := o.pair.From
	c, plain, gone := o.doubtful(t), o.pair.Consent, o.doubtful(t)
	from.Withdraw(t, gone)
	foreign := o.hub.Person(t, o.pair.To.ID, partners.Manager)
	how := hubtest.Asked()
	how.Capacity = "doubt"
	own := from.ConsentAsked(t, how, hubtest.Subject(), o.pair.Named(), func(c *record.Claims) { c.Act = o.manager.ID })
	if a := from.PostConsent(t, own); a.Status != http.StatusCreated {
		t.Fatal(string(a.Body))
	}
	at := "/v1/consents/" + c.ID + "/review"
	decision := from.Decision(t, o.manager.ID, c.ID, c.Digest, record.Approved)
	late := o.lately(t)
	for name, row := range map[string]struct {
		a    hubtest.Answer
		code string
	}{
		"a system":            {from.Do(t, hubtest.Call{Method: "POST", Path: at, Type: "application/jose", Body: []byte(decision)}), "insufficient-scope"},
		"not stepped up":      {late.Says(t, at, from.Decision(t, late.ID, c.ID, c.Digest, record.Approved)), "step-up-required"},
		"in another's name":   {o.another.Says(t, at, decision), "act-mismatch"},
		"the recipient":       {foreign.Says(t, at, o.pair.To.Decision(t, foreign.ID, c.ID, c.Digest, record.Approved)), "consent-not-found"},
		"another's digest":    {o.manager.Says(t, at, from.Decision(t, o.manager.ID, c.ID, own.Digest, record.Approved)), "no-consent"},
		"about another":       {o.manager.Says(t, at, from.Decision(t, o.manager.ID, own.ID, own.Digest, record.Approved)), "no-consent"},
		"what she recorded":   {o.manager.Says(t, "/v1/consents/"+own.ID+"/review", from.Decision(t, o.manager.ID, own.ID, own.Digest, record.Approved)), "second-person-needed"},
		"what is in no doubt": {o.manager.Says(t, "/v1/consents/"+plain.ID+"/review", from.Decision(t, o.manager.ID, plain.ID, plain.Digest, record.Approved)), "consent-review-not-awaited"},
		"what was withdrawn":  {o.manager.Says(t, "/v1/consents/"+gone.ID+"/review", from.Decision(t, o.manager.ID, gone.ID, gone.Digest, record.Approved)), "consent-withdrawn"},
		"what is not":         {o.manager.Says(t, "/v1/consents/"+uuid.NewString()+"/review", decision), "consent-not-found"},
	} {
		if got := row.a.Problem().Code; got != row.code {
			t.Errorf("%s: %d %s, want %s", name, row.a.Status, row.a.Body, row.code)
		}
	}
	o.sendsOn(t, c, "consent-review-awaited")
	var first, again proof.Receipt
	o.manager.Says(t, at, decision).Into(t, http.StatusCreated, &first)
	o.manager.Says(t, at, decision).Into(t, http.StatusCreated, &again)
	if first.Entry != again.Entry {
		t.Error("the same decision has two entries")
	}
	o.reviews(t, o.another, own, record.Approved, "")
}
