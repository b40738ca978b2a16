package record

import (
	"crypto/rand"
	"encoding/base64"
	"maps"

	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
)

// confided is the plaintext of a part that is sealed to its recorder's own key. It names
// the statement that it belongs to, so that it cannot be moved to another.
type confided struct {
	Issuer string `json:"iss"`
	ID     string `json:"jti"`
	Part   string `json:"part"`
	Salt   string `json:"salt"`
	Text   string `json:"text"`
}

// EveryPart is the texts of a record with an empty one for each part that has none. Who is
// named in a record reads which parts are sealed: were they only there when there is
// something to say, a recipient would learn from a name alone that somebody else was in the
// room. What a decision made for her needs is not filled in: without it the record is refused.
func EveryPart(agreement string, texts map[string]string) map[string]string {
	all := map[string]string{}
	for _, part := range SealedParts() {
		all[part.Code] = ""
	}
	maps.Copy(all, texts)
	if agreement == BestInterests && all["capacity"] == "" {
		delete(all, "capacity")
	}
	return all
}

// SealText seals a text of a statement to its issuer's own key and returns the JWE, whose
// digest the statement binds. Nobody but the issuer can read it: not the hub, not a
// recipient.
func SealText(issuer, id, part, text string, to jose.PublicKey) (string, error) {
	var salt [16]byte
	_, _ = rand.Read(salt[:]) // never fails
	plain, err := strict.Marshal(confided{issuer, id, part, base64.RawURLEncoding.EncodeToString(salt[:]), text})
	if err != nil {
		return "", bad("sealed")
	}
	defer clear(plain)
	jwe, err := jose.Encrypt(plain, to, "json")
	if err != nil || len(jwe) > sealedLimit {
		return "", bad("sealed")
	}
	return jwe, nil
}

// OpenText decrypts what SealText sealed, and checks that it belongs to this part of this
// statement.
func OpenText(issuer, id, part, jwe string, key jose.PrivateKey) (string, error) {
	encrypted, err := jose.ParseEncrypted(jwe, sealedLimit)
	if err != nil {
		return "", bad("sealed")
	}
	plain, err := encrypted.Decrypt(key)
	defer clear(plain)
	var c confided
	if err != nil || strict.Unmarshal(plain, &c) != nil {
		return "", bad("sealed")
	}
	if c.Issuer != issuer || c.ID != id || c.Part != part || !ids.IsBytes(c.Salt, 16) {
		return "", bad("sealed")
	}
	return c.Text, nil
}
