package inbox_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/partners"
	"handover/referral/packet"
)

var tags = regexp.MustCompile(`(?s)<(script|style)[^>]*>.*?</(script|style)>|<[^>]+>`)

// page is an answer, with what can be read of it on one line.
type page struct {
	hubtest.Answer
	text string
}

func read(a hubtest.Answer) page {
	return page{a, strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(string(a.Body), " "))), " ")}
}

// must fails unless the page has the status and says all of it.
func (p page) must(t *testing.T, status int, says ...string) page {
	t.Helper()
	if p.Status != status {
		t.Fatalf("answered %d, want %d: %s", p.Status, status, p.text)
	}
	for _, s := range says {
		if !strings.Contains(p.text, s) {
			t.Errorf("does not say %q: %s", s, p.text)
		}
	}
	return p
}

// mustNot fails if the page has any of it, in its text or elsewhere.
func (p page) mustNot(t *testing.T, says ...string) {
	t.Helper()
	for _, s := range says {
		if strings.Contains(string(p.Body), s) {
			t.Errorf("has %q: %s", s, p.text)
		}
	}
}

// leads is where an answer leads on to.
func (p page) leads(t *testing.T, to string) {
	t.Helper()
	if p.Status != http.StatusSeeOther || p.Header.Get("Location") != to {
		t.Fatalf("answered %d to %q, want to be led to %q: %s", p.Status, p.Header.Get("Location"), to, p.text)
	}
}

// office is two agencies and people of the one that receives.
type office struct {
	hubtest.Pair
	hub            *hubtest.Hub
	ayo, bel, dana partners.User // caseworker, caseworker, manager
	her            map[string]*hubtest.Browser
}

func newOffice(t *testing.T) office {
	t.Helper()
	h := hubtest.New(t)
	o := office{Pair: h.Pair(t, partners.BoroughOutreach), hub: h, her: map[string]*hubtest.Browser{}}
	join := func(name string, at partners.ID, role partners.Role) partners.User {
		u, b := h.Joined(t, at, name, role)
		o.her[name] = b
		return u
	}
	o.ayo, o.bel = join("Ayo Example", o.To.ID, partners.Caseworker), join("Bel Example", o.To.ID, partners.Caseworker)
	o.dana = join("Dana Example", o.To.ID, partners.Manager)
	join("Sam Sample", o.From.ID, partners.Caseworker)
	return o
}

func (o office) get(t *testing.T, who, path string) page {
	t.Helper()
	return read(o.her[who].Get(t, path))
}

func (o office) post(t *testing.T, who, path string, form url.Values) page {
	t.Helper()
	return read(o.her[who].Form(t, path, form))
}

// request sends a referral of that urgency and returns its id and reference.
func (o office) request(t *testing.T, urgency string) (id, reference string) {
	t.Helper()
	s := o.Request("need").Seal(t, func(d *hubtest.Draft) { d.Urgency = urgency })
	o.From.Sent(t, s)
	return s.Digest, ids.Reference(s.Digest)
}

// TestWhatALeaverHadIsNewAgain: whoever cannot answer a referral any more takes none with her.
func TestWhatALeaverHadIsNewAgain(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	admin := o.hub.Person(t, o.To.ID, partners.Administrator).Caller(t)
	id, reference := o.request(t, "urgent")
	o.post(t, "Ayo Example", "/referrals/"+id+"/assign/claim", nil)
	o.get(t, "Bel Example", "/inbox?tab=new").mustNot(t, reference)
	if _, err := o.hub.Registry.SuspendPerson(t.Context(), admin, o.ayo.ID); err != nil {
		t.Fatal(err)
	}
	o.get(t, "Bel Example", "/inbox?tab=new").must(t, http.StatusOK, reference, "Ayo Example had it, and cannot answer it now", "Give it to a colleague")
	if _, err := o.hub.Registry.ResumePerson(t.Context(), admin, o.ayo.ID); err != nil {
		t.Fatal(err)
	}
	o.get(t, "Bel Example", "/inbox?tab=new").mustNot(t, reference)
	if _, err := o.hub.Registry.RemovePerson(t.Context(), admin, o.ayo.ID); err != nil {
		t.Fatal(err)
	}
	o.post(t, "Bel Example", "/referrals/"+id+"/assign", url.Values{"from": {o.ayo.ID}, "to": {o.bel.ID}}).leads(t, "/inbox?done=claim&tab=mine")
	o.get(t, "Bel Example", "/inbox?tab=mine").must(t, http.StatusOK, reference, "You have it")
}

