package oauth

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"handover/audit/proof"
	"handover/partners"
)

// revoke is POST /oauth/revoke (RFC 7009): a client gives back an access token, or a
// refresh token with every access token that came of it. Both count no more at the next
// request. fosite would answer 200 though the store has failed; here that is 503.
func (h *Handler) revoke(r *http.Request, req *clientRequest) (answer, error) {
	if _, err := h.authenticate(r.Context(), r, r.PostForm); err != nil {
		return answer{}, err
	}
	token := r.PostForm.Get("token")
	if token == "" {
		return answer{}, badRequest("revoke-token", "token is needed.")
	}
	e := proof.Entry{Act: "grant.revoke", Partner: string(req.client.Partner), Client: req.client.ID, Reason: "given-back"}
	err := h.store.revokeRefresh(r.Context(), req.client.ID, secretUse("refresh", token), e)
	if errors.Is(err, errNoGrant) {
		err = h.revokeAccess(r.Context(), req, token, e)
	}
	if _, refused := errors.AsType[*refusal](err); err != nil && !refused {
		err = unavailable("revoking a token", err)
	}
	return answer{status: http.StatusOK}, err
}

// revokeAccess revokes an access token that still counts. What is no token of this hub,
// or counts no more, needs nothing done: RFC 7009 §2.2 has it answered alike.
func (h *Handler) revokeAccess(ctx context.Context, req *clientRequest, token string, e proof.Entry) error {
	t, err := h.tokens.open(ctx, token)
	if _, refused := errors.AsType[*refusal](err); refused {
		return nil
	}
	if err != nil {
		return err
	}
	if t.client != req.client.ID {
		return &refusal{code: invalidGrant, reason: "revoke-foreign", status: http.StatusBadRequest, hint: "The token is another client's."} // RFC 7009 §2.1
	}
	e.Act, e.User, e.Target = "token.revoke", t.user, t.id
	return h.store.revokeAccess(ctx, t.id, e)
}

// introspection is RFC 7662 §2.2, with the key that the token is bound to (RFC 9449 §6.2).
type introspection struct {
	Active   bool    `json:"active"`
	Issuer   string  `json:"iss,omitempty"`
	Audience string  `json:"aud,omitempty"`
	Subject  string  `json:"sub,omitempty"`
	Client   string  `json:"client_id,omitempty"`
	Partner  string  `json:"partner,omitempty"`
	Scope    string  `json:"scope,omitempty"`
	Type     string  `json:"token_type,omitempty"`
	Issued   int64   `json:"iat,omitzero"`
	Expires  int64   `json:"exp,omitzero"`
	ID       string  `json:"jti,omitempty"`
	Confirm  confirm `json:"cnf,omitzero"`
}

// introspect is POST /oauth/introspect (RFC 7662): a client asks whether an access token
// of its own agency counts now, by all that the guard would ask. Of another agency's
// token, a refresh token and nonsense it learns the same: not active.
func (h *Handler) introspect(r *http.Request, req *clientRequest) (answer, error) {
	if _, err := h.authenticate(r.Context(), r, r.PostForm); err != nil {
		return answer{}, err
	}
	token := r.PostForm.Get("token")
	if token == "" {
		return answer{}, badRequest("introspect-token", "token is needed.")
	}
	t, err := h.tokens.open(r.Context(), token)
	if _, refused := errors.AsType[*refusal](err); refused || err == nil && t.partner != string(req.client.Partner) {
		return answer{http.StatusOK, introspection{}}, nil
	}
	if err != nil {
		return answer{}, err
	}
	said, err := h.examined(r.Context(), t)
	return answer{http.StatusOK, said}, err
}

// examined says of a verified token what counts of it now.
func (h *Handler) examined(ctx context.Context, t access) (introspection, error) {
	revoked, err := h.store.revoked(ctx, t.id, t.grant)
	if err != nil {
		return introspection{}, unavailable("introspecting a token", err)
	}
	callers, err := h.partners.Admit(ctx, []partners.Bearer{t.bearer()}, nil)
	if err != nil {
		return introspection{}, unavailable("introspecting a token", err)
	}
	if revoked || callers[0] == nil {
		return introspection{}, nil
	}
	var scopes []string
	for _, s := range t.scopes {
		if callers[0].Has(s) {
			scopes = append(scopes, string(s))
		}
	}
	said := introspection{Active: true, Issuer: h.issuer, Audience: h.issuer, Subject: t.client, Client: t.client, Partner: t.partner,
		Scope: strings.Join(scopes, " "), Type: "DPoP", Issued: t.issued.Unix(), Expires: t.expires.Unix(), ID: t.id, Confirm: confirm{t.thumbprint}}
	if t.user != "" {
		said.Subject = t.user
	}
	return said, nil
}
