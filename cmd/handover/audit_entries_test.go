package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/client"
)

// entry is one of the log, without what the test does not show.
func entry(index int64, change func(e *client.LogEntry)) client.LogEntry {
	e := client.LogEntry{Index: index}
	e.Time = time.Date(2026, 10, 3, 9, 5, 0, 0, time.Local)
	change(&e)
	return e
}

func TestEntriesArePlainEnglish(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	writeEntries(&b, []client.LogEntry{
		entry(9, func(e *client.LogEntry) {
			e.Act, e.Partner, e.User, e.Other, e.Reason = "section.open", "harbour-care", "7f3a", "camden-outreach", "triage"
			e.Referral, e.Sections = "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ", []string{"need", "risk"}
		}),
		entry(8, func(e *client.LogEntry) {
			e.Act, e.Partner, e.Client, e.Outcome = "refused", "harbour-care", "c", "firewall"
		}),
		entry(7, func(e *client.LogEntry) {
			e.Act, e.Outcome, e.Count, e.Target = "refused", "unauthenticated", 12, "2026-10-03T08:00:00Z"
		}),
		entry(6, func(e *client.LogEntry) { e.Act, e.Consent, e.State = "consent.followed", "0198", "" }),
		entry(5, func(e *client.LogEntry) { e.Erased = true }),
		entry(4, func(e *client.LogEntry) {
			e.Act, e.Partner, e.Subject, e.Override = "of.tomorrow", "harbour-care", "Yj3k", "0199"
		}),
	}, true)
	want := `ENTRY|WHEN|WHO|DID WHAT|ABOUT
9|3 Oct 2026 09:05|harbour-care, 7f3a|opened sections: need, risk (triage)|camden-outreach; referral R-5KS4-VEJZ LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ
8|3 Oct 2026 09:05|harbour-care, its system|was refused (firewall)|
7|3 Oct 2026 09:05|strangers|was refused (unauthenticated), 12 times|2026-10-03T08:00:00Z
6|3 Oct 2026 09:05|the hub|did everything that follows a withdrawal|consent 0198
5|-|-|erased: what it said is gone|
4|3 Oct 2026 09:05|harbour-care|of.tomorrow|override 0199; subject Yj3k
There are more: --most 12 shows the next ones too.
`
	if diff := cmp.Diff(want, strings.ReplaceAll(b.String(), "\t", "|")); diff != "" {
		t.Error(diff)
	}
}

func TestWhatToLookAtIsPlainEnglish(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	writeReview(&b, nil)
	if b.String() != "There is nothing to look at.\n" {
		t.Errorf("of nothing: %q", b.String())
	}
	b.Reset()
	writeReview(&b, []client.ReviewItem{{Kind: "refusals", Since: time.Date(2026, 10, 3, 9, 5, 0, 0, time.Local), Partner: "harbour-care", User: "7f3a",
		IDs: strings.Split("a b c d e f g h i j k l", " "), Count: 130, Rules: []string{"firewall", "not-covered"}, Words: "Ask her."}})
	want := "130 refusals\tharbour-care, 7f3a\tsince 3 Oct 2026 09:05\n  Ask her.\n  rules: firewall, not-covered\n" +
		"  a b c d e f g h i j and 120 more (--json lists up to 100)\n\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}
