package client

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"handover/internal/strict"
	"handover/keys/jose"
)

// The addresses and types of the token endpoint.
const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionTyp  = "client-authentication+jwt"
	assertionLife = time.Minute
	early         = 30 * time.Second // how long before its end a token is replaced
)

// tokens gets and keeps the access token. Tokens are bound to a key (RFC 9449), so neither
// a stolen token nor a stolen log line with one in it is of use to anybody. Those of the
// system itself are bound to a key that lives in this process only, those of a person to
// the key of her session.
type tokens struct {
	c       *Client
	dpop    jose.PrivateKey
	refresh string        // of the person for whom the tokens are; "" for the system itself
	turn    chan struct{} // held by whoever asks for a token: one request for all who wait
	held    atomic.Pointer[token]
	nonce   atomic.Pointer[string] // the hub's newest, when it uses them
}

type token struct {
	value   string
	scopes  []string
	expires time.Time
}

func newTokens(c *Client, s *Session) (*tokens, error) {
	if s != nil {
		return &tokens{c: c, dpop: s.Key, refresh: s.Refresh, turn: make(chan struct{}, 1)}, nil
	}
	key, err := jose.Generate(jose.ES256, jose.P256)
	if err != nil {
		return nil, fmt.Errorf("making a DPoP key: %w", err)
	}
	return &tokens{c: c, dpop: key, turn: make(chan struct{}, 1)}, nil
}

// SignIn gets a token, unless a good one is held, and returns its scopes.
func (c *Client) SignIn(ctx context.Context) ([]string, error) {
	if _, err := c.tokens.get(ctx); err != nil {
		return nil, err
	}
	if t := c.tokens.held.Load(); t != nil {
		return slices.Clone(t.scopes), nil
	}
	return nil, nil
}

// get returns a token that is good for a while yet.
func (t *tokens) get(ctx context.Context) (string, error) {
	if held := t.held.Load(); held != nil && t.c.now().Before(held.expires.Add(-early)) {
		return held.value, nil
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if held := t.held.Load(); held != nil && t.c.now().Before(held.expires.Add(-early)) {
		return held.value, nil // another goroutine was first
	}
	fresh, err := t.ask(ctx)
	if err != nil {
		return "", err
	}
	t.held.Store(fresh)
	return fresh.value, nil
}

// drop forgets a token that was refused, unless it has been replaced already.
func (t *tokens) drop(value string) {
	if held := t.held.Load(); held != nil && held.value == value {
		t.held.CompareAndSwap(held, nil)
	}
}

// ask requests a token: for the system itself, or for the person with her refresh token,
// which stays the same (FAPI 2.0 §5.3.2.1).
func (t *tokens) ask(ctx context.Context) (*token, error) {
	ends, err := t.c.discover(ctx)
	if err != nil {
		return nil, err
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if t.refresh != "" {
		form = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.refresh}}
	}
	r, err := t.post(ctx, ends.Token, form)
	if err != nil {
		return nil, err
	}
	granted, _, err := t.granted(r)
	return granted, err
}

// granted reads the answer of the token endpoint: the token, and the refresh token if
// there is one.
func (t *tokens) granted(r response) (*token, string, error) {
	if r.status != http.StatusOK {
		return nil, "", problemOf(r)
	}
	answer, err := read[struct {
		Token   string `json:"access_token"`
		Type    string `json:"token_type"`
		Life    int64  `json:"expires_in"`
		Scope   string `json:"scope"`
		Refresh string `json:"refresh_token"`
	}](r)
	if err != nil {
		return nil, "", err
	}
	if !strings.EqualFold(answer.Type, "DPoP") || answer.Token == "" || answer.Life <= 0 {
		return nil, "", fmt.Errorf("%w: the token is not bound to our key", ErrAnswer)
	}
	return &token{value: answer.Token, scopes: strings.Fields(answer.Scope),
		expires: t.c.now().Add(time.Duration(answer.Life) * time.Second)}, answer.Refresh, nil
}

// post sends a form to an endpoint of the hub's authorization server, authenticated by
// private_key_jwt (RFC 7523 §2.2), with a DPoP proof (RFC 9449 §5): once, or twice when
// the hub wants a nonce first. Assertion and proof are fresh each time, since each counts
// once.
func (t *tokens) post(ctx context.Context, address string, form url.Values) (response, error) {
	r, err := t.postOnce(ctx, address, form)
	if err == nil && r.status >= 300 && t.wantsNonce(r) {
		r, err = t.postOnce(ctx, address, form)
	}
	return r, err
}

func (t *tokens) postOnce(ctx context.Context, address string, form url.Values) (response, error) {
	assertion, err := t.assert()
	if err != nil {
		return response{}, err
	}
	proof, err := t.prove(http.MethodPost, address, "")
	if err != nil {
		return response{}, err
	}
	sent := maps.Clone(form)
	sent.Set("client_assertion_type", assertionType)
	sent.Set("client_assertion", assertion)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(sent.Encode()))
	if err != nil {
		return response{}, fmt.Errorf("building a token request: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("DPoP", proof)
	r, err := t.c.roundTrip(request, nil)
	if err == nil {
		t.remember(r)
	}
	return r, err
}

func (t *tokens) assert() (string, error) {
	now := t.c.now()
	claims, err := strict.Marshal(struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		ID       string `json:"jti"`
		Issued   int64  `json:"iat"`
		Expires  int64  `json:"exp"`
	}{t.c.clientID, t.c.clientID, t.c.hub, rand.Text(), now.Unix(), now.Add(assertionLife).Unix()})
	if err != nil {
		return "", fmt.Errorf("writing a client assertion: %w", err)
	}
	signed, err := jose.Sign(assertionTyp, claims, t.c.keys.Authentication.Signer())
	if err != nil {
		return "", fmt.Errorf("signing a client assertion: %w", err)
	}
	return signed, nil
}

// prove makes the DPoP proof of one request (RFC 9449 §4.2). token "" is for the
// token endpoint.
func (t *tokens) prove(method, address, token string) (string, error) {
	claims := struct {
		ID     string `json:"jti"`
		Method string `json:"htm"`
		URI    string `json:"htu"`
		Issued int64  `json:"iat"`
		Token  string `json:"ath,omitempty"`
		Nonce  string `json:"nonce,omitempty"`
	}{ID: rand.Text(), Method: method, URI: address, Issued: t.c.now().Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims.Token = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if nonce := t.nonce.Load(); nonce != nil {
		claims.Nonce = *nonce
	}
	payload, err := strict.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("writing a DPoP proof: %w", err)
	}
	signed, err := jose.SignProof(payload, t.dpop)
	if err != nil {
		return "", fmt.Errorf("signing a DPoP proof: %w", err)
	}
	return signed, nil
}

// remember keeps the nonce of an answer for the next proof (RFC 9449 §8.2).
func (t *tokens) remember(r response) {
	if nonce := r.header.Get("DPoP-Nonce"); nonce != "" {
		t.nonce.Store(&nonce)
	}
}

// wantsNonce reports whether an answer refuses a proof for its nonce alone: at the
// token endpoint in the body (RFC 9449 §8), elsewhere in the challenge (§9).
func (t *tokens) wantsNonce(r response) bool {
	if r.header.Get("DPoP-Nonce") == "" {
		return false
	}
	if strings.Contains(r.header.Get("WWW-Authenticate"), `error="use_dpop_nonce"`) {
		return true
	}
	var said struct {
		Error string `json:"error"`
	}
	return json.Unmarshal(r.body, &said) == nil && said.Error == "use_dpop_nonce"
}
