package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"handover/audit/proof"
	"handover/internal/strict"
	"handover/keys/jose"
)

// An agency's keys move between it and the hub: Take, TakeKeys and ConfirmKeys bring them
// out of the hub's hands, BeginGiving and GiveKeys bring them there.

// handedType is the cty of a private key in a JWE (RFC 7517 §7), handedLimit the most bytes
// of one.
const (
	handedType  = "jwk+json"
	handedLimit = 8 << 10
)

// TakingCode is what a system takes its agency's keys over with, once.
type TakingCode struct {
	Code    string    `json:"code"`
	Expires time.Time `json:"expires"`
}

// BeginTaking makes the code by which a system of the agency takes its keys out of the hub's
// hands. It needs an administrator. Code of refusal: not-managed.
func (c *Client) BeginTaking(ctx context.Context) (TakingCode, error) {
	return post[TakingCode](ctx, c, "/v1/custody/takings", nil)
}

// Take is Enrol for a system that takes over from the hub: the key that the hub holds signs
// for the new ones, so that nobody who knows the agency has to ask, and ends. Then TakeKeys.
// Codes of refusal: those of Enrol.
func Take(ctx context.Context, e Enrolling) (Enrolment, error) {
	return e.redeem(ctx, "/v1/custody/take", func(hub string, now time.Time) ([]byte, error) {
		statement, err := e.statement(hub, now)
		if err != nil {
			return nil, err
		}
		partner, _, _ := strings.Cut(strings.TrimSpace(e.Code), ".")
		held, err := signJSON(possessionType, possession{hub, partner, e.Signing.KeyID()}, e.Sign)
		if err != nil {
			return nil, err
		}
		return strict.Marshal(struct {
			Code       string `json:"code"`
			Statement  string `json:"enrolment"`
			Possession string `json:"possession"`
		}{strings.TrimSpace(e.Code), statement, held})
	})
}

// TakeKeys returns the private encryption keys that the hub held for the agency, for what
// waits. Keep them durably before ConfirmKeys. Code of refusal: custody-move-invalid.
func (c *Client) TakeKeys(ctx context.Context) ([]jose.PrivateKey, error) {
	answer, err := get[struct {
		Keys    []string `json:"keys"`
		Receipt Receipt  `json:"receipt"`
	}](ctx, c, "/v1/custody/keys", nil)
	if err != nil {
		return nil, err
	}
	if err := c.prove(ctx, answer.Receipt, proof.Entry{Act: "custody.handover", Partner: c.partner}); err != nil {
		return nil, err
	}
	taken := make([]jose.PrivateKey, 0, len(answer.Keys))
	for _, handed := range answer.Keys {
		key, err := c.unhand(handed)
		if err != nil {
			return nil, err
		}
		taken = append(taken, key)
	}
	return taken, nil
}

// unhand opens one key that was handed over.
func (c *Client) unhand(handed string) (jose.PrivateKey, error) {
	sealed, err := jose.ParseEncrypted(handed, handedLimit)
	if err != nil || sealed.ContentType() != handedType {
		return jose.PrivateKey{}, fmt.Errorf("%w: it is no key that is handed over", ErrAnswer)
	}
	for _, own := range c.keys.Encryption {
		if own.KeyID() != sealed.KeyID() {
			continue
		}
		jwk, err := sealed.Decrypt(own)
		if err != nil {
			break
		}
		defer clear(jwk)
		key, err := jose.ParsePrivateKey(jwk)
		if err != nil || !fits(Encryption, key.Public().Algorithm()) || key.KeyID() != key.Public().Thumbprint() {
			break
		}
		return key, nil
	}
	return jose.PrivateKey{}, fmt.Errorf("%w: a key that is handed over does not open", ErrAnswer)
}

// ConfirmKeys says that the keys of TakeKeys are kept: the hub destroys what it had of them.
func (c *Client) ConfirmKeys(ctx context.Context) error {
	_, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/custody/confirm"})
	return err
}

// Giving is what the hub has made for an agency that hands its keys to it.
type Giving struct {
	Move       string         `json:"move"`
	Signing    jose.PublicKey `json:"signing"`
	Possession string         `json:"possession"` // signed by it
	Encryption jose.PublicKey `json:"encryption"`
	Expires    time.Time      `json:"expires"`
}

// BeginGiving has the hub make the keys that it is to hold for the agency. It needs an
// administrator. Code of refusal: already-managed.
func (c *Client) BeginGiving(ctx context.Context) (Giving, error) {
	return post[Giving](ctx, c, "/v1/custody/givings", nil)
}

// ErrGiving means that what the hub has made is not for this agency to sign for.
var ErrGiving = errors.New("the keys that the hub has made are not for this agency")

// GiveKeys hands the agency's keys to the hub: the signing key signs for the hub's, which
// take its place and that of the encryption key at once; and all private encryption keys go
// along, sealed to the hub's new one. It needs an administrator. Codes of refusal:
// custody-move-invalid, custody-key-missing (the member key names it). Given again it is
// as it was.
func (c *Client) GiveKeys(ctx context.Context, g Giving) error {
	by := c.keys.Signing
	if by.Key == nil || len(c.keys.Encryption) == 0 {
		return errNoKeys
	}
	// Whoever signs for a key says whose it is: only for one that its holder wants to be ours.
	held := (&examiner{}).possessed(rotationClaims{Hub: c.hub, Partner: c.partner, Key: g.Signing, Possession: g.Possession})
	if !held || !fits(Signing, g.Signing.Algorithm()) || !fits(Encryption, g.Encryption.Algorithm()) {
		return ErrGiving
	}
	now := c.now().Unix()
	signing, err := signJSON(rotationType, rotationClaims{Hub: c.hub, Partner: c.partner, Use: Signing, Key: g.Signing, IssuedAt: now,
		Retire: by.ID, Possession: g.Possession}, by)
	if err != nil {
		return err
	}
	encryption, err := signJSON(rotationType, rotationClaims{Hub: c.hub, Partner: c.partner, Use: Encryption, Key: g.Encryption, IssuedAt: now,
		Retire: c.keys.Encryption[0].KeyID()}, by)
	if err != nil {
		return err
	}
	handed := make([]string, 0, len(c.keys.Encryption))
	for _, key := range c.keys.Encryption {
		sealed, err := handTo(key, g.Encryption)
		if err != nil {
			return err
		}
		handed = append(handed, sealed)
	}
	body, err := strict.Marshal(struct {
		Signing    string   `json:"signing"`
		Encryption string   `json:"encryption"`
		Keys       []string `json:"keys"`
	}{signing, encryption, handed})
	if err != nil {
		return fmt.Errorf("writing what is given: %w", err)
	}
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/v1/custody/givings/" + url.PathEscape(g.Move), body: body, mediaType: "application/json"})
	return err
}

func handTo(key jose.PrivateKey, to jose.PublicKey) (string, error) {
	jwk := key.JWK()
	defer clear(jwk)
	sealed, err := jose.Encrypt(jwk, to, handedType)
	if err != nil {
		return "", fmt.Errorf("sealing a key: %w", err)
	}
	return sealed, nil
}