// TestEachListSaysWhatIsOnItAndWhatToDoIfNothingIs goes through all lists, empty and not.
func TestEachListSaysWhatIsOnItAndWhatToDoIfNothingIs(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for path, says := range map[string]string{
		"/inbox": "There are no new referrals.", "/inbox?tab=mine": "Take one on from New", "/inbox?tab=waiting": "No question of yours waits for an answer.",
		"/inbox?tab=overdue": "Nothing is overdue.", "/inbox?tab=ending": "No consent ends within 7 days.", "/inbox?tab=open": "Your agency has no open referrals.",
		"/inbox?tab=elsewhere": "There are no new referrals.", "/inbox?tab=open&urgency=urgent": "Nothing on this list matches what you chose.",
	} {
		o.get(t, "Ayo Example", path).must(t, http.StatusOK, says, "Refresh this list")
	}
	for path, says := range map[string]string{
		"/sent": "Your agency has sent nothing that is open.", "/sent?tab=asked": "Nobody waits for an answer from you.",
		"/sent?tab=sent-mine": "You have no open referrals that your agency sent.", "/sent?tab=sent-all": "Your agency has sent no referrals.",
	} {
		o.get(t, "Sam Sample", path).must(t, http.StatusOK, says, "Send a referral")
	}
	id, reference := o.request(t, "urgent")
	p := o.get(t, "Ayo Example", "/inbox").must(t, http.StatusOK, "New (1)", "All open (1)", "Mine (0)", reference, "Urgent", "Nobody has it", "Respond by", ": open it")
	p.mustNot(t, o.Consent.Subject, "housing")
	o.hub.Exec(t, `UPDATE referral SET due_at = now() - interval '2 hours' WHERE id = $1`, id)
	o.get(t, "Ayo Example", "/inbox?tab=overdue").must(t, http.StatusOK, "Overdue (1)", reference, "Overdue by 2 hours: open it")
	o.get(t, "Sam Sample", "/sent").must(t, http.StatusOK, reference, "They are 2 hours late to open it")
	o.hub.Exec(t, `UPDATE referral SET due_at = now() + interval '2 hours', consent_ends = now() - interval '1 day' WHERE id = $1`, id)
	o.get(t, "Ayo Example", "/inbox?tab=ending").must(t, http.StatusOK, "Consent ending (1)", reference, "Her consent ended 24 hours ago. Nothing can be opened.")
	head := o.Step(t, o.To, packet.Receive, id, id).Digest
	o.Step(t, o.To, packet.Ask, id, head)
	o.get(t, "Ayo Example", "/inbox?tab=waiting").must(t, http.StatusOK, "Waiting on the sender (1)", reference, "Question asked")
	o.get(t, "Sam Sample", "/sent").must(t, http.StatusOK, "Answer wanted (1)", reference, "Question asked") // it comes first
}

// TestAReferralIsTakenOnGivenOnAndGivenUp by the people of an agency, one after the other and two
// at once.
func TestAReferralIsTakenOnGivenOnAndGivenUp(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	id, reference := o.request(t, "routine")
	one := "/referrals/" + id + "/assign"
	o.post(t, "Ayo Example", one+"/claim", url.Values{"list": {"/inbox"}}).leads(t, "/inbox?done=claim&tab=mine")
	o.get(t, "Ayo Example", "/inbox?done=claim&tab=mine").must(t, http.StatusOK, "You have this referral now.", "Mine (1)", reference, "You have it")
	o.get(t, "Bel Example", "/inbox?tab=open").must(t, http.StatusOK, "New (0)", reference, "Ayo Example has it")
	// Bel had the list open.
	o.post(t, "Bel Example", one+"/claim", url.Values{"list": {"/inbox"}}).must(t, http.StatusConflict, "There is a problem", "Ayo Example has it now.")
	o.get(t, "Dana Example", one).must(t, http.StatusOK, "Who has referral "+reference+"?", "Dana Example (you)", "Has it now").mustNot(t, "Sam Sample")
	o.post(t, "Dana Example", one, url.Values{"from": {o.ayo.ID}}).must(t, http.StatusUnprocessableEntity, "Select who is to have it")
	o.post(t, "Dana Example", one, url.Values{"from": {o.ayo.ID}, "to": {o.bel.ID}, "list": {"/inbox"}}).leads(t, "/inbox?done=assign&tab=new")
	o.post(t, "Ayo Example", one, url.Values{"from": {o.ayo.ID}, "to": {"nobody"}}).must(t, http.StatusConflict, "Bel Example has it now.")
	o.post(t, "Bel Example", one, url.Values{"from": {o.bel.ID}, "to": {"nobody"}}).leads(t, "/inbox?done=release&tab=new")
	o.post(t, "Dana Example", one, url.Values{"from": {""}, "to": {o.dana.ID}}).leads(t, "/inbox?done=claim&tab=mine")
	o.post(t, "Ayo Example", one, url.Values{"from": {o.ayo.ID}, "to": {o.ayo.ID}}).must(t, http.StatusConflict, "Dana Example has it now.")
	// Of the agency that sent it, nobody has it; and what the other does with it nobody learns there.
	o.get(t, "Sam Sample", "/sent").must(t, http.StatusOK, reference, "Nobody here has it").mustNot(t, "Dana", "Ayo")
	o.post(t, "Sam Sample", one+"/claim", url.Values{"list": {"/sent"}}).leads(t, "/sent?done=claim&tab=sent-mine")
	o.get(t, "Sam Sample", "/sent?tab=sent-mine").must(t, http.StatusOK, reference, "You have it")
	o.get(t, "Sam Sample", one).must(t, http.StatusOK).mustNot(t, "Dana", "Ayo", "Bel")
	o.get(t, "Sam Sample", one+"/claim").leads(t, one)
}

