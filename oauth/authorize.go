package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ory/fosite"

	"handover/internal/fault"
	"handover/internal/ids"
	"handover/partners"
)

// What a person can meet who was sent here by a system.
var (
	ErrAsking = fault.New(fault.NotFound, "authorization-request-invalid", fault.Sender,
		"This request is unknown, answered or out of date. Start again from the system that you came from.")
	ErrOtherAgency = fault.New(fault.Forbidden, "authorization-other-agency", fault.Sender,
		"This system belongs to another agency than yours, so you cannot let it act for you. Nothing was sent to it.")
)

// Asking is a system's request to act for a person, as she is asked it.
type Asking struct {
	ClientName     string
	Partner        partners.ID
	Scopes         []partners.Scope // what the system asks for; she can give what her role has of it
	RedirectOrigin string           // scheme and host that the answer goes to
}

// Asked returns the pushed request that waits for a person's yes or no, or ErrAsking. The
// page may be loaded as often as she likes.
func (h *Handler) Asked(ctx context.Context, clientID, requestURI string) (Asking, error) {
	req, err := h.waiting(ctx, clientID, requestURI)
	if err != nil {
		return Asking{}, err
	}
	redirect, err := url.Parse(req.grant.redirect)
	if err != nil {
		return Asking{}, err
	}
	return Asking{ClientName: req.client.Name, Partner: req.client.Partner, Scopes: req.grant.scopes,
		RedirectOrigin: redirect.Scheme + "://" + redirect.Host}, nil
}

// Permit records that the person lets the system act for her, and returns where to send
// her browser with the code: the request's redirect_uri, with iss (RFC 9207). What her
// role does not have she cannot lend. Errors: ErrAsking, ErrOtherAgency.
func (h *Handler) Permit(ctx context.Context, c partners.Caller, clientID, requestURI string) (location string, err error) {
	req, err := h.waiting(ctx, clientID, requestURI)
	if err != nil {
		return "", err
	}
	// Not from a token: what a system may do for her must not grow by its own doing.
	if c.User() == "" || c.Client() != "" || c.Partner() != req.client.Partner {
		return "", ErrOtherAgency
	}
	req.grant.scopes = slices.DeleteFunc(slices.Clone(req.grant.scopes), func(s partners.Scope) bool { return !c.Has(s) })
	req.person = c
	if len(req.grant.scopes) == 0 {
		return h.refuseTo(ctx, req, requestURI, invalidScope)
	}
	given, asked, err := h.authorize(ctx, req, requestURI)
	if errors.Is(err, errNoGrant) {
		return "", ErrAsking // answered elsewhere in the meantime
	}
	if err != nil {
		return "", err
	}
	return withParameters(asked.GetRedirectURI(), given.GetParameters()), nil
}

// Deny records that she does not, and returns where to send her browser with that.
func (h *Handler) Deny(ctx context.Context, c partners.Caller, clientID, requestURI string) (location string, err error) {
	req, err := h.waiting(ctx, clientID, requestURI)
	if err != nil {
		return "", err
	}
	req.person = c
	return h.refuseTo(ctx, req, requestURI, accessDenied)
}

// refuseTo ends the request and returns the redirect that says so (RFC 6749 §4.1.2.1).
func (h *Handler) refuseTo(ctx context.Context, req *clientRequest, requestURI, code string) (string, error) {
	err := h.store.deny(ctx, req.person, req.client.ID, secretUse("request", requestURI), code)
	if errors.Is(err, errNoGrant) {
		return "", ErrAsking
	}
	if err != nil {
		return "", err
	}
	redirect, err := url.Parse(req.grant.redirect)
	if err != nil {
		return "", err
	}
	return withParameters(redirect, h.parameters(req, "error", code)), nil
}

// waiting finds a pushed request by what a browser brought of it: both parts must be
// right, and no other parameter is looked at, so nothing can be added to what the client
// pushed.
func (h *Handler) waiting(ctx context.Context, clientID, requestURI string) (*clientRequest, error) {
	if !ids.IsClient(clientID) || !strings.HasPrefix(requestURI, requestPrefix) || len(requestURI) > maxRedirect {
		return nil, ErrAsking
	}
	known, err := h.lookUp(ctx, clientID)
	if err != nil {
		return nil, err
	}
	if !known.Active {
		return nil, ErrAsking
	}
	row, err := h.store.pushed(ctx, clientID, secretUse("request", requestURI))
	if errors.Is(err, errNoGrant) {
		return nil, ErrAsking
	}
	if err != nil {
		return nil, err
	}
	return &clientRequest{client: &client{Client: known, issuer: h.issuer}, grant: row}, nil
}

// authorize has fosite make the authorization response of a request that is rebuilt from
// the two parameters that count. What else the browser sent never reaches fosite, which
// would merge it with what was pushed.
func (h *Handler) authorize(ctx context.Context, req *clientRequest, requestURI string) (fosite.AuthorizeResponder, fosite.AuthorizeRequester, error) {
	ctx = context.WithValue(ctx, requestKey{}, req)
	rebuilt := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: authorizePath},
		Form: url.Values{"client_id": {req.client.ID}, "request_uri": {requestURI}}}
	asked, err := h.provider.NewAuthorizeRequest(ctx, rebuilt.WithContext(ctx))
	if err != nil {
		return nil, nil, err
	}
	given, err := h.provider.NewAuthorizeResponse(ctx, asked, &session{})
	return given, asked, err
}

// HandleAuthorizeEndpointRequest gives the request its code, in the transaction that
// records who said yes.
func (g *codeGrant) HandleAuthorizeEndpointRequest(ctx context.Context, asked fosite.AuthorizeRequester, given fosite.AuthorizeResponder) error {
	req, ok := requestFrom(ctx)
	if !ok || req.client == nil || req.person.User() == "" {
		return errFositeStorage
	}
	code, uri := rand.Text(), asked.GetRequestForm().Get("request_uri")
	err := g.h.store.permit(ctx, req.person, req.client.ID, secretUse("request", uri), secretUse("code", code), req.grant.scopes)
	if err != nil {
		return err
	}
	for name, values := range g.h.parameters(req, "code", code) {
		given.AddParameter(name, values[0])
	}
	asked.SetResponseTypeHandled("code")
	return nil
}

// parameters are those of every authorization response.
func (h *Handler) parameters(req *clientRequest, name, value string) url.Values {
	p := url.Values{name: {value}, "iss": {h.issuer}} // RFC 9207 §2, of errors too
	if req.grant.state != "" {
		p.Set("state", req.grant.state)
	}
	return p
}

// withParameters adds parameters to those that the redirect URI has of its own.
func withParameters(redirect *url.URL, added url.Values) string {
	u := *redirect
	query := u.Query()
	for name, values := range added {
		query[name] = values
	}
	u.RawQuery = query.Encode()
	return u.String()
}
