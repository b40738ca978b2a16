package client

import (
	"context"
	"net/http"
)

// Ruled is what the hub's firewall says of one category of recipient.
type Ruled struct {
	Category string `json:"category"`
	Title    string `json:"title"`
	Rules    []Rule `json:"rules"`
}

// Rule says for which purposes a section may ever go to a category of recipient.
type Rule struct {
	Section  string   `json:"section"`
	Title    string   `json:"title"`
	Purposes []string `json:"purposes"` // none is never; the single "*" is every purpose
	Why      string   `json:"why"`
}

// Firewall returns the hub-wide table of what may ever go to whom. Agreements and consents
// narrow it, and nothing widens it.
func (c *Client) Firewall(ctx context.Context) ([]Ruled, error) {
	r, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/firewall", stranger: true})
	if err != nil {
		return nil, err
	}
	answer, err := read[struct {
		Categories []Ruled `json:"categories"`
	}](r)
	return answer.Categories, err
}
