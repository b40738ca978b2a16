package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"regexp"

	"github.com/ory/fosite"

	"handover/audit/proof"
	"handover/partners"
)

// errGrant is the one answer to a code or refresh token that does not count: unknown,
// used, expired, of another client, with another key, verifier or redirect_uri. Whoever
// tries learns nothing from it.
var errGrant = &refusal{code: invalidGrant, reason: "token-grant-invalid", status: http.StatusBadRequest,
	hint: "The code or refresh token does not count: it is used, out of date, or not yours with this key. Ask the person again."}

// verifierForm is RFC 7636 §4.1.
var verifierForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// CanHandleTokenEndpointRequest is true for authorization codes.
func (g *codeGrant) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(authorizationCode)
}

// CanSkipClientAuth is false.
func (g *codeGrant) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// HandleTokenEndpointRequest finds what the code would redeem. It uses nothing up: the
// token is signed first, and redeem decides then.
func (g *codeGrant) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	req, ok := requestFrom(ctx)
	if !ok || !req.client.GetGrantTypes().Has(authorizationCode) {
		return &refusal{code: unauthorizedClient, reason: "token-grant", status: http.StatusBadRequest,
			hint: "The client is not registered for authorization_code."}
	}
	redeemed, err := readRedemption(r, req)
	if err != nil {
		return err
	}
	row, err := g.h.store.code(ctx, redeemed)
	if errors.Is(err, errNoGrant) {
		return g.h.lost(ctx, req, redeemed)
	}
	if err != nil {
		return unavailable("finding a code", err)
	}
	return g.h.lend(ctx, r, row, nil)
}

// readRedemption takes from the form what a code is redeemed with.
func readRedemption(r fosite.AccessRequester, req *clientRequest) (redemption, error) {
	form := r.GetRequestForm()
	verifier := form.Get("code_verifier")
	if form.Get("code") == "" || form.Get("redirect_uri") == "" || !verifierForm.MatchString(verifier) {
		return redemption{}, badRequest("token-code", "code, redirect_uri and code_verifier are needed.")
	}
	sum := sha256.Sum256([]byte(verifier))
	return redemption{code: secretUse("code", form.Get("code")), client: req.client.ID, redirect: form.Get("redirect_uri"),
		challenge: base64.RawURLEncoding.EncodeToString(sum[:]), jkt: req.proof.thumbprint}, nil
}

// lost answers for a code that cannot be redeemed. One that was redeemed before is in two
// hands, and all that came of it ends (RFC 6749 §4.1.2).
func (h *Handler) lost(ctx context.Context, req *clientRequest, r redemption) error {
	e := proof.Entry{Act: "grant.revoke", Partner: string(req.client.Partner), Client: req.client.ID, Reason: "code-replayed"}
	found, err := h.store.replayed(ctx, r, e)
	if err != nil {
		return unavailable("revoking a grant", err)
	}
	if found {
		f := *errGrant
		f.reason = "token-code-replayed"
		return &f
	}
	return errGrant
}

// lend puts the grant into the session of the request, with the scopes that count now:
// she may have left, or have another role, since she said yes. asked narrows them.
func (h *Handler) lend(ctx context.Context, r fosite.AccessRequester, row grantRow, asked []string) error {
	req, _ := requestFrom(ctx)
	callers, err := h.partners.Admit(ctx, []partners.Bearer{{Client: req.client.ID, AuthKey: req.client.key,
		Granted: row.scopes, User: row.user, Proved: row.proved}}, nil)
	if err != nil {
		return unavailable("finding a person's standing", err)
	}
	s, ok := r.GetSession().(*session)
	if !ok {
		return errors.New("granting a token: the session is of another type")
	}
	if callers[0] == nil {
		return errGrant
	}
	for _, scope := range granted(row.scopes, asked) {
		if callers[0].Has(scope) {
			r.GrantScope(string(scope))
		}
	}
	s.carry(row)
	req.grant = row
	return nil
}

// PopulateTokenEndpointResponse signs the access token, then redeems the code: of however
// many copies that have come this far, one.
func (g *codeGrant) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, given fosite.AccessResponder) error {
	if !g.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	req, ok := requestFrom(ctx)
	if !ok {
		return errFositeStorage
	}
	if err := g.h.sign(ctx, r, given); err != nil {
		return err
	}
	redeemed, err := readRedemption(r, req)
	if err != nil {
		return err
	}
	var refresh *use
	if req.client.GetGrantTypes().Has(refreshToken) {
		token := rand.Text()
		digest := secretUse("refresh", token)
		refresh = &digest
		given.SetExtra("refresh_token", token)
	}
	err = g.h.store.redeem(ctx, redeemed, refresh)
	if errors.Is(err, errNoGrant) {
		return g.h.lost(ctx, req, redeemed)
	}
	if err != nil {
		return unavailable("redeeming a code", err)
	}
	return nil
}

func (h *Handler) sign(ctx context.Context, r fosite.AccessRequester, given fosite.AccessResponder) error {
	token, _, err := h.tokens.GenerateAccessToken(ctx, r)
	if err != nil {
		return err
	}
	given.SetAccessToken(token)
	given.SetScopes(r.GetGrantedScopes())
	given.SetTokenType("DPoP")
	return nil
}

// refreshGrant gives a new access token for a refresh token, which stays as it is: FAPI
// 2.0 §5.3.2.1 item 9 forbids rotation, since a lost answer would lose the grant, and
// what a stolen one is good for the DPoP key bounds.
type refreshGrant struct{ h *Handler }

var _ fosite.TokenEndpointHandler = (*refreshGrant)(nil)

// CanHandleTokenEndpointRequest is true for refresh tokens.
func (g *refreshGrant) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(refreshToken)
}

// CanSkipClientAuth is false.
func (g *refreshGrant) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// HandleTokenEndpointRequest finds the grant, of this client and this DPoP key, and
// narrows it to the scopes asked for (RFC 6749 §6), which fosite would ignore.
func (g *refreshGrant) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	req, ok := requestFrom(ctx)
	if !ok || !req.client.GetGrantTypes().Has(refreshToken) {
		return &refusal{code: unauthorizedClient, reason: "token-grant", status: http.StatusBadRequest,
			hint: "The client is not registered for refresh_token."}
	}
	token := r.GetRequestForm().Get("refresh_token")
	row, err := g.h.store.refresh(ctx, req.client.ID, req.proof.thumbprint, secretUse("refresh", token))
	if errors.Is(err, errNoGrant) {
		return errGrant
	}
	if err != nil {
		return unavailable("finding a grant", err)
	}
	return g.h.lend(ctx, r, row, r.GetRequestedScopes())
}

// PopulateTokenEndpointResponse signs the new access token.
func (g *refreshGrant) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, given fosite.AccessResponder) error {
	if !g.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	return g.h.sign(ctx, r, given)
}
