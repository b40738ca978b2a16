package oauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"handover/audit/proof"
	"handover/internal/fault"
	"handover/internal/httpd"
	"handover/keys/jose"
	"handover/partners"
)

// registerPath is the registration endpoint (RFC 7591 §3).
const registerPath = "/oauth/register"

// maxMetadata bounds a registration: four keys and ten addresses take about 7 KiB.
const maxMetadata = 16 << 10

// authMethod is the one way in which a client authenticates.
const authMethod = "private_key_jwt"

// The error codes of a registration: RFC 7591 §3.2.2.
const (
	invalidMetadata = "invalid_client_metadata"
	invalidRedirect = "invalid_redirect_uri"
)

// errInitialToken answers a token that is unknown, used, out of date, or of an
// administrator who has left: all alike (RFC 6750 §3.1).
var errInitialToken = &refusal{code: invalidToken, reason: "register-token", status: http.StatusUnauthorized,
	hint: "The initial access token is missing, unknown, used or expired. Ask your agency's administrator for a new one."}

// clientMetadata is what a new client says of itself (RFC 7591 §2). Members that are not named
// here are ignored, as §2 demands.
type clientMetadata struct {
	Name          string   `json:"client_name,omitempty"`
	Scope         string   `json:"scope,omitempty"`
	GrantTypes    []string `json:"grant_types,omitempty"`
	ResponseTypes []string `json:"response_types,omitempty"`
	RedirectURIs  []string `json:"redirect_uris,omitempty"`
	AuthMethod    string   `json:"token_endpoint_auth_method,omitempty"`
	Keys          *jwkSet  `json:"jwks,omitempty"`

	KeysURI jsontext.Value `json:"jwks_uri,omitempty"` // refused: the hub fetches nothing
}

// jwkSet is a JWK set (RFC 7517 §5) whose keys are read one by one.
type jwkSet struct {
	Keys []jsontext.Value `json:"keys"`
}

// register serves POST /oauth/register: a new system of an agency brings its metadata
// with the one-time token that its administrator gave it (RFC 7591 §3.1). A refused
// registration leaves the token usable.
func (h *Handler) register(w http.ResponseWriter, r *http.Request) {
	partner, made, err := h.enlist(w, r)
	if err != nil {
		h.refuseRegistration(w, r, partner, err)
		return
	}
	httpd.Annotate(r.Context(), httpd.Partner, string(partner))
	httpd.Annotate(r.Context(), httpd.Client, made.ID)
	w.Header().Set("Cache-Control", "no-store") // RFC 7591 §3.2.1
	w.Header().Set("Pragma", "no-cache")
	httpd.JSON(w, http.StatusCreated, made.answer(partner))
}

// registered is a client with the metadata that was registered (RFC 7591 §3.2.1).
type registered struct {
	partners.System
	keys []jose.PublicKey
}

// enlist finds out whose token it is, reads the metadata and registers.
func (h *Handler) enlist(w http.ResponseWriter, r *http.Request) (partners.ID, registered, error) {
	if over(w, h.perNetwork.Allow(h.origin.Network(r))) {
		return "", registered{}, errTooManyRegistrations
	}
	token, ok := bearer(r.Header)
	if !ok {
		return "", registered{}, errInitialToken
	}
	partner, err := h.partners.InvitedBy(r.Context(), token)
	if errors.Is(err, partners.ErrInitialToken) {
		return "", registered{}, errInitialToken
	}
	if err != nil {
		return "", registered{}, unavailable("reading an initial access token", err)
	}
	body, err := httpd.Body(w, r, maxMetadata, "application/json")
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		bad := badMetadata("body", "The body must be application/json, of at most 16 KiB.")
		if f.Kind == fault.TooLarge {
			bad.status = http.StatusRequestEntityTooLarge
		}
		return partner, registered{}, bad
	}
	if err != nil {
		return partner, registered{}, err
	}
	asked, err := readMetadata(body)
	if err != nil {
		return partner, registered{}, err
	}
	made, err := h.partners.Register(r.Context(), token, asked)
	return partner, registered{made, asked.Keys}, asRegistrationRefusal(err)
}

// bearer returns the token of the one Authorization header (RFC 6750 §2.1). What has not
// the form of one reaches nobody.
func bearer(h http.Header) (string, bool) {
	sent := h.Values("Authorization")
	if len(sent) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(sent[0], " ")
	return token, strings.EqualFold(scheme, "Bearer") && token != "" && len(token) <= maxName
}

