package consent_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
)

// office is a pair of agencies and the people of the one that sends.
type office struct {
	hub              *hubtest.Hub
	pair             hubtest.Pair
	worker           *hubtest.Person
	manager, another *hubtest.Person
}

func newOffice(t *testing.T) office {
	t.Helper()
	h := hubtest.New(t)
	p := h.Pair(t, partners.SocialCare)
	return office{h, p, h.Person(t, p.From.ID, partners.Caseworker), h.Person(t, p.From.ID, partners.Manager), h.Person(t, p.From.ID, partners.Manager)}
}

// lately is a manager who signed in some time ago.
func (o office) lately(t *testing.T) *hubtest.Person {
	t.Helper()
	p := o.hub.Person(t, o.pair.From.ID, partners.Manager)
	p.Proved = o.hub.Now().Add(-partners.Recent - time.Minute)
	return p
}

// override is one that the person proposes, signed and not posted.
func (o office) override(t *testing.T, by *hubtest.Person, change ...func(*record.OverrideClaims)) hubtest.Override {
	t.Helper()
	return o.pair.From.Override(t, by.ID, o.pair.To, hubtest.Subject(), change...)
}

// proposed is one that the person has proposed.
func (o office) proposed(t *testing.T, by *hubtest.Person, change ...func(*record.OverrideClaims)) hubtest.Override {
	t.Helper()
	ov := o.override(t, by, change...)
	if a := by.Propose(t, ov); a.Status != http.StatusCreated {
		t.Fatalf("proposing: %d %s", a.Status, a.Body)
	}
	return ov
}

// decided has the manager decide, which must be possible.
func (o office) decided(t *testing.T, ov hubtest.Override, decision string) proof.Receipt {
	t.Helper()
	var r proof.Receipt
	o.pair.From.Decide(t, o.manager, ov, decision).Into(t, http.StatusCreated, &r)
	return r
}

// aged moves what happened to an override into the past, as the schema's owner.
func (o office) aged(t *testing.T, ov hubtest.Override, by time.Duration) {
	t.Helper()
	o.hub.Exec(t, `UPDATE consent_override_state SET recorded_at = recorded_at - $2::interval WHERE id = $1`, ov.ID, by)
}

// sends posts a request that rests on the override and wants it answered so: "" for stored.
func (o office) sends(t *testing.T, ov hubtest.Override, want string) hubtest.Sealed {
	t.Helper()
	s := o.pair.From.RequestOn(o.pair.To, o.pair.Service, ov).Seal(t)
	a := o.pair.From.Send(t, s)
	if got := a.Problem().Code; got != want || want == "" && a.Status != http.StatusCreated {
		t.Errorf("sending: %d %s, want %q", a.Status, a.Body, want)
	}
	return s
}

// opens asks for a section of a packet as its recipient.
func (o office) opens(t *testing.T, s hubtest.Sealed, want string) {
	t.Helper()
	a := o.pair.To.Open(t, s.Digest, "", "need")
	if got := a.Problem().Code; got != want || want == "" && a.Status != http.StatusOK {
		t.Errorf("opening: %d %s, want %q", a.Status, a.Body, want)
	}
}

// state is where the override stands, as its agency reads it.
func (o office) state(t *testing.T, ov hubtest.Override) string {
	t.Helper()
	var st struct{ State string }
	o.pair.From.Get(t, "/v1/overrides/"+ov.ID).Into(t, http.StatusOK, &st)
	return st.State
}

func TestNothingGoesOnAnOverrideBeforeASecondPersonApproved(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ov := o.proposed(t, o.worker)
	o.sends(t, ov, "override-not-approved")
	logged := o.hub.Logged(t)
	r := o.decided(t, ov, record.Approved)
	e := o.hub.Entries(t, logged)
	if len(e) != 1 || e[0].Act != "override.decision" || e[0].Override != ov.ID || e[0].User != o.manager.ID || e[0].State != "approved" ||
		e[0].Other != string(o.pair.To.ID) || r.Override != ov.ID {
		t.Errorf("logged %+v, receipt %+v", e, r)
	}
	logged = o.hub.Logged(t)
	s := o.sends(t, ov, "")
	o.opens(t, s, "")
	for _, e := range o.hub.Entries(t, logged) {
		if e.Override != ov.ID || e.Consent != "" {
			t.Errorf("the log says of %s that it rests on %q, %q", e.Act, e.Override, e.Consent)
		}
	}
	if n := hubtest.Value[int](t, o.hub, `SELECT count(*) FROM packet WHERE override_id = $1 AND consent IS NULL`, ov.ID); n != 1 {
		t.Errorf("%d packets rest on it", n)
	}
}

