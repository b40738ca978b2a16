package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"

	"handover/internal/strict"
	"handover/keys"
	"handover/keys/jose"
	"handover/partners"
)

// tokenLife is how long an access token is good for. Suspension and revocation do
// not wait for its end (partners.Store.Admit); it bounds what a lost DPoP key can
// do.
const tokenLife = 10 * time.Minute

// maxToken bounds an access token; ours have about 700 bytes.
const maxToken = 4 << 10

// accessType is the typ of an access token (RFC 9068 §2.1). Checking it keeps every
// other thing the hub signs from being passed off as one.
const accessType = "at+jwt"

// accessClaims are the claims of an access token: RFC 9068 §2.2, the key it is
// bound to (RFC 9449 §6.1), and three of our own. This struct both writes and reads
// them, so a token with anything else in it is refused.
type accessClaims struct {
	Issuer   string  `json:"iss"`
	Audience string  `json:"aud"`
	Subject  string  `json:"sub"`
	Client   string  `json:"client_id"`
	Partner  string  `json:"partner"`  // the client's partner
	AuthKey  string  `json:"auth_key"` // kid of the key that the client authenticated with
	Scope    string  `json:"scope"`
	Issued   int64   `json:"iat"`
	Expires  int64   `json:"exp"`
	ID       string  `json:"jti"`
	Confirm  confirm `json:"cnf"`

	// Of a person who lets the client act for her; sub is then her id.
	Proved numericDate `json:"auth_time,omitzero"` // to the microsecond (RFC 7519 §2 allows it): what she proved before she was signed out counts no more
	Grant  string      `json:"grant,omitempty"`
}

type confirm struct {
	Thumbprint string `json:"jkt"`
}

// accessTokens writes and reads access tokens. It is fosite's strategy for them in
// the place of fosite's own, which cannot sign with a key that it does not hold
// and takes the signature for the token's identity (ECDSA has two for each token).
type accessTokens struct {
	issuer string
	keys   keys.Store
	ring   *keyring
	now    func() time.Time
}

var _ oauth2.AccessTokenStrategy = (*accessTokens)(nil)

// GenerateAccessToken returns a signed token and its jti. It refuses a session that
// is bound to no DPoP key: should the sender constraint be left out of the handlers
// one day, no bearer token comes of it.
func (a *accessTokens) GenerateAccessToken(ctx context.Context, r fosite.Requester) (token, id string, err error) {
	s, ok := r.GetSession().(*session)
	if !ok || s.thumbprint == "" || s.client == "" || s.key == "" {
		return "", "", errors.New("issuing an access token: the session is bound to no client and key")
	}
	c := accessClaims{
		Issuer: a.issuer, Audience: a.issuer,
		Subject: s.GetSubject(), Client: s.client, Partner: s.partner, AuthKey: s.key,
		Scope:  strings.Join(r.GetGrantedScopes(), " "),
		Issued: s.issued.Unix(), Expires: s.expires.Unix(),
		ID: rand.Text(), Confirm: confirm{s.thumbprint},
		Proved: numericDate{s.proved}, Grant: s.grant,
	}
	payload, err := strict.Marshal(c)
	if err != nil {
		return "", "", fmt.Errorf("encoding an access token: %w", err)
	}
	token, err = a.sign(ctx, payload)
	if errors.Is(err, keys.ErrUnknownKey) { // the key was dropped before its time: take what there is now
		if _, err = a.ring.younger(ctx, 0); err == nil {
			token, err = a.sign(ctx, payload)
		}
	}
	if err != nil {
		return "", "", unavailable("signing an access token", err)
	}
	return token, c.ID, nil
}

func (a *accessTokens) sign(ctx context.Context, payload []byte) (string, error) {
	key, err := a.ring.signing(ctx)
	if err != nil {
		return "", err
	}
	return jose.Sign(accessType, payload, keys.SignerOf(ctx, a.keys, accessTokenKey, key))
}

// AccessTokenSignature returns what identifies the token: its jti, or "" for what
// is no token of this hub's form. It verifies nothing.
func (a *accessTokens) AccessTokenSignature(_ context.Context, token string) string {
	signed, err := jose.ParseSigned(token, maxToken, accessType)
	if err != nil {
		return ""
	}
	var c accessClaims
	if strict.Unmarshal(signed.UnverifiedPayload(), &c) != nil {
		return ""
	}
	return c.ID
}

// ValidateAccessToken verifies a token as open does.
func (a *accessTokens) ValidateAccessToken(ctx context.Context, _ fosite.Requester, token string) error {
	_, err := a.open(ctx, token)
	return err
}

// access is an access token that this hub signed for itself. Whether it is still
// time for it, and whether its bearer holds its key, is asked at each request.
type access struct {
	id         string // jti
	client     string
	partner    string
	user       string    // the person it acts for; "" for the client by itself
	proved     time.Time // when she had last proved who she is
	grant      string    // id of her grant
	authKey    string
	thumbprint string // of the DPoP key it is bound to
	scopes     []partners.Scope
	issued     time.Time
	expires    time.Time
	signedBy   string           // kid of the hub's key
	header     jose.ProofHeader // of the proofs that came with it, once one has
}

// bearer is what the token says of whoever sends it.
func (t access) bearer() partners.Bearer {
	return partners.Bearer{Client: t.client, AuthKey: t.authKey, Granted: t.scopes, User: t.user, Proved: t.proved}
}

// open verifies an access token as RFC 9068 §4 demands: typ, issuer, audience,
// signature by one of the hub's valid keys, expiry.
func (a *accessTokens) open(ctx context.Context, token string) (access, error) {
	signed, err := jose.ParseSigned(token, maxToken, accessType)
	if err != nil {
		return access{}, badToken("token-form")
	}
	key, ok, err := a.ring.find(ctx, signed.KeyID())
	if err != nil {
		return access{}, unavailable("verifying an access token", err)
	}
	if !ok {
		return access{}, badToken("token-key")
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return access{}, badToken("token-signature")
	}
	var c accessClaims
	if strict.Unmarshal(payload, &c) != nil || c.Client == "" || c.ID == "" || c.Subject == "" || c.AuthKey == "" || c.Confirm.Thumbprint == "" {
		return access{}, badToken("token-claims")
	}
	if c.Issuer != a.issuer || c.Audience != a.issuer {
		return access{}, badToken("token-audience")
	}
	t := access{
		id: c.ID, client: c.Client, partner: c.Partner, authKey: c.AuthKey, thumbprint: c.Confirm.Thumbprint,
		issued: time.Unix(c.Issued, 0), expires: time.Unix(c.Expires, 0), signedBy: key.KeyID(),
	}
	if c.Subject != c.Client {
		t.user, t.proved, t.grant = c.Subject, c.Proved.Time, c.Grant
	}
	for s := range strings.FieldsSeq(c.Scope) {
		t.scopes = append(t.scopes, partners.Scope(s))
	}
	if !a.now().Before(t.expires) {
		return access{}, errExpired
	}
	return t, nil
}
