package partners

import (
	"net/url"
	"slices"
	"strings"

	"handover/keys/jose"
)

// Registration is what a new system says of itself (RFC 7591 §2).
type Registration struct {
	Name      string
	Scopes    []Scope
	Grants    []string
	Redirects []string
	Keys      []jose.PublicKey // with which it authenticates
}

// MetadataError is why a registration is refused, in a sentence for its developer.
type MetadataError struct {
	Member string // of the metadata, as RFC 7591 §2 names it
	Text   string
}

// Error gives the member and the sentence.
func (e *MetadataError) Error() string { return e.Member + ": " + e.Text }

// The limits of a registration.
const (
	mostRedirects = 10
	mostRedirect  = 500 // bytes of one
	mostNewKeys   = 4
)

// The grants that a system may have (RFC 6749 §4.4, §4.1, §6).
const (
	grantSystem  = "client_credentials"
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
)

// Check returns nil, or the first *MetadataError.
func (r Registration) Check() error {
	bad := func(member, text string) error { return &MetadataError{member, text} }
	if !isName(r.Name) {
		return bad("client_name", "client_name must be 1 to 80 printable characters: people read it when they let the system act for them.")
	}
	foreign := func(s Scope) bool { return !slices.Contains(PeopleScopes(), s) }
	if len(r.Scopes) == 0 || repeats(r.Scopes) || slices.ContainsFunc(r.Scopes, foreign) {
		return bad("scope", "scope must name at least one right, each once, of those in scopes_supported.")
	}
	unknown := func(g string) bool { return !slices.Contains([]string{grantSystem, grantCode, grantRefresh}, g) }
	people := slices.Contains(r.Grants, grantCode)
	switch {
	case len(r.Grants) == 0 || repeats(r.Grants) || slices.ContainsFunc(r.Grants, unknown):
		return bad("grant_types", "grant_types are client_credentials, authorization_code and refresh_token, each once.")
	case slices.Contains(r.Grants, grantRefresh) && !people:
		return bad("grant_types", "refresh_token goes with authorization_code alone.")
	case people != (len(r.Redirects) > 0):
		return bad("redirect_uris", "redirect_uris belong to authorization_code, which needs at least one.")
	case len(r.Redirects) > mostRedirects || repeats(r.Redirects) || slices.ContainsFunc(r.Redirects, func(u string) bool { return !isRedirect(u) }):
		return bad("redirect_uris", "redirect_uris are at most 10, each once and of at most 500 bytes: https without a fragment, or for a native app http on 127.0.0.1 or [::1], not on localhost.")
	}
	return r.checkKeys()
}

// checkKeys wants keys of signatures, each named by its thumbprint, so that no kid can be
// chosen to shadow another's.
func (r Registration) checkKeys() error {
	if len(r.Keys) == 0 || len(r.Keys) > mostNewKeys {
		return &MetadataError{"jwks", "jwks must hold 1 to 4 keys."}
	}
	seen := map[string]bool{}
	for _, k := range r.Keys {
		if !Authentication.fits(k.Algorithm()) || k.KeyID() != k.Thumbprint() || seen[k.KeyID()] {
			return &MetadataError{"jwks", "Each key of jwks must be a different public key for ES256, EdDSA or PS256, whose kid is its RFC 7638 thumbprint."}
		}
		seen[k.KeyID()] = true
	}
	return nil
}

func repeats[T ~string](list []T) bool {
	return len(slices.Compact(slices.Sorted(slices.Values(list)))) != len(list)
}

// isRedirect reports whether codes may be sent to the address: over TLS, or to this
// machine's own loopback (RFC 8252 §7.3). Not to "localhost", which a name server or a
// hosts file may lead elsewhere (§8.3), nor with anything in it that two readers of
// addresses could read in two ways.
func isRedirect(address string) bool {
	odd := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`\"<>^{}|#*`+"`", r) }
	if len(address) > mostRedirect || strings.ContainsFunc(address, odd) {
		return false
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Opaque != "" {
		return false
	}
	loopback := u.Hostname() == "127.0.0.1" || u.Hostname() == "::1"
	return u.Scheme == "https" || u.Scheme == "http" && loopback
}
