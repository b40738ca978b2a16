package oauth

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ory/fosite"

	"handover/internal/gather"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/partners"
)

// assertionType is the one client_assertion_type (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const (
	maxAssertion     = 4 << 10
	maxAssertionLife = 5 * time.Minute // from iat to exp
)

// client is a partner's system as fosite sees it: confidential, without a secret, with
// the grants it is registered for and exactly the scopes that its partner holds.
type client struct {
	partners.Client
	key    string // kid of the key that signed the assertion
	issuer string
}

var (
	_ fosite.Client             = (*client)(nil)
	_ fosite.ResponseModeClient = (*client)(nil)
)

func (c *client) GetID() string                      { return c.ID }
func (c *client) GetHashedSecret() []byte            { return nil }
func (c *client) GetRedirectURIs() []string          { return c.Redirects }
func (c *client) GetGrantTypes() fosite.Arguments    { return c.Grants }
func (c *client) GetResponseTypes() fosite.Arguments { return fosite.Arguments{"code"} }
func (c *client) IsPublic() bool                     { return false }
func (c *client) GetAudience() fosite.Arguments      { return fosite.Arguments{c.issuer} }
func (c *client) GetResponseModes() []fosite.ResponseModeType {
	return []fosite.ResponseModeType{fosite.ResponseModeQuery}
}
func (c *client) GetScopes() fosite.Arguments {
	scopes := make(fosite.Arguments, len(c.Scopes))
	for i, s := range c.Scopes {
		scopes[i] = string(s)
	}
	return scopes
}

// assertionClaims are the claims of a client assertion (RFC 7523 §3).
type assertionClaims struct {
	Issuer    string      `json:"iss"`
	Subject   string      `json:"sub"`
	Audience  onlyString  `json:"aud"`
	ID        string      `json:"jti"`
	Issued    numericDate `json:"iat"`
	NotBefore numericDate `json:"nbf"`
	Expires   numericDate `json:"exp"`
}

// onlyString is a JSON string; any other value reads as "". FAPI 2.0 §5.3.2.1 wants
// aud as a string: a list would let an assertion made for another server pass here.
type onlyString string

// UnmarshalJSON reads a string, or nothing.
func (s *onlyString) UnmarshalJSON(b []byte) error {
	if !bytes.HasPrefix(b, []byte(`"`)) {
		*s = ""
		return nil
	}
	return readClaims(b, (*string)(s))
}

// authenticate is fosite's client authentication in the place of fosite's own:
// private_key_jwt and nothing else. In order: the form, the limit of the claimed
// client, one signature, whether the client takes part, the claims, the DPoP proof;
// and only when all is right are assertion and proof marked as used, so that no
// mistake burns a jti. Up to the signature every stranger gets the same answer
// after the same work.
func (h *Handler) authenticate(ctx context.Context, r *http.Request, form url.Values) (fosite.Client, error) {
	req, ok := requestFrom(ctx)
	if !ok {
		return nil, errors.New("authenticating a client outside an endpoint")
	}
	signed, id, err := readAssertion(r, form)
	if err != nil {
		return nil, err
	}
	// By network too: else anybody could use up a client's allowance in its name.
	if req.verdict = h.perClient.Allow(id + " " + req.from); req.verdict.Refused() {
		return nil, errTooMany
	}
	c, claims, err := h.verifyAssertion(ctx, signed, id)
	if err != nil {
		return nil, err
	}
	req.client = c
	if !c.Active {
		return nil, stranger("client-inactive")
	}
	now := h.now()
	if err := claims.check(h.issuer, id, now); err != nil {
		return nil, err
	}
	wanted := req.endpoint.proofs
	if wanted == proofIgnored || wanted == proofWelcome && len(r.Header.Values("DPoP")) == 0 {
		return c, h.used(ctx, h.store.useAssertion(ctx, useOf("assertion", id, claims.ID)))
	}
	proof, err := openProof(r.Header, expected{method: http.MethodPost, origin: h.issuer, path: r.URL.EscapedPath(), now: now, nonces: req.nonces})
	if err != nil {
		return nil, err
	}
	f := &first{assertion: useOf("assertion", id, claims.ID), proof: proof}
	if err := h.firsts.Join(ctx, f); err != nil {
		return nil, unavailable("using an assertion", err)
	}
	if err := h.used(ctx, f.err); err != nil {
		return nil, err
	}
	req.proof = proof
	return c, nil
}

