package partners

import (
	"regexp"
	"slices"
	"time"

	"handover/internal/codes"
	"handover/internal/fault"
)

// Service is what a partner offers, in Open Referral UK's terms. It never holds an
// address.
type Service struct {
	ID                string    `json:"id"` // UUID
	Partner           ID        `json:"partner"`
	Name              string    `json:"name"`
	Purposes          []string  `json:"purposes"`
	Areas             []string  `json:"areas"`          // GSS codes
	Status            string    `json:"status"`         // active, inactive, defunct, temporarily closed
	Capacity          string    `json:"capacity"`       // open, waiting-list, paused
	Wait              string    `json:"wait,omitempty"` // of a waiting list: how long it is, of codes.Waits, or "" if nobody has said
	WomenOnly         bool      `json:"women_only"`
	AcceptsNoRecourse bool      `json:"accepts_no_recourse"`
	SelfReferral      bool      `json:"self_referral"`
	Updated           time.Time `json:"updated"`
	CapacityAt        time.Time `json:"capacity_at"` // when somebody last said what the capacity is
}

// What can be refused about an agency's own services.
var (
	ErrServiceInvalid = fault.New(fault.Unprocessable, "service-invalid", fault.Sender,
		"A service needs a name of 1 to 80 printable characters without a postcode, known purposes and areas, each once, and a status: active, temporarily closed or defunct.")
	ErrServiceNotThere = fault.New(fault.NotFound, "service-not-found", fault.Sender,
		"Your agency offers no service with this id. Check it against the list of services.")
	ErrServiceEnded = fault.New(fault.Conflict, "service-ended", fault.Sender,
		"This service has ended for good. If you offer it again, add it anew.")
	ErrCapacity = fault.New(fault.Unprocessable, "capacity-invalid", fault.Sender,
		"Capacity is open, waiting-list or paused. A waiting list needs a wait: under-one-month, one-to-three-months or over-three-months. Nothing else has one.")
	ErrAlready = fault.New(fault.Conflict, "already-done", fault.Sender,
		"This has been done already, or somebody was faster. Nothing was done twice. Read the list again.")
)

// takes reports whether the service takes referrals for the purpose in the area
// now. A waiting list still takes them.
func (s Service) takes(purpose, area string) bool {
	return s.Status == "active" && s.Capacity != "paused" &&
		slices.Contains(s.Purposes, purpose) && slices.Contains(s.Areas, area)
}

// postcode is a full postcode, wherever it stands. A service's name is read by every agency,
// and the address of a refuge must not be.
var postcode = regexp.MustCompile(`(?i)\b[a-z]{1,2}[0-9][0-9a-z]?\s*[0-9][a-z]{2}\b`)

// HasPostcode reports whether there is a full postcode in what somebody wrote.
func HasPostcode(text string) bool { return postcode.MatchString(text) }

// check returns ErrServiceInvalid unless the terms are such as a partner may publish.
func (s Service) check() error {
	some := func(list []string, known func(string) bool) bool {
		return len(list) > 0 && !repeats(list) && !slices.ContainsFunc(list, func(c string) bool { return !known(c) })
	}
	if !isName(s.Name) || HasPostcode(s.Name) || !some(s.Purposes, codes.Purposes().Has) ||
		!some(s.Areas, codes.IsArea) || !codes.ServiceStatuses().Has(s.Status) {
		return ErrServiceInvalid
	}
	return nil
}

// checkCapacity returns ErrCapacity unless a service can be said to have that capacity.
func checkCapacity(capacity, wait string) error {
	if !codes.Capacities().Has(capacity) || (capacity == "waiting-list") != (wait != "") || wait != "" && !codes.Waits().Has(wait) {
		return ErrCapacity
	}
	return nil
}
