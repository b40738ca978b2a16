// Package clock says by when what is due of a referral: within minutes and hours of the day
// where a life may hang on it, within working time for the rest.
//
// allowances.go is the table of how long each thing may take, holidays.go the bank holidays
// of England, hours.go counts working time. Everything is reckoned in Europe/London, by what
// a clock on the wall there shows: a day on which the clocks change is a day like any other.
package clock

import (
	"time"
	_ "time/tzdata" // a hub may run where no time zones are installed
)

// london is where the agencies are.
var london = func() *time.Location {
	l, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic(err) // it is built in
	}
	return l
}()

// London returns the place whose wall clocks count.
func London() *time.Location { return london }

// Due is one thing that is due of a referral.
type Due string

// What is due, in the order in which it is.
const (
	Delivered    Due = "delivered"     // its recipient has been shown that it is there
	Opened       Due = "opened"        // she has opened a section of it
	Decided      Due = "decided"       // it is accepted, declined or redirected
	FirstContact Due = "first-contact" // somebody has spoken with her
)

// By returns by when something is due of a referral of that urgency that came at from, to a
// service with those hours; to one that names none, within the usual ones. Of an urgency or a
// thing that the table does not have it returns false.
func By(urgency string, d Due, from time.Time, h Hours) (time.Time, bool) {
	a, ok := table[urgency][d]
	if !h.works() {
		h = Usual()
	}
	switch {
	case !ok:
		return time.Time{}, false
	case a.days > 0:
		return h.afterDays(from, a.days), true
	case a.working > 0:
		return h.after(from, a.working), true
	}
	return from.Add(a.wall), true
}
