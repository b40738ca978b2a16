package client

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"handover/internal/ids"
	"handover/keys/jose"
)

// Session is what a person's sign-in leaves with a system: with it the system acts for
// her, until she signs out. Both parts are secrets; client/profile keeps them sealed.
type Session struct {
	Refresh string          // the refresh token, which does not change
	Key     jose.PrivateKey // the DPoP key that it is bound to: neither is of use without the other
	Scopes  []string        // that she lent
}

// String says nothing of the session.
func (s Session) String() string { return "a person's session" }

// Format prints String, whatever the verb.
func (s Session) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue is String, for slog.
func (s Session) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON refuses: a session is kept sealed or not at all.
func (s Session) MarshalJSON() ([]byte, error) { return nil, errSession }

var (
	errSession = errors.New("a person's session is not written in clear")
	// ErrSignIn means that what a browser brought back is not the answer to the sign-in
	// that was begun here. Nothing was exchanged.
	ErrSignIn = errors.New("this is not the answer to the sign-in that was begun here")
	// ErrNoSignIn means that the hub offers people no sign-in through systems.
	ErrNoSignIn = errors.New("this hub lets nobody sign in to a system")
)

// SignInAs is one sign-in of a person to this system on its way: authorization code
// (RFC 6749 §4.1) with PKCE (RFC 7636) and a pushed request (RFC 9126), bound to a new
// DPoP key (RFC 9449 §10).
type SignInAs struct {
	c        *Client
	tokens   *tokens
	ends     endpoints
	uri      string // of the pushed request
	redirect string
	state    string
	verifier string
}

// BeginSignIn tells the hub what the system wants to be allowed: the scopes, to be
// answered at redirect. What a person may is asked at Address, in her browser.
func (c *Client) BeginSignIn(ctx context.Context, redirect string, scopes ...string) (*SignInAs, error) {
	key, err := jose.Generate(jose.ES256, jose.P256)
	if err != nil {
		return nil, fmt.Errorf("making a DPoP key: %w", err)
	}
	ends, err := c.discover(ctx)
	if err != nil {
		return nil, err
	}
	if ends.Authorize == "" || ends.Push == "" || !ends.NamesIssuer {
		return nil, ErrNoSignIn
	}
	t, err := newTokens(c, &Session{Key: key})
	if err != nil {
		return nil, err
	}
	// RFC 7636 §4.1 wants 43 characters or more.
	s := &SignInAs{c: c, tokens: t, ends: ends, redirect: redirect, state: rand.Text(), verifier: rand.Text() + rand.Text()}
	r, err := t.post(ctx, ends.Push, url.Values{"response_type": {"code"}, "redirect_uri": {redirect}, "state": {s.state},
		"code_challenge": {ids.Digest(s.verifier)}, "code_challenge_method": {"S256"}, "scope": {strings.Join(scopes, " ")}})
	if err != nil {
		return nil, err
	}
	if r.status != http.StatusCreated {
		return nil, problemOf(r)
	}
	pushed, err := read[struct {
		URI string `json:"request_uri"`
	}](r)
	if err == nil && pushed.URI == "" {
		err = fmt.Errorf("%w: it names no request", ErrAnswer)
	}
	if err != nil {
		return nil, err
	}
	s.uri = pushed.URI
	return s, nil
}

// Address is where the person says yes or no, in her browser. It holds no secret: of what
// was pushed it has only the name (RFC 9126 §4).
func (s *SignInAs) Address() string {
	return s.ends.Authorize + "?" + url.Values{"client_id": {s.c.clientID}, "request_uri": {s.uri}}.Encode()
}

// Mine reports whether what a browser brought to the redirect address answers this
// sign-in. Others are to be turned away and waited past: any page can send a browser there.
func (s *SignInAs) Mine(answer url.Values) bool {
	return len(answer["state"]) == 1 && subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(s.state)) == 1
}

