package client

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
)

// Registering is what a further system of an agency brings, beside the one that enrolled
// with the hub's operator.
type Registering struct {
	Hub   string // issuer URL
	Token string // the initial access token that your administrator gave

	Name      string         // as people read it who let the system act for them
	Scopes    []string       // all that it may ever carry
	Grants    []string       // client_credentials, authorization_code, refresh_token
	Redirects []string       // of authorization_code; LoopbackRedirect for a command line
	Key       jose.PublicKey // with which it authenticates, named by its thumbprint

	HTTP *http.Client     // nil is one with timeouts
	Now  func() time.Time // nil is time.Now
}

// LoopbackRedirect is where a program on this machine waits for a code, at a port of its
// own choice (RFC 8252 §7.3).
const LoopbackRedirect = "http://127.0.0.1/callback"

// Register registers a system (RFC 7591) with the one-time token of its agency's
// administrator. Codes of refusal: invalid_token, invalid_client_metadata,
// invalid_redirect_uri. A refused token stays usable; one whose answer was lost is used,
// and the system stands in the administrator's list.
func Register(ctx context.Context, g Registering) (Enrolment, error) {
	hub, host, err := parseHub(g.Hub)
	if err != nil {
		return Enrolment{}, err
	}
	c := &Client{hub: hub, host: host, http: sender(g.HTTP), now: g.Now, tokens: &tokens{}}
	if c.now == nil {
		c.now = time.Now
	}
	// Before anything is registered: this is the hub, and it has a log.
	r, err := c.do(ctx, metadata())
	if err != nil {
		return Enrolment{}, err
	}
	ends, err := c.endpoints(r)
	if err != nil {
		return Enrolment{}, err
	}
	if ends.Register == "" {
		return Enrolment{}, fmt.Errorf("%w: it registers no systems", ErrAnswer)
	}
	logKey, err := c.fetchLogKey(ctx)
	if err != nil {
		return Enrolment{}, err
	}
	body, err := g.metadata()
	if err != nil {
		return Enrolment{}, err
	}
	r, err = c.do(ctx, call{method: http.MethodPost, path: strings.TrimPrefix(ends.Register, hub), body: body,
		mediaType: "application/json", stranger: true, once: true, bearer: strings.TrimSpace(g.Token)})
	if err != nil {
		return Enrolment{}, err
	}
	answer, err := read[struct {
		ClientID string `json:"client_id"`
		Partner  string `json:"partner"`
		Scope    string `json:"scope"`
	}](r)
	if err != nil {
		return Enrolment{}, err
	}
	if answer.ClientID == "" || !ids.IsName(answer.Partner) {
		return Enrolment{}, fmt.Errorf("%w: it names no client", ErrAnswer)
	}
	return Enrolment{Hub: hub, Partner: answer.Partner, ClientID: answer.ClientID,
		Scopes: strings.Fields(answer.Scope), LogKey: logKey.String()}, nil
}

// metadata is the client metadata (RFC 7591 §2).
func (g Registering) metadata() ([]byte, error) {
	type set struct {
		Keys []jose.PublicKey `json:"keys"`
	}
	return strict.Marshal(struct {
		Name      string   `json:"client_name"`
		Scope     string   `json:"scope"`
		Grants    []string `json:"grant_types"`
		Redirects []string `json:"redirect_uris,omitempty"`
		Method    string   `json:"token_endpoint_auth_method"`
		Keys      set      `json:"jwks"`
	}{g.Name, strings.Join(g.Scopes, " "), g.Grants, g.Redirects, "private_key_jwt", set{[]jose.PublicKey{g.Key}}})
}