func TestWhoMayProposeAndDecide(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	from, auditor := o.pair.From, o.hub.Person(t, o.pair.From.ID, partners.Auditor)
	foreign := o.hub.Person(t, o.pair.To.ID, partners.Manager)
	own := o.proposed(t, o.manager)
	ov := o.proposed(t, o.worker)
	decision := func(by *hubtest.Person, ov hubtest.Override, change ...func(*record.DecisionClaims)) string {
		return from.Decision(t, by.ID, ov.ID, ov.Digest, record.Approved, change...)
	}
	at := "/v1/overrides/" + ov.ID + "/decision"
	late := o.lately(t)
	shadow := func(d *record.DecisionClaims) { d.Digest = own.Digest }
	content := o.hub.Content(t)
	for name, row := range map[string]struct {
		a    hubtest.Answer
		code string
	}{
		"a system proposes":                {from.Do(t, hubtest.Call{Method: "POST", Path: "/v1/overrides", Type: record.OverrideMedia, Body: o.override(t, o.worker).Body}), "insufficient-scope"},
		"an auditor proposes":              {auditor.Propose(t, o.override(t, auditor)), "insufficient-scope"},
		"of a colleague":                   {o.worker.Propose(t, o.override(t, o.manager)), "act-mismatch"},
		"of another agency":                {foreign.Propose(t, o.override(t, foreign)), "issuer-not-caller"},
		"to nobody":                        {o.worker.Propose(t, o.override(t, o.worker, func(c *record.OverrideClaims) { c.Recipient = "nobody" })), "recipient-inactive"},
		"other words under its id":         {o.worker.Propose(t, o.override(t, o.worker, func(c *record.OverrideClaims) { c.ID = ov.ID })), "override-conflict"},
		"a system decides":                 {from.Do(t, hubtest.Call{Method: "POST", Path: at, Type: "application/jose", Body: []byte(decision(o.manager, ov))}), "insufficient-scope"},
		"a caseworker decides":             {o.worker.Says(t, at, decision(o.worker, ov)), "manager-needed"},
		"a manager decides her own":        {o.manager.Says(t, "/v1/overrides/"+own.ID+"/decision", decision(o.manager, own)), "second-person-needed"},
		"a manager in another's name":      {o.manager.Says(t, at, decision(o.another, ov)), "act-mismatch"},
		"a manager who has not stepped up": {late.Says(t, at, decision(late, ov)), "step-up-required"},
		"a manager of the recipient":       {foreign.Says(t, at, o.pair.To.Decision(t, foreign.ID, ov.ID, ov.Digest, record.Approved)), "override-not-found"},
		"a decision about another":         {o.manager.Says(t, at, decision(o.manager, own)), "no-override"},
		"a decision about another text":    {o.manager.Says(t, at, decision(o.manager, ov, shadow)), "no-override"},
		"a decision of staging":            {o.manager.Says(t, at, decision(o.manager, ov, func(d *record.DecisionClaims) { d.Hub = "https://staging.hub.example" })), "consent-stale"},
		"a decision that is a review":      {o.manager.Says(t, at, from.Review(t, o.manager.ID, ov, 0)), "consent-malformed"},
		"signed with another key": {o.manager.Says(t, at, hubtest.SignAs(t, record.DecisionType, record.DecisionClaims{Said: record.Said{Hub: hubtest.Issuer,
			Issuer: string(from.ID), ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: o.hub.Now().Unix(), Act: o.manager.ID, Of: ov.ID, Digest: ov.Digest},
			Decision: record.Approved}, o.pair.To.Signing.Signer())), "signing-key-unknown"},
		"of none":          {o.manager.Says(t, "/v1/overrides/"+uuid.NewString()+"/decision", decision(o.manager, ov)), "override-not-found"},
		"of what is no id": {o.manager.Says(t, "/v1/overrides/x/decision", decision(o.manager, ov)), "override-not-found"},
	} {
		if got := row.a.Problem().Code; got != row.code {
			t.Errorf("%s: %d %s, want %s", name, row.a.Status, row.a.Body, row.code)
		}
	}
	if diff := cmp.Diff(content, o.hub.Content(t)); diff != "" {
		t.Errorf("a refusal left something behind:\n%s", diff)
	}
	o.decided(t, ov, record.Approved)
	if a := from.Decide(t, o.another, own, record.Approved); a.Status != http.StatusCreated {
		t.Errorf("the second person is refused too: %d %s", a.Status, a.Body)
	}
}

