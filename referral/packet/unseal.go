package packet

import (
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
)

// Unseal decrypts one section, or the sender's copy of it, and returns its data. It
// checks that the JWE is the one that was signed, that the plaintext is the one
// that was signed, and that the content names this packet, this sender, this
// recipient and this section, so nothing can be moved in from elsewhere.
func (e Envelope) Unseal(name, jwe string, key jose.PrivateKey) (Content, error) {
	refused := ErrUnseal.With("section", printable(name))
	seal, ok := e.Sections[name]
	if d := ids.Digest(jwe); !ok || (d != seal.Ciphertext && d != seal.Copy) {
		return nil, refused
	}
	encrypted, err := jose.ParseEncrypted(jwe, SectionLimit)
	if err != nil {
		return nil, refused
	}
	plain, err := encrypted.Decrypt(key)
	defer clear(plain) // what is returned is a copy, which the reader may clear in turn
	if err != nil || ids.DigestOf(plain) != seal.Plaintext {
		return nil, refused
	}
	var c content
	if err := strict.Unmarshal(plain, &c); err != nil {
		return nil, refused
	}
	belongs := c.Issuer == e.Issuer && c.Audience == e.Audience && c.ID == e.ID && c.Section == name
	if !belongs || !ids.IsBytes(c.Salt, saltSize) || c.Data.Kind() != '{' {
		return nil, refused
	}
	return Content(c.Data), nil
}
