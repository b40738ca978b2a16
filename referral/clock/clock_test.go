package clock

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.ParseInLocation("2006-01-02 15:04", s, london)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWhatIsDueWhen(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		urgency string
		due     Due
		from    string
		want    string
	}{
		// An emergency knows no hours.
		{"emergency", Delivered, "2026-12-25 03:10", "2026-12-25 03:25"},
		{"emergency", Opened, "2026-11-28 23:30", "2026-11-29 00:30"},
		{"emergency", Decided, "2026-11-26 14:00", "2026-11-26 18:00"},
		{"emergency", FirstContact, "2026-11-26 14:00", "2026-11-27 14:00"},
		// An hour that the clocks skip, or strike twice, is an hour.
		{"emergency", Decided, "2026-03-28 23:00", "2026-03-29 04:00"},
		{"emergency", Decided, "2026-10-24 23:00", "2026-10-25 02:00"},
		// Four working hours end the same day, the next, or after the weekend.
		{"urgent", Delivered, "2026-11-26 09:00", "2026-11-26 13:00"},
		{"urgent", Delivered, "2026-11-26 13:00", "2026-11-26 17:00"},
		{"urgent", Delivered, "2026-11-26 13:01", "2026-11-27 09:01"},
		{"urgent", Delivered, "2026-11-27 16:00", "2026-11-30 12:00"},
		{"urgent", Delivered, "2026-11-26 02:00", "2026-11-26 13:00"},
		{"urgent", Delivered, "2026-11-28 12:00", "2026-11-30 13:00"},
		// A working day is the same time on the next one, or its close.
		{"urgent", Opened, "2026-11-26 14:30", "2026-11-27 14:30"},
		{"urgent", Opened, "2026-11-27 14:30", "2026-11-30 14:30"},
		{"urgent", Opened, "2026-11-26 08:59", "2026-11-26 17:00"},
		{"urgent", Opened, "2026-11-26 17:00", "2026-11-27 17:00"},
		{"urgent", Opened, "2026-11-28 12:00", "2026-11-30 17:00"},
		{"urgent", Decided, "2026-11-26 14:30", "2026-11-30 14:30"},
		{"urgent", FirstContact, "2026-11-26 14:30", "2026-12-01 14:30"},
		{"routine", Delivered, "2026-11-26 14:30", "2026-11-27 14:30"},
		{"routine", Opened, "2026-11-26 14:30", "2026-11-30 14:30"},
		{"routine", Decided, "2026-11-26 14:30", "2026-12-03 14:30"},
		{"routine", FirstContact, "2026-11-26 14:30", "2026-12-10 14:30"},
		// Christmas Day of 2026 is a Friday; Boxing Day is given back on the Monday.
		{"urgent", Opened, "2026-12-24 11:00", "2026-12-29 11:00"},
		{"routine", Decided, "2026-12-23 10:00", "2027-01-04 10:00"},
		{"urgent", Delivered, "2026-12-24 15:00", "2026-12-29 11:00"},
		// Easter, from the Thursday before; the clocks have gone forward on the Sunday before.
		{"urgent", Opened, "2026-04-02 16:00", "2026-04-07 16:00"},
		// Over the weekends on which the clocks change the time of day stays.
		{"urgent", Opened, "2026-03-27 10:15", "2026-03-30 10:15"},
		{"urgent", Opened, "2026-10-23 10:15", "2026-10-26 10:15"},
		{"urgent", Delivered, "2026-10-23 15:00", "2026-10-26 11:00"},
	} {
		got, ok := By(row.urgency, row.due, at(t, row.from), Usual())
		if want := at(t, row.want); !ok || !got.Equal(want) {
			t.Errorf("%s, %s, from %s: %s, want %s", row.urgency, row.due, row.from, got.In(london).Format("2006-01-02 15:04"), row.want)
		}
	}
	if _, ok := By("whenever", Opened, at(t, "2026-11-26 14:30"), Usual()); ok {
		t.Error("an urgency that there is not has a clock")
	}
	if _, ok := By("routine", "", at(t, "2026-11-26 14:30"), Usual()); ok {
		t.Error("what is not due has a clock")
	}
}

