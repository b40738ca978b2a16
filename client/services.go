package client

import (
	"context"
	"net/url"
)

// ServiceTerms is what your agency says of a service. Every agency reads it: put no address in
// its name.
type ServiceTerms struct {
	Name              string   `json:"name"`
	Purposes          []string `json:"purposes"` // codes, each once
	Areas             []string `json:"areas"`    // ONS GSS codes, each once
	Status            string   `json:"status"`   // active, temporarily closed, or defunct, which is for good
	WomenOnly         bool     `json:"women_only"`
	AcceptsNoRecourse bool     `json:"accepts_no_recourse"`
	SelfReferral      bool     `json:"self_referral"`
}

// Capacity is how many a service can take now.
type Capacity struct {
	Capacity string `json:"capacity"`       // open, waiting-list, paused
	Wait     string `json:"wait,omitempty"` // of a waiting list: under-one-month, one-to-three-months, over-three-months
}

// What your agency offers. It needs the scope services:write, which a system may have by
// itself; of a person, AddService and ChangeService want that she has signed in in the last 15
// minutes: else the code is step-up-required.

// AddService publishes a service of your agency. Codes of refusal: service-invalid,
// capacity-invalid.
func (c *Client) AddService(ctx context.Context, terms ServiceTerms, capacity Capacity) (Service, error) {
	return post[Service](ctx, c, "/v1/services", struct {
		Terms    ServiceTerms `json:",embed"`
		Capacity Capacity     `json:",embed"`
	}{terms, capacity})
}

// ChangeService puts other terms in the place of those of a service; its capacity stays. Codes
// of refusal: service-invalid, service-not-found, service-ended.
func (c *Client) ChangeService(ctx context.Context, service string, terms ServiceTerms) (Service, error) {
	return post[Service](ctx, c, "/v1/services/"+url.PathEscape(service), terms)
}

// SetCapacity says how many a service can take now, or that it is still so. Codes of refusal:
// capacity-invalid, service-not-found, service-ended.
func (c *Client) SetCapacity(ctx context.Context, service string, capacity Capacity) (Service, error) {
	return post[Service](ctx, c, "/v1/services/"+url.PathEscape(service)+"/capacity", capacity)
}
