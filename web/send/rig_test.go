package send_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/partners"
	"handover/referral"
	"handover/referral/managed"
)

// canary is in what is written, and must be in no address, title or entry.
const canary = "Quennell-canary"

// desk is an agency whose keys the hub holds, with a caseworker at her browser, and others to
// whom she sends.
type desk struct {
	hub      *hubtest.Hub
	agency   *hubtest.Agency
	worker   partners.User
	browser  *hubtest.Browser
	to       *hubtest.Agency // holds its own keys
	service  string
	caller   partners.Caller
	visited  []string // addresses
	previous hubtest.Answer
}

func newDesk(t *testing.T, category partners.Category) *desk {
	t.Helper()
	return deskAt(t, hubtest.New(t), category)
}

func deskAt(t *testing.T, h *hubtest.Hub, category partners.Category) *desk {
	t.Helper()
	d := &desk{hub: h, agency: h.Managed(t, "rosewood", partners.BoroughOutreach), to: h.Agency(t, "harbour", category)}
	d.service = h.Offer(t, d.to)
	h.Agree(t, d.agency, d.to)
	d.worker, d.browser = h.Joined(t, d.agency.ID, "Ayo Example", partners.Caseworker)
	d.caller = d.as(t, d.worker.ID)
	return d
}

// as is somebody as the stores see her.
func (d *desk) as(t *testing.T, user string) partners.Caller {
	t.Helper()
	callers, err := d.hub.Registry.Admit(t.Context(), []partners.Bearer{{User: user, Proved: d.hub.Now()}}, nil)
	if err != nil || callers[0] == nil {
		t.Fatalf("admitting: %v", err)
	}
	return *callers[0]
}

// get opens a page, which must be there.
func (d *desk) get(t *testing.T, path string) string {
	t.Helper()
	d.visited = append(d.visited, path)
	d.previous = d.browser.Get(t, path)
	if d.previous.Status != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, d.previous.Status, text(d.previous.Body))
	}
	return string(d.previous.Body)
}

// post sends a form, which must lead on, and returns where.
func (d *desk) post(t *testing.T, path string, fields url.Values) string {
	t.Helper()
	a := d.browser.Form(t, path, fields)
	if a.Status != http.StatusSeeOther {
		t.Fatalf("POST %s: %d %s", path, a.Status, text(a.Body))
	}
	d.visited = append(d.visited, path, a.Header.Get("Location"))
	return a.Header.Get("Location")
}

// wrong sends a form that is refused on its page, which must say so.
func (d *desk) wrong(t *testing.T, path string, fields url.Values, says ...string) {
	t.Helper()
	a := d.browser.Form(t, path, fields)
	shown := text(a.Body)
	if a.Status != http.StatusUnprocessableEntity || !strings.Contains(string(a.Body), "<title>Error: ") {
		t.Errorf("POST %s: %d %s", path, a.Status, shown)
	}
	for _, s := range says {
		if !strings.Contains(shown, s) {
			t.Errorf("POST %s does not say %q:\n%s", path, s, shown)
		}
	}
}

var (
	tag   = regexp.MustCompile(`<[^>]*>`)
	blank = regexp.MustCompile(`\s+`)
)

// text is what can be read on a page.
func text(page []byte) string {
	_, main, _ := strings.Cut(string(page), "<main")
	return html.UnescapeString(blank.ReplaceAllString(tag.ReplaceAllString(main, " "), " "))
}

// form is a form's fields.
func form(pairs ...string) url.Values {
	v := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		v.Add(pair[0], pair[1])
	}
	return v
}

// begun is a draft in which everything but her agreement is done; its path.
func (d *desk) begun(t *testing.T) string {
	t.Helper()
	at := d.post(t, "/send", form("adult", "yes"))
	draft := strings.TrimSuffix(at, "/find")
	at = d.post(t, at, form("purpose", "advocacy", "area", hubtest.Area))
	at = d.post(t, at, form("service", d.service))
	at = d.post(t, at, form("urgency", "routine"))
	at = d.post(t, at, form("safe-contact__channel", "via-worker", "safe-contact__number", "020 7946 0000", "safe-contact__last_confirmed", "today"))
	if at = d.post(t, at, form("need__summary", canary, "need__safe_tonight", "yes")); at != draft+"/consent" {
		t.Fatalf("then it leads to %s", at)
	}
	return draft
}

// agrees records that she agrees to some sections, and puts the record under the draft.
func (d *desk) agrees(t *testing.T, draft string, change func(*record.Claims), sections ...string) {
	t.Helper()
	now := d.hub.Now().Unix()
	said := managed.Saying{How: &record.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
		Claims: record.Claims{ID: uuid.Must(uuid.NewV7()).String(), Jurisdiction: "GB-ENG", Agreement: "agreed", Method: "verbal-in-person", Purpose: "advocacy",
			Recipients: []string{string(d.to.ID), string(d.agency.ID)}, Sections: sections, Onward: "none",
			Notice:  record.Notice{Version: "1", Digest: ids.Digest("notice"), Language: "en"},
			Bases:   record.Bases{{Article6: "a", Article9: "a"}},
			Gate:    record.Gate{Pathway: "none"},
			GivenAt: now - 60, ValidFrom: now - 60, Expires: now + 3600}}
	if change != nil {
		change(&said.Claims)
	}
	if _, err := d.hub.Desk.Record(t.Context(), d.caller, said); err != nil {
		t.Fatal(err)
	}
	d.answer(t, draft, "consent", said.Claims.ID)
}

// answer puts an answer into a draft, as the pages about her agreement do.
func (d *desk) answer(t *testing.T, draft, question string, said ...string) {
	t.Helper()
	kept, err := d.hub.Desk.Draft(t.Context(), d.caller, strings.TrimPrefix(draft, "/send/"))
	if err != nil {
		t.Fatal(err)
	}
	kept.Answers[question] = said
	if err := d.hub.Desk.KeepDraft(t.Context(), d.caller, kept); err != nil {
		t.Fatal(err)
	}
}

// answers are what the draft has.
func (d *desk) answers(t *testing.T, draft string) map[string][]string {
	t.Helper()
	kept, err := d.hub.Desk.Draft(t.Context(), d.caller, strings.TrimPrefix(draft, "/send/"))
	if err != nil {
		t.Fatal(err)
	}
	return kept.Answers
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func opening(sections ...string) referral.Opening {
	return referral.Opening{Sections: sections, Reason: "resend"}
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
}
