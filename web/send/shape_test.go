package send

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"handover/internal/codes"
	"handover/referral/packet/schema"
)

func sections(t *testing.T) *Handler {
	t.Helper()
	all, err := shapes()
	if err != nil {
		t.Fatal(err)
	}
	return &Handler{shapes: all, zone: time.UTC, now: func() time.Time { return time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC) }}
}

// each calls do for every member of a section that holds an answer of its own.
func (s *shape) each(path string, do func(path string, s *shape)) {
	for name, member := range s.Members {
		at := strings.TrimPrefix(path+"."+name, ".")
		if member.Kind == group || member.Kind == list {
			member.each(at, do)
			continue
		}
		do(at, member)
	}
}

// TestEveryMemberOfEverySectionIsAskedOnce, in words, and every free text says what not to write.
func TestEveryMemberOfEverySectionIsAskedOnce(t *testing.T) {
	t.Parallel()
	h := sections(t)
	asked := map[string]int{}
	for _, q := range questions() {
		for _, m := range q.Members {
			asked[q.Section+"."+q.member(m)]++
		}
	}
	forbids := regexp.MustCompile(`(?i)\bdo not\b|\bnot ask\b|never required`)
	for section, s := range h.shapes {
		s.each("", func(path string, s *shape) {
			member := section + "." + path
			if member == "safe-contact.expires" {
				return // it follows from when she last said so, and is written out when the section is sealed
			}
			if n := asked[member]; n != 1 {
				t.Errorf("%s is asked %d times", member, n)
			}
			delete(asked, member)
			if labels()[member] == "" {
				t.Errorf("%s has no label", member)
			}
			free := (s.Kind == text || s.Kind == lines) && s.Format == ""
			if says := hint(member, s); free && !forbids.MatchString(says) {
				t.Errorf("%s is free text, and does not say what not to write: %q", member, says)
			} else if strings.Contains(says, "_") || strings.Contains(says, "2026-") {
				t.Errorf("%s is told as to a program: %q", member, says)
			}
		})
	}
	for member := range asked {
		t.Errorf("%s is asked, and there is no such member", member)
	}
	for member := range labels() {
		section, path, _ := strings.Cut(member, ".")
		if h.shapes[section].at(path) == nil {
			t.Errorf("the label of %s belongs to nothing", member)
		}
	}
}

// TestWhatCanBeAnsweredFits fills in every question, as somebody types, and holds each section to
// its schema.
func TestWhatCanBeAnsweredFits(t *testing.T) {
	t.Parallel()
	h := sections(t)
	samples := map[string]string{"e164": "07700 900123", "date": "1 December 2026", "email": "ayo@agency.example", "time-of-day": "17:30", "postcode": "nw10aa",
		"nhs-number": "999 000 0018", "gss-code": "e08000003", "country": "xxx", "ods-code": "a81001", "uprn": "100023336956", "chain-number": "123 456", "language": "so"}
	a := answers{}
	for _, q := range questions() {
		for i := range 2 {
			for _, m := range q.Members {
				s := h.shapes[q.Section].at(q.member(m))
				var said []string
				switch {
				case s.Kind == code || s.Kind == many || s.Kind == yesno:
					all := s.choices(q.member(m)).Codes()
					said = all[:1]
					if s.Kind == many {
						said = all[:2]
					}
					if q.List != "" && s.Kind == code {
						said = all[i : i+1]
					}
				case s.Kind == number:
					said = []string{"1"}
				case s.Kind == when:
					said = []string{"about May 2004"}
				case s.Format != "":
					said = []string{samples[s.Format]}
				case s.Kind == lines:
					said = []string{"one\n\n two \n"}
				default:
					said = []string{"some words " + strings.Repeat("again ", i)}
				}
				path := q.path(m, i)
				a.say(path, s.kept(said, h.inLondon())...)
			}
			if q.List == "" {
				break
			}
		}
	}
	a.say("safe-contact.safe_to", "21:00")
	a.say("safe-contact.last_confirmed", "2026-11-26")
	for _, section := range codes.Sections().Codes() {
		content := h.section(a, section, false)
		if found := schema.Misfits(section, content); content == nil || len(found) > 0 {
			t.Errorf("%s: %v\n%s", section, found, []byte(content))
		}
		for _, q := range questionsOf(section, a, false) {
			for i := range 2 {
				if found := h.mistakes(work{a: a}, q, i); len(found) > 0 {
					t.Errorf("%s: %v", q.key(), found)
				}
			}
		}
	}
	hers := h.section(a, safeContact, true)
	a.say("safe-contact.channel", viaWorker)
	if err := schema.ForPolice(h.section(a, safeContact, true)); err != nil || schema.ForPolice(hers) == nil {
		t.Errorf("for the police: %v, %s", err, []byte(h.section(a, safeContact, true)))
	}
}

func TestDaysAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	day := &shape{Kind: text, Format: "date"}
	for typed, want := range map[string]string{"today": "2026-11-26", "Yesterday": "2026-11-25", "1/2/2026": "2026-02-01", "1 2 26": "2026-02-01", "3 March 2026": "2026-03-03",
		"3  mar 2026": "2026-03-03", "2026-03-03": "2026-03-03", "31 6 2026": "31 6 2026", "soon": "soon"} {
		if got := day.value([]string{typed}, now); got != want {
			t.Errorf("%q is read as %v, want %s", typed, got, want)
		}
	}
	for typed, want := range map[string]string{"today": "day 2026-11-26", "2004": "year 2004", "May 2004": "month 2004-05", "5/2004": "month 2004-05", "about 31 5 2004": "estimated 2004-05-31",
		"About 2004": "estimated 2004", "not known": "unknown ", "long ago": "year long ago"} {
		got, _ := dated(typed, now).(map[string]any)
		value, _ := got["value"].(string)
		if precision, _ := got["precision"].(string); precision+" "+value != want {
			t.Errorf("%q is read as %v, want %s", typed, got, want)
		}
	}
	for typed, want := range map[string]string{"07700 900123": "+447700900123", "(020) 7946-0000": "+442079460000", "+353 1 234567": "+3531234567", "0044 20 7946 0000": "+442079460000"} {
		if got := phone(typed); got != want {
			t.Errorf("%q is read as %s, want %s", typed, got, want)
		}
	}
}

func TestItemsMoveUpWhenOneIsTakenOut(t *testing.T) {
	t.Parallel()
	a := answers{"risk.feared.0.called": {"A"}, "risk.feared.1.called": {"B"}, "risk.feared.1.why": {"b"}, "risk.feared.2.called": {"C"}}
	a.drop("risk.feared", 1)
	if a.items("risk.feared") != 2 || a.one("risk.feared.1.called") != "C" || a.under("risk.feared.1.why") {
		t.Errorf("left %v", a)
	}
	a.drop("risk.feared", 0)
	a.drop("risk.feared", 0)
	if len(a) != 0 {
		t.Errorf("left %v", a)
	}
}

// TestAnUnfitAnswerLeadsToItsQuestion, or to its section where the question is not asked.
func TestAnUnfitAnswerLeadsToItsQuestion(t *testing.T) {
	t.Parallel()
	a := answers{"safe-contact.channel": {"call"}}
	for member, want := range map[string]string{"/number": "safe-contact/how", "/safe_from": "safe-contact/times", "/worker/phone": "safe-contact", "/not_safe_people/0/called": "safe-contact/not-safe", "": "safe-contact"} {
		d := work{a: a}
		d.ID = "x"
		if got := unfit(d, schema.ErrUnfit.With("section", "safe-contact").With("member", member), mending{}).Path; got != "/send/x/about/"+want {
			t.Errorf("%s leads to %s, want %s", member, got, want)
		}
	}
	if !slices.Contains(required(), safeContact) {
		t.Error("safe contact is not asked about")
	}
}
