package oauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/oauth2"

	"handover/partners"
)

// session is what a grant carries from the request to the token. It is a type of
// its own: fosite's sessions know no key that a token is bound to, and their Clone
// would lose it.
type session struct {
	client     string
	partner    string
	key        string    // kid of the client's authentication key
	thumbprint string    // of the DPoP key
	user       string    // the person who granted it; "" for the client by itself
	proved     time.Time // when she had last proved who she is
	grant      string    // id of her grant
	issued     time.Time
	expires    time.Time
}

var _ fosite.Session = (*session)(nil)

// SetExpiresAt sets the expiry of the access token; that of other things is the store's.
func (s *session) SetExpiresAt(kind fosite.TokenType, t time.Time) {
	if kind == fosite.AccessToken {
		s.expires = t
	}
}

// GetExpiresAt returns the expiry of the access token.
func (s *session) GetExpiresAt(kind fosite.TokenType) time.Time {
	if kind == fosite.AccessToken {
		return s.expires
	}
	return time.Time{}
}

// GetUsername is "": people have opaque ids and no names here.
func (s *session) GetUsername() string { return "" }

// GetSubject is the person, or the client by itself (RFC 9068 §2.2).
func (s *session) GetSubject() string {
	if s.user != "" {
		return s.user
	}
	return s.client
}

// Clone returns an equal session, bound to the same key.
func (s *session) Clone() fosite.Session {
	c := *s
	return &c
}

// carry takes from a grant what its tokens carry.
func (s *session) carry(g grantRow) { s.user, s.proved, s.grant = g.user, g.proved, g.id }

// senderConstraint is the last of the token endpoint's handlers. It binds the
// session to the key of the DPoP proof, decides the scopes of a client by itself, and
// names the token's type. Being last it sees what any grant has put into the session.
type senderConstraint struct {
	issuer string
	now    func() time.Time
}

var _ fosite.TokenEndpointHandler = (*senderConstraint)(nil)

// CanHandleTokenEndpointRequest is true for the grants offered and no others: a
// handler that answers for any grant makes fosite take an unknown one for handled.
func (c *senderConstraint) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return slices.ContainsFunc(grants(), r.GetGrantTypes().ExactOne)
}

// CanSkipClientAuth is false.
func (c *senderConstraint) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool {
	return false
}

// HandleTokenEndpointRequest binds the session to client and key.
func (c *senderConstraint) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	req, ok := requestFrom(ctx)
	if !ok || req.client == nil || req.proof.thumbprint == "" {
		return errors.New("granting a token to nobody in particular")
	}
	s, ok := r.GetSession().(*session)
	if !ok {
		return errors.New("granting a token: the session is of another type")
	}
	if r.GetGrantTypes().ExactOne(clientCredentials) {
		grantScopes(r, granted(req.client.SystemScopes(), r.GetRequestedScopes()))
	}
	if len(r.GetGrantedScopes()) == 0 {
		return errScopes
	}
	r.GrantAudience(c.issuer)
	s.client, s.partner, s.key = req.client.ID, string(req.client.Partner), req.client.key
	s.thumbprint = req.proof.thumbprint
	s.issued = c.now()
	s.expires = s.issued.Add(tokenLife)
	return nil
}

var errScopes = &refusal{code: invalidScope, reason: "token-scope", status: http.StatusBadRequest,
	hint: "The client, or the person it acts for, may not have one of the scopes asked for."}

// PopulateTokenEndpointResponse corrects what fosite has put into the answer: the
// type, which it takes to be bearer, and the lifetime by our clock.
func (c *senderConstraint) PopulateTokenEndpointResponse(_ context.Context, r fosite.AccessRequester, answer fosite.AccessResponder) error {
	answer.SetTokenType("DPoP") // RFC 9449 §5
	answer.SetExpiresIn(tokenLife)
	return nil
}

// granted are the scopes of a token: what was asked for and is held, or all that is
// held when nothing was asked for (RFC 6749 §3.3). Names are compared exactly:
// fosite's own comparison takes no account of case.
func granted(held []partners.Scope, asked []string) []partners.Scope {
	return slices.DeleteFunc(slices.Clone(held), func(s partners.Scope) bool {
		return len(asked) > 0 && !slices.Contains(asked, string(s))
	})
}

func grantScopes(r fosite.AccessRequester, scopes []partners.Scope) {
	for _, s := range scopes {
		r.GrantScope(string(s))
	}
}

// newProvider composes fosite: our client authentication, our tokens, our code and
// refresh, exact scopes and audiences (its defaults are wildcards and prefixes).
func (h *Handler) newProvider() fosite.OAuth2Provider {
	config := &fosite.Config{
		AccessTokenIssuer:            h.issuer,
		AccessTokenLifespan:          tokenLife,
		TokenURL:                     h.issuer + tokenPath,
		ScopeStrategy:                fosite.ExactScopeStrategy,
		AudienceMatchingStrategy:     fosite.ExactAudienceMatchingStrategy,
		ClientAuthenticationStrategy: h.authenticate,
		IsPushedAuthorizeEnforced:    true,
		MinParameterEntropy:          -1, // state is the client's own; PKCE stops what it would stop
	}
	constrain := func(fosite.Configurator, any, any) any { return &senderConstraint{issuer: h.issuer, now: h.now} }
	code := func(fosite.Configurator, any, any) any { return &codeGrant{h: h} }
	refresh := func(fosite.Configurator, any, any) any { return &refreshGrant{h: h} }
	return compose.Compose(config, &storage{h: h}, h.tokens, compose.OAuth2ClientCredentialsGrantFactory, code, refresh, constrain)
}

// storage is what fosite wants of a store. Clients are found by our own
// authentication, and an access token needs no row, since it says all of itself and
// partners.Store.Admit judges at each request whether it still counts. What is not
// meant to be reached refuses.
type storage struct{ h *Handler }

var (
	_ fosite.Storage            = (*storage)(nil)
	_ fosite.PARStorage         = (*storage)(nil)
	_ oauth2.AccessTokenStorage = (*storage)(nil)
)

// errFositeStorage is returned where only fosite's own client authentication or
// introspection could call: both have rules that are not ours.
var errFositeStorage = errors.New("fosite's own rules were asked to decide")

// GetClient returns the client that has authenticated itself, and only under its own
// id: fosite would take client_id from the form, and store what one client pushed as
// the request of another.
func (*storage) GetClient(ctx context.Context, id string) (fosite.Client, error) {
	req, ok := requestFrom(ctx)
	if !ok || req.client == nil || req.client.ID != id {
		return nil, errFositeStorage
	}
	return req.client, nil
}

// ClientAssertionJWTValid refuses.
func (*storage) ClientAssertionJWTValid(context.Context, string) error { return errFositeStorage }

// SetClientAssertionJWT refuses: fosite keeps a jti without its client, and before
// it has looked at the audience.
func (*storage) SetClientAssertionJWT(context.Context, string, time.Time) error {
	return errFositeStorage
}

// CreateAccessTokenSession keeps nothing.
func (*storage) CreateAccessTokenSession(context.Context, string, fosite.Requester) error { return nil }

// GetAccessTokenSession refuses.
func (*storage) GetAccessTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, errFositeStorage
}

// DeleteAccessTokenSession refuses.
func (*storage) DeleteAccessTokenSession(context.Context, string) error { return errFositeStorage }
