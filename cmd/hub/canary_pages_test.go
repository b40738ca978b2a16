package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"handover/client"
	"handover/internal/hubtest"
	"handover/internal/ids"
)

// typedName is what a caseworker writes into every box of every page.
const typedName = "Marigold-Threnody-5208"

// TestNothingOfWhatPagesShowLeaves walks every page that can be reached, as each role of an agency
// whose keys the hub holds, of another one and of the sender, follows every link and sends every
// form. Who may not read what is written about her is shown none of it. And of what caseworkers open and
// write nothing is in an address, a title, a cookie's name, the log, the metrics or a row.
func TestNothingOfWhatPagesShowLeaves(t *testing.T) {
	t.Parallel()
	log := &lockedBuffer{}
	r := startHub(t, slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.env = append(r.env, "HUB_ISSUER="+r.Issuer)
	first, second := r.referredToNoIT(t) // the caseworker may end the first
	person := func(agency, role string) *hubtest.Browser {
		her := hubtest.NewBrowser(r.Issuer, overHTTP(t, http.DefaultTransport))
		her.Join(t, codeOf(r.operator(t, "user", "add", agency, "--name", "Ayo Example", "--role", role)))
		return her
	}
	var walked []*crawler
	for _, w := range []struct {
		agency, role, writes string
		opens                bool
	}{
		// Whoever administers writes names of colleagues and systems, which are kept.
		{"canary-third", "caseworker", typedName, false},
		{"canary-third", "auditor", typedName, false},
		{"canary-outreach", "caseworker", typedName, false}, // her agency holds its own keys
		{"canary-dropin", "auditor", typedName, false},
		{"canary-dropin", "caseworker", typedName, true},
		{"canary-dropin", "manager", typedName, true},
		{"canary-dropin", "administrator", "Filled in", false}, // last: she revokes the keys, too
	} {
		c := &crawler{t: t, who: w.role + " of " + w.agency, her: person(w.agency, w.role), writes: w.writes,
			leaves: []string{"/sign-out", "/leave", "/account", "/static", "/step-up", "/agency/services", "/delete"},
			says: map[string]string{"purpose": "advocacy", "area": "E09000007", "area__other": "", "urgency": "routine", "consent-never": "", "consent-never-one": "",
				"safe-contact__number": "07700 900123", "safe-contact__last_confirmed": time.Now().Format("2/1/2006")}}
		c.queue = []string{"/referrals/" + first}
		if w.role == "manager" {
			c.queue[0] = "/referrals/" + second
		}
		c.crawl("/")
		c.judge(w.opens)
		walked = append(walked, c)
	}
	places := map[string]string{}
	for _, c := range walked {
		places["an address of "+c.who] = strings.Join(c.addresses, "\n")
		places["a title of "+c.who] = strings.Join(c.titles, "\n")
		places["a cookie's name of "+c.who] = strings.Join(c.cookies, "\n")
		t.Logf("%s: %d addresses, %d forms", c.who, len(c.addresses), c.acts)
	}
	for way, text := range r.waysOut(t, log, "/referrals/{referral}") {
		places[way] = text
	}
	if !strings.Contains(places["the table public.referral"], "in-progress") || strings.Count(places["the table public.draft"], "\n") < 1 {
		t.Error("the walk neither began to help nor to send, so the test sees too little")
	}
	for way, text := range places {
		for _, name := range []string{herName, typedName} {
			for _, form := range sightingsOf(name) {
				if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
					t.Errorf("what pages show or are told is in %s, as %q", way, form)
				}
			}
		}
	}
}

// judge holds what somebody was shown to whether she may read what is written about the woman.
func (c *crawler) judge(opens bool) {
	c.t.Helper()
	if shown := strings.Contains(c.shown.String(), herName); shown != opens {
		c.t.Errorf("the %s was shown what is written about her: %v, want %v", c.who, shown, opens)
	}
	for _, title := range c.titles {
		for _, no := range []string{"Example", "Homes for", "housing", "advocacy"} {
			if strings.Contains(title, no) {
				c.t.Errorf("a title says %q: %s", no, title)
			}
		}
	}
	for _, at := range c.addresses {
		if strings.Contains(at, "housing") || strings.Contains(at, "advocacy") || strings.Contains(at, "token") {
			c.t.Errorf("an address says a need, a service or a token: %s", at)
		}
	}
}

// referredToNoIT has an agency refer a woman to one whose keys the hub holds, twice, and returns
// the referrals' ids.
func (r running) referredToNoIT(t *testing.T) (first, second string) {
	t.Helper()
	outreach := r.join(t, "canary-outreach", "borough-outreach")
	for _, id := range []string{"canary-dropin", "canary-third"} {
		r.operator(t, "partner", "add", id, "--name", "Sample agency", "--category", "vawg-service", "--area", "E09000007")
		r.operator(t, "partner", "manage", id)
	}
	for _, pair := range [][2]string{{"canary-outreach", "canary-dropin"}, {"canary-dropin", "canary-third"}} {
		r.operator(t, "agreement", "add", pair[0], pair[1], "--purpose", "advocacy", "--section", "need,safe-contact,risk,note", "--both-ways")
	}
	r.operator(t, "service", "add", "canary-third", "Someone to talk to", "--purpose", "advocacy", "--area", "E09000007")
	service := r.operator(t, "service", "add", "canary-dropin", "Homes for women", "--purpose", "advocacy", "--area", "E09000007")
	send := func() string {
		consent, err := outreach.RecordConsent(t.Context(), client.Consent{How: client.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
			Bases: []client.Basis{{Article6: "a", Article9: "a"}}, Purpose: "advocacy", Method: "verbal-in-person",
			Recipients: []string{"canary-dropin", "canary-outreach"}, Sections: []string{"need", "safe-contact", "risk", "note"},
			Notice: client.Notice{Version: "1", Digest: ids.Digest("notice"), Language: "en"}})
		if err != nil {
			t.Fatal(err)
		}
		sent, err := outreach.Send(t.Context(), client.Request{To: "canary-dropin", Consent: consent.ID, Service: service, Area: "E09000007",
			Purpose: "advocacy", Urgency: "urgent", Sections: map[string]client.Content{
				"need": client.Content(fmt.Sprintf(`{"needs":[{"need":"advocacy","detail":%q}],"summary":%q}`, herName, herName)),
				"risk": client.Content(fmt.Sprintf(`{"harms":[{"type":"cuckooing","basis":"suspected"}],"to_workers":%q}`, herName))}})
		if err != nil {
			t.Fatal(err)
		}
		return sent.Referral
	}
	return send(), send()
}
