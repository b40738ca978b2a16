package overrides_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/managed"
)

// rig is an agency whose keys the hub holds, with a caseworker and two managers.
type rig struct {
	hub                     *hubtest.Hub
	own, to                 *hubtest.Agency
	worker, manager, second *hubtest.Browser
	caller, managing        partners.Caller // the worker, and the first manager
}

func newRig(t *testing.T) rig { t.Helper(); return rigAt(t, hubtest.New(t)) }

func rigAt(t *testing.T, h *hubtest.Hub) rig {
	t.Helper()
	r := rig{hub: h, own: h.Managed(t, "rosewood", partners.VAWGService), to: h.Agency(t, "larkfield-housing", partners.Housing)}
	h.Agree(t, r.own, r.to)
	r.worker, r.caller = r.joined(t, "Ayo Example", partners.Caseworker)
	r.manager, r.managing = r.joined(t, "Mel Sample", partners.Manager)
	r.second, _ = r.joined(t, "Kim Example", partners.Manager)
	return r
}

func (r rig) joined(t *testing.T, name string, role partners.Role) (*hubtest.Browser, partners.Caller) {
	t.Helper()
	u, b := r.hub.Joined(t, r.own.ID, name, role)
	callers, err := r.hub.Registry.Admit(t.Context(), []partners.Bearer{{User: u.ID, Proved: r.hub.Now()}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b, *callers[0]
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// doubtful is a yes that somebody may have pressed out of her, recorded by whoever.
func (r rig) doubtful(t *testing.T, by partners.Caller) string {
	t.Helper()
	id, now := newID(), r.hub.Now().Unix()
	_, err := r.hub.Desk.Record(t.Context(), by, managed.Saying{How: &record.Circumstances{Alone: "no", Coercion: "suspected", Interpreter: "none", Language: "en", Capacity: "presumed"},
		Words: map[string]string{"circumstances": "He stood at the door"},
		Claims: record.Claims{ID: id, Jurisdiction: "GB-ENG", Agreement: "agreed", Method: "verbal-in-person", Purpose: "housing", Recipients: []string{"larkfield-housing"},
			Sections: []string{"need"}, Onward: "ask-each-time", Gate: record.Gate{Pathway: "none"}, Bases: record.Bases{{Article6: "f"}},
			Notice: record.Notice{Version: "1", Digest: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", Language: "en"}, GivenAt: now - 60, ValidFrom: now - 60, Expires: now + 28*24*3600}})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// refused is a draft of the worker's in which she said no, and it is recorded.
func (r rig) refused(t *testing.T, change ...func(map[string][]string)) string {
	t.Helper()
	d, err := r.hub.Desk.BeginDraft(t.Context(), r.caller, managed.ReferralDraft)
	if err != nil {
		t.Fatal(err)
	}
	d.Answers = map[string][]string{"to": {"larkfield-housing"}, "purpose": {"protect-from-harm"}, "sections": {"need", "risk", "identity"}, "consent": {newID()},
		"consent-agreement": {"refused"}, "consent-subject": {hubtest.Subject()}}
	for _, f := range change {
		f(d.Answers)
	}
	if err := r.hub.Desk.KeepDraft(t.Context(), r.caller, d); err != nil {
		t.Fatal(err)
	}
	return d.ID
}

var tags = regexp.MustCompile(`(?s)<title>.*?</title>|<script.*?</script>|<[^>]*>`)

func text(a hubtest.Answer) string {
	return strings.Join(strings.Fields(strings.NewReplacer("&#39;", "'", "&amp;", "&").Replace(tags.ReplaceAllString(string(a.Body), " "))), " ")
}

func shows(t *testing.T, b *hubtest.Browser, path string, says ...string) string {
	t.Helper()
	a := b.Get(t, path)
	for _, s := range says {
		if a.Status != 200 || !strings.Contains(text(a), s) {
			t.Errorf("%s (%d) does not say %q:\n%s", path, a.Status, s, text(a))
		}
	}
	return text(a)
}

func posts(t *testing.T, b *hubtest.Browser, path string, form url.Values) string {
	t.Helper()
	a := b.Form(t, path, form)
	if a.Status != 303 {
		t.Fatalf("%s: %d\n%s", path, a.Status, text(a))
	}
	return a.Header.Get("Location")
}

func is(t *testing.T, b *hubtest.Browser, status int, says, path string, form url.Values) {
	t.Helper()
	a := b.Form(t, path, form)
	if a.Status != status || !strings.Contains(text(a), says) {
		t.Errorf("%s: %d, want %d and %q\n%s", path, a.Status, status, says, text(a))
	}
}

// hidden is what a hidden field of a page holds.
func hidden(t *testing.T, a hubtest.Answer, name string) string {
	t.Helper()
	found := regexp.MustCompile(`name="` + name + `" value="([^"]+)"`).FindStringSubmatch(string(a.Body))
	if found == nil {
		t.Fatalf("there is no field %s (%d): %s", name, a.Status, text(a))
	}
	return found[1]
}

// A manager reads how she was asked, which is logged as hers, and decides; never who asked her,
// nor a caseworker.
func TestAManagerDecidesAConsentInDoubt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, own := r.doubtful(t, r.caller), r.doubtful(t, r.managing)
	at := "/reviews/" + id
	shows(t, r.manager, "/reviews", "Consents in doubt", "Recorded")
	if body := shows(t, r.manager, at, "Asked by Ayo Example", "Read how she was asked"); strings.Contains(body, "He stood at the door") || strings.Contains(body, "pressing") {
		t.Error("it shows before anybody opened it")
	}
	open := url.Values{"act": {"open"}}
	opened := r.manager.Form(t, at, open)
	if said := text(opened); !strings.Contains(said, "He stood at the door") || !strings.Contains(said, "Somebody may be pressing her") {
		t.Errorf("opened, it says %s", said)
	}
	is(t, r.manager, 422, "Say whether it stands", at, url.Values{"act": {"decide"}, "id": {newID()}})
	decide := url.Values{"act": {"decide"}, "id": {hidden(t, opened, "id")}, "decision": {"approved"}}
	is(t, r.worker, 403, "A manager has to decide this", at, decide)
	for range 2 { // a double tap
		if next := posts(t, r.manager, at, decide); next != "/reviews?done=stands" {
			t.Errorf("leads to %s", next)
		}
	}
	if state := hubtest.Value[string](t, r.hub, `SELECT review FROM consent_state WHERE id = $1`, id); state != "stands" {
		t.Errorf("it is %s", state)
	}
	is(t, r.second, 409, "awaits no review", at, url.Values{"act": {"decide"}, "id": {newID()}, "decision": {"refused"}})
	// Her own she does not decide.
	shows(t, r.manager, "/reviews/"+own, "You asked her yourself, so another manager")
	is(t, r.manager, 403, "Nobody decides what she has put forward herself", "/reviews/"+own, url.Values{"act": {"decide"}, "id": {newID()}, "decision": {"approved"}})
	posts(t, r.second, "/reviews/"+own, url.Values{"act": {"decide"}, "id": {newID()}, "decision": {"refused"}})
	if n := hubtest.Value[int](t, r.hub, `SELECT count(*) FROM audit_entry WHERE act = 'consent.waiting'`); n != 1 {
		t.Errorf("the list is logged %d times", n)
	}
}

// Whoever proved who she is too long ago proves it first, before she reads or decides anything.
func TestDecidingWantsAFreshProof(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.doubtful(t, r.caller)
	r.hub.Exec(t, `UPDATE oauth_session SET proved_at = now() - interval '1 hour'`)
	for _, path := range []string{"/reviews/" + id, "/overrides/" + newID() + "/decide", "/overrides/" + newID() + "/review"} {
		if a := r.manager.Get(t, path); a.Status != 303 || !strings.HasPrefix(a.Header.Get("Location"), "/step-up?next=") {
			t.Errorf("%s: %d %s", path, a.Status, a.Header.Get("Location"))
		}
	}
	if next := posts(t, r.manager, "/reviews/"+id, url.Values{"act": {"decide"}, "id": {newID()}, "decision": {"approved"}}); !strings.HasPrefix(next, "/step-up?next=") {
		t.Errorf("deciding leads to %s", next)
	}
	r.manager.StepUp(t)
	shows(t, r.manager, "/reviews/"+id, "A consent in doubt")
}

func why(emergency string) url.Values {
	return url.Values{"override-reason": {"serious-crime"}, "override-at-risk": {"herself"}, "override-sections": {"need", "risk"}, "override-emergency": {emergency}}
}

func need() url.Values {
	return url.Values{"override-necessity": {"He has a knife"}, "override-minimum": {"Nothing else helps"}, "override-danger": {"She, of being killed"}}
}

// propose goes through the pages to the override's own.
func (r rig) propose(t *testing.T, draft, emergency string) string {
	t.Helper()
	at := "/overrides/new/" + draft
	posts(t, r.worker, at+"/why", why(emergency))
	posts(t, r.worker, at+"/need", need())
	posts(t, r.worker, at+"/told", url.Values{"override-told": {"unsafe"}, "override-review": {"3"}})
	is(t, r.worker, 422, "policy document", at+"/check", nil)
	posts(t, r.worker, at+"/basis", url.Values{"override-basis-art6": {"ea"}, "override-basis-ea_condition": {"safeguarding"}, "override-basis-art9": {"g"},
		"override-basis-schedule1": {"18"}, "override-basis-schedule1_18_reason": {"would-prejudice"}, "override-basis-policy": {"APD-2026-1"}, "override-basis-pathway": {"none"}})
	next := posts(t, r.worker, at+"/check", nil)
	if again := posts(t, r.worker, at+"/check", nil); !strings.HasPrefix(next, again) { // a double tap
		t.Errorf("proposing leads to %s and then to %s", next, again)
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(next, "/overrides/"), "?")
	return id
}

// A caseworker proposes, a manager who is not she reads and decides, and looks at it again.
func TestSharingWithoutAgreementTakesTwo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	draft := r.refused(t)
	at := "/overrides/new/" + draft
	shows(t, r.worker, at, "She did not agree to this", "A manager, who is not you, has to decide it")
	is(t, r.worker, 422, "Say why it has to be shared", at+"/why", nil)
	is(t, r.worker, 422, "You say that a child is at risk", at+"/why", url.Values{"override-reason": {"child-at-risk"}, "override-at-risk": {"herself"}})
	is(t, r.worker, 422, "Say why it has to be shared", at+"/why", url.Values{"override-reason": {"cannot-consent"}}) // she refused, so she could be asked
	if a := r.worker.Get(t, at+"/check"); a.Header.Get("Location") != at+"/why" {
		t.Errorf("unanswered, the last page leads to %s", a.Header.Get("Location"))
	}
	id := r.propose(t, draft, "no")
	if n := hubtest.Value[int](t, r.hub, `SELECT count(*) FROM consent_override`); n != 1 {
		t.Errorf("%d are proposed", n)
	}
	if dump := hubtest.Value[string](t, r.hub, `SELECT string_agg(p::text, ' ') FROM consent_override_private p`); strings.Contains(dump, "knife") {
		t.Error("its texts lie in clear")
	}
	page := "/overrides/" + id
	if body := shows(t, r.worker, page, "Waits for a manager", "somebody else has to decide it: Kim Example and Mel Sample", "telling her would put her"); strings.Contains(body, "knife") {
		t.Error("its texts show before anybody opened them")
	}
	is(t, r.worker, 403, "A manager has to decide this", page+"/decide", url.Values{"id": {newID()}, "answer": {"approved"}})
	shows(t, r.manager, "/reviews", "to decide", "It may prevent a serious crime")
	if body := shows(t, r.manager, page+"/decide", "Read why before you answer"); strings.Contains(body, "knife") {
		t.Error("the address alone opens its texts")
	}
	opened := r.manager.Form(t, page+"/decide", url.Values{"act": {"open"}})
	if said := text(opened); !strings.Contains(said, "He has a knife") {
		t.Errorf("who decides reads %s", said)
	}
	is(t, r.manager, 422, "Answer the question", page+"/decide", nil)
	form := url.Values{"id": {hidden(t, opened, "id")}, "answer": {"approved"}}
	for range 2 {
		if next := posts(t, r.manager, page+"/decide", form); next != page+"?done=approved" {
			t.Errorf("leads to %s", next)
		}
	}
	is(t, r.second, 409, "decided, or ended, before", page+"/decide", url.Values{"id": {newID()}, "answer": {"refused"}})
	if next := posts(t, r.second, page+"/review", url.Values{"id": {newID()}, "answer": {"7"}}); next != page+"?done=continues" {
		t.Errorf("leads to %s", next)
	}
	if next := posts(t, r.worker, page, url.Values{"act": {"end"}, "id": {newID()}}); next != page+"?done=ended" {
		t.Errorf("who proposed it ends it: %s", next)
	}
	shows(t, r.worker, page, "Ended")
}

// An emergency counts at once, and says until when.
func TestAnEmergencySaysUntilWhen(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.propose(t, r.refused(t), "yes")
	shows(t, r.worker, "/overrides/"+id, "Emergency: counts for 24 hours", "If no manager has approved it by")
	shows(t, r.manager, "/reviews", "Decide by")
	r.hub.Exec(t, `UPDATE consent_override_state SET recorded_at = recorded_at - interval '25 hours'`)
	shows(t, r.manager, "/overrides/"+id, "Lapsed: nobody decided in time", "Read it and decide")
}

// No proposal begins where she agreed, where nothing was recorded, or where the law asks for her
// own word; and nobody but its writer goes on with it.
func TestNoProposalWhereNoneCanBe(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	duty := r.refused(t, func(a map[string][]string) { a["purpose"] = []string{"duty-to-refer"} })
	agreed := r.refused(t, func(a map[string][]string) { a["consent-agreement"] = []string{"agreed"} })
	unsaid := r.refused(t, func(a map[string][]string) { delete(a, "consent") })
	for _, page := range []string{"", "/why", "/need", "/told", "/basis", "/check"} {
		if a := r.worker.Get(t, "/overrides/new/"+duty+page); a.Status != 403 || !strings.Contains(text(a), "need her own agreement by law") {
			t.Errorf("%s of a homelessness referral: %d", page, a.Status)
		}
		for _, draft := range []string{agreed, unsaid} {
			if a := r.worker.Get(t, "/overrides/new/"+draft+page); a.Status != 303 || a.Header.Get("Location") != "/send/"+draft+"/consent" {
				t.Errorf("%s: %d %s", page, a.Status, a.Header.Get("Location"))
			}
		}
		if a := r.manager.Get(t, "/overrides/new/"+agreed+page); a.Status != 404 {
			t.Errorf("%s of a colleague's draft: %d", page, a.Status)
		}
	}
}
