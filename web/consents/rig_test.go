package consents_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/managed"
)

// rig is an agency whose keys the hub holds, with a caseworker and a manager in their
// browsers, and a housing team to which she wants to refer.
type rig struct {
	hub             *hubtest.Hub
	own, to         *hubtest.Agency
	worker, manager *hubtest.Browser
	workerID        string
	managerID       string
}

func newRig(t *testing.T) rig { t.Helper(); return rigAt(t, hubtest.New(t)) }

func rigAt(t *testing.T, h *hubtest.Hub) rig {
	t.Helper()
	r := rig{hub: h, own: h.Managed(t, "rosewood", partners.VAWGService), to: h.Agency(t, "larkfield-housing", partners.Housing)}
	h.Agree(t, r.own, r.to)
	h.Agree(t, r.to, r.own)
	u, b := h.Joined(t, r.own.ID, "Ayo Example", partners.Caseworker)
	r.worker, r.workerID = b, u.ID
	u, b = h.Joined(t, r.own.ID, "Mel Sample", partners.Manager)
	r.manager, r.managerID = b, u.ID
	return r
}

// caller is somebody of the hub as its stores see her.
func (r rig) caller(t *testing.T, user string) partners.Caller {
	t.Helper()
	callers, err := r.hub.Registry.Admit(t.Context(), []partners.Bearer{{User: user, Proved: r.hub.Now()}}, nil)
	if err != nil || callers[0] == nil {
		t.Fatal(err, callers)
	}
	return *callers[0]
}

// draft is a referral that she has begun: to whom, what for, and what she wants to share.
func (r rig) draft(t *testing.T, change ...func(map[string][]string)) string {
	t.Helper()
	c := r.caller(t, r.workerID)
	d, err := r.hub.Desk.BeginDraft(t.Context(), c, managed.ReferralDraft)
	if err != nil {
		t.Fatal(err)
	}
	d.Answers = map[string][]string{"to": {string(r.to.ID)}, "purpose": {"housing"}, "sections": {"identity", "need", "safe-contact", "risk"}, "area": {hubtest.Area}}
	for _, f := range change {
		f(d.Answers)
	}
	if err := r.hub.Desk.KeepDraft(t.Context(), c, d); err != nil {
		t.Fatal(err)
	}
	return d.ID
}

func (r rig) answers(t *testing.T, id string) map[string][]string {
	t.Helper()
	d, err := r.hub.Desk.Draft(t.Context(), r.caller(t, r.workerID), id)
	if err != nil {
		t.Fatal(err)
	}
	return d.Answers
}

// posts posts a form and returns where it leads; the page must not be shown again.
func posts(t *testing.T, b *hubtest.Browser, path string, form url.Values) string {
	t.Helper()
	a := b.Form(t, path, form)
	if a.Status != 303 {
		t.Fatalf("%s: %d\n%s", path, a.Status, mistakes(a))
	}
	return a.Header.Get("Location")
}

// refuses posts a form that is shown again with what is wrong.
func refuses(t *testing.T, b *hubtest.Browser, path, what string, form url.Values) {
	t.Helper()
	a := b.Form(t, path, form)
	if a.Status != 422 || !strings.Contains(text(a), what) || !strings.Contains(string(a.Body), "<title>Error: ") {
		t.Errorf("%s is answered %d, want 422 and %q\n%s", path, a.Status, what, mistakes(a))
	}
}

// shows opens a page that has to say all of this.
func shows(t *testing.T, b *hubtest.Browser, path string, says ...string) string {
	t.Helper()
	a := b.Get(t, path)
	body := text(a)
	if a.Status != 200 {
		t.Fatalf("%s: %d %s", path, a.Status, body)
	}
	for _, s := range says {
		if !strings.Contains(body, s) {
			t.Errorf("%s does not say %q:\n%s", path, s, body)
		}
	}
	return body
}

var tags = regexp.MustCompile(`(?s)<title>.*?</title>|<script.*?</script>|<[^>]*>`)

// text is what a page says.
func text(a hubtest.Answer) string {
	plain := strings.NewReplacer("&#39;", "'", "&#34;", `"`, "&amp;", "&").Replace(tags.ReplaceAllString(string(a.Body), " "))
	return strings.Join(strings.Fields(plain), " ")
}

func mistakes(a hubtest.Answer) string {
	_, after, _ := strings.Cut(string(a.Body), "govuk-error-summary")
	return tags.ReplaceAllString(after[:min(len(after), 1500)], " ")
}

// value is what a hidden field of a page holds.
func value(t *testing.T, b *hubtest.Browser, path, name string) string {
	t.Helper()
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(string(b.Get(t, path).Body))
	if found == nil {
		t.Fatalf("%s has no field %s", path, name)
	}
	return found[1]
}

// asked are ordinary answers about how she was asked.
func asked(change url.Values) url.Values {
	form := url.Values{"consent-method": {"verbal-in-person"}, "consent-alone": {"yes"}, "consent-coercion": {"none"}, "consent-interpreter": {"none"},
		"consent-language": {"en"}, "consent-capacity": {"presumed"}}
	for k, v := range change {
		form[k] = v
	}
	return form
}

// yes goes through the pages of a yes to two of four things, and returns the record's id.
func (r rig) yes(t *testing.T, draft string, how url.Values) string {
	t.Helper()
	at := "/send/" + draft + "/consent"
	posts(t, r.worker, at, url.Values{"consent-agreement": {"agreed"}, "consent-sections": {"need", "safe-contact"}, "consent-back": {"yes"}})
	next := posts(t, r.worker, at+"/how", asked(how))
	if next == at+"/capacity" {
		posts(t, r.worker, next, url.Values{})
	}
	posts(t, r.worker, at+"/words", url.Values{"consent-words": {"Housing, not my health"}, "consent-until": {"28"}})
	posts(t, r.worker, at+"/check", nil)
	return r.answers(t, draft)["consent"][0]
}
