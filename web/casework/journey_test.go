package casework_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/web/webtest"
)

// tapper is a person with a phone who counts her taps, and types nothing.
type tapper struct {
	*webtest.Tab
	taps int
}

func (p *tapper) tap(what, appears string) {
	p.taps++
	p.Click(what, appears)
}

// TestJourneyReceivingToAcceptedInFourTaps: a tired worker with a cracked phone. What she taps is
// counted, and nothing is typed.
func TestJourneyReceivingToAcceptedInFourTaps(t *testing.T) {
	t.Parallel()
	s := sceneAt(t, hubtest.Listening(t))
	id := s.sent(t)
	at := "/referrals/" + id
	tab := webtest.Open(t, s.hub)
	tab.As(s.takes.Browser)
	p := &tapper{Tab: tab}
	p.Visit("/inbox", `.handover-card a[href="`+at+`"]`)
	p.tap(`.handover-card a[href="`+at+`"]`, `button[value="need"]`)
	p.Inspect("referral")
	p.tap(`button[value="need"]`, `.handover-sensitive`)
	if !strings.Contains(p.Text(), canary+" needs a room") {
		t.Fatalf("need is not open: %s", p.Text())
	}
	p.Inspect("referral-open")
	p.tap(`a[href^="`+at+`/decide/accept"]`, `button[value="confirm"]`)
	p.Inspect("accept-confirm")
	p.tap(`button[value="confirm"]`, `.govuk-notification-banner--success`)
	if p.At() != at+"?done=accept" || !strings.Contains(p.Text(), "You have accepted this referral.") || !strings.Contains(p.Text(), "Ayo Example has this.") {
		t.Errorf("at %s: %s", p.At(), p.Text())
	}
	if p.taps != 4 {
		t.Errorf("%d taps, want 4", p.taps)
	}
	p.Inspect("referral-accepted")
	s.restOfPages(t, tab, id)
	tab.Clean()
	s.nothingPersonal(t, tab)
}

// restOfPages looks at the pages that the way to accept does not touch.
func (s scene) restOfPages(t *testing.T, tab *webtest.Tab, id string) {
	t.Helper()
	at := "/referrals/" + id
	tab.Click(`button[value="risk"]`, `.moj-interruption-card`)
	tab.Inspect("before-risk")
	tab.Click(`.moj-interruption-card button`, `button[formaction]`)
	tab.Inspect("referral-risk")
	tab.Click(`button[formaction]`, `[data-print]`)
	tab.Inspect("referral-print")
	tab.Visit(at+"/decide", `input[name="event"]`)
	tab.Inspect("decide")
	tab.Visit(at+"/decide/complete", `input[name="outcome"]`)
	tab.Click(`button[value="check"]`, `.govuk-error-summary`)
	tab.Inspect("complete-error")
	tab.Click(`#outcome`, `#outcome`)
	tab.Click(`button[value="check"]`, `button[value="confirm"]`)
	tab.Inspect("complete-confirm")
	s.takes.step(t, id, "message", url.Values{"note": {canary + " came today."}})
	tab.Visit(at+"/messages", `form button`)
	tab.Inspect("notes-sealed")
	tab.Click(`main form[action="`+at+`/messages"] button`, `.moj-message-item .handover-sensitive`)
	tab.Inspect("notes")
	tab.Visit(at+"/chain/"+id, `pre`)
	tab.Inspect("step-and-proof")
	tab.Visit(at+"/decide/accept", `h1`)
	tab.Inspect("cannot")
	_, held, _ := s.asked(t)
	tab.Visit("/recalls", `.handover-card`)
	tab.Inspect("recalls")
	tab.Visit("/recalls/"+held, `input[name="answer"]`)
	tab.Inspect("recall")
	tab.Click(`input[value="kept"]`, `input[value="kept"]`)
	tab.Click(`main form button`, `input[name="because"]`)
	tab.Inspect("recall-kept")
	pair := s.hub.Pair(t, partners.BoroughOutreach)
	own, sent := join(t, s.hub, pair.To, "Ayo Example"), pair.Sent(t)
	tab.As(own.Browser)
	tab.Visit("/referrals/"+sent.Digest, `.handover-code`)
	tab.Inspect("referral-own-keys")
}

