package signin

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"handover/partners"
)

// maxAge is how old an ID token may be: it was asked for a moment ago.
const maxAge = 5 * time.Minute

// vouched is what a provider says of somebody, verified to be said by it, to us, now.
type vouched struct {
	Subject       string    `json:"sub"`
	Name          string    `json:"name"`
	Email         string    `json:"email"`
	Verified      *bool     `json:"email_verified"`
	Azp           string    `json:"azp"`
	ACR           string    `json:"acr"`
	AMR           oneOrMore `json:"amr"`
	Authenticated int64     `json:"auth_time"`

	all map[string]json.RawMessage
}

// oneOrMore is a claim that is one string or several.
type oneOrMore []string

// UnmarshalJSON reads either.
func (s *oneOrMore) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*s = oneOrMore{one}
		return nil
	}
	var many []string
	err := json.Unmarshal(b, &many)
	*s = many
	return err
}

// exchange redeems the code and verifies the ID token (OpenID Connect Core §3.1.3.7):
// signature by the provider's keys with an algorithm of ours, issuer, audience, expiry,
// nonce, age. The code is worth nothing without this browser's PKCE verifier, so one that
// was stolen or planted (RFC 9700 §4.5) does not pass.
func (h *Handler) exchange(r *http.Request, p Provider, known *discovered, e errand, code string) (vouched, error) {
	clientSecret, err := h.keys.Unwrap(r.Context(), p.secret, secretAAD(p.Partner))
	if err != nil {
		return vouched{}, err
	}
	ctx := oidc.ClientContext(r.Context(), h.providers.http)
	token, err := h.client(p, known, string(clientSecret)).Exchange(ctx, code, oauth2.VerifierOption(e.Verifier))
	if refused, ok := asRetrieve(err); ok && refused < http.StatusInternalServerError {
		return vouched{}, because(ErrProvider, "provider-code")
	}
	if err != nil {
		return vouched{}, h.down(r, p.Partner, err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := known.lib.Verifier(&oidc.Config{ClientID: p.ClientID, SupportedSigningAlgs: idTokenAlgorithms(), Now: h.now}).Verify(ctx, raw)
	if err != nil {
		return vouched{}, because(ErrProvider, "provider-token")
	}
	var v vouched
	if id.Claims(&v) != nil || id.Claims(&v.all) != nil || v.Subject == "" || v.Subject != id.Subject {
		return vouched{}, because(ErrProvider, "provider-token")
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(e.Nonce)) != 1 {
		return vouched{}, because(ErrProvider, "provider-nonce")
	}
	if len(id.Audience) != 1 || v.Azp != "" && v.Azp != p.ClientID {
		return vouched{}, because(ErrProvider, "provider-audience")
	}
	if age := h.now().Sub(id.IssuedAt); age > maxAge || age < -clockSkew {
		return vouched{}, because(ErrProvider, "provider-age")
	}
	if err := h.complete(r, p, known, token, &v); err != nil {
		return vouched{}, err
	}
	return v, nil
}

// idTokenAlgorithms are those that an ID token may be signed with. RS256 is on it because
// every provider must have it (OpenID Connect Core §15.1); none and the HMACs are not.
func idTokenAlgorithms() []string { return []string{oidc.RS256, oidc.PS256, oidc.ES256, oidc.EdDSA} }

// complete asks the provider for the claims about her that it leaves out of the ID token
// (§5.4: by scope they come from UserInfo), of the same subject (§5.3.2). How she signed in
// is told by the ID token alone.
func (h *Handler) complete(r *http.Request, p Provider, known *discovered, token *oauth2.Token, v *vouched) error {
	if v.Email != "" && v.all[p.Claim] != nil || known.UserInfo == "" {
		return nil
	}
	ctx := oidc.ClientContext(r.Context(), h.providers.http)
	info, err := known.lib.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return because(ErrProvider, "provider-userinfo")
	}
	var more vouched
	if info.Claims(&more) != nil || more.Subject != v.Subject || info.Claims(&more.all) != nil {
		return because(ErrProvider, "provider-userinfo")
	}
	if v.Email == "" { // the address and whether it is verified come from one place
		v.Name, v.Email, v.Verified = more.Name, more.Email, more.Verified
	}
	for name, value := range more.all {
		if _, said := v.all[name]; !said {
			v.all[name] = value
		}
	}
	return nil
}

// arrival is somebody whom her agency's provider vouches for and who may come in.
type arrival struct {
	partner       partners.ID
	subject       []byte // SHA-256 of issuer and sub
	name          string
	role          partners.Role
	authenticated time.Time
}

// arrival judges what a provider says by the rules that the operator has set for this
// partner, and for no other: whatever a provider claims, it makes people of its own agency
// alone. Each rule fails closed. Who has no address of the agency is a stranger, whom the
// agency's log does not keep: at a provider for all the world anybody could fill it.
func (p Provider) arrival(v vouched) (arrival, error) {
	switch {
	case v.Verified == nil || !*v.Verified:
		return arrival{}, because(ErrProvider, "provider-email-unverified")
	case !p.ofDomain(v.Email):
		return arrival{}, because(ErrProvider, "provider-domain")
	case !p.twoFactors(v):
		return arrival{}, p.refusedAt(ErrProvider, "provider-no-mfa")
	}
	role, ok := p.role(v.all[p.Claim])
	if !ok {
		return arrival{}, p.refusedAt(ErrProvider, "provider-no-role")
	}
	subject := sha256.Sum256([]byte(p.Issuer + "\x00" + v.Subject))
	return arrival{partner: p.Partner, subject: subject[:], name: v.Name, role: role, authenticated: time.Unix(v.Authenticated, 0)}, nil
}

// ofDomain reports whether an address is of one of the agency's domains: the part behind
// its one @, whole.
func (p Provider) ofDomain(address string) bool {
	name, domain, _ := strings.Cut(address, "@")
	return name != "" && slices.Contains(p.Domains, strings.ToLower(domain))
}

// twoFactors reports whether she signed in with more than a password: in a way that the
// operator named (acr), or that the provider calls mfa (RFC 8176 §2).
func (p Provider) twoFactors(v vouched) bool {
	if len(p.ACR) > 0 {
		return slices.Contains(p.ACR, v.ACR)
	}
	return slices.Contains(v.AMR, "mfa")
}

// role is what the values of the role claim stand for: one role, or none. Values that stand
// for two different roles are refused, since a guess could give too much.
func (p Provider) role(raw json.RawMessage) (role partners.Role, ok bool) {
	var values oneOrMore
	if raw == nil || json.Unmarshal(raw, &values) != nil {
		return "", false
	}
	for _, v := range values {
		r, known := p.Roles[v]
		if !known {
			continue
		}
		if ok && r != role {
			return "", false
		}
		role, ok = r, true
	}
	return role, ok
}

func joined(words []string) string { return strings.Join(words, " ") }
