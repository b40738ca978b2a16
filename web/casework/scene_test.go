package casework_test

import (
	"encoding/json"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/partners"
	"handover/referral/managed"
	"handover/referral/packet"
)

// canary is what is written about her, and must be on no page that has not opened it, in no
// address and in no title.
const canary = "Quennell"

// worker is somebody in the hub's pages, with what the desk needs to act for her.
type worker struct {
	*hubtest.Browser
	User   partners.User
	Caller partners.Caller
}

// scene is two agencies with no IT, whose keys the hub holds, and somebody of each.
type scene struct {
	hub      *hubtest.Hub
	from, to *hubtest.Agency
	sends    worker // of from
	takes    worker // of to
	service  string // of to
	back     string // the agreement from to to from
}

func newScene(t *testing.T) scene { t.Helper(); return sceneAt(t, hubtest.New(t)) }

func sceneAt(t *testing.T, h *hubtest.Hub) scene {
	t.Helper()
	s := scene{hub: h, from: h.Managed(t, "willow-outreach", partners.BoroughOutreach), to: h.Managed(t, "rosewood", partners.VAWGService)}
	s.service = h.Offer(t, s.to)
	h.Agree(t, s.from, s.to)
	s.back = h.Agree(t, s.to, s.from)
	s.sends, s.takes = join(t, h, s.from, "Sam Sample"), join(t, h, s.to, "Ayo Example")
	return s
}