// TestJourneyWithoutScript: a referral is read, a question asked and answered, and the referral
// declined, by both sides, with JavaScript off.
func TestJourneyWithoutScript(t *testing.T) {
	t.Parallel()
	s := sceneAt(t, hubtest.Listening(t))
	id := s.sent(t)
	at := "/referrals/" + id
	takes, sends := webtest.Open(t, s.hub), webtest.Open(t, s.hub)
	for tab, w := range map[*webtest.Tab]worker{takes: s.takes, sends: s.sends} {
		tab.As(w.Browser)
		tab.NoScript()
	}
	choose(takes, at, "receive", `button[value="confirm"]`)
	takes.Click(`button[value="confirm"]`, `.govuk-notification-banner--success`)
	choose(takes, at, "ask", `#question`)
	takes.Fill(`#question`, canary+"? which floor?")
	takes.Click(`button[value="check"]`, `button[value="confirm"]`)
	takes.Click(`button[value="confirm"]`, `.govuk-notification-banner--success`)

	sends.Visit(at+"/messages", `#answer`)
	sends.Click(`main form[action="`+at+`/messages"] button`, `.moj-message-item .handover-sensitive`)
	if !strings.Contains(sends.Text(), canary+"? which floor?") {
		t.Errorf("the question is not open: %s", sends.Text())
	}
	sends.Fill(`#answer`, "Any floor.")
	sends.Click(`button[value="check"]`, `button[value="confirm"]`)
	sends.Click(`button[value="confirm"]`, `.govuk-notification-banner--success`)

	takes.Visit(at, `button[value="risk"]`)
	takes.Click(`button[value="risk"]`, `.moj-interruption-card`)
	takes.Click(`.moj-interruption-card button`, `button[formaction]`)
	if !strings.Contains(takes.Text(), canary+" is followed") {
		t.Errorf("risk is not open: %s", takes.Text())
	}
	choose(takes, at, "decline", `#reason`)
	takes.Click(`#reason`, `#reason`)
	takes.Fill(`#help`, "No room.")
	takes.Click(`button[value="check"]`, `button[value="confirm"]`)
	takes.Click(`button[value="change"]`, `#help`)
	takes.Click(`button[value="check"]`, `button[value="confirm"]`)
	takes.Click(`button[value="confirm"]`, `.govuk-notification-banner--success`)
	if text := takes.Text(); !strings.Contains(text, "You have declined this referral.") || !strings.Contains(text, "No capacity now") {
		t.Error(text)
	}
	for _, tab := range []*webtest.Tab{takes, sends} {
		tab.Clean()
		s.nothingPersonal(t, tab)
	}
}

// choose goes from the referral to the first page of a decision.
func choose(tab *webtest.Tab, at, event, appears string) {
	tab.Visit(at, `a[href="`+at+`/decide"]`)
	tab.Click(`a[href="`+at+`/decide"]`, `input[value="`+event+`"]`)
	tab.Click(`input[value="`+event+`"]`, `main form button`)
	tab.Click(`main form button`, appears)
}

var plain = regexp.MustCompile(`(?i)` + canary + `|rosewood|willow|housing|cuckoo|note=|Sample|Example`)

// nothingPersonal fails if an address that the browser asked for says anything about her, her
// need, a service or who works there.
func (s scene) nothingPersonal(t *testing.T, tab *webtest.Tab) {
	t.Helper()
	visited := tab.Visited()
	if len(visited) < 5 {
		t.Fatalf("it has been at %d addresses", len(visited))
	}
	for _, address := range visited {
		if found := plain.FindString(strings.TrimPrefix(address, s.hub.URL())); found != "" {
			t.Errorf("%q is in the address %s", found, address)
		}
	}
}
