package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/consent/record"
)

// interviewer asks with those answers, as an agency of that category.
func interviewer(t *testing.T, category string, in io.Reader, d *draft) *interview {
	t.Helper()
	a := &app{surroundings: surroundings{in: in, out: io.Discard, talk: &bytes.Buffer{}, asks: true, now: time.Now}, root: &cobra.Command{}}
	a.root.SetContext(t.Context())
	return &interview{a: a, d: d, left: map[string]bool{}, own: client.Partner{ID: "own-agency", Category: category},
		partners: []client.Partner{{ID: "larkfield-housing", Name: "Larkfield", Category: "housing"}, {ID: "northgate-police", Category: "police"}}}
}

// Ctrl-C is obeyed although nobody ends the line, and the error says that nothing was kept.
func TestAQuestionCanBeBrokenOff(t *testing.T) {
	silent, answers := io.Pipe()
	defer answers.Close()
	i := interviewer(t, "vawg-service", silent, &draft{})
	ctx, interrupt := context.WithCancel(t.Context())
	i.a.root.SetContext(ctx)
	interrupt()
	if err := i.walk(); !errors.Is(err, errStopped) || !errors.Is(err, errNotRecorded) || codeOf(err) != exitError {
		t.Errorf("broken off, it is %v", err)
	}
}

// Whatever is suggested to an agency is its to rely on, and makes a basis that is whole.
func TestWhatIsSuggestedIsTheAgencysToRelyOn(t *testing.T) {
	for _, category := range []string{"vawg-service", "borough-outreach", "housing", "primary-care", "mental-health", "substance-use",
		"social-care", "legal-advice", "police", "oversight"} {
		for _, purpose := range []string{"housing", "protect-from-harm", "duty-to-refer"} {
			for _, agreement := range []string{"agreed", record.BestInterests} {
				d := &draft{Agreement: agreement, Purpose: purpose, Sections: []string{"need", "health", "justice"}}
				i := interviewer(t, category, strings.NewReader(""), d)
				for _, ask := range []func() *consentQuestion{i.article6, i.recognised, i.article9, i.article10, i.schedule1, i.safeguarding} {
					if q := ask(); q != nil && q.preset != "" {
						if why := i.answer(q, ""); why != "" {
							t.Errorf("%s, %s: what is suggested for %s is refused: %s", category, purpose, q.claim, why)
						}
					}
				}
				b := *i.basis()
				if err := (record.Bases{b}).SuitCategory(func(string) string { return category }); err != nil || b.Article6 == "" || b.Article9 == "" {
					t.Errorf("%s is suggested %+v: %v", category, b, err)
				}
			}
		}
	}
}

// Every claim that is said to be asked again is asked again, and says why it was refused.
func TestWhatIsRefusedIsAskedAgain(t *testing.T) {
	all := []string{"need", "health", "justice"}
	drafts := []draft{
		{Agreement: "agreed", Purpose: "duty-to-refer", Sections: all, Circumstances: circumstances{Capacity: "has"},
			Basis: []client.Basis{{Article6: "ea", Article9: "g", Article10: "schedule-1", Schedule1: "18"}}},
		{Agreement: "agreed", Purpose: "housing", Sections: all, Circumstances: circumstances{Capacity: "doubt"}, Basis: []client.Basis{{Article6: "c"}}},
	}
	i := interviewer(t, "vawg-service", strings.NewReader(""), nil)
	for _, claim := range i.asks() {
		found := false
		for _, d := range drafts {
			d := d
			d.Basis = slices.Clone(d.Basis)
			i := interviewer(t, "vawg-service", strings.NewReader(""), &d)
			i.brief, i.again = true, map[string]bool{claim: true}
			for _, ask := range slices.Concat(i.herQuestions(), i.howQuestions(), i.lawQuestions(), i.timeQuestions()) {
				q := ask()
				found = found || q != nil && q.claim == claim
			}
		}
		if !found {
			t.Errorf("%s was refused, and nobody is asked for it", claim)
		}
		if record.Why(claim) == "" {
			t.Errorf("%s is refused, and nobody says why", claim)
		}
	}
}

func TestAnAnswerIsANumberACodeOrItsBeginning(t *testing.T) {
	for answer, want := range map[string]string{"1": "agreed", "5": record.BestInterests, "6": "", "0": "", "-1": "", "agreed": "agreed",
		"AGREED": "agreed", "ref": "refused", "not": "", "not-asked-u": "not-asked-unsafe", "": "", "maybe": ""} {
		if got := chosen(record.Agreements(), answer); got != want {
			t.Errorf("%q chooses %q, want %q", answer, got, want)
		}
	}
	// Codes that are numbers are never taken for places in the list.
	if got := chosen(record.Schedules1(), "2"); got != "2" {
		t.Errorf("paragraph 2 is taken for %q", got)
	}
	if got := chosen(record.Schedules1(), "5"); got != "" {
		t.Errorf("paragraph 5, which is not there, is taken for %q", got)
	}
}

func TestMomentsAreReadAsPeopleWriteThem(t *testing.T) {
	now := time.Date(2026, 11, 26, 2, 10, 0, 0, time.Local)
	for said, want := range map[string]time.Time{
		"now": now, "": now, "01:30": time.Date(2026, 11, 26, 1, 30, 0, 0, time.Local),
		"2026-11-25 22:10": time.Date(2026, 11, 25, 22, 10, 0, 0, time.Local), "2026-11-25": time.Date(2026, 11, 25, 0, 0, 0, 0, time.Local),
		"2026-11-25T22:10:00Z": time.Date(2026, 11, 25, 22, 10, 0, 0, time.UTC),
	} {
		if got, ok := moment(said, now); !ok || !got.Equal(want) {
			t.Errorf("%q is %v, %v, want %v", said, got, ok, want)
		}
	}
	for _, said := range []string{"yesterday", "25:00", "25/11/2026"} {
		if got, ok := moment(said, now); ok {
			t.Errorf("%q is %v", said, got)
		}
	}
}
