package police_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/partners"
)

// beat is a police partner and an agency that it asks, with the people of both.
type beat struct {
	hub                       *hubtest.Hub
	force, charity            *hubtest.Agency
	officer, senior           *hubtest.Person
	worker, manager, another  *hubtest.Person
	policeAuditor, ownAuditor *hubtest.Person
}

func newBeat(t *testing.T) beat {
	t.Helper()
	h := hubtest.New(t)
	force, charity := h.Agency(t, "the-force", partners.Police), h.Agency(t, "the-charity", partners.VAWGService)
	return beat{h, force, charity, h.Person(t, force.ID, partners.Caseworker), h.Person(t, force.ID, partners.Manager),
		h.Person(t, charity.ID, partners.Caseworker), h.Person(t, charity.ID, partners.Manager), h.Person(t, charity.ID, partners.Manager),
		h.Person(t, force.ID, partners.Auditor), h.Person(t, charity.ID, partners.Auditor)}
}

// asked is a request that the officer has made.
func (b beat) asked(t *testing.T, change ...func(*record.InquiryClaims)) hubtest.Inquiry {
	t.Helper()
	q := b.force.Inquiry(t, b.officer.ID, b.charity, change...)
	if a := b.officer.Asks(t, q); a.Status != http.StatusCreated {
		t.Fatalf("asking: %d %s", a.Status, a.Body)
	}
	return q
}

// counselling has a request ask for counselling records, as the law wants it.
func (b beat) counselling(q *record.InquiryClaims) {
	q.Counselling, q.Senior = "yes", record.Senior{Act: b.senior.ID, Rank: "inspector"}
	q.Necessity = append(q.Necessity, "probative")
}