// What is decided is final, and the same bytes find what they did before.
func TestADecisionIsFinalAndIsFoundAgain(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ov := o.override(t, o.worker)
	var first, again proof.Receipt
	o.worker.Propose(t, ov).Into(t, http.StatusCreated, &first)
	o.worker.Propose(t, ov).Into(t, http.StatusCreated, &again)
	if first.Entry != again.Entry {
		t.Error("the same override has two entries")
	}
	token := o.pair.From.Decision(t, o.manager.ID, ov.ID, ov.Digest, record.Refused)
	at := "/v1/overrides/" + ov.ID + "/decision"
	o.manager.Says(t, at, token).Into(t, http.StatusCreated, &first)
	o.manager.Says(t, at, token).Into(t, http.StatusCreated, &again)
	if first.Entry != again.Entry {
		t.Error("the same decision has two entries")
	}
	o.sends(t, ov, "override-refused")
	if a := o.pair.From.Decide(t, o.another, ov, record.Approved); a.Problem().Code != "override-decided" {
		t.Errorf("a refused one is approved: %d %s", a.Status, a.Body)
	}
	if a := o.manager.Says(t, "/v1/overrides/"+ov.ID+"/review", o.pair.From.Review(t, o.manager.ID, ov, ov.ReviewAt)); a.Problem().Code != "override-decided" {
		t.Errorf("a refused one goes on: %d %s", a.Status, a.Body)
	}
	if got := o.state(t, ov); got != "refused" {
		t.Errorf("it is %s", got)
	}
	for _, statement := range []string{
		`UPDATE consent_override_state SET decision = 'approved' WHERE id = $1`,
		`UPDATE consent_override_state SET decision = 'proposed', decided_at = NULL WHERE id = $1`,
	} {
		if _, err := o.hub.DB.Owner.Exec(t.Context(), statement, ov.ID); err == nil {
			t.Errorf("the schema's owner undoes a decision: %s", statement)
		}
	}
}

// The firewall, the agreement between the two and the sections it names still stand.
func TestAnOverrideReplacesHerAgreementAndNothingElse(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.hub.ReconcilesAtEnd(t)
	ov := o.proposed(t, o.worker)
	o.decided(t, ov, record.Approved)
	from, to := o.pair.From, o.pair.To
	third := o.hub.Agency(t, "thorn-street", partners.SocialCare)
	service := o.hub.Offer(t, third)
	o.hub.Agree(t, from, third)
	housing := o.hub.Agency(t, "rosewood", partners.Housing)
	o.hub.Agree(t, from, housing)
	health := o.pair.From.Override(t, o.worker.ID, housing, hubtest.Subject(), func(c *record.OverrideClaims) { c.Sections = []string{"health"} })
	if a := o.worker.Propose(t, health); a.Status != http.StatusCreated {
		t.Fatal(string(a.Body))
	}
	o.decided(t, health, record.Approved)
	alone := o.hub.Agency(t, "alone", partners.SocialCare)
	without := o.pair.From.Override(t, o.worker.ID, alone, hubtest.Subject())
	o.worker.Propose(t, without)
	o.decided(t, without, record.Approved)
	other := ov
	other.Digest = health.Digest
	for name, row := range map[string]struct {
		d    hubtest.Draft
		by   *hubtest.Agency
		code string
	}{
		"another recipient":    {from.RequestOn(third, service, ov), from, "override-not-covered"},
		"a section more":       {from.RequestOn(to, o.pair.Service, ov, "need", "risk"), from, "override-not-covered"},
		"another's digest":     {from.RequestOn(to, o.pair.Service, other), from, "no-override"},
		"by somebody else":     {to.RequestOn(from, o.hub.Offer(t, from), ov), to, "no-override"},
		"through the firewall": {from.RequestOn(housing, o.hub.Offer(t, housing), health, "health"), from, "firewall"},
		"without an agreement": {from.RequestOn(alone, o.hub.Offer(t, alone), without), from, "no-agreement"},
	} {
		if a := row.by.Send(t, row.d.Seal(t)); a.Problem().Code != row.code {
			if name == "by somebody else" && a.Problem().Code == "override-not-covered" {
				continue // whom it names may see it, and may not rely on it
			}
			t.Errorf("%s: %d %s, want %s", name, a.Status, a.Body, row.code)
		}
	}
	o.sends(t, ov, "")
}