// readMetadata takes the metadata apart, or returns a *refusal.
func readMetadata(body []byte) (partners.Registration, error) {
	var m clientMetadata
	if readClaims(body, &m) != nil {
		return partners.Registration{}, badMetadata("form", "The metadata must be one JSON object with members of the types that RFC 7591 gives them, none twice.")
	}
	if m.AuthMethod != authMethod { // left out, RFC 7591 §2 means client_secret_basic
		return partners.Registration{}, badMetadata("token-endpoint-auth-method", "token_endpoint_auth_method must be private_key_jwt.")
	}
	if m.KeysURI != nil {
		return partners.Registration{}, badMetadata("jwks-uri", "Send the keys themselves, as jwks: the hub fetches none.")
	}
	if len(m.GrantTypes) == 0 {
		m.GrantTypes = []string{"authorization_code"} // RFC 7591 §2
	}
	code := slices.Contains(m.GrantTypes, "authorization_code")
	if types := m.ResponseTypes; len(types) > 1 || len(types) == 1 && !(code && types[0] == "code") {
		return partners.Registration{}, badMetadata("response-types", "response_types is code for authorization_code, and else nothing.")
	}
	keys, err := m.keys()
	if err != nil {
		return partners.Registration{}, err
	}
	asked := partners.Registration{Name: m.Name, Grants: m.GrantTypes, Redirects: m.RedirectURIs, Keys: keys}
	for s := range strings.FieldsSeq(m.Scope) {
		asked.Scopes = append(asked.Scopes, partners.Scope(s))
	}
	return asked, asRegistrationRefusal(asked.Check())
}

// keys reads the keys strictly, each with its own algorithm and kid.
func (m clientMetadata) keys() ([]jose.PublicKey, error) {
	if m.Keys == nil {
		return nil, badMetadata("jwks", "jwks must hold 1 to 4 keys.")
	}
	var keys []jose.PublicKey
	for _, jwk := range m.Keys.Keys {
		k, err := jose.ParsePublicKey(jwk)
		switch {
		case errors.Is(err, jose.ErrPrivate):
			return nil, badMetadata("jwks-private", "jwks holds a private key, which is no secret any more. Make a new one, and send its public part.")
		case err != nil:
			return nil, badMetadata("jwks", "Each key of jwks must be a JWK with kty, crv, x, kid, alg, on P-256 y, for RSA n and e instead of crv and x, and nothing else but use.")
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func badMetadata(member, hint string) *refusal {
	return &refusal{code: invalidMetadata, reason: "register-" + member, hint: hint, status: http.StatusBadRequest}
}

// asRegistrationRefusal says what partners refused in RFC 7591 §3.2.2's terms.
func asRegistrationRefusal(err error) error {
	if bad, ok := errors.AsType[*partners.MetadataError](err); ok {
		f := badMetadata(strings.ReplaceAll(bad.Member, "_", "-"), bad.Text)
		if bad.Member == "redirect_uris" {
			f.code = invalidRedirect
		}
		return f
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, partners.ErrInitialToken): // somebody was faster
		return errInitialToken
	case errors.Is(err, partners.ErrRegisteredKey):
		return badMetadata("jwks-taken", "A key of jwks was registered before. Make a new one: a key has one use and one owner.")
	}
	return unavailable("registering a client", err)
}

// answer is the metadata as it was registered, and whose the client is.
func (r registered) answer(partner partners.ID) map[string]any {
	scopes := make([]string, len(r.Scopes))
	for i, s := range r.Scopes {
		scopes[i] = string(s)
	}
	types := []string{}
	if slices.Contains(r.Grants, "authorization_code") {
		types = append(types, "code")
	}
	return map[string]any{
		"partner": partner, "client_id": r.ID, "client_id_issued_at": r.Since.Unix(), "client_name": r.Name, "scope": strings.Join(scopes, " "),
		"grant_types": r.Grants, "response_types": types, "redirect_uris": r.Redirects,
		"token_endpoint_auth_method": authMethod, "jwks": map[string]any{"keys": r.keys},
	}
}

var errTooManyRegistrations = &refusal{code: temporarilyUnavailable, reason: "register-rate", status: http.StatusTooManyRequests,
	hint: "Too many requests from here. Ask again after the time in Retry-After."}

// refuseRegistration answers a registration that failed: of somebody whose token is good
// the refusal goes into the log, others are counted.
func (h *Handler) refuseRegistration(w http.ResponseWriter, r *http.Request, partner partners.ID, err error) {
	f, known := errors.AsType[*refusal](err)
	switch {
	case !known:
		f = h.failedRegistration(r.Context(), err)
	case partner == "":
		h.count(f.reason)
	default:
		httpd.Annotate(r.Context(), httpd.Partner, string(partner))
		e := proof.Entry{Act: "refused", Partner: string(partner), Target: "client-registration",
			Outcome: strings.ReplaceAll(f.code, "_", "-"), Reason: f.reason}
		if err := h.logRefusal(r.Context(), e); err != nil {
			f = h.failedRegistration(r.Context(), unavailable("logging a refusal", err))
		}
	}
	wait := f.status == http.StatusTooManyRequests || f.status == http.StatusServiceUnavailable
	if wait && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "2")
	}
	if f.status == http.StatusUnauthorized {
		f.write(w, r, `Bearer error="`+f.code+`"`) // RFC 6750 §3
		return
	}
	f.write(w, r, "")
}

// failedRegistration logs a failure of the hub's own and returns what is said of it.
func (h *Handler) failedRegistration(ctx context.Context, err error) *refusal {
	if ctx.Err() == nil { // else the caller has left, and nothing failed
		h.log.ErrorContext(ctx, "registration failed", "error", err)
	}
	return &refusal{code: temporarilyUnavailable, reason: "register-unavailable", status: http.StatusServiceUnavailable,
		hint: "The hub cannot register now. Send the same again after the time in Retry-After."}
}
