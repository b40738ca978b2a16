package client

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// metadataPath is where a hub says what it offers (RFC 8414 §3).
const metadataPath = "/.well-known/oauth-authorization-server"

// endpoints are the hub's addresses for tokens, as RFC 8414 §2 and the RFCs beside them
// name them. All but the first are "" where they are not offered.
type endpoints struct {
	Issuer     string `json:"issuer"`
	Token      string `json:"token_endpoint"`
	Authorize  string `json:"authorization_endpoint"`
	Push       string `json:"pushed_authorization_request_endpoint"` // RFC 9126 §5
	Revoke     string `json:"revocation_endpoint"`
	Introspect string `json:"introspection_endpoint"`
	Register   string `json:"registration_endpoint"`

	NamesIssuer bool `json:"authorization_response_iss_parameter_supported"` // RFC 9207 §3
}

// metadata is the call for the hub's metadata.
func metadata() call { return call{method: http.MethodGet, path: metadataPath, stranger: true} }

// discover asks for the endpoints. It asks once: whoever wants a token repeats.
func (c *Client) discover(ctx context.Context) (endpoints, error) {
	c.mu.Lock()
	known := c.ends
	c.mu.Unlock()
	if known.Token != "" {
		return known, nil
	}
	r, err := c.exchange(ctx, metadata(), "")
	if err != nil {
		return endpoints{}, err
	}
	if r.status != http.StatusOK {
		return endpoints{}, problemOf(r)
	}
	return c.endpoints(r)
}

// endpoints reads the metadata. The issuer in it must be the hub that was asked, or one
// hub could pass itself off as another (RFC 8414 §3.3); every endpoint must lie below it,
// or assertions, codes and people's browsers would be led elsewhere.
func (c *Client) endpoints(r response) (endpoints, error) {
	e, err := read[endpoints](r)
	if err != nil {
		return endpoints{}, err
	}
	if e.Issuer != c.hub {
		return endpoints{}, fmt.Errorf("%w: the hub calls itself another issuer than %s", ErrAnswer, c.hub)
	}
	for what, at := range map[string]string{"token": e.Token, "authorization": e.Authorize, "pushed authorization request": e.Push,
		"revocation": e.Revoke, "introspection": e.Introspect, "registration": e.Register} {
		if !strings.HasPrefix(at, c.hub+"/") && (at != "" || what == "token") {
			return endpoints{}, fmt.Errorf("%w: its %s endpoint lies elsewhere", ErrAnswer, what)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends = e
	return e, nil
}
