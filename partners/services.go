package partners

import (
	"slices"
	"time"
)

// Service is what a partner offers, in Open Referral UK's terms. It never holds an
// address.
type Service struct {
	ID                string    `json:"id"` // UUID
	Partner           ID        `json:"partner"`
	Name              string    `json:"name"`
	Purposes          []string  `json:"purposes"`
	Areas             []string  `json:"areas"`    // GSS codes
	Status            string    `json:"status"`   // active, inactive, defunct, temporarily closed
	Capacity          string    `json:"capacity"` // open, waiting-list, paused
	WomenOnly         bool      `json:"women_only"`
	AcceptsNoRecourse bool      `json:"accepts_no_recourse"`
	SelfReferral      bool      `json:"self_referral"`
	Updated           time.Time `json:"updated"`
}

// takes reports whether the service takes referrals for the purpose in the area
// now. A waiting list still takes them.
func (s Service) takes(purpose, area string) bool {
	return s.Status == "active" && s.Capacity != "paused" &&
		slices.Contains(s.Purposes, purpose) && slices.Contains(s.Areas, area)
}