func TestTheServicesOwnHoursCount(t *testing.T) {
	t.Parallel()
	saturdays := Usual()
	saturdays[time.Saturday] = Span{10 * 60, 13 * 60}
	nights := Hours{time.Monday: {18 * 60, 24 * 60}}
	for _, row := range []struct {
		h    Hours
		due  Due
		from string
		want string
	}{
		{saturdays, Opened, "2026-11-27 12:00", "2026-11-28 12:00"},
		{saturdays, Opened, "2026-11-27 16:00", "2026-11-28 13:00"}, // no later than it closes
		{saturdays, Opened, "2026-11-27 09:30", "2026-11-27 17:00"}, // before it opens is the day before
		{saturdays, Opened, "2026-11-28 11:00", "2026-11-30 11:00"},
		{saturdays, Delivered, "2026-11-27 16:00", "2026-11-28 13:00"},
		{nights, Delivered, "2026-11-26 12:00", "2026-11-30 22:00"},
		{nights, Decided, "2026-11-30 20:00", "2026-12-14 20:00"},
		{Hours{}, Opened, "2026-11-26 14:30", "2026-11-27 14:30"}, // none at all: the usual ones
		{Hours{time.Monday: {600, 600}}, Opened, "2026-11-26 14:30", "2026-11-27 14:30"},
		{nil, Opened, "2026-11-26 14:30", "2026-11-27 14:30"},
	} {
		got, _ := By("urgent", row.due, at(t, row.from), row.h)
		if !got.Equal(at(t, row.want)) {
			t.Errorf("%v, %s, from %s: %s, want %s", row.h, row.due, row.from, got.In(london).Format("2006-01-02 15:04"), row.want)
		}
	}
}

// TestNoClockRunsBackwards draws moments, urgencies and hours: what is due is due later than
// it came, what comes later is due no earlier, and within the usual hours neither is what stands
// further down in the table; in working time a clock ends only while the service works.
func TestNoClockRunsBackwards(t *testing.T) {
	t.Parallel()
	order := []Due{Delivered, Opened, Decided, FirstContact}
	begin := time.Date(2025, 1, 1, 0, 0, 0, 0, london)
	rapid.Check(t, func(r *rapid.T) {
		h := Hours{}
		for d := range time.Saturday + 1 {
			if from := rapid.IntRange(0, 24*60-1).Draw(r, "from"); rapid.Bool().Draw(r, "works") {
				h[d] = Span{from, rapid.IntRange(from+1, 24*60).Draw(r, "to")}
			}
		}
		usual := len(h) == 0 || rapid.Bool().Draw(r, "usual")
		if usual {
			h = Usual()
		}
		urgency := rapid.SampledFrom([]string{"emergency", "urgent", "routine"}).Draw(r, "urgency")
		from := begin.Add(time.Duration(rapid.Int64Range(0, int64(3*365*24*time.Hour)).Draw(r, "at")))
		later := from.Add(time.Duration(rapid.Int64Range(0, int64(5*24*time.Hour)).Draw(r, "later")))
		before := from
		for _, d := range order {
			due, ok := By(urgency, d, from, h)
			next, _ := By(urgency, d, later, h)
			if !ok || !due.After(from) || usual && due.Before(before) || next.Before(due) {
				r.Fatalf("%s, %s: from %s due %s, from %s due %s, before it %s", urgency, d, from, due, later, next, before)
			}
			before = due
			if urgency == "emergency" {
				continue
			}
			opens, closes, works := h.span(dayOf(due.Add(-time.Nanosecond)))
			if !works || !due.After(opens) || due.After(closes) {
				r.Fatalf("%s, %s: from %s due %s, when nobody works", urgency, d, from, due)
			}
		}
	})
}

// TestTheHolidaysFollowTheirRule holds the list against the Banking and Financial Dealings Act
// 1971 and the proclamations that return every year: a slip in one of the dates shows.
func TestTheHolidaysFollowTheirRule(t *testing.T) {
	t.Parallel()
	want := map[string]bool{}
	for year := 2025; year <= lastListed; year++ {
		add := func(d time.Time) {
			for d.Weekday() == time.Saturday || d.Weekday() == time.Sunday || want[d.Format(time.DateOnly)] {
				d = d.AddDate(0, 0, 1) // given back on the next weekday that is not one already
			}
			want[d.Format(time.DateOnly)] = true
		}
		date := func(m time.Month, d int) time.Time { return time.Date(year, m, d, 0, 0, 0, 0, time.UTC) }
		monday := func(d time.Time, step int) time.Time {
			for d.Weekday() != time.Monday {
				d = d.AddDate(0, 0, step)
			}
			return d
		}
		easter := easterSunday(year)
		add(date(time.January, 1))
		add(easter.AddDate(0, 0, -2))
		add(easter.AddDate(0, 0, 1))
		add(monday(date(time.May, 1), +1))
		add(monday(date(time.May, 31), -1))
		add(monday(date(time.August, 31), -1))
		add(date(time.December, 25))
		add(date(time.December, 26))
	}
	for day := range want {
		if !free[day] {
			t.Errorf("%s is missing", day)
		}
	}
	for day := range free {
		if !want[day] {
			t.Errorf("%s is no bank holiday", day)
		}
	}
}

// easterSunday is by the anonymous Gregorian rule.
func easterSunday(year int) time.Time {
	a, b, c := year%19, year/100, year%100
	h := (19*a + b - b/4 - (b-(b+8)/25+1)/3 + 15) % 30
	l := (32 + 2*(b%4) + 2*(c/4) - h - c%4) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return time.Date(year, time.Month(n/31), n%31+1, 0, 0, 0, 0, time.UTC)
}