// readAssertion takes the assertion from the form and returns it with the client id
// that it claims. Nothing of it is verified.
func readAssertion(r *http.Request, form url.Values) (jose.Signed, string, error) {
	switch {
	case r.Header.Get("Authorization") != "" || form.Has("client_secret"):
		// RFC 6749 §2.3: one method of authentication for each request.
		return jose.Signed{}, "", stranger("client-method")
	case form.Get("client_assertion_type") != assertionType || form.Get("client_assertion") == "":
		return jose.Signed{}, "", stranger("client-method")
	}
	signed, err := jose.ParseAssertion(form.Get("client_assertion"), maxAssertion)
	if err != nil {
		return jose.Signed{}, "", stranger("client-assertion-form")
	}
	var c assertionClaims
	if readClaims(signed.UnverifiedPayload(), &c) != nil || !ids.IsClient(c.Subject) {
		return jose.Signed{}, "", stranger("client-assertion-form")
	}
	if form.Has("client_id") && form.Get("client_id") != c.Subject {
		return jose.Signed{}, "", stranger("client-id")
	}
	return signed, c.Subject, nil
}

// verifyAssertion finds the key that the assertion names among the client's and
// verifies the signature. An unknown client and an unknown key cost one
// verification too, by a decoy.
func (h *Handler) verifyAssertion(ctx context.Context, signed jose.Signed, id string) (*client, assertionClaims, error) {
	known, err := h.lookUp(ctx, id)
	if err != nil {
		return nil, assertionClaims{}, err
	}
	key, err := h.decoys.key(signed.Algorithm(), signed.KeyID())
	if err != nil {
		return nil, assertionClaims{}, err
	}
	found := false
	for _, k := range known.Keys {
		if k.KeyID() == signed.KeyID() {
			key, found = k.PublicKey, true
		}
	}
	payload, err := signed.Verify(key)
	if err != nil || !found {
		return nil, assertionClaims{}, stranger("client-signature")
	}
	var claims assertionClaims
	if err := readClaims(payload, &claims); err != nil {
		return nil, assertionClaims{}, stranger("client-assertion-form")
	}
	return &client{Client: known, key: key.KeyID(), issuer: h.issuer}, claims, nil
}

// lookup is one client that is asked for. One that there is not has no keys.
type lookup struct {
	id     string
	client partners.Client
	err    error
}

func (h *Handler) lookUp(ctx context.Context, id string) (partners.Client, error) {
	l := &lookup{id: id}
	if err := errors.Join(h.lookups.Join(ctx, l), l.err); err != nil {
		return partners.Client{}, unavailable("looking up a client", err)
	}
	return l.client, nil
}

// How requests to the endpoints share a round trip: one to look up those who ask, one
// to mark their credentials as used.
const (
	clientsMost = 256
	clientsTime = 10 * time.Second // for a group, whoever of its callers has left
)

func (h *Handler) newLookups() *gather.Lines[*lookup] {
	return &gather.Lines[*lookup]{Most: clientsMost, Within: clientsTime, Do: func(ctx context.Context, group []*lookup) {
		asked := make([]string, 0, len(group))
		for _, l := range group {
			if !slices.Contains(asked, l.id) {
				asked = append(asked, l.id)
			}
		}
		found, err := h.partners.Clients(ctx, asked)
		for _, l := range group {
			l.client, l.err = found[l.id], err
		}
	}}
}

func (h *Handler) newFirsts() *gather.Lines[*first] {
	return &gather.Lines[*first]{Most: clientsMost, Within: clientsTime, Do: func(ctx context.Context, group []*first) {
		if err := h.store.use(ctx, group); err != nil {
			for _, f := range group {
				f.err = err
			}
		}
	}}
}