func TestAnEmergencyGoesAtOnceAndForADay(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	approved, never, late := o.proposed(t, o.worker, hubtest.Emergency), o.proposed(t, o.worker, hubtest.Emergency), o.proposed(t, o.worker, hubtest.Emergency)
	sent := map[string]hubtest.Sealed{}
	for _, ov := range []hubtest.Override{approved, never, late} {
		sent[ov.ID] = o.sends(t, ov, "")
		o.opens(t, sent[ov.ID], "")
		if got := o.state(t, ov); got != "emergency" {
			t.Errorf("it is %s", got)
		}
	}
	o.decided(t, approved, record.Approved)
	for _, ov := range []hubtest.Override{never, late} {
		o.aged(t, ov, record.EmergencyLife)
		o.opens(t, sent[ov.ID], "override-lapsed")
		o.sends(t, ov, "override-lapsed")
	}
	if r := o.decided(t, late, record.Approved); r.State != "lapsed" {
		t.Errorf("an approval that comes too late is %q", r.State)
	}
	o.opens(t, sent[late.ID], "override-lapsed")
	o.opens(t, sent[approved.ID], "")
	if got := o.state(t, late); got != "lapsed" {
		t.Errorf("it is %s", got)
	}
	refused := o.proposed(t, o.worker, hubtest.Emergency)
	s := o.sends(t, refused, "")
	o.decided(t, refused, record.Refused)
	o.opens(t, s, "override-refused")
}

// One person alone shares for a day, and not a day at a time for ever.
func TestNoEmergencyTakesThePlaceOfOneThatLapsed(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	first := o.proposed(t, o.worker, hubtest.Emergency)
	same := func(c *record.OverrideClaims) { c.Subject = first.Subject }
	o.proposed(t, o.worker, hubtest.Emergency, same) // as long as the first runs, what it forgot
	o.aged(t, first, record.EmergencyLife)
	another := o.hub.Person(t, o.pair.From.ID, partners.Caseworker)
	again := o.override(t, another, hubtest.Emergency, same)
	if a := another.Propose(t, again); a.Problem().Code != "override-lapsed" {
		t.Errorf("an emergency in the place of a lapsed one: %d %s", a.Status, a.Body)
	}
	o.proposed(t, o.worker, same)              // that somebody approves before it counts
	o.proposed(t, o.worker, hubtest.Emergency) // about another woman
	if a := o.worker.Says(t, "/v1/overrides/"+first.ID+"/review", o.pair.From.Review(t, o.worker.ID, first, 0)); a.Status != http.StatusCreated {
		t.Fatalf("she ends it: %d %s", a.Status, a.Body)
	}
	if a := another.Propose(t, again); a.Problem().Code != "override-lapsed" {
		t.Errorf("after its own proposer has ended it: %d %s", a.Status, a.Body)
	}
	o.decided(t, first, record.Refused) // a second person has seen it
	if a := another.Propose(t, again); a.Status != http.StatusCreated {
		t.Errorf("after a manager has decided the lapsed one: %d %s", a.Status, a.Body)
	}
}

func TestALapseIsNoticedOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.hub.ReconcilesAtEnd(t)
	gone, soon, plain := o.proposed(t, o.worker, hubtest.Emergency), o.proposed(t, o.worker, hubtest.Emergency), o.proposed(t, o.worker)
	o.aged(t, gone, record.EmergencyLife)
	o.aged(t, soon, record.EmergencyLife-time.Hour)
	o.aged(t, plain, record.EmergencyLife)
	logged := o.hub.Logged(t)
	for _, err := range hubtest.Together(4, func(int) error { return o.hub.Consents.Lapse(t.Context()) }) {
		if err != nil {
			t.Error(err)
		}
	}
	e := o.hub.Entries(t, logged)
	if len(e) != 1 || e[0].Act != "override.lapsed" || e[0].Override != gone.ID || e[0].Other != string(o.pair.From.ID) || e[0].Partner != "" {
		t.Errorf("logged %+v", e)
	}
	if got := o.state(t, gone); got != "lapsed" {
		t.Errorf("it is %s", got)
	}
}
