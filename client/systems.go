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

// rotationType is the typ of a rotation statement.
const rotationType = "handover-key+jwt"

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
}

// RotateKey registers the new key, which counts at once. It is signed by the new key, or,
// where that can only open, by the signing key. Codes of refusal: rotation-invalid,
// key-not-found, keys-too-many, key-taken: the last also when an earlier answer was lost.
func (c *Client) RotateKey(ctx context.Context, r Rotation) (HeldKey, error) {
	by := r.New.Signer()
	claims := struct {
		Hub      string         `json:"hub"`
		Partner  string         `json:"partner"`
		Use      string         `json:"use"`
		Client   string         `json:"client,omitempty"`
		Key      jose.PublicKey `json:"jwk"`
		IssuedAt int64          `json:"iat"`
		Retire   string         `json:"retire"`
		Overlap  int64          `json:"overlap,omitzero"`
	}{c.hub, c.partner, r.Use, "", r.New.Public(), c.now().Unix(), r.Retire, int64(r.Overlap / time.Second)}
	switch r.Use {
	case Authentication:
		claims.Client = c.clientID
	case Encryption:
		by = c.keys.Signing
	}
	if by.Key == nil {
		return HeldKey{}, errNoKeys
	}
	payload, err := strict.Marshal(claims)
	if err != nil {
		return HeldKey{}, fmt.Errorf("writing a rotation: %w", err)
	}
	statement, err := jose.Sign(rotationType, payload, by)
	if err != nil {
		return HeldKey{}, fmt.Errorf("signing a rotation: %w", err)
	}
	answer, err := c.do(ctx, call{method: http.MethodPost, once: true, path: "/v1/keys", body: []byte(statement), mediaType: "application/jose"})
	if err != nil {
		return HeldKey{}, err
	}
	return read[HeldKey](answer)
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
