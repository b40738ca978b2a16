package main

import (
	"strings"
	"testing"

	"handover/client"
)

// tellHer makes a slip for her, and collects what her agency holds about her. The export has
// the canary, as it must, and goes nowhere; the slip has not.
func tellHer(t *testing.T, agency *client.Client, referral, subject string) string {
	t.Helper()
	facts, err := agency.SlipFacts(t.Context(), referral)
	if err != nil {
		t.Fatal(err)
	}
	held, err := agency.SubjectAccess(t.Context(), client.SubjectQuery{Subjects: []string{subject}})
	if err != nil {
		t.Fatal(err)
	}
	if text := held.Text(); strings.Count(text, herName) < 3 {
		t.Errorf("what is held about her is not in the export:\n%s", text)
	}
	return facts.Slip().Text()
}
