package notify

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"handover/keys"
	"handover/partners"
)

// WebhookKey is the name under which the key store holds the Ed25519 key that signs messages.
const WebhookKey = "webhooks"

// secretSize is how many random bytes a secret has (Standard Webhooks 1.0.0: 24 to 64).
const secretSize = 32

// newSecret returns one.
func newSecret() []byte {
	s := make([]byte, secretSize)
	_, _ = rand.Read(s) // never fails: crypto/rand ends the program instead
	return s
}

// spell is a secret as it is shown, once, to who is to check signatures with it.
func spell(secret []byte) string { return "whsec_" + base64.StdEncoding.EncodeToString(secret) }

// SigningKey is a public key by which receivers check the signature v1a.
type SigningKey struct {
	ID     string `json:"kid"`
	Public string `json:"key"` // whpk_ and the 32 bytes in base64
}

// SigningKeys returns the keys that count, newest first.
func SigningKeys(ctx context.Context, k keys.Store) ([]SigningKey, error) {
	versions, err := k.Public(ctx, WebhookKey)
	if err != nil {
		return nil, fmt.Errorf("reading the key of webhooks: %w", err)
	}
	all := make([]SigningKey, 0, len(versions))
	for _, v := range versions {
		public, ok := v.CryptoKey().(ed25519.PublicKey)
		if !ok {
			return nil, fmt.Errorf("reading the key of webhooks: %s is no Ed25519 key", v.KeyID())
		}
		all = append(all, SigningKey{v.KeyID(), "whpk_" + base64.StdEncoding.EncodeToString(public)})
	}
	return all, nil
}

// content is what is signed (Standard Webhooks 1.0.0, Signature scheme): id, time and body, so that
// none of them can be another's.
func content(id string, timestamp int64, body []byte) []byte {
	return append([]byte(id+"."+strconv.FormatInt(timestamp, 10)+"."), body...)
}

// symmetric is the signature v1 of a message under a secret.
func symmetric(content, secret []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write(content)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signatures is the header webhook-signature: v1 under each secret, v1a by each key of the hub
// that counts. While a secret or a key is changed there are two of its kind, so a receiver
// that has either goes on.
func signatures(ctx context.Context, k keys.Store, content []byte, secrets [][]byte) (string, error) {
	var all []string
	for _, s := range secrets {
		all = append(all, symmetric(content, s))
	}
	versions, err := k.Public(ctx, WebhookKey)
	if err != nil {
		return "", fmt.Errorf("reading the key of webhooks: %w", err)
	}
	for _, v := range versions {
		signature, err := k.Sign(ctx, WebhookKey, v.KeyID(), content, crypto.Hash(0))
		if err != nil {
			return "", fmt.Errorf("signing a message: %w", err)
		}
		all = append(all, "v1a,"+base64.StdEncoding.EncodeToString(signature))
	}
	return strings.Join(all, " "), nil
}

// secretAAD is what a wrapped secret is bound to: a row that is moved to another agency, or to
// another webhook of the same, does not open.
func secretAAD(partner partners.ID, webhook, id string) []byte {
	return fmt.Appendf(nil, "handover webhook secret v1\n%s\n%s\n%s", partner, webhook, id)
}
