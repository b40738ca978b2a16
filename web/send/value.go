package send

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// dayLayout is how a day is written in a section (RFC 3339 full-date).
const dayLayout = "2006-01-02"

// value is what somebody has typed, as the member's schema wants it. What it cannot read it
// returns as it is: the schema then says what is wrong with it.
func (s *shape) value(typed []string, now time.Time) any {
	first := typed[0]
	switch s.Kind {
	case many:
		return typed
	case lines:
		var all []any
		for line := range strings.Lines(first) {
			if line = strings.TrimSpace(line); line != "" {
				all = append(all, line)
			}
		}
		return all
	case yesno:
		return first == "yes"
	case number:
		if n, err := strconv.Atoi(first); err == nil {
			return n
		}
		return first
	case when:
		return dated(first, now)
	case text, code, group, list:
	}
	switch s.Format {
	case "date":
		if day, ok := dayOf(first, now); ok {
			return day.Format(dayLayout)
		}
	case "e164":
		return phone(first)
	case "postcode":
		return postcode(first)
	case "nhs-number", "uprn", "chain-number":
		return strings.ReplaceAll(first, " ", "")
	case "country", "ods-code", "gss-code":
		return strings.ToUpper(first)
	}
	return first
}

// kept is what is kept of what somebody has typed: in the form of the schema where it can be
// read, so that "today" stays the day on which it was written.
func (s *shape) kept(typed []string, now time.Time) []string {
	if len(typed) == 0 {
		return nil
	}
	switch s.Kind {
	case text:
		if v, ok := s.value(typed, now).(string); ok {
			return []string{v}
		}
	case when:
		for _, word := range []string{"today", "yesterday"} {
			if rest, ok := strings.CutSuffix(strings.ToLower(typed[0]), word); ok {
				day, _ := dayOf(word, now)
				return []string{rest + day.Format(dayLayout)}
			}
		}
	case code, many, yesno, number, lines, group, list:
	}
	return typed
}

// dayLayouts are the ways in which people write a day; the day stands before the month.
func dayLayouts() []string {
	return []string{dayLayout, "2/1/2006", "2 1 2006", "2.1.2006", "2-1-2006", "2/1/06", "2 1 06", "2 January 2006", "2 Jan 2006"}
}

// dayOf reads a day as people write it, also today and yesterday.
func dayOf(typed string, now time.Time) (time.Time, bool) {
	typed = strings.Join(strings.Fields(typed), " ")
	switch strings.ToLower(typed) {
	case "today":
		return now, true
	case "yesterday":
		return now.AddDate(0, 0, -1), true
	}
	return parsed(typed, dayLayouts())
}

func parsed(typed string, layouts []string) (time.Time, bool) {
	for _, layout := range layouts {
		if day, err := time.Parse(layout, typed); err == nil {
			return day, true
		}
	}
	return time.Time{}, false
}

// dated reads a day, a month or a year, and says how sure it is: after "about" it is an estimate.
func dated(typed string, now time.Time) any {
	typed = strings.Join(strings.Fields(strings.ToLower(typed)), " ")
	rest, estimated := strings.CutPrefix(typed, "about ")
	is := func(precision, value string) any {
		if estimated {
			precision = "estimated"
		}
		return map[string]any{"precision": precision, "value": value}
	}
	if typed == "not known" || typed == "unknown" {
		return map[string]any{"precision": "unknown"}
	}
	if day, ok := dayOf(rest, now); ok {
		return is("day", day.Format(dayLayout))
	}
	if month, ok := parsed(rest, []string{"2006-01", "1/2006", "1 2006", "January 2006", "Jan 2006"}); ok {
		return is("month", month.Format("2006-01"))
	}
	return is("year", rest)
}

// phone writes a number of the United Kingdom as the rest of the world dials it (ITU-T E.164).
func phone(typed string) string {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -().\u00a0", r) {
			return -1
		}
		return r
	}, typed)
	if rest, ok := strings.CutPrefix(digits, "00"); ok {
		return "+" + rest
	}
	if rest, ok := strings.CutPrefix(digits, "0"); ok {
		return "+44" + rest
	}
	return digits
}

// postcode writes one with its space.
func postcode(typed string) string {
	bare := strings.ToUpper(strings.ReplaceAll(typed, " ", ""))
	if len(bare) < 5 {
		return typed
	}
	return bare[:len(bare)-3] + " " + bare[len(bare)-3:]
}

// shown is what somebody has typed, in the words of the page's answers.
func (s *shape) shown(member string, typed []string) []string {
	switch s.Kind {
	case code, many, yesno:
		var words []string
		all := s.choices(member)
		for _, t := range typed {
			words = append(words, all.Label(t))
		}
		return words
	case lines:
		return slices.DeleteFunc(strings.Split(strings.Join(typed, "\n"), "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
	case text, number, when, group, list:
	}
	switch day, err := time.Parse(dayLayout, typed[0]); {
	case s.Format == "gss-code" || s.Format == "language":
		return []string{s.choices(member).Label(typed[0])}
	case err == nil && (s.Format == "date" || s.Kind == when):
		return []string{day.Format("2 January 2006")}
	}
	return typed
}

// help says what to do about an answer that cannot be read, in the words of the page.
func (s *shape) help(misfit string) string {
	formats := map[string]string{
		"e164": "Enter a telephone number, as 07700 900123 or +44 7700 900123", "date": "Enter a day, as 26 11 2026",
		"email": "Enter an e-mail address, as name@agency.example", "time-of-day": "Enter a time, as 17:30",
		"postcode": "Enter a whole postcode, as NW1 0AA", "nhs-number": "Enter the 10 digits of the NHS number, or leave it out",
		"gss-code": "Enter the authority's code, as E08000003", "country": "Enter the three letters of the country, as GBR; XXX is not known",
		"ods-code": "Enter the practice's code, as A81001", "uprn": "Enter digits alone", "chain-number": "Enter digits alone",
	}
	switch {
	case misfit == "is missing" && (s.Kind == code || s.Kind == many):
		return "Choose an answer"
	case misfit == "is missing" && s.Format == "":
		return "Write an answer"
	case formats[s.Format] != "":
		return formats[s.Format]
	case s.Kind == when:
		return "Enter a day, a month or a year, as 31 May 2004, May 2004 or 2004"
	case s.Kind == number:
		return "Enter a whole number in digits"
	case s.Max > 0:
		return "Use at most " + strconv.Itoa(s.Max) + " characters"
	}
	return capital(misfit)
}
