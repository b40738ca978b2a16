package auditing_test

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
)

// story is a hub on which something has happened that an auditor wants to see.
type story struct {
	*hubtest.Hub
	pair, others hubtest.Pair
	sent         hubtest.Sealed
	worker       *hubtest.Person
	override     hubtest.Override // an emergency that nobody has decided
	doubtful     hubtest.Consent
	overseer     *hubtest.Agency

	auditor, theirs, overseers *hubtest.Browser // signed in: of the sender, of others, of oversight
}

// tell tells it on h. Names are Example's, so that they are found where they must not be.
func tell(t *testing.T, h *hubtest.Hub) *story {
	t.Helper()
	s := &story{Hub: h, pair: h.Pair(t, partners.Housing), others: h.Pair(t, partners.Housing), overseer: h.Agency(t, "city-oversight", partners.Oversight)}
	s.worker = h.Person(t, s.pair.From.ID, partners.Caseworker)
	h.Exec(t, `UPDATE partner_user SET name = 'Ayo Example' WHERE id = $1`, s.worker.ID)
	s.sent = s.pair.Sent(t, "need")
	s.pair.To.Open(t, s.sent.Digest, "", "need").Into(t, http.StatusOK, new(any))
	s.others.Sent(t, "need")
	s.override = s.pair.From.Override(t, s.worker.ID, s.pair.To, hubtest.Subject(), hubtest.Emergency)
	if a := s.worker.Propose(t, s.override); a.Status != http.StatusCreated {
		t.Fatalf("proposing: %d %s", a.Status, a.Body)
	}
	how := hubtest.Asked()
	how.Coercion = "suspected"
	s.doubtful = s.pair.From.ConsentAsked(t, how, hubtest.Subject(), s.pair.Named())
	if a := s.pair.From.PostConsent(t, s.doubtful); a.Status != http.StatusCreated {
		t.Fatalf("recording in doubt: %d %s", a.Status, a.Body)
	}
	for range 6 { // of what she may not do
		s.worker.Do(t, hubtest.Call{Method: http.MethodGet, Path: "/v1/log/entries"})
	}
	_, s.auditor = h.Joined(t, s.pair.From.ID, "Ada Example", partners.Auditor)
	_, s.theirs = h.Joined(t, s.others.From.ID, "Bea Example", partners.Auditor)
	_, s.overseers = h.Joined(t, s.overseer.ID, "Cleo Example", partners.Auditor)
	return s
}

var tag = regexp.MustCompile(`(?s)<(script|style)[^>]*>.*?</(script|style)>|<[^>]*>`)

// text is what can be read on a page, on one line.
func text(a hubtest.Answer) string {
	return strings.Join(strings.Fields(html.UnescapeString(tag.ReplaceAllString(string(a.Body), " "))), " ")
}

// page is a page's text; the page must be there.
func page(t *testing.T, b *hubtest.Browser, path string) string {
	t.Helper()
	a := b.Get(t, path)
	if a.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, a.Status, text(a))
	}
	return text(a)
}

// entryOf is the id of the newest entry of an act of the agency.
func (s *story) entryOf(t *testing.T, act string, of partners.ID) string {
	t.Helper()
	return hubtest.Value[string](t, s.Hub, fmt.Sprintf(`SELECT id::text FROM audit_entry WHERE act = '%s' AND partner = '%s' ORDER BY id DESC LIMIT 1`, act, of))
}

// has fails the test unless the text has each of the words.
func has(t *testing.T, where, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q:\n%s", where, w, text)
		}
	}
}

// lists are the pages of the room that need no id.
func lists() []string {
	return []string{"/audit", "/audit/consents", "/audit/openings", "/audit/refusals", "/audit/entries", "/audit/overrides", "/audit/review", "/audit/export"}
}
