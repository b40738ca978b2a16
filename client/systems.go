package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"handover/internal/strict"
	"handover/keys/jose"
)

// The typ of a rotation statement, and of the proof in it that the new signing key is held.
const (
	rotationType   = "handover-key+jwt"
	possessionType = "handover-possession+jwt"
)

// System is one of your agency's systems.
type System struct {
	ID        string    `json:"client_id"`
	Name      string    `json:"client_name"`
	Scopes    []string  `json:"scopes"` // all that it may carry, for itself or for a person
	Grants    []string  `json:"grant_types"`
	Redirects []string  `json:"redirect_uris"`
	Active    bool      `json:"active"`
	Since     time.Time `json:"since"`
	Keys      []HeldKey `json:"keys"` // with which it authenticates
}

// HeldKey is one of your agency's own keys.
type HeldKey struct {
	ID        string    `json:"kid"` // RFC 7638 thumbprint
	Use       string    `json:"use"` // Authentication, Signing or Encryption
	Client    string    `json:"client,omitempty"`
	Algorithm string    `json:"alg"`
	Custody   string    `json:"custody,omitempty"` // HeldByHub: the hub holds the private part
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	Revoked   time.Time `json:"revoked,omitzero"`
}

// Leave is what a new system needs to be registered: a token that is good once, for a day.
type Leave struct {
	Token   string    `json:"initial_access_token"`
	Expires time.Time `json:"expires"`
}

// Clients lists your agency's systems. It needs an administrator, as all below does.
func (c *Client) Clients(ctx context.Context) ([]System, error) {
	answer, err := get[struct {
		Clients []System `json:"clients"`
	}](ctx, c, "/v1/clients", nil)
	return answer.Clients, err
}

// InviteClient gives leave for one new system, which registers with it (Register).
func (c *Client) InviteClient(ctx context.Context) (Leave, error) {
	return post[Leave](ctx, c, "/v1/clients/invitations", nil)
}

// SuspendClient stops a system of yours at once, and everybody who acts through it. Code
// of refusal: client-not-found.
func (c *Client) SuspendClient(ctx context.Context, client string) error {
	_, err := c.do(ctx, call{method: http.MethodPost, once: true, path: "/v1/clients/" + url.PathEscape(client) + "/suspend"})
	return err
}

// ResumeClient lets a suspended system take part again.
func (c *Client) ResumeClient(ctx context.Context, client string) error {
	_, err := c.do(ctx, call{method: http.MethodPost, once: true, path: "/v1/clients/" + url.PathEscape(client) + "/resume"})
	return err
}

// HeldKeys lists all keys of your agency, newest first.
func (c *Client) HeldKeys(ctx context.Context) ([]HeldKey, error) {
	answer, err := get[struct {
		Keys []HeldKey `json:"keys"`
	}](ctx, c, "/v1/keys", nil)
	return answer.Keys, err
}

// Rotation puts a new key in the place of an old one.
type Rotation struct {
	Use     string          // Authentication: of this very system
	New     jose.PrivateKey // keep it durably before you ask
	Retire  string          // kid of the key it replaces
	Overlap time.Duration   // in which both count, at most 90 days; whole seconds

	// SelfSigned has a new signing key vouch for itself. The hub takes it only where no
	// signing key of yours counts any more, and whoever knows you will ask you for its
	// fingerprint before she relies on it.
	SelfSigned bool
}

// rotationClaims are what a rotation states.
type rotationClaims struct {
	Hub        string         `json:"hub"`
	Partner    string         `json:"partner"`
	Use        string         `json:"use"`
	Client     string         `json:"client,omitempty"`
	Key        jose.PublicKey `json:"jwk"`
	IssuedAt   int64          `json:"iat"`
	Retire     string         `json:"retire"`
	Overlap    int64          `json:"overlap,omitzero"`
	Possession string         `json:"possession,omitempty"`
}

// possession is what a new signing key states: that whoever holds it wants it to be the
// partner's.
type possession struct {
	Hub     string `json:"hub"`
	Partner string `json:"partner"`
	Key     string `json:"kid"`
}

// RotateKey registers the new key, which counts at once. Your signing key signs for it, so
// that those who know you take it without asking; a key to authenticate signs for itself.
// Codes of refusal: rotation-invalid, key-not-found, keys-too-many, key-taken: the last also
// when an earlier answer was lost.
func (c *Client) RotateKey(ctx context.Context, r Rotation) (HeldKey, error) {
	by := c.keys.Signing
	claims := rotationClaims{Hub: c.hub, Partner: c.partner, Use: r.Use, Key: r.New.Public(), IssuedAt: c.now().Unix(),
		Retire: r.Retire, Overlap: int64(r.Overlap / time.Second)}
	var err error
	switch {
	case r.Use == Authentication:
		claims.Client, by = c.clientID, r.New.Signer()
	case r.Use == Signing && r.SelfSigned:
		by = r.New.Signer()
	case r.Use == Signing:
		claims.Possession, err = signJSON(possessionType, possession{c.hub, c.partner, r.New.Public().KeyID()}, r.New.Signer())
	}
	if err != nil {
		return HeldKey{}, err
	}
	if by.Key == nil {
		return HeldKey{}, errNoKeys
	}
	statement, err := signJSON(rotationType, claims, by)
	if err != nil {
		return HeldKey{}, err
	}
	answer, err := c.do(ctx, call{method: http.MethodPost, once: true, path: "/v1/keys", body: []byte(statement), mediaType: "application/jose"})
	if err != nil {
		return HeldKey{}, err
	}
	return read[HeldKey](answer)
}

// signJSON signs a statement as a compact JWS of typ.
func signJSON(typ string, statement any, by jose.SigningKey) (string, error) {
	payload, err := strict.Marshal(statement)
	if err != nil {
		return "", fmt.Errorf("writing a statement: %w", err)
	}
	signed, err := jose.Sign(typ, payload, by)
	if err != nil {
		return "", fmt.Errorf("signing a statement: %w", err)
	}
	return signed, nil
}

// RevokeKey takes a key of your agency out of use at once: reason compromised, lost or
// retired. Codes of refusal: key-not-found, key-revoked, revocation-invalid, and, for the
// last key of its use that is merely retired, last-key.
func (c *Client) RevokeKey(ctx context.Context, kid, reason string) error {
	body, err := strict.Marshal(map[string]string{"reason": reason})
	if err != nil {
		return fmt.Errorf("writing a revocation: %w", err)
	}
	_, err = c.do(ctx, call{method: http.MethodPost, once: true, path: "/v1/keys/" + url.PathEscape(kid) + "/revoke", body: body, mediaType: "application/json"})
	return err
}
