package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Partner is an agency that takes part.
type Partner struct {
	ID       string    `json:"id"` // short name, such as camden-outreach
	Name     string    `json:"name"`
	Category string    `json:"category"`
	Areas    []string  `json:"areas"` // ONS GSS codes
	Status   string    `json:"status"`
	Since    time.Time `json:"since"`
	Custody  string    `json:"custody,omitempty"` // HeldByHub: the hub signs and opens for its people
}

// Service is what a partner offers.
type Service struct {
	ID                string    `json:"id"` // UUID
	Partner           string    `json:"partner"`
	Name              string    `json:"name"`
	Purposes          []string  `json:"purposes"`
	Areas             []string  `json:"areas"`          // ONS GSS codes
	Status            string    `json:"status"`         // active, inactive, defunct, temporarily closed
	Capacity          string    `json:"capacity"`       // open, waiting-list, paused
	Wait              string    `json:"wait,omitempty"` // under-one-month, one-to-three-months, over-three-months
	WomenOnly         bool      `json:"women_only"`
	AcceptsNoRecourse bool      `json:"accepts_no_recourse"`
	SelfReferral      bool      `json:"self_referral"`
	Updated           time.Time `json:"updated"`
	CapacityAt        time.Time `json:"capacity_at"` // when somebody last said what the capacity is
}

// Directory lists the partners that take part.
func (c *Client) Directory(ctx context.Context) ([]Partner, error) {
	answer, err := get[struct {
		Partners []Partner `json:"partners"`
	}](ctx, c, "/v1/partners", nil)
	return answer.Partners, err
}

// Partner returns one partner that takes part; the code of its refusal is not-found.
func (c *Client) Partner(ctx context.Context, id string) (Partner, error) {
	return get[Partner](ctx, c, "/v1/partners/"+url.PathEscape(id), nil)
}

// Services lists what is offered: for a purpose and in an area (a GSS code) where
// they are not "".
func (c *Client) Services(ctx context.Context, purpose, area string) ([]Service, error) {
	query := url.Values{}
	if purpose != "" {
		query.Set("need", purpose)
	}
	if area != "" {
		query.Set("area", area)
	}
	answer, err := get[struct {
		Services []Service `json:"services"`
	}](ctx, c, "/v1/services", query)
	return answer.Services, err
}

// Clock returns how far the hub's clock is ahead of this one, to the second. The
// hub refuses proofs made more than 10 seconds ahead of it or 60 behind.
func (c *Client) Clock(ctx context.Context) (time.Duration, error) {
	r, err := c.do(ctx, metadata())
	if err != nil {
		return 0, err
	}
	at, err := http.ParseTime(r.header.Get("Date"))
	if err != nil {
		return 0, fmt.Errorf("%w: it has no Date", ErrAnswer)
	}
	return at.Sub(c.now().Truncate(time.Second)), nil
}
