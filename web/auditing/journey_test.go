package auditing_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"handover/internal/hubtest"
	"handover/web/webtest"
)

// TestAnAuditorLooksThroughTheLog goes her way without JavaScript: what wants her attention, the
// entry behind it, who opened what, a list that she narrows, an override, an export.
func TestAnAuditorLooksThroughTheLog(t *testing.T) {
	t.Parallel()
	s := tell(t, hubtest.Listening(t))
	b := webtest.Open(t, s.Hub)
	b.As(s.auditor)
	b.NoScript()
	b.Visit("/account", ".govuk-service-navigation")
	b.Click(`.govuk-service-navigation a[href="/audit"]`, ".handover-cards")
	b.Click(`a[href="/audit/review#emergencies-unapproved"]`, "#emergencies-unapproved")
	b.Click(`#emergencies-unapproved a[href^="/audit/entry/"]`, "h2")
	has(t, "the entry", b.Text(), "Proposed to share without her agreement", "Ayo Example", "Proof checked")
	b.Click(`.moj-sub-navigation a[href="/audit/openings"]`, ".handover-card")
	has(t, "openings", b.Text(), "Opened sections", "Proof checked for 1 entry")
	b.Click(`.moj-sub-navigation a[href="/audit/entries"]`, ".handover-card")
	b.Click(`.govuk-details__summary`, "#act")
	b.Fill(`#act`, "refused")
	b.Click(`main form button`, "main form a[href='/audit/entries']")
	b.Do("waiting for the cards", chromedp.WaitVisible(chromedp.CSS(".handover-card")))
	if text := b.Text(); !strings.Contains(b.At(), "act=refused") || !strings.Contains(text, "Proof checked for 6 entries") {
		t.Errorf("at %s:\n%s", b.At(), text)
	}
	b.Fill(`#from`, "2 January 2020")
	b.Fill(`#to`, "1/1/2020")
	b.Click(`main form button`, ".govuk-error-summary")
	has(t, "the mistake", b.Text(), "The last day must be the first day or later")
	b.Click(`.moj-sub-navigation a[href="/audit/overrides"]`, ".handover-card")
	b.Click(`a[href="/audit/overrides?late=review"]`, ".moj-sub-navigation")
	has(t, "those past review", b.Text(), "No override is past its review.")
	b.Click(`.moj-sub-navigation a[href="/audit/export"]`, "#from")
	b.Clean()
}

// TestEveryAuditPageIsInspected as our auditor and as oversight's, whose pages differ.
func TestEveryAuditPageIsInspected(t *testing.T) {
	t.Parallel()
	s := tell(t, hubtest.Listening(t))
	b := webtest.Open(t, s.Hub)
	b.As(s.overseers)
	for _, path := range []string{"/audit", "/audit/entries?act=section.open"} {
		b.Visit(path, "h1")
		b.Inspect("oversight-" + name(path))
	}
	b.As(s.auditor)
	opened := s.entryOf(t, "section.open", s.pair.To.ID)
	for _, path := range append(lists(), "/audit/entry/"+opened, "/audit/entries?from=x", "/audit/openings?from=2020-01-01&to=2020-01-02") {
		b.Visit(path, "h1")
		b.Inspect(name(path))
	}
	s.StopLog()
	s.DB.Rewrite(t, `UPDATE audit_entry SET body = convert_to(replace(convert_from(body, 'UTF8'), '"need"', '"note"'), 'UTF8') WHERE id = $1`, opened)
	b.Visit("/audit/openings", ".govuk-error-summary")
	b.Inspect("audit-changed")
	s.DB.Rewrite(t, `DELETE FROM audit_tile`)
	b.Visit("/audit", ".govuk-error-summary")
	b.Inspect("audit-does-not-hold")
	b.Clean()
}

// name is a file's name for a page.
func name(path string) string {
	path, query, _ := strings.Cut(strings.TrimPrefix(path, "/"), "?")
	if strings.HasPrefix(path, "audit/entry/") {
		path = "audit-entry"
	}
	switch {
	case strings.Contains(query, "from=x"):
		path += "-mistake"
	case strings.Contains(query, "2020"):
		path += "-nothing"
	}
	return strings.ReplaceAll(path, "/", "-")
}
