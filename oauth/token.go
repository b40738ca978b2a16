package oauth

import (
	"net/http"
	"slices"
	"strings"
)

// The grants offered (RFC 6749 §4.4, §4.1, §6).
const (
	clientCredentials = "client_credentials"
	authorizationCode = "authorization_code"
	refreshToken      = "refresh_token"
)

func grants() []string { return []string{clientCredentials, authorizationCode, refreshToken} }

// token is POST /oauth/token: the form is checked, and fosite does the grant.
func (h *Handler) token(r *http.Request, req *clientRequest) (answer, error) {
	// fosite answers invalid_request here, and after authenticating the client.
	if !slices.Contains(grants(), r.PostForm.Get("grant_type")) {
		return answer{}, &refusal{code: unsupportedGrant, reason: "token-grant", status: http.StatusBadRequest,
			hint: "The grants offered are " + strings.Join(grants(), ", ") + "."}
	}
	if err := h.target(r.PostForm); err != nil {
		return answer{}, err
	}
	access, err := h.provider.NewAccessRequest(r.Context(), r, &session{})
	if err != nil {
		return answer{}, err
	}
	granted, err := h.provider.NewAccessResponse(r.Context(), access)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, granted.ToMap()}, nil
}
