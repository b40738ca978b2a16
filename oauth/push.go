package oauth

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"

	"github.com/ory/fosite"

	"handover/internal/ids"
)

// requestPrefix begins every request_uri (RFC 9126 §2.2).
const requestPrefix = "urn:ietf:params:oauth:request_uri:"

// Bounds of what a client may push.
const (
	maxState    = 512
	maxRedirect = 500
)

// push is POST /oauth/par (RFC 9126): an authenticated client says beforehand what it
// will ask a person for, so that nothing of it passes through her browser, where it
// could be read or changed.
func (h *Handler) push(r *http.Request, req *clientRequest) (answer, error) {
	if err := h.target(r.PostForm); err != nil {
		return answer{}, err
	}
	// fosite refuses a request with a short state or none. It is the client's own affair:
	// PKCE stops what it would stop.
	req.state = r.PostForm.Get("state")
	r.PostForm.Set("state", "left to the client")
	asked, err := h.provider.NewPushedAuthorizeRequest(r.Context(), r)
	if err != nil {
		return answer{}, err
	}
	given, err := h.provider.NewPushedAuthorizeResponse(r.Context(), asked, &session{})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, given.ToMap()}, nil
}

// codeGrant is the authorization code grant: what is pushed, what a person says to it,
// and what its code is redeemed for. It takes the place of fosite's, which reads in
// one transaction and writes in another, keeps the form as it came, and drops PKCE after
// one wrong verifier.
type codeGrant struct{ h *Handler }

var (
	_ fosite.PushedAuthorizeEndpointHandler = (*codeGrant)(nil)
	_ fosite.AuthorizeEndpointHandler       = (*codeGrant)(nil)
	_ fosite.TokenEndpointHandler           = (*codeGrant)(nil)
)

// HandlePushedAuthorizeEndpointRequest keeps what was pushed: a closed list of
// parameters, each judged here.
func (g *codeGrant) HandlePushedAuthorizeEndpointRequest(ctx context.Context, asked fosite.AuthorizeRequester, given fosite.PushedAuthorizeResponder) error {
	req, ok := requestFrom(ctx)
	if !ok || req.client == nil {
		return errFositeStorage
	}
	form := asked.GetRequestForm()
	row, err := readPushed(form, req)
	if err != nil {
		return err
	}
	row.scopes = granted(req.client.PeopleScopes(), asked.GetRequestedScopes())
	if len(row.scopes) == 0 {
		return errScopes
	}
	uri := requestPrefix + rand.Text()
	if err := g.h.store.push(ctx, req.client.ID, secretUse("request", uri), row); err != nil {
		return unavailable("keeping a pushed request", err)
	}
	given.SetRequestURI(uri)
	given.SetExpiresIn(int(requestLife.Seconds()))
	return nil
}

// readPushed judges the parameters that fosite does not, or takes lightly: it would
// find out only at her browser that PKCE is missing.
func readPushed(form url.Values, req *clientRequest) (grantRow, error) {
	g := grantRow{redirect: form.Get("redirect_uri"), state: req.state, challenge: form.Get("code_challenge"), jkt: form.Get("dpop_jkt")}
	switch {
	case form.Has("request") || form.Has("registration"):
		return g, badRequest("push-request-object", "Send plain parameters: request objects are not taken.")
	case !req.client.GetGrantTypes().Has(authorizationCode):
		return g, &refusal{code: unauthorizedClient, reason: "token-grant", status: http.StatusBadRequest,
			hint: "The client is not registered for authorization_code."}
	case g.redirect == "" || len(g.redirect) > maxRedirect: // FAPI 2.0 §5.3.2.2 item 6
		return g, badRequest("push-redirect", "redirect_uri is needed.")
	case len(g.state) > maxState || strings.ContainsFunc(g.state, func(r rune) bool { return r < 0x20 || r > 0x7e }): // RFC 6749 A.5
		return g, badRequest("push-state", "state may have at most 512 printable ASCII characters.")
	case form.Get("code_challenge_method") != "S256" || !ids.IsDigest(g.challenge): // RFC 7636 §4.3, FAPI 2.0 §5.3.2.2 item 5
		return g, badRequest("push-challenge", "code_challenge of method S256 is needed.")
	case g.jkt != "" && !ids.IsDigest(g.jkt):
		return g, badRequest("push-jkt", "dpop_jkt must be an RFC 7638 thumbprint.")
	case g.jkt != "" && req.proof.thumbprint != "" && g.jkt != req.proof.thumbprint: // RFC 9449 §10.1
		return g, badProof("push-jkt", "dpop_jkt is not the key of the proof.")
	}
	if g.jkt == "" {
		g.jkt = req.proof.thumbprint
	}
	return g, nil
}

// CreatePARSession refuses: fosite would keep the form with the client's assertion in it.
func (*storage) CreatePARSession(context.Context, string, fosite.AuthorizeRequester) error {
	return errFositeStorage
}

// GetPARSession returns what the client of the context has pushed under that URI, which
// the store has found to wait for a person. Everything that fosite then merges with what
// came through her browser is of this row.
func (s *storage) GetPARSession(ctx context.Context, uri string) (fosite.AuthorizeRequester, error) {
	req, ok := requestFrom(ctx)
	if !ok || req.client == nil || req.grant.id == "" {
		return nil, errFositeStorage
	}
	redirect, err := url.Parse(req.grant.redirect)
	if err != nil {
		return nil, err
	}
	asked := fosite.NewAuthorizeRequest()
	asked.Client, asked.RedirectURI, asked.State = req.client, redirect, req.grant.state
	asked.ResponseTypes, asked.DefaultResponseMode = fosite.Arguments{"code"}, fosite.ResponseModeQuery
	asked.Form = url.Values{"redirect_uri": {req.grant.redirect}}
	for _, scope := range req.grant.scopes {
		asked.AppendRequestedScope(string(scope))
	}
	return asked, nil
}

// DeletePARSession does nothing: a request is used up by the yes or no that it gets, not
// by the first look at it (FAPI 2.0 §5.3.2.2 note 3).
func (*storage) DeletePARSession(context.Context, string) error { return nil }
