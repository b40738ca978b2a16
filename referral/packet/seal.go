package packet

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
)

// content is a section's plaintext. Its first four members repeat the envelope, so
// that a section opened in another packet, or sent on to another partner, shows
// that it does not belong there; the salt keeps pt from being guessed.
type content struct {
	Issuer   string         `json:"iss"`
	Audience string         `json:"aud"`
	ID       string         `json:"jti"`
	Section  string         `json:"section"`
	Salt     string         `json:"salt"`
	Data     jsontext.Value `json:"data"`
}

// saltSize is that of a salt: 128 bits.
const saltSize = 16

// Content is the plaintext of a section. It prints its length and nothing else, so
// a log line or an error cannot leak it by accident.
type Content []byte

// String gives the length.
func (c Content) String() string { return fmt.Sprintf("content of %d bytes", len(c)) }

// LogValue gives the length. Without it a handler would take the bytes, or their
// JSON, rather than String.
func (c Content) LogValue() slog.Value { return slog.StringValue(c.String()) }

// GoString gives the length.
func (c Content) GoString() string { return c.String() }

// Format gives the length, whatever the verb.
func (c Content) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }

// MarshalJSON gives the length: JSON is what a log handler makes of a struct that holds
// content somewhere. Who means the document itself says so: jsontext.Value(c).
func (c Content) MarshalJSON() ([]byte, error) { return []byte(`"` + c.String() + `"`), nil }

// To names the keys that a packet's sections are sealed to.
type To struct {
	Recipient jose.PublicKey  // a current encryption key of aud
	Copy      *jose.PublicKey // the sender's own key for copies; nil for none
}

// Seal makes a packet: it seals data (section to JSON object) to the recipient, and
// to the sender herself when asked, writes the manifest and signs the envelope. An
// empty jti and zero times are filled in: a new UUIDv7, now, and 28 days. Of c.Sections
// it takes what an attachment declares, its class and chunks, and fills in the rest.
func Seal(c Claims, data map[string]Content, to To, signer jose.SigningKey, now time.Time) (Packet, error) {
	if c.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return Packet{}, fmt.Errorf("choosing a packet id: %w", err)
		}
		c.ID = id.String()
	}
	if c.IssuedAt == 0 {
		c.IssuedAt = now.Unix()
	}
	if c.Expires == 0 {
		c.Expires = time.Unix(c.IssuedAt, 0).Add(28 * 24 * time.Hour).Unix()
	}
	p := Packet{}
	declared := c.Sections
	c.Sections = nil // the manifest lists what is sealed here and nothing else
	if len(data) > 0 {
		p.Sections, c.Sections = map[string]string{}, map[string]Sealing{}
	}
	for name, d := range data {
		line := Sealing{Class: declared[name].Class, Chunks: declared[name].Chunks}
		if err := p.seal(&c, name, line, d, to); err != nil {
			return Packet{}, err
		}
	}
	if bad := c.fault(); bad != "" {
		return Packet{}, ErrClaim.With("claim", bad)
	}
	claims, err := strict.Marshal(c)
	if err != nil {
		return Packet{}, fmt.Errorf("writing an envelope: %w", err)
	}
	p.Envelope, err = jose.Sign(EnvelopeType, claims, signer)
	if err != nil {
		return Packet{}, fmt.Errorf("signing an envelope: %w", err)
	}
	return p, nil
}

// seal encrypts one section and enters it in the manifest.
func (p *Packet) seal(c *Claims, name string, line Sealing, data Content, to To) error {
	if jsontext.Value(data).Kind() != '{' {
		return ErrSection.With("section", printable(name))
	}
	salt := make([]byte, saltSize)
	rand.Read(salt)
	plain, err := strict.Marshal(content{Issuer: c.Issuer, Audience: c.Audience, ID: c.ID, Section: name,
		Salt: base64.RawURLEncoding.EncodeToString(salt), Data: jsontext.Value(data)})
	if err != nil {
		return ErrSection.With("section", printable(name))
	}
	defer clear(plain)
	line.Plaintext = ids.DigestOf(plain)
	if p.Sections[name], err = jose.Encrypt(plain, to.Recipient, contentType); err != nil {
		return fmt.Errorf("sealing a section: %w", err)
	}
	line.Ciphertext = ids.Digest(p.Sections[name])
	if to.Copy != nil {
		if p.Copies == nil {
			p.Copies = map[string]string{}
		}
		if p.Copies[name], err = jose.Encrypt(plain, *to.Copy, contentType); err != nil {
			return fmt.Errorf("sealing a copy: %w", err)
		}
		line.Copy = ids.Digest(p.Copies[name])
	}
	c.Sections[name] = line
	return nil
}

// contentType is the cty of a section (RFC 7516 §4.1.12).
const contentType = "json"
