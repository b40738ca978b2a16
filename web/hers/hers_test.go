package hers_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/managed"
	"handover/referral/packet"
)

// rig is an agency whose keys the hub holds, which has referred a woman to a housing team, and
// her worker's phone.
type rig struct {
	hub      *hubtest.Hub
	own, to  *hubtest.Agency
	worker   *hubtest.Browser
	caller   partners.Caller
	consent  string
	referral string
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func newRig(t *testing.T, h *hubtest.Hub) rig {
	t.Helper()
	r := rig{hub: h, own: h.Managed(t, "rosewood", partners.VAWGService), to: h.Agency(t, "larkfield-housing", partners.Housing)}
	h.Agree(t, r.own, r.to)
	service := h.Offer(t, r.to)
	u, b := h.Joined(t, r.own.ID, "Ayo Example", partners.Caseworker)
	r.worker = b
	callers, err := h.Registry.Admit(t.Context(), []partners.Bearer{{User: u.ID, Proved: h.Now()}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.caller = *callers[0]
	r.consent = newID()
	now := h.Now().Unix()
	_, err = h.Desk.Record(t.Context(), r.caller, managed.Saying{How: &record.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
		Words: map[string]string{"her-words": "nobody else"},
		Claims: record.Claims{ID: r.consent, Jurisdiction: "GB-ENG", Agreement: "agreed", Method: "verbal-in-person", Purpose: "exiting-support",
			Recipients: []string{"larkfield-housing"}, Sections: []string{"need", "safe-contact", "risk"}, Onward: "ask-each-time", Gate: record.Gate{Pathway: "none"},
			Notice: record.Notice{Version: "1", Digest: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", Language: "en"}, Bases: record.Bases{{Article6: "f", Article9: "a"}},
			GivenAt: now - 60, ValidFrom: now - 60, Expires: now + 28*24*3600}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Desk.Refer(t.Context(), r.caller, managed.Request{ID: newID(), To: r.to.ID, Consent: r.consent, Purpose: "exiting-support", Urgency: "urgent",
		Service: service, Area: hubtest.Area, Content: map[string]packet.Content{"need": packet.Content(`{"summary":"a safe room"}`),
			"safe-contact": packet.Content(`{"channel":"via-worker","worker":{"called":"Ayo"},"last_confirmed":"2026-11-20"}`)}}); err != nil {
		t.Fatal(err)
	}
	r.referral = hubtest.Value[string](t, h, `SELECT id FROM referral`)
	return r
}

var tags = regexp.MustCompile(`(?s)<title>.*?</title>|<script.*?</script>|<header.*?</header>|<footer.*?</footer>|<dialog.*?</dialog>|<a href="#main.*?</a>|<a href="/leave.*?</a>|<[^>]*>`)

// lines are what a page says to her, a line to an element.
func lines(a hubtest.Answer) []string {
	var all []string
	for line := range strings.Lines(tags.ReplaceAllString(string(a.Body), "\n")) {
		if line = strings.TrimSpace(strings.NewReplacer("&#39;", "'", "&amp;", "&").Replace(line)); line != "" {
			all = append(all, line)
		}
	}
	return all
}

func text(a hubtest.Answer) string { return strings.Join(lines(a), " ") }

func (r rig) get(t *testing.T, path string) hubtest.Answer {
	t.Helper()
	a := r.worker.Get(t, path)
	if a.Status != http.StatusOK {
		t.Fatalf("%s: %d to %s", path, a.Status, a.Header.Get("Location"))
	}
	return a
}

// What she sees: the truth about her own referral in words of a child, and nothing else.
func TestSheSeesWhatIsSharedAndWhoOpenedIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, hubtest.New(t))
	at := "/hers/" + r.referral
	if a := r.worker.Get(t, at); a.Status != 303 || a.Header.Get("Location") != at+"/safety" {
		t.Errorf("before it comes %d %s", a.Status, a.Header.Get("Location"))
	}
	if safety := text(r.get(t, at+"/safety")); !strings.Contains(safety, "The phone still knows that this page was open") {
		t.Errorf("it says %s", safety)
	}
	before := text(r.get(t, at+"?safe=yes"))
	if a := r.to.Open(t, r.referral, "", "need"); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	page := r.get(t, at+"?safe=yes")
	after := text(page)
	for says, in := range map[string]string{"Nobody has opened it yet": before, "Agency larkfield-housing opened this on": after, "what could hurt you": after,
		"Agency larkfield-housing, a housing team": after, "You can stop this now": after} {
		if !strings.Contains(in, says) {
			t.Errorf("it does not say %q: %s", says, in)
		}
	}
	for _, hidden := range []string{"/inbox", "/consents", "Sign out", "Ayo Example", "exploit", "leave support", "support to", "VAWG", "women’s service", "a safe room", "nobody else", `class="govuk-back-link"`, "data-hide-now"} {
		if strings.Contains(string(page.Body), hidden) {
			t.Errorf("her page shows %q", hidden)
		}
	}
	if !strings.Contains(string(page.Body), `href="/leave"`) || !strings.Contains(string(page.Body), "<title>For you – Handover</title>") {
		t.Error("there is no way out, or the title says something")
	}
	// Of her consent the page is the same.
	if mine := text(r.get(t, "/hers/"+r.consent+"?safe=yes")); !strings.Contains(mine, "Agency larkfield-housing opened this on") {
		t.Errorf("of her consent it says %s", mine)
	}
	if n := hubtest.Value[int](t, r.hub, `SELECT count(*) FROM audit_entry WHERE act = 'referral.hers'`); n != 2 {
		t.Errorf("that it was shown is logged %d times", n)
	}
}

// To stop it is one question, once is enough, and nothing is released after it.
func TestSheStopsIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, hubtest.New(t))
	at := "/hers/" + r.referral
	if a := r.to.Open(t, r.referral, "", "need"); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	page := r.get(t, at+"/stop")
	form := url.Values{"id": {regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(string(page.Body))[1]}}
	for i := range 2 {
		if a := r.worker.Form(t, at+"/stop", form); a.Status != 303 || i == 0 && a.Header.Get("Location") != at+"/stopped" {
			t.Errorf("stopping: %d %s", a.Status, a.Header.Get("Location"))
		}
	}
	if said := text(r.get(t, at+"/stopped")); !strings.Contains(said, "Agency larkfield-housing opened this on") {
		t.Errorf("it says %s", said)
	}
	if said := text(r.get(t, at+"?safe=yes")); !strings.Contains(said, "You have stopped this") || strings.Contains(said, "Stop sharing") {
		t.Errorf("it says %s", said)
	}
	if a := r.to.Open(t, r.referral, "", "safe-contact"); a.Status != 403 {
		t.Errorf("after she has stopped it %d %s", a.Status, a.Body)
	}
	if n := hubtest.Value[int](t, r.hub, `SELECT count(*) FROM audit_entry WHERE act = 'consent.withdraw'`); n != 1 {
		t.Errorf("two taps are %d withdrawals", n)
	}
}

// She is never told that nobody has opened something where that is not known, or not so.
func TestSheIsNotToldThatNobodyHasOpenedWhatSomebodyHas(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	r := newRig(t, h)
	if a := r.to.Open(t, r.referral, "", "need"); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	_, theirs := h.Joined(t, r.to.ID, "Kim Sample", partners.Caseworker)
	page := theirs.Get(t, "/hers/"+r.consent+"?safe=yes") // an agency that is named in what she said, and did not ask her
	if said := text(page); page.Status != 200 || strings.Contains(said, "Nobody has opened") || !strings.Contains(said, "Ask the team that asked you first") {
		t.Errorf("another agency says %d %s", page.Status, said)
	}
	hubtest.Readable(t, "hers", lines(page), "Agency larkfield-housing")

	// She says it again: what was opened on what she said before was opened.
	first, err := record.ParseConsent(hubtest.Value[string](t, h, `SELECT token FROM consent`))
	if err != nil {
		t.Fatal(err)
	}
	was := first.Unverified()
	again := record.Claims{ID: newID(), Supersedes: r.consent, Subject: was.Subject, Jurisdiction: was.Jurisdiction, Agreement: was.Agreement, Method: was.Method, Purpose: was.Purpose,
		Recipients: []string{"larkfield-housing"}, Sections: was.Sections, Onward: was.Onward, Gate: was.Gate, Notice: was.Notice, Bases: record.Bases{{Article6: "f", Article9: "a"}},
		GivenAt: was.GivenAt + 1, ValidFrom: was.ValidFrom + 1, Expires: was.Expires}
	if _, err := h.Desk.Record(t.Context(), r.caller, managed.Saying{Claims: again,
		How: &record.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"}}); err != nil {
		t.Fatal(err)
	}
	at := "/hers/" + again.ID
	if said := text(r.get(t, at+"?safe=yes")); !strings.Contains(said, "Agency larkfield-housing opened this on") {
		t.Errorf("renewed, it says %s", said)
	}

	// She stops it: who has opened it is known once the hub has looked.
	if a := r.worker.Form(t, at+"/stop", url.Values{"id": {newID()}}); a.Status != 303 {
		t.Fatalf("stopping: %d", a.Status)
	}
	if said := text(r.get(t, at+"/stopped")); strings.Contains(said, "Nobody had opened") {
		t.Errorf("a moment after it is stopped it says %s", said)
	}
	if err := h.Aftermath.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if said := text(r.get(t, at+"/stopped")); !strings.Contains(said, "Agency larkfield-housing opened this on") || strings.Contains(said, "We are finding out") {
		t.Errorf("then it says %s", said)
	}
}

// What goes wrong while she looks is told on a page that she may see, with the way out.
func TestWhatGoesWrongShowsHerNothingOfHerWorkersWork(t *testing.T) {
	t.Parallel()
	r := newRig(t, hubtest.New(t))
	a := r.worker.Form(t, "/hers/"+r.referral+"/stop", url.Values{"id": {"none"}})
	if a.Status < 400 || !strings.Contains(string(a.Body), `href="/leave"`) {
		t.Errorf("%d, without the way out: %s", a.Status, text(a))
	}
	for _, hidden := range []string{"/inbox", "/consents", "Sign out", `href="/help"`} {
		if strings.Contains(string(a.Body), hidden) {
			t.Errorf("it shows %q", hidden)
		}
	}
}

// What she has not been told of, no page tells her by accident.
func TestHerPageTellsHerNothingThatSheHasNotBeenTold(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	r := newRig(t, h)
	now := h.Now().Unix()
	override := newID()
	if _, err := h.Desk.Propose(t.Context(), r.caller, managed.Proposal{Texts: map[string]string{"necessity": "a", "minimum": "b", "at-risk": "c"},
		Claims: record.OverrideClaims{ID: override, Purpose: "housing", Recipient: "larkfield-housing", Sections: []string{"need", "safe-contact"}, Agreement: "not-asked-unsafe",
			Reason: "emergency", AtRisk: []string{"herself"}, Told: "no", NotTold: "unsafe", Bases: record.Bases{{Article6: "ea", Condition: "safeguarding"}},
			Gate: record.Gate{Pathway: "none"}, Emergency: true, ValidFrom: now, Expires: now + 24*3600, ReviewAt: now + 3600}}); err != nil {
		t.Fatal(err)
	}
	service := hubtest.Value[string](t, h, `SELECT id::text FROM service LIMIT 1`)
	if _, err := h.Desk.Refer(t.Context(), r.caller, managed.Request{ID: newID(), To: r.to.ID, Override: override, Purpose: "housing", Urgency: "emergency", Service: service,
		Area: hubtest.Area, Content: map[string]packet.Content{"need": packet.Content(`{"summary":"a safe room"}`),
			"safe-contact": packet.Content(`{"channel":"via-worker","worker":{"called":"Ayo"},"last_confirmed":"2026-11-20"}`)}}); err != nil {
		t.Fatal(err)
	}
	id := hubtest.Value[string](t, h, `SELECT id FROM referral WHERE id <> $1`, r.referral)
	page := r.get(t, "/hers/"+id+"?safe=yes")
	if said := text(page); !strings.Contains(said, "Do not show her this yet") || !strings.Contains(said, "in danger") || strings.Contains(said, "larkfield") {
		t.Errorf("it says %s", said)
	}
	if a := r.worker.Get(t, "/hers/"+id+"/stop"); a.Status != 303 {
		t.Errorf("the page to stop it shows: %d", a.Status)
	}
}

// A child of nine can read every page of hers. Whoever changes a word of one reads it aloud.
func TestAChildOfNineCanReadHerPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, hubtest.New(t))
	names := []string{"Agency larkfield-housing"}
	at := "/hers/" + r.referral
	if a := r.to.Open(t, r.referral, "", "need"); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	for _, path := range []string{at + "/safety", at + "?safe=yes", at + "/stop"} {
		hubtest.Readable(t, path, lines(r.get(t, path)), names...)
	}
	if a := r.worker.Form(t, at+"/stop", url.Values{"id": {newID()}}); a.Status != 303 {
		t.Fatalf("stopping: %d", a.Status)
	}
	for _, path := range []string{at + "/stopped", at + "?safe=yes"} {
		hubtest.Readable(t, path, lines(r.get(t, path)), names...)
	}
}

// Leaving ends the session and clears the browser, wherever she was; a link on another site's
// page leads on and ends nothing.
func TestLeavingEndsTheSession(t *testing.T) {
	t.Parallel()
	r := newRig(t, hubtest.New(t))
	foreign := r.worker.Request(t, http.MethodGet, "/leave", "", nil)
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	if a := r.worker.Send(foreign); a.Status != 303 || a.Header.Get("Clear-Site-Data") != "" || !r.worker.SignedIn(t) {
		t.Errorf("a link from elsewhere: %d, signs her out", a.Status)
	}
	kept := *r.worker
	kept.Cookies = map[string]*http.Cookie{}
	for name, c := range r.worker.Cookies {
		kept.Cookies[name] = c
	}
	a := r.worker.Get(t, "/leave")
	if a.Status != 303 || a.Header.Get("Location") != "https://www.bbc.co.uk/weather" || a.Header.Get("Referrer-Policy") != "no-referrer" ||
		a.Header.Get("Clear-Site-Data") != `"cache", "cookies", "storage"` {
		t.Errorf("leaving: %d %v", a.Status, a.Header)
	}
	if kept.SignedIn(t) {
		t.Error("a kept cookie still opens the pages")
	}
	if a := r.hub.Browser().Get(t, "/leave"); a.Status != 303 {
		t.Errorf("a stranger cannot leave: %d", a.Status)
	}
}

// The agency that received it shows her the same, and she can stop it there.
func TestTheAgencyThatReceivedItShowsHerToo(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	r := newRig(t, h)
	_, theirs := h.Joined(t, r.to.ID, "Kim Sample", partners.Caseworker)
	page := theirs.Get(t, "/hers/"+r.referral+"?safe=yes")
	if page.Status != 200 || !strings.Contains(text(page), "Nobody has opened it yet") {
		t.Errorf("%d %s", page.Status, text(page))
	}
	if stop := theirs.Get(t, "/hers/"+r.referral+"/stop"); !strings.Contains(text(stop), "Tell your worker now") || strings.Contains(string(stop.Body), "<form") {
		t.Errorf("where the agency holds its own keys it says %s", text(stop))
	}
}
