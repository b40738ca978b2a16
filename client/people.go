package client

import (
	"context"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"time"

	"handover/internal/strict"
)

// Person is somebody who works at your agency. Her name is for her colleagues' eyes.
type Person struct {
	ID     string    `json:"id"` // UUID, opaque
	Name   string    `json:"name"`
	Role   string    `json:"role"`   // caseworker, manager, administrator, auditor
	Status string    `json:"status"` // invited, active, suspended, removed
	Since  time.Time `json:"since"`
}

// Link is a one-time link for one person: hand it to her and to nobody else. The hub does
// not show it again.
type Link struct {
	ID      string    `json:"id"` // of the person
	Link    string    `json:"link"`
	Expires time.Time `json:"expires"`
}

// Held is an open referral that a person holds, without content.
type Held struct {
	Reference string    `json:"reference"`
	ID        string    `json:"id"`
	State     string    `json:"state"`
	Urgency   string    `json:"urgency"`
	Role      string    `json:"role"` // of your agency: sent, received
	Since     time.Time `json:"since"`
}

// The administration of your own agency. All of it needs a client that acts for an
// administrator (Options.Session); what changes something, one that has signed in in the
// last 15 minutes: else the code is step-up-required.

// People lists everybody of your agency, those who have left among them.
func (c *Client) People(ctx context.Context) ([]Person, error) {
	answer, err := get[struct {
		People []Person `json:"people"`
	}](ctx, c, "/v1/people", nil)
	return answer.People, err
}

// AddPerson adds somebody, who takes part once she has used the link. Code of refusal:
// person-invalid.
func (c *Client) AddPerson(ctx context.Context, name, role string) (Link, error) {
	return post[Link](ctx, c, "/v1/people", map[string]string{"name": name, "role": role})
}

// SetRole gives a person another role, at once. Codes of refusal, here and below:
// user-not-found, standing-not-possible, last-administrator.
func (c *Client) SetRole(ctx context.Context, user, role string) (Person, error) {
	return post[Person](ctx, c, personPath(user, "role"), map[string]string{"role": role})
}

// SuspendPerson stops a person at once.
func (c *Client) SuspendPerson(ctx context.Context, user string) (Person, error) {
	return post[Person](ctx, c, personPath(user, "suspend"), nil)
}

// ResumePerson lets a suspended person take part again.
func (c *Client) ResumePerson(ctx context.Context, user string) (Person, error) {
	return post[Person](ctx, c, personPath(user, "resume"), nil)
}

// RemovePerson ends a leaver's part for good. See first what she holds (HeldBy).
func (c *Client) RemovePerson(ctx context.Context, user string) (Person, error) {
	return post[Person](ctx, c, personPath(user, "remove"), nil)
}

// RecoverPerson makes a new link for who has lost her way in. Code of refusal, for
// oneself: own-recovery.
func (c *Client) RecoverPerson(ctx context.Context, user string) (Link, error) {
	return post[Link](ctx, c, personPath(user, "recover"), nil)
}

// SignOutPerson ends a person's sessions and tokens.
func (c *Client) SignOutPerson(ctx context.Context, user string) error {
	_, err := c.do(ctx, call{method: http.MethodPost, once: true, path: personPath(user, "sign-out")})
	return err
}

// HeldBy lists the open referrals that a person of your agency holds, newest first, page
// by page as the loop asks for more. An error is yielded once and ends the list.
func (c *Client) HeldBy(ctx context.Context, user string) iter.Seq2[Held, error] {
	type page struct {
		Referrals []Held `json:"referrals"`
	}
	return pages(ctx, c, personPath(user, "referrals"), func(p page) []Held { return p.Referrals })
}

// pages asks for one page after the other, as the loop over what is in them goes on.
func pages[P, T any](ctx context.Context, c *Client, path string, in func(P) []T) iter.Seq2[T, error] {
	return pagesOf(ctx, c, path, nil, in)
}

// pagesOf is pages of what a query picks.
func pagesOf[P, T any](ctx context.Context, c *Client, path string, picked url.Values, in func(P) []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		q := url.Values{}
		maps.Copy(q, picked)
		for {
			r, err := c.do(ctx, call{method: http.MethodGet, path: path, query: q})
			if err != nil {
				yield(none, err)
				return
			}
			page, err := read[P](r)
			if err != nil {
				yield(none, err)
				return
			}
			found := in(page)
			for _, one := range found {
				if !yield(one, nil) {
					return
				}
			}
			next := cursor(r.header.Get("Link"))
			if next == "" || next == q.Get("after") || len(found) == 0 {
				return
			}
			q.Set("after", next)
		}
	}
}

func personPath(user, what string) string {
	return "/v1/people/" + url.PathEscape(user) + "/" + what
}

// post sends v as JSON, or nothing if v is nil, and decodes the answer.
func post[T any](ctx context.Context, c *Client, path string, v any) (T, error) {
	var none T
	k := call{method: http.MethodPost, once: true, path: path}
	if v != nil {
		body, err := strict.Marshal(v)
		if err != nil {
			return none, err
		}
		k.body, k.mediaType = body, "application/json"
	}
	r, err := c.do(ctx, k)
	if err != nil {
		return none, err
	}
	return read[T](r)
}
