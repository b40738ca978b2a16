package agreements_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
)

const root = "/agency/agreements"

// scene is two agencies whose keys the hub holds, with an administrator of each.
type scene struct {
	hub      *hubtest.Hub
	from, to *hubtest.Agency
	ours     *hubtest.Browser // Ada Example, of from
	theirs   *hubtest.Browser // Bea Sample, of to
}

func newScene(t *testing.T, h *hubtest.Hub) scene {
	t.Helper()
	s := scene{hub: h, from: h.Managed(t, "willow-outreach", partners.BoroughOutreach), to: h.Managed(t, "rosewood", partners.Housing)}
	_, s.ours = h.Joined(t, s.from.ID, "Ada Example", partners.Administrator)
	_, s.theirs = h.Joined(t, s.to.ID, "Bea Sample", partners.Administrator)
	return s
}

// page is what a page says, as text, and its HTML.
type page struct {
	hubtest.Answer
	html, text string
}

var (
	tags   = regexp.MustCompile(`(?s)<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
	inputs = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

func pageOf(a hubtest.Answer) page {
	body := string(a.Body)
	_, main, _ := strings.Cut(body, "<main")
	return page{a, body, spaces.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(main, " ")), " ")}
}

func get(t *testing.T, b *hubtest.Browser, path string) page {
	t.Helper()
	return pageOf(b.Get(t, path))
}

// answer sends the form of the page with what else is said.
func answer(t *testing.T, b *hubtest.Browser, of page, path string, fields url.Values) page {
	t.Helper()
	sent := url.Values{}
	for _, m := range inputs.FindAllStringSubmatch(of.html, -1) {
		sent.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	for name, values := range fields {
		sent[name] = values
	}
	return pageOf(b.Form(t, path, sent))
}

func says(t *testing.T, p page, status int, words ...string) {
	t.Helper()
	if p.Status != status {
		t.Fatalf("%d %s, want %d", p.Status, p.text, status)
	}
	for _, w := range words {
		if not, found := strings.CutPrefix(w, "!"); found != !strings.Contains(p.text, not) {
			t.Errorf("it says, or does not say, %q:\n%s", w, p.text)
		}
	}
}

// propose goes through the questions, and returns the address of what is proposed.
func (s scene) propose(t *testing.T, first page) string {
	t.Helper()
	path := root + "/propose"
	p := answer(t, s.ours, first, path, url.Values{"other": {"rosewood"}})
	says(t, p, 200, "What may you send Agency rosewood?", "Never, whatever you agree: health, immigration and contact with the justice system")
	p = answer(t, s.ours, p, path, url.Values{"send-purposes": {"housing"}, "send-sections": {"need", "safe-contact"}})
	says(t, p, 200, "What may Agency rosewood send you?")
	p = answer(t, s.ours, p, path, url.Values{})
	says(t, p, 200, "How long?")
	p = answer(t, s.ours, p, path, url.Values{"months": {"12"}, "review": {"6"}})
	says(t, p, 200, "Check it, then sign", "what she needs", "how to reach her safely", "Nothing.", "12 months")
	p = answer(t, s.ours, p, path, url.Values{})
	if p.Status != http.StatusSeeOther {
		t.Fatalf("%d %s", p.Status, p.text)
	}
	at, code, _ := strings.Cut(p.Header.Get("Location"), "?")
	if code != "done=propose" || !strings.HasPrefix(at, root+"/") {
		t.Fatalf("she is led to %s", p.Header.Get("Location"))
	}
	return at
}

// TestTwoAdministratorsAgreeInTheirBrowsers: one proposes, the other reads exactly that and signs;
// each is named to her own colleagues and not to the other agency; either ends it.
func TestTwoAdministratorsAgreeInTheirBrowsers(t *testing.T) {
	t.Parallel()
	s := newScene(t, hubtest.New(t))
	says(t, get(t, s.ours, root), 200, "Your agency has no agreement yet", "Propose an agreement")
	at := s.propose(t, get(t, s.ours, root+"/propose"))
	says(t, get(t, s.ours, at+"?done=propose"), 200, "The agreement was proposed", "Waiting for them to sign", "by Ada Example, Agency willow-outreach", "The hub holds this agency’s key", "Take the proposal back", "!Sign it")
	says(t, get(t, s.theirs, root), 200, "Waiting for your agency", "They may send: how to reach her safely and what she needs", "You may send: nothing")
	says(t, get(t, s.theirs, at), 200, "Waiting for you to sign", "Sign it", "Refuse it", "!Ada Example", "!Take the proposal back")

	sign := get(t, s.theirs, at+"/sign")
	says(t, sign, 200, "Sign the agreement with Agency willow-outreach", "I have read this, and I may sign it")
	says(t, answer(t, s.theirs, sign, at+"/sign", url.Values{}), 422, "Tick the box to sign")
	signed := answer(t, s.theirs, sign, at+"/sign", url.Values{"confirm": {"yes"}})
	if signed.Header.Get("Location") != at+"?done=sign" {
		t.Fatalf("%d %s", signed.Status, signed.text)
	}
	// The same form once more is the same signature.
	if again := answer(t, s.theirs, sign, at+"/sign", url.Values{"confirm": {"yes"}}); again.Header.Get("Location") != at+"?done=sign" {
		t.Errorf("again: %d %s", again.Status, again.text)
	}
	if n := hubtest.Value[int](t, s.hub, `SELECT count(*) FROM agreement WHERE ended_at IS NULL`); n != 1 {
		t.Errorf("%d directions are in force, want 1", n)
	}
	says(t, get(t, s.theirs, at), 200, "In force", "You may send Agency willow-outreach", "Agency willow-outreach may send you", "by Bea Sample, Agency rosewood", "!Ada Example", "End it", "Propose a new version")
	says(t, get(t, s.ours, at), 200, "In force", "by Ada Example", "!Bea Sample", "End it")
	says(t, get(t, s.ours, at+"/sign"), 409, "as it stands")

	end := get(t, s.theirs, at+"/end")
	says(t, end, 200, "End the agreement with Agency willow-outreach", "No referral between you is open now")
	if ended := answer(t, s.theirs, end, at+"/end", url.Values{}); ended.Header.Get("Location") != at+"?done=end" {
		t.Fatalf("%d %s", ended.Status, ended.text)
	}
	says(t, get(t, s.ours, at), 200, "Ended", "by Agency rosewood", "!End it")
	says(t, get(t, s.ours, root), 200, "Ended, refused or replaced")
	s.hub.Reconciles(t)
}

// TestAProposalIsRefusedOrTakenBack: the other agency is told why, by a code.
func TestAProposalIsRefusedOrTakenBack(t *testing.T) {
	t.Parallel()
	s := newScene(t, hubtest.New(t))
	at := s.propose(t, get(t, s.ours, root+"/propose"))
	refuse := get(t, s.theirs, at+"/refuse")
	says(t, answer(t, s.theirs, refuse, at+"/refuse", url.Values{}), 422, "Choose why you refuse")
	if p := answer(t, s.theirs, refuse, at+"/refuse", url.Values{"reason": {"too-much"}}); p.Header.Get("Location") != at+"?done=refuse" {
		t.Fatalf("%d %s", p.Status, p.text)
	}
	says(t, get(t, s.ours, at), 200, "Refused", "It covers more than we need, or may give")

	at = s.propose(t, get(t, s.ours, root+"/propose"))
	says(t, answer(t, s.ours, get(t, s.ours, root+"/propose"), root+"/propose", url.Values{"other": {"rosewood"}}), 422, "They have not answered your last proposal")
	back := get(t, s.ours, at+"/end")
	says(t, back, 200, "Take back what you proposed")
	if p := answer(t, s.ours, back, at+"/end", url.Values{}); p.Header.Get("Location") != at+"?done=back" {
		t.Fatalf("%d %s", p.Status, p.text)
	}
	says(t, get(t, s.theirs, at), 200, "Taken back", "!Sign it")
	s.hub.Reconciles(t)
}

// TestAnAgreementIsChangedByANewVersion which begins with what is in force.
func TestAnAgreementIsChangedByANewVersion(t *testing.T) {
	t.Parallel()
	s := newScene(t, hubtest.New(t))
	at := s.propose(t, get(t, s.ours, root+"/propose"))
	answer(t, s.theirs, get(t, s.theirs, at+"/sign"), at+"/sign", url.Values{"confirm": {"yes"}})
	path := root + "/propose"
	p := get(t, s.ours, path+"?after="+strings.TrimPrefix(at, root+"/"))
	says(t, p, 200, "What may you send Agency rosewood?", "What you propose takes its place")
	if n := strings.Count(p.html, " checked"); n != 3 {
		t.Errorf("%d boxes are ticked of what is in force, want 3", n)
	}
	for _, fields := range []url.Values{{"send-purposes": {"housing"}, "send-sections": {"need"}}, {}, {"months": {"24"}, "review": {"12"}}, {}} {
		p = answer(t, s.ours, p, path, fields)
	}
	next, _, _ := strings.Cut(p.Header.Get("Location"), "?")
	sign := get(t, s.theirs, next+"/sign")
	says(t, sign, 200, "It takes the place of the agreement")
	answer(t, s.theirs, sign, next+"/sign", url.Values{"confirm": {"yes"}})
	says(t, get(t, s.ours, next), 200, "In force", "The version before")
	says(t, get(t, s.ours, at), 200, "Replaced", "The version in its place", "The signature under the later version ended this one")
	s.hub.Reconciles(t)
}

// TestWhatIsAskedOfAProposal: each mistake is told where it is, and what the firewall stops cannot
// be chosen.
func TestWhatIsAskedOfAProposal(t *testing.T) {
	t.Parallel()
	s := newScene(t, hubtest.New(t))
	path := root + "/propose"
	with := url.Values{"other": {"rosewood"}}
	for name, row := range map[string]struct {
		step   string
		fields url.Values
		wants  string
	}{
		"no agency":           {"other", url.Values{"other": {""}}, "Choose the agency"},
		"her own agency":      {"other", url.Values{"other": {"willow-outreach"}}, "Choose the agency"},
		"no purpose":          {"sends", url.Values{"send-sections": {"need"}}, "Choose what for"},
		"no kind":             {"sends", url.Values{"send-purposes": {"housing"}}, "Choose which kinds of information"},
		"an unknown kind":     {"sends", url.Values{"send-purposes": {"housing"}, "send-sections": {"everything"}}, "Choose which kinds of information"},
		"past the firewall":   {"sends", url.Values{"send-purposes": {"housing"}, "send-sections": {"need", "health"}}, "Leave out “health”: housing may never receive it"},
		"nothing at all":      {"receives", url.Values{}, "Choose what they may send you"},
		"for ever":            {"until", url.Values{"send-purposes": {"housing"}, "send-sections": {"need"}, "months": {"999"}, "review": {"6"}}, "Choose how long it stands"},
		"looked at too late":  {"until", url.Values{"send-purposes": {"housing"}, "send-sections": {"need"}, "months": {"6"}, "review": {"12"}}, "no later than it ends"},
		"all of it, unlooked": {"check", url.Values{"send-purposes": {"housing"}, "send-sections": {"immigration"}, "months": {"6"}, "review": {"6"}}, "Leave out “immigration”"},
	} {
		fields := url.Values{"step": {row.step}}
		for _, m := range []url.Values{with, row.fields} {
			for k, v := range m {
				fields[k] = v
			}
		}
		t.Log(name)
		says(t, pageOf(s.ours.Form(t, path, fields)), 422, row.wants)
	}
	if n := hubtest.Value[int](t, s.hub, `SELECT count(*) FROM signed_agreement`); n != 0 {
		t.Errorf("%d agreements are proposed", n)
	}
}

// TestWhoMaySeeAndDoWhat: everybody of the two agencies reads, administrators act, a third agency
// and a stranger learn nothing. An agency that holds its own keys is told how to sign.
func TestWhoMaySeeAndDoWhat(t *testing.T) {
	t.Parallel()
	s := newScene(t, hubtest.New(t))
	at := s.propose(t, get(t, s.ours, root+"/propose"))
	third := s.hub.Agency(t, "larkfield", partners.Housing) // holds its own keys
	_, stranger := s.hub.Joined(t, third.ID, "Cy Example", partners.Administrator)
	for _, role := range []partners.Role{partners.Caseworker, partners.Manager, partners.Auditor} {
		_, b := s.hub.Joined(t, s.to.ID, "Somebody", role)
		says(t, get(t, b, root), 200, "Agency willow-outreach", "!Propose an agreement")
		says(t, get(t, b, at), 200, "An administrator of your agency signs", "!Sign it")
		for _, path := range []string{root + "/propose", at + "/sign", at + "/refuse", at + "/end"} {
			says(t, get(t, b, path), 404, "There is nothing here that you may see")
			says(t, pageOf(b.Form(t, path, url.Values{"confirm": {"yes"}})), 404)
		}
	}
	says(t, get(t, stranger, root), 200, "!Agency willow-outreach")
	for _, path := range []string{at, at + "/sign", at + "/refuse", at + "/end", root + "/none"} {
		says(t, get(t, stranger, path), 404, "There is nothing here that you may see")
	}
	if p := get(t, s.hub.Browser(), at); p.Status != http.StatusSeeOther || !strings.HasPrefix(p.Header.Get("Location"), "/sign-in?") {
		t.Errorf("signed out: %d %s", p.Status, p.Header.Get("Location"))
	}
	p := pageOf(stranger.Form(t, root+"/propose", url.Values{"step": {"until"}, "other": {"rosewood"}, "send-purposes": {"housing"}, "send-sections": {"need"}, "months": {"12"}, "review": {"6"}}))
	says(t, p, 200, "Your agency holds its own keys", "handover agreements propose rosewood --send-purposes housing --send-sections need --months 12 --review 6", "!Sign and propose")
	says(t, pageOf(stranger.Form(t, root+"/propose", url.Values{"step": {"check"}, "other": {"rosewood"}, "send-purposes": {"housing"}, "send-sections": {"need"}, "months": {"12"}, "review": {"6"}})), 409, "Your agency holds its own keys")

	s.hub.Exec(t, `UPDATE oauth_session SET proved_at = now() - interval '16 minutes'`)
	for _, path := range []string{root + "/propose", at + "/sign"} {
		if p := pageOf(s.theirs.Form(t, path, url.Values{"confirm": {"yes"}})); p.Status != http.StatusSeeOther || !strings.HasPrefix(p.Header.Get("Location"), "/step-up?next=") {
			t.Errorf("%s by who has proved nothing for a while: %d %s", path, p.Status, p.Header.Get("Location"))
		}
	}
	says(t, get(t, s.theirs, at), 200, "Waiting for you to sign")
}