// TestOthersDoNotSayWhoHasAReferral: for whom it is not, it is not there; who has no referrals is
// given none.
func TestOthersDoNotSayWhoHasAReferral(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	id, _ := o.request(t, "routine")
	one := "/referrals/" + id + "/assign"
	third := o.hub.Agency(t, "the-third", partners.BoroughOutreach)
	_, stranger := o.hub.Joined(t, third.ID, "Cal Example", partners.Caseworker)
	administrator, admin := o.hub.Joined(t, o.To.ID, "Eve Example", partners.Administrator)
	_, auditor := o.hub.Joined(t, o.To.ID, "Fay Example", partners.Auditor)
	for name, b := range map[string]*hubtest.Browser{"a caseworker elsewhere": stranger, "an administrator": admin, "an auditor": auditor} {
		for _, a := range []hubtest.Answer{b.Get(t, one), b.Form(t, one, url.Values{"from": {""}, "to": {o.ayo.ID}}), b.Form(t, one+"/claim", url.Values{})} {
			if p := read(a); p.Status != http.StatusNotFound {
				t.Errorf("%s: %d %s", name, p.Status, p.text)
			}
		}
	}
	for _, path := range []string{"/inbox", "/sent", "/inbox/live"} {
		if p := read(admin.Get(t, path)); p.Status != http.StatusNotFound {
			t.Errorf("an administrator at %s: %d %s", path, p.Status, p.text)
		}
	}
	o.post(t, "Ayo Example", one, url.Values{"from": {""}, "to": {administrator.ID}}).must(t, http.StatusForbidden, "Only an active caseworker or manager")
	o.get(t, "Ayo Example", one).must(t, http.StatusOK).mustNot(t, "Eve Example", "Fay Example", "Cal Example")
	if n := hubtest.Value[int](t, o.hub, `SELECT count(*) FROM referral_holding`); n != 0 {
		t.Errorf("%d referrals are somebody's", n)
	}
	if p := read(stranger.Get(t, "/inbox?tab=open")); strings.Contains(p.text, ids.Reference(id)) {
		t.Error("a third agency is shown it")
	}
	for _, path := range []string{"/inbox?after=x", "/inbox?urgency=soon", "/inbox?holder=Ayo", "/sent?agency=A+B"} {
		list, _, _ := strings.Cut(path, "?")
		o.get(t, "Ayo Example", path).leads(t, list)
	}
}

// TestAReferralIsFoundByItsReference as people type it, and what is none gets into no address and
// onto no page.
func TestAReferralIsFoundByItsReference(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	id, reference := o.request(t, "routine")
	o.Step(t, o.To, packet.Decline, id, id)
	typed := strings.ToLower(strings.ReplaceAll(reference, "-", " "))
	for who, path := range map[string]string{"Ayo Example": "/inbox", "Sam Sample": "/sent"} {
		o.post(t, who, path, url.Values{"reference": {typed}}).leads(t, path+"?reference="+reference)
		o.get(t, who, path+"?reference="+reference).must(t, http.StatusOK, reference, "Declined").mustNot(t, "Take it on")
		o.post(t, who, path, url.Values{"reference": {"Quennell Sample"}}).must(t, http.StatusUnprocessableEntity, "Enter a reference of 8 letters and numbers").
			mustNot(t, "Quennell")
		o.post(t, who, path, url.Values{"reference": {"Margaret"}}).must(t, http.StatusUnprocessableEntity, "Your agency has no referral with this reference.").
			mustNot(t, "argaret", "MARG")
	}
	o.get(t, "Ayo Example", "/inbox?reference=R-0000-0000").must(t, http.StatusOK, "Your agency has no referral with this reference.")
}
