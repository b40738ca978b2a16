package clock

import "time"

// Hours are when a service works: for each day of the week from when until when, in minutes
// after midnight by the clock on the wall. A day without work has no Span.
type Hours map[time.Weekday]Span

// Span is from when until when a service works on one day.
type Span struct{ From, To int }

// Usual are the hours of a service that says nothing else: Monday to Friday, 9am to 5pm.
func Usual() Hours {
	nine, five := 9*60, 17*60
	return Hours{time.Monday: {nine, five}, time.Tuesday: {nine, five}, time.Wednesday: {nine, five},
		time.Thursday: {nine, five}, time.Friday: {nine, five}}
}

// day is one day in London.
type day struct {
	year  int
	month time.Month
	day   int
}

func dayOf(t time.Time) day {
	y, m, d := t.In(london).Date()
	return day{y, m, d}
}

// at is a minute of the day by the clock on the wall. time.Date is asked for the hour, not for
// so long after midnight: on the day on which the clocks change these differ.
func (d day) at(minute int) time.Time {
	return time.Date(d.year, d.month, d.day, minute/60, minute%60, 0, 0, london)
}

// plus is so many days later.
func (d day) plus(days int) day {
	return dayOf(time.Date(d.year, d.month, d.day+days, 12, 0, 0, 0, london))
}

// span is from when until when the service works on the day, if it does.
func (h Hours) span(d day) (from, to time.Time, works bool) {
	noon := d.at(12 * 60)
	s, ok := h[noon.Weekday()]
	if !ok || s.From < 0 || s.From >= s.To || s.To > 24*60 || free[noon.Format(time.DateOnly)] {
		return time.Time{}, time.Time{}, false
	}
	return d.at(s.From), d.at(s.To), true
}

// works reports whether there is a day in the week on which the service works. Without one
// nothing would ever be due.
func (h Hours) works() bool {
	for _, s := range h {
		if s.From >= 0 && s.From < s.To && s.To <= 24*60 {
			return true
		}
	}
	return false
}

// next is the first moment at or after t at which the service works, and that day.
func (h Hours) next(t time.Time) (time.Time, day) {
	for d := dayOf(t); ; d = d.plus(1) {
		from, to, works := h.span(d)
		switch {
		case works && t.Before(from):
			return from, d
		case works && t.Before(to):
			return t, d
		}
	}
}

// working is the next day on which the service works, in steps of a day forward or back.
func (h Hours) working(d day, step int) day {
	for {
		d = d.plus(step)
		if _, _, works := h.span(d); works {
			return d
		}
	}
}

// after returns when the service has worked for so long from t on.
func (h Hours) after(t time.Time, long time.Duration) time.Time {
	for {
		at, d := h.next(t)
		_, closes, _ := h.span(d)
		left := closes.Sub(at)
		if long <= left {
			return at.Add(long)
		}
		long, t = long-left, closes
	}
}

// afterDays returns the same time of day so many working days later, within the hours of that
// day. What comes in when the service opens, or before it does, has until it closes on the
// last of those days: the next opening would be the same working time, and no answer.
func (h Hours) afterDays(t time.Time, days int) time.Time {
	at, d := h.next(t)
	if opens, _, _ := h.span(d); at.Equal(opens) {
		for range days - 1 {
			d = h.working(d, +1)
		}
		_, closes, _ := h.span(d)
		return closes
	}
	for range days {
		d = h.working(d, +1)
	}
	clock := at.In(london)
	due := d.at(clock.Hour()*60 + clock.Minute()).Add(time.Duration(clock.Second())*time.Second + time.Duration(clock.Nanosecond()))
	opens, closes, _ := h.span(d)
	switch {
	case due.After(closes):
		return closes
	case !due.After(opens):
		_, closes, _ = h.span(h.working(d, -1))
		return closes
	}
	return due
}