func join(t *testing.T, h *hubtest.Hub, at *hubtest.Agency, name string) worker {
	t.Helper()
	u, b := h.Joined(t, at.ID, name, partners.Caseworker)
	callers, err := h.Registry.Admit(t.Context(), []partners.Bearer{{User: u.ID, Proved: h.Now()}}, nil)
	if err != nil || callers[0] == nil {
		t.Fatal(err, callers)
	}
	return worker{b, u, *callers[0]}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// agreed records what a woman agreed to, after change, and returns its id.
func (s scene) agreed(t *testing.T, change ...func(*record.Claims)) string {
	t.Helper()
	now, how := s.hub.Now().Unix(), hubtest.Asked()
	c := record.Claims{ID: newID(), Jurisdiction: "GB-ENG", Agreement: "agreed", Method: "verbal-in-person", Purpose: "housing",
		Recipients: []string{string(s.to.ID), string(s.from.ID)}, Sections: []string{"need", "note", "risk", "safe-contact", "contact"}, Onward: "none",
		Notice: record.Notice{Version: "1", Digest: ids.Digest("notice"), Language: "en"}, Bases: record.Bases{{Article6: "a", Article9: "a"}},
		Gate: record.Gate{Pathway: "none"}, GivenAt: now - 60, ValidFrom: now - 60, Expires: now + 30*24*3600}
	for _, f := range change {
		f(&c)
	}
	if _, err := s.hub.Desk.Record(t.Context(), s.sends.Caller, managed.Saying{Claims: c, How: &how}); err != nil {
		t.Fatal(err)
	}
	return c.ID
}

// only has the record name the recipient alone, as most do.
func (s scene) only(c *record.Claims) { c.Recipients = []string{string(s.to.ID)} }

// sections is what is sent of her.
func (s scene) sections(change map[string]map[string]any) map[string]packet.Content {
	all := map[string]map[string]any{
		"safe-contact": {"channel": "call", "number": "+447700900123", "last_confirmed": s.hub.Now().UTC().Format(time.DateOnly)},
		"need":         {"summary": canary + " needs a room", "safe_tonight": "no"},
		"risk":         {"summary": canary + " is followed", "harms": []map[string]string{{"type": "cuckooing", "basis": "suspected"}}},
	}
	maps.Copy(all, change)
	content := map[string]packet.Content{}
	for name, said := range all {
		content[name], _ = json.Marshal(said) // of plain values
	}
	return content
}

// refer sends a referral on the consent and returns its id.
func (s scene) refer(t *testing.T, consent string, content map[string]packet.Content) string {
	t.Helper()
	entry, err := s.hub.Desk.Refer(t.Context(), s.sends.Caller, managed.Request{ID: newID(), To: s.to.ID, Consent: consent, Purpose: "housing",
		Urgency: "urgent", Service: s.service, Area: hubtest.Area, Content: content})
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := s.hub.Log.Receipt(t.Context(), entry)
	if err != nil {
		t.Fatal(err)
	}
	return receipt.Referral
}

// sent is refer of a woman who agreed to everything that is sent.
func (s scene) sent(t *testing.T) string {
	t.Helper()
	return s.refer(t, s.agreed(t), s.sections(nil))
}

// page is an answer with its forms.
type page struct {
	hubtest.Answer
	text string // what can be read, on one line
}

var tags = regexp.MustCompile(`(?s)<(script|style)[^>]*>.*?</(script|style)>|<[^>]+>`)

func read(a hubtest.Answer) page {
	text := tags.ReplaceAllString(string(a.Body), " ")
	return page{a, strings.Join(strings.Fields(html.UnescapeString(text)), " ")}
}

// must fails unless the page has the status and says all of it.
func (p page) must(t *testing.T, status int, says ...string) page {
	t.Helper()
	if p.Status != status {
		t.Fatalf("answered %d, want %d: %s", p.Status, status, p.text)
	}
	for _, s := range says {
		if !strings.Contains(p.text, s) {
			t.Fatalf("does not say %q: %s", s, p.text)
		}
	}
	return p
}

// mustNot fails if the page says any of it.
func (p page) mustNot(t *testing.T, says ...string) page {
	t.Helper()
	for _, s := range says {
		if strings.Contains(string(p.Body), s) {
			t.Errorf("says %q: %s", s, p.text)
		}
	}
	return p
}

var (
	formTag  = regexp.MustCompile(`(?s)<form method="post" action="([^"]+)"[^>]*>(.*?)</form>`)
	fieldTag = regexp.MustCompile(`<(input|textarea)[^>]*>([^<]*)`)
	attrs    = regexp.MustCompile(`([a-z]+)="([^"]*)"`)
)

// form is what the page's form for the address would send as it stands, with change.
func (p page) form(t *testing.T, action string, change url.Values) url.Values {
	t.Helper()
	i := slices.IndexFunc(formTag.FindAllStringSubmatch(string(p.Body), -1), func(m []string) bool { return html.UnescapeString(m[1]) == action })
	if i < 0 {
		t.Fatalf("has no form for %s: %s", action, p.text)
	}
	sent := url.Values{}
	for _, field := range fieldTag.FindAllStringSubmatch(formTag.FindAllStringSubmatch(string(p.Body), -1)[i][2], -1) {
		has := map[string]string{}
		for _, a := range attrs.FindAllStringSubmatch(field[0], -1) {
			has[a[1]] = html.UnescapeString(a[2])
		}
		if has["type"] == "radio" && !strings.Contains(field[0], " checked") {
			continue
		}
		value := has["value"]
		if field[1] == "textarea" {
			value = html.UnescapeString(field[2])
		}
		sent.Add(has["name"], value)
	}
	for name, values := range change {
		if name == "open" {
			sent[name] = append(sent[name], values...)
			continue
		}
		sent[name] = values
	}
	return sent
}

// get opens a page.
func (w worker) get(t *testing.T, path string) page {
	t.Helper()
	return read(w.Get(t, path)).discreet(t)
}

// press sends the page's form for the address, as a button of it would.
func (w worker) press(t *testing.T, p page, action string, change url.Values) page {
	t.Helper()
	return read(w.Form(t, action, p.form(t, action, change))).discreet(t)
}

var title = regexp.MustCompile(`(?s)<title>.*?</title>`)

// discreet fails if what stays in the browser's history says anything of her, of an agency or
// of who works there: the title, and the address that it is led to.
func (p page) discreet(t *testing.T) page {
	t.Helper()
	for _, s := range []string{title.FindString(string(p.Body)), p.Header.Get("Location")} {
		if found := plain.FindString(s); found != "" {
			t.Errorf("%q is in %s", found, s)
		}
	}
	if p.Status != http.StatusSeeOther && p.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("it may be kept: %v", p.Header)
	}
	return p
}

// leads is where an answer leads on to.
func (p page) leads(t *testing.T, to string) {
	t.Helper()
	if p.Status != http.StatusSeeOther || p.Header.Get("Location") != to {
		t.Fatalf("answered %d to %q, want to be led to %q: %s", p.Status, p.Header.Get("Location"), to, p.text)
	}
}

// step does one decision from the referral's page to its end.
func (w worker) step(t *testing.T, id, event string, change url.Values) {
	t.Helper()
	at := "/referrals/" + id + "/decide/" + event
	p := w.get(t, at).must(t, http.StatusOK)
	if change == nil {
		change = url.Values{}
	}
	if !strings.Contains(string(p.Body), `value="confirm"`) {
		change.Set("to", "check")
		p = w.press(t, p, at, change).must(t, http.StatusOK)
	}
	w.press(t, p, at, url.Values{"to": {"confirm"}}).leads(t, "/referrals/"+id+"?done="+event)
}

// acts counts entries of an act about a referral.
func (s scene) acts(t *testing.T, act, id string) int {
	t.Helper()
	n := 0
	for _, e := range s.hub.Entries(t, 0) {
		if e.Act == act && e.Referral == id {
			n++
		}
	}
	return n
}