// check judges the claims of an assertion whose signature is right.
func (c assertionClaims) check(issuer, id string, now time.Time) error {
	switch {
	case c.Issuer != id || c.Subject != id: // RFC 7523 §3 items 1 and 2
		return badAssertion("client-assertion-issuer", "iss and sub of the client assertion must both be the client id.")
	case string(c.Audience) != issuer: // item 3, FAPI 2.0 §5.3.2.1
		return badAssertion("client-assertion-audience", "aud of the client assertion must be the issuer, as a string.")
	case c.Issued.IsZero() || c.Expires.IsZero():
		return badAssertion("client-assertion-time", "The client assertion needs iat and exp.")
	case c.Issued.After(now.Add(ahead)) || c.NotBefore.After(now.Add(ahead)):
		return badAssertion("client-assertion-time", "iat or nbf of the client assertion is ahead of the hub's clock, which is in the Date header.")
	case !now.Add(-behind).Before(c.Expires.Time): // item 4
		return badAssertion("client-assertion-time", "The client assertion has expired by the hub's clock, which is in the Date header.")
	case c.Expires.Sub(c.Issued.Time) > maxAssertionLife:
		return badAssertion("client-assertion-time", "exp of the client assertion must be at most 5 minutes after iat.")
	case c.ID == "" || len(c.ID) > maxName: // item 7
		return badAssertion("client-assertion-id", "The client assertion needs a jti of at most 256 characters.")
	}
	return nil
}

// used turns what the store says of a first use into an answer.
func (h *Handler) used(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errAssertionUsed):
		return badAssertion("client-assertion-used", "A client assertion with this jti was used before. Make a fresh assertion for each request.")
	case errors.Is(err, errProofUsed):
		return errProofAgain
	case errors.Is(err, errMemoryLost):
		err = errors.Join(err, h.store.remember(ctx, h.now()))
	}
	return unavailable("using an assertion", err)
}

// decoys are public keys that nobody holds the private part of, one for each
// algorithm. A signature is verified by one of them where there is no key to verify
// it by, so that the time of the answer tells no stranger which clients exist. That
// the one of PS256 has 2048 bits tells nothing either: what a larger key would cost
// depends on the token alone, unless it names the kid of a client's key.
type decoys map[jose.Algorithm]string

func newDecoys() (decoys, error) {
	d := decoys{}
	for alg, curve := range map[jose.Algorithm]jose.Curve{jose.ES256: jose.P256, jose.EdDSA: jose.Ed25519} {
		key, err := jose.Generate(alg, curve)
		if err != nil {
			return nil, fmt.Errorf("making a decoy key: %w", err)
		}
		jwk, err := key.Public().MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("writing a decoy key: %w", err)
		}
		d[alg] = strings.Replace(string(jwk), key.KeyID(), "KID", 1)
	}
	// Nobody is to sign with it, so any odd number is as good a modulus as the product of
	// two primes, which would take longer to find than all the rest of a hub's start.
	n := make([]byte, 256)
	_, _ = rand.Read(n) // it never fails (crypto/rand)
	n[0] |= 0x80
	n[len(n)-1] |= 1
	d[jose.PS256] = `{"kty":"RSA","n":"` + base64.RawURLEncoding.EncodeToString(n) + `","e":"AQAB","kid":"KID","alg":"PS256","use":"sig"}`
	return d, nil
}

// key returns the decoy of the algorithm under the kid that the token names, which
// the gate has found to be URL-safe.
func (d decoys) key(alg jose.Algorithm, kid string) (jose.PublicKey, error) {
	key, err := jose.ParsePublicKey([]byte(strings.Replace(d[alg], `"kid":"KID"`, `"kid":"`+kid+`"`, 1)))
	if err != nil {
		return jose.PublicKey{}, fmt.Errorf("reading a decoy key: %w", err)
	}
	return key, nil
}