// Finish exchanges the answer's code for a session. The answer must carry the state that
// was sent, or somebody else's code could be slipped in (RFC 9700 §4.7), and name this hub,
// or another server's code could be (RFC 9207 §2.4). A refusal of the person's is a
// *Problem with the code access_denied.
func (s *SignInAs) Finish(ctx context.Context, answer url.Values) (Session, error) {
	for _, values := range answer {
		if len(values) != 1 {
			return Session{}, ErrSignIn
		}
	}
	if !s.Mine(answer) || answer.Get("iss") != s.c.hub {
		return Session{}, ErrSignIn
	}
	if answer.Get("error") != "" {
		return Session{}, refusedSignIn(answer.Get("error"))
	}
	r, err := s.tokens.post(ctx, s.ends.Token, url.Values{"grant_type": {"authorization_code"}, "code": {answer.Get("code")},
		"redirect_uri": {s.redirect}, "code_verifier": {s.verifier}})
	if err != nil {
		return Session{}, err
	}
	granted, refresh, err := s.tokens.granted(r)
	if err != nil {
		return Session{}, err
	}
	if refresh == "" {
		return Session{}, fmt.Errorf("%w: it lends nothing beyond ten minutes", ErrAnswer)
	}
	return Session{Refresh: refresh, Key: s.tokens.dpop, Scopes: slices.Clone(granted.scopes)}, nil
}

// refusedSignIn is the refusal of an authorization response (RFC 6749 §4.1.2.1). Of its
// text only the codes that are known are passed on: the rest came through a browser.
func refusedSignIn(code string) *Problem {
	p := &Problem{Type: "about:blank", Code: "access_denied", Party: "sender",
		Title: "The person did not let this system act for her."}
	if code == "invalid_scope" {
		p.Code, p.Title = code, "The role of the person who signed in has none of the rights asked for. Sign in as somebody who has, or ask for others."
	}
	return p
}

// SignOut gives the session back: refresh token and access tokens count no more (RFC 7009).
// The client must be one that acts for the person.
func (c *Client) SignOut(ctx context.Context) error {
	if c.tokens.refresh == "" {
		return errNoPerson
	}
	ends, err := c.discover(ctx)
	if err != nil {
		return err
	}
	if ends.Revoke == "" {
		return ErrNoSignIn
	}
	r, err := c.tokens.post(ctx, ends.Revoke, url.Values{"token": {c.tokens.refresh}, "token_type_hint": {"refresh_token"}})
	if err != nil {
		return err
	}
	if r.status != http.StatusOK {
		return problemOf(r)
	}
	c.tokens.held.Store(nil)
	return nil
}

var errNoPerson = errors.New("this client acts for a system and not for a person: give it a Session")

// Identity is for whom a client acts.
type Identity struct {
	User   string   `json:"user"` // opaque id
	Scopes []string `json:"scopes"`
}

// WhoAmI asks the hub for whom the client's token is (RFC 7662). User is "" for a system
// itself.
func (c *Client) WhoAmI(ctx context.Context) (Identity, error) {
	token, err := c.tokens.get(ctx)
	if err != nil {
		return Identity{}, err
	}
	ends, err := c.discover(ctx)
	if err != nil {
		return Identity{}, err
	}
	if ends.Introspect == "" {
		return Identity{}, ErrNoSignIn
	}
	r, err := c.tokens.post(ctx, ends.Introspect, url.Values{"token": {token}})
	if err != nil {
		return Identity{}, err
	}
	if r.status != http.StatusOK {
		return Identity{}, problemOf(r)
	}
	said, err := read[struct {
		Active  bool   `json:"active"`
		Subject string `json:"sub"`
		Scope   string `json:"scope"`
	}](r)
	if err != nil {
		return Identity{}, err
	}
	if !said.Active {
		return Identity{}, &Problem{Type: "about:blank", Code: "unauthenticated", Party: "sender", Status: http.StatusUnauthorized,
			Title: "You are signed out, or may not act any more."}
	}
	who := Identity{User: said.Subject, Scopes: strings.Fields(said.Scope)}
	if who.User == c.clientID {
		who.User = ""
	}
	return who, nil
}
