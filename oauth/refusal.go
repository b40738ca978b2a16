package oauth

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/ory/fosite"

	"handover/internal/fault"
	"handover/internal/httpd"
)

// refusal is why credentials or a token request were not accepted: an answer in
// OAuth's terms, and beside it the reason in ours. The reason is counted and
// logged; only the answer is sent.
type refusal struct {
	code   string // the OAuth error code
	reason string // kebab-case, never sent
	hint   string // one sentence for the developer: fixed text, in the characters of RFC 6749 §5.2
	status int    // of the token endpoint's answer
}

func (r *refusal) Error() string { return r.code + ": " + r.reason }

// The error codes used here: RFC 6749 §5.2, RFC 8707 §2, RFC 9449 §5 and §7.1.
const (
	invalidRequest         = "invalid_request"
	invalidClient          = "invalid_client"
	invalidGrant           = "invalid_grant"
	invalidScope           = "invalid_scope"
	invalidTarget          = "invalid_target"
	invalidToken           = "invalid_token"
	invalidProof           = "invalid_dpop_proof"
	useNonce               = "use_dpop_nonce"
	unsupportedGrant       = "unsupported_grant_type"
	unauthorizedClient     = "unauthorized_client"
	unsupportedResponse    = "unsupported_response_type"
	accessDenied           = "access_denied"
	temporarilyUnavailable = "temporarily_unavailable"
	serverError            = "server_error"
)

func badRequest(reason, hint string) *refusal {
	return &refusal{code: invalidRequest, reason: reason, hint: hint, status: http.StatusBadRequest}
}

func badProof(reason, hint string) *refusal {
	return &refusal{code: invalidProof, reason: reason, hint: hint, status: http.StatusBadRequest}
}

func badToken(reason string) *refusal {
	return &refusal{code: invalidToken, reason: reason, status: http.StatusUnauthorized}
}

// strangerHint is the one answer to an unknown client, an unknown or wrong key and
// a suspended partner. Whoever cannot sign for a client must not learn from the
// answer whether that client exists.
const strangerHint = "The client assertion was not accepted. Check client id, key, algorithm and signature with your administrator."

func stranger(reason string) *refusal {
	return &refusal{code: invalidClient, reason: reason, hint: strangerHint, status: http.StatusUnauthorized}
}

// badAssertion is for a client whose signature was right, so the hint may help.
func badAssertion(reason, hint string) *refusal {
	return &refusal{code: invalidClient, reason: reason, hint: hint, status: http.StatusUnauthorized}
}

// errUnavailable marks a failure of the hub, not of the caller: the database, the
// key store, the log. It must never read as a refusal, or a caller would throw away
// good credentials; nor as a success.
var errUnavailable = errors.New("credentials cannot be checked now")

func unavailable(doing string, err error) error {
	return fmt.Errorf("%w: %s: %w", errUnavailable, doing, err)
}

// ErrUnavailable is the guard's answer while it cannot check credentials.
var ErrUnavailable = fault.New(fault.Unavailable, "credentials-unavailable", fault.Hub,
	"The hub cannot check credentials now. Send the request again, with a fresh DPoP proof, after the time in Retry-After.").Retryable()

// asRefusal turns what fosite or our own handlers returned into a refusal, or nil
// when the failure is the hub's. fosite's own text is never passed on: its hints
// tell an unknown client from a wrong key.
func asRefusal(err error) *refusal {
	if errors.Is(err, errUnavailable) {
		return nil
	}
	if own, ok := errors.AsType[*refusal](err); ok {
		return own
	}
	theirs, ok := errors.AsType[*fosite.RFC6749Error](err)
	if !ok {
		return nil
	}
	switch theirs.ErrorField {
	case invalidScope:
		return errScopes
	case unsupportedResponse:
		return &refusal{code: unsupportedResponse, reason: "push-response-type", status: http.StatusBadRequest,
			hint: "response_type must be code."}
	case unauthorizedClient:
		return &refusal{code: unauthorizedClient, reason: "token-grant", status: http.StatusBadRequest,
			hint: "The client may not use this grant."}
	case invalidRequest, "unsupported_response_mode", "invalid_state":
		return badRequest("token-request", "The request is missing a parameter or carries one that is not valid here.")
	}
	return nil
}

// writeRefusal answers a token request in RFC 6749 §5.2's form, which is not that
// of the other endpoints.
func writeRefusal(w http.ResponseWriter, r *http.Request, f *refusal) {
	challenge := ""
	if f.status == http.StatusUnauthorized {
		// RFC 9110 §11.6.1 wants a challenge with every 401; no registered scheme
		// names private_key_jwt, so the method's own name is used.
		challenge = `private_key_jwt error="` + f.code + `"`
	}
	f.write(w, r, challenge)
}

// write answers with the refusal, and with the challenge unless that is "".
func (f *refusal) write(w http.ResponseWriter, r *http.Request, challenge string) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	if challenge != "" {
		h.Set("WWW-Authenticate", challenge)
	}
	httpd.Annotate(r.Context(), httpd.Code, f.reason)
	httpd.JSON(w, f.status, struct {
		Error string `json:"error"`
		Hint  string `json:"error_description,omitempty"`
	}{f.code, f.hint})
}

// challenge is the WWW-Authenticate of refused credentials (RFC 9449 §7.1).
func (r *refusal) challenge() string {
	c := `DPoP error="` + r.code + `"`
	if r.hint != "" {
		c += `, error_description="` + r.hint + `"`
	}
	return c + `, algs="` + algorithms + `"`
}