// opened has a worker of the charity read the request.
func (b beat) opened(t *testing.T, q hubtest.Inquiry) record.InquiryText {
	t.Helper()
	var answer struct{ Sealed string }
	b.worker.Opens(t, q.ID).Into(t, http.StatusOK, &answer)
	text, err := record.OpenInquiry(q.InquiryClaims, answer.Sealed, b.charity.Sealing)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// decides has the manager decide and wants it answered so: "" for decided.
func (b beat) decides(t *testing.T, by *hubtest.Person, q hubtest.Inquiry, body []byte, want string) {
	t.Helper()
	a := by.Answers(t, q.ID, body)
	if got := a.Problem().Code; got != want || want == "" && a.Status != http.StatusCreated {
		t.Errorf("deciding: %d %s, want %q", a.Status, a.Body, want)
	}
}

type stored struct {
	State, Decision, Reason string
	OpenedAt                *time.Time `json:"opened_at"`
	DecidedAt               *time.Time `json:"decided_at"`
	ShownAt                 *time.Time `json:"shown_at"`
}

// read is the request as the person sees it, with what was answered.
func (b beat) read(t *testing.T, by *hubtest.Person, q hubtest.Inquiry) (stored, string) {
	t.Helper()
	a := by.Get(t, "/v1/police-requests/"+q.ID)
	var st stored
	a.Into(t, http.StatusOK, &st)
	return st, string(a.Body)
}

// passes moves the days into the past on which something was to be answered and is shown.
func (b beat) passes(t *testing.T, q hubtest.Inquiry, by time.Duration) {
	t.Helper()
	b.hub.Exec(t, `ALTER TABLE police_decision DROP CONSTRAINT IF EXISTS police_decision_of`)
	b.hub.Exec(t, `ALTER TABLE police_request DROP CONSTRAINT IF EXISTS police_request_respond_by`)
	b.hub.Exec(t, `UPDATE police_request SET respond_by = respond_by - $2::interval WHERE id = $1`, q.ID, by)
	b.hub.Exec(t, `UPDATE police_decision SET respond_by = respond_by - $2::interval, shown_at = shown_at - $2::interval WHERE request = $1`, q.ID, by)
}

func TestARequestIsReadByTheHolderAloneAndAYesIsShownAtOnce(t *testing.T) {
	t.Parallel()
	b := newBeat(t)
	b.hub.ReconcilesAtEnd(t)
	logged := b.hub.Logged(t)
	q := b.asked(t)
	b.decides(t, b.manager, q, b.charity.Answer(t, b.manager.ID, q, record.Approved), "police-request-unread")
	if a := b.officer.Opens(t, q.ID); a.Problem().Code != "police-request-not-found" {
		t.Errorf("the police open what they sealed to another: %d %s", a.Status, a.Body)
	}
	if got := b.opened(t, q); got.Names[0] != hubtest.InquiryText.Names[0] || got.Requester != hubtest.InquiryText.Requester {
		t.Errorf("it says %+v", got)
	}
	yes := b.charity.Answer(t, b.manager.ID, q, record.Approved)
	b.decides(t, b.manager, q, yes, "")
	b.decides(t, b.manager, q, yes, "") // the same again finds the receipt
	b.decides(t, b.another, q, b.charity.Answer(t, b.another.ID, q, record.Refused), "police-request-decided")
	st, _ := b.read(t, b.officer, q)
	if st.State != "approved" || st.Reason != "" || st.OpenedAt != nil || st.DecidedAt != nil {
		t.Errorf("the police see %+v", st)
	}
	stated, err := record.ParseInquiryDecision(st.Decision)
	if err != nil {
		t.Fatal(err)
	}
	d, err := record.VerifyInquiryDecision(stated, b.charity.Signing.Public())
	if err != nil || !slices.Equal(d.Sections, []string{"need"}) || d.Answers(q.InquiryClaims, q.Digest) != nil {
		t.Errorf("the police can check: %v %+v", err, d.InquiryDecisionClaims)
	}
	own, _ := b.read(t, b.manager, q)
	reason, err := record.OpenInquiryReason(d.InquiryDecisionClaims, own.Reason, b.charity.Sealing)
	if err != nil || reason.Reason != "tests-met" {
		t.Errorf("the holder reads %+v, %v", reason, err)
	}
	var acts []string
	for _, e := range b.hub.Entries(t, logged) {
		if e.Act != "refused" {
			acts = append(acts, e.Act+" by "+e.Partner+" to "+e.Other)
		}
		if e.Target != q.ID {
			t.Errorf("%s names %q, not the request", e.Act, e.Target)
		}
	}
	want := []string{"police.request by the-force to the-charity", "police.open by the-charity to ", "police.decision by the-charity to the-force",
		"police.read by the-force to ", "police.read by the-charity to "}
	if !slices.Equal(acts, want) {
		t.Errorf("logged %q, want %q", acts, want)
	}
	// Nothing has moved by it.
	if n := hubtest.Value[int](t, b.hub, `SELECT count(*) FROM packet`); n != 0 {
		t.Errorf("%d packets", n)
	}
}

// TestANoSaysNothingOfWhetherSheIsKnown compares all that the police can get of two refusals:
// of somebody who is not known, refused unread at once; and of somebody who is, opened twice
// and refused for her safety.
func TestANoSaysNothingOfWhetherSheIsKnown(t *testing.T) {
	t.Parallel()
	b := newBeat(t)
	unknown, known := b.asked(t), b.asked(t)
	before := b.hub.Logged(t)
	b.decides(t, b.manager, unknown, b.charity.Answer(t, b.manager.ID, unknown, record.Refused), "")
	b.opened(t, known)
	b.opened(t, known)
	safety := record.InquiryReason{Reason: "safety", Told: "yes", Words: "he is an officer there"}
	b.decides(t, b.manager, known, b.charity.Answer(t, b.manager.ID, known, record.Refused, func(d *record.InquiryDecisionClaims) {
		jwe, err := record.SealInquiryReason(d.Issuer, d.ID, d.Decision, safety, b.charity.Sealing.Public())
		if err != nil {
			t.Fatal(err)
		}
		d.Sealed = ids.Digest(jwe)
	}), "police-request-claim") // another text than the one that is posted
	b.decides(t, b.manager, known, b.charity.Answer(t, b.manager.ID, known, record.Refused), "")

	for _, e := range b.hub.Entries(t, before) {
		if e.Other == string(b.force.ID) {
			t.Errorf("the log tells the police of %s", e.Act)
		}
	}
	for _, q := range []hubtest.Inquiry{unknown, known} {
		if st, body := b.read(t, b.officer, q); st.State != "asked" || st.Decision != "" || strings.Contains(body, "shown_at") {
			t.Errorf("before it was to be answered the police see %s", body)
		}
		if a := b.policeAuditor.Get(t, "/v1/police-requests?role=asked"); strings.Contains(string(a.Body), "refused") || strings.Contains(string(a.Body), "decided_at") {
			t.Errorf("their auditor sees %s", a.Body)
		}
		if st, _ := b.read(t, b.ownAuditor, q); st.State != "refused" || st.DecidedAt == nil || st.Reason == "" || !st.ShownAt.Equal(time.Unix(q.RespondBy, 0)) {
			t.Errorf("the holder's auditor sees %+v", st)
		}
	}
	b.hub.Reconciles(t) // before what comes next, which somebody with the database could do to see it early
	b.passes(t, unknown, 72*time.Hour)
	b.passes(t, known, 72*time.Hour)
	var members [2][]string
	for i, q := range []hubtest.Inquiry{unknown, known} {
		st, body := b.read(t, b.officer, q)
		if st.State != "refused" {
			t.Fatalf("the police see %s", body)
		}
		stated, err := record.ParseInquiryDecision(st.Decision)
		if err != nil {
			t.Fatal(err)
		}
		d := stated.Unverified()
		if d.Of != q.ID || d.Digest != q.Digest {
			t.Errorf("it is about another request")
		}
		d.ID, d.Of, d.Digest, d.Sealed = "", "", "", "" // random, or known before
		members[i] = strings.Split(string(must(json.Marshal(d))), ",")
		for _, tell := range []string{"opened_at", "decided_at", "shown_at", "reason", "told", "iat"} {
			if strings.Contains(body, `"`+tell+`"`) {
				t.Errorf("the police see %s: %s", tell, body)
			}
		}
	}
	if !slices.Equal(members[0], members[1]) {
		t.Errorf("the two differ: %v, %v", members[0], members[1])
	}
	if sizes := hubtest.Column[int](t, b.hub, `SELECT DISTINCT length(sealed) FROM police_reason`); len(sizes) != 1 {
		t.Errorf("the sealed reasons have lengths %v", sizes)
	}
}

func TestARequestThatNobodyAnsweredSaysSo(t *testing.T) {
	t.Parallel()
	b := newBeat(t)
	q := b.asked(t)
	b.passes(t, q, 50*time.Hour)
	if st, _ := b.read(t, b.officer, q); st.State != "unanswered" {
		t.Errorf("the police see %+v", st)
	}
	b.opened(t, q)
	if st, _ := b.read(t, b.officer, q); st.State != "unanswered" {
		t.Errorf("the police are shown that it was opened: %+v", st)
	}
	if st, _ := b.read(t, b.worker, q); st.State != "opened" {
		t.Errorf("the holder sees %+v", st)
	}
}

func TestWhoMayAskAndWhoDecides(t *testing.T) {
	t.Parallel()
	b := newBeat(t)
	q, other := b.asked(t), b.asked(t)
	b.opened(t, q)
	late := b.hub.Person(t, b.charity.ID, partners.Manager)
	late.Proved = b.hub.Now().Add(-partners.Recent - time.Minute)
	ask := func(by *hubtest.Person, change ...func(*record.InquiryClaims)) hubtest.Answer {
		return by.Asks(t, b.force.Inquiry(t, by.ID, b.charity, change...))
	}
	answer := func(by *hubtest.Person, decision string, change ...func(*record.InquiryDecisionClaims)) hubtest.Answer {
		return by.Answers(t, q.ID, b.charity.Answer(t, by.ID, q, decision, change...))
	}
	stranger := hubtest.Key(t, partners.Signing)
	forged := b.force.Inquiry(t, b.officer.ID, b.charity)
	forged.Body = must(json.Marshal(record.PostedInquiry{Request: must(forged.InquiryClaims.Sign(stranger.Signer())), Sealed: forged.Sealed}))
	retired := b.force.Inquiry(t, b.officer.ID, b.charity)
	elsewhere := must(record.SealInquiry(retired.Issuer, retired.Audience, retired.ID, hubtest.InquiryText, b.force.Sealing.Public()))
	retired.Sealed = ids.Digest(elsewhere)
	retired.Body = must(json.Marshal(record.PostedInquiry{Request: must(func() (string, error) {
		c := retired.InquiryClaims
		c.Sealed = ids.Digest(elsewhere)
		return c.Sign(b.force.Signing.Signer())
	}()), Sealed: elsewhere}))
	content := b.hub.Content(t)
	for name, row := range map[string]struct {
		a    hubtest.Answer
		code string
	}{
		"a system asks":              {b.force.Do(t, hubtest.Call{Method: "POST", Path: "/v1/police-requests", Type: record.InquiryMedia, Body: b.force.Inquiry(t, b.officer.ID, b.charity).Body}), "police-request-by-person"},
		"another agency asks":        {b.worker.Asks(t, b.charity.Inquiry(t, b.worker.ID, b.force)), "police-only"},
		"in a colleague's name":      {b.senior.Asks(t, b.force.Inquiry(t, b.officer.ID, b.charity)), "act-mismatch"},
		"an auditor asks":            {ask(b.policeAuditor), "insufficient-scope"},
		"for another hub":            {ask(b.officer, func(q *record.InquiryClaims) { q.Hub = "https://elsewhere.example" }), "consent-stale"},
		"of nobody":                  {ask(b.officer, func(q *record.InquiryClaims) { q.Audience = "nobody" }), "recipient-inactive"},
		"under an id that is there":  {ask(b.officer, func(c *record.InquiryClaims) { c.ID = q.ID }), "police-request-conflict"},
		"with nobody as second":      {ask(b.officer, b.counselling, func(q *record.InquiryClaims) { q.Senior.Act = "nobody" }), "police-request-senior"},
		"with another agency's":      {ask(b.officer, b.counselling, func(q *record.InquiryClaims) { q.Senior.Act = b.manager.ID }), "police-request-senior"},
		"with a key of a stranger":   {b.officer.Asks(t, forged), "signing-key-unknown"},
		"sealed to another key":      {b.officer.Asks(t, retired), "police-request-claim"},
		"a system decides":           {b.charity.Do(t, hubtest.Call{Method: "POST", Path: "/v1/police-requests/" + q.ID + "/decision", Type: record.InquiryDecisionMedia, Body: b.charity.Answer(t, b.manager.ID, q, record.Refused)}), "insufficient-scope"},
		"a caseworker decides":       {answer(b.worker, record.Refused), "manager-needed"},
		"a manager without proof":    {answer(late, record.Refused), "step-up-required"},
		"in another manager's name":  {b.another.Answers(t, q.ID, b.charity.Answer(t, b.manager.ID, q, record.Refused)), "act-mismatch"},
		"the police themselves":      {b.senior.Answers(t, q.ID, b.force.Answer(t, b.senior.ID, q, record.Refused)), "police-request-not-found"},
		"the police as the charity":  {b.senior.Answers(t, q.ID, b.charity.Answer(t, b.senior.ID, q, record.Refused)), "issuer-not-caller"},
		"a decision of another":      {b.manager.Answers(t, q.ID, b.charity.Answer(t, b.manager.ID, other, record.Refused)), "police-request-claim"},
		"more than was asked":        {answer(b.manager, record.Approved, func(d *record.InquiryDecisionClaims) { d.Sections = []string{"location"} }), "police-request-not-asked"},
		"counselling that is not":    {answer(b.manager, record.Approved, func(d *record.InquiryDecisionClaims) { d.Counselling = "yes" }), "counselling-not-approvable"},
		"a yes signed by a stranger": {b.manager.Answers(t, q.ID, resigned(t, b.charity.Answer(t, b.manager.ID, q, record.Approved), stranger)), "signing-key-unknown"},
		"opened by who may not":      {b.ownAuditor.Opens(t, q.ID), "insufficient-scope"},
		"listed for nobody":          {b.worker.Get(t, "/v1/police-requests?role=all"), "police-request-query-invalid"},
		"read by who administers":    {b.hub.Person(t, b.charity.ID, partners.Administrator).Get(t, "/v1/police-requests/"+q.ID), "insufficient-scope"},
	} {
		if got := row.a.Problem().Code; got != row.code {
			t.Errorf("%s: %d %s, want %s", name, row.a.Status, row.a.Body, row.code)
		}
	}
	after := b.hub.Content(t)
	for _, table := range []string{"police_request", "police_text", "police_opening", "police_decision", "police_reason"} {
		if content[table] != after[table] {
			t.Errorf("what was refused left something in %s", table)
		}
	}
}

func TestCounsellingRecordsAreApprovedOnlyWithTheSecondOfficer(t *testing.T) {
	t.Parallel()
	b := newBeat(t)
	q := b.asked(t, b.counselling)
	b.opened(t, q)
	b.decides(t, b.manager, q, b.charity.Answer(t, b.manager.ID, q, record.Approved, func(d *record.InquiryDecisionClaims) {
		d.Sections, d.Counselling = nil, "yes"
	}), "")
	if st, _ := b.read(t, b.officer, q); st.State != "approved" {
		t.Errorf("the police see %+v", st)
	}
}

func TestAgenciesListTheirOwnSide(t *testing.T) {
	t.Parallel()
	b := newBeat(t)
	q := b.asked(t)
	third := b.hub.Agency(t, "the-third", partners.VAWGService)
	for _, row := range []struct {
		by interface {
			Get(testing.TB, string) hubtest.Answer
		}
		role string
		sees bool
	}{
		{b.officer, "asked", true}, {b.officer, "received", false}, {b.policeAuditor, "asked", true},
		{b.worker, "received", true}, {b.worker, "asked", false}, {b.ownAuditor, "received", true}, {third, "received", false},
	} {
		a := row.by.Get(t, "/v1/police-requests?role="+row.role)
		if a.Status != http.StatusOK || bytes.Contains(a.Body, []byte(q.ID)) != row.sees {
			t.Errorf("%s: %d %s, sees it: want %v", row.role, a.Status, a.Body, row.sees)
		}
	}
}

// resigned is what is posted with the decision signed by another key.
func resigned(t *testing.T, body []byte, key jose.PrivateKey) []byte {
	t.Helper()
	var p record.PostedInquiryDecision
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	p.Decision = must(must(record.ParseInquiryDecision(p.Decision)).Unverified().Sign(key.Signer()))
	return must(json.Marshal(p))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A request that nobody at the agency could open would wait in silence, and end as one that
// it did not answer.
func TestAnAgencyThatCannotReadARequestIsNotAsked(t *testing.T) {
	t.Parallel()
	b := newBeat(t)
	b.hub.Exec(t, `UPDATE partner_key SET custody = 'hub' WHERE partner = $1 AND use <> 'authentication'`, string(b.charity.ID))
	q := b.force.Inquiry(t, b.officer.ID, b.charity)
	if a := b.officer.Asks(t, q); a.Problem().Code != "police-request-unreadable" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if n := hubtest.Value[int](t, b.hub, `SELECT count(*) FROM police_request`); n != 0 {
		t.Errorf("%d requests are stored", n)
	}
}
