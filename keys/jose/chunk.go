package jose

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"handover/internal/strict"
)

// algDir says that the content is encrypted with the shared key itself (RFC 7518 §4.5).
const algDir = "dir"

// contentKeySize is that of a key of A256GCM (RFC 7518 §5.3).
const contentKeySize = 32

// ContentKey is a symmetric key that seals the chunks of one attachment and nothing
// else. However it is printed, logged or encoded, nothing of it shows; only JWK gives it
// away. The zero value is no key.
type ContentKey struct{ open func() *contentSecret }

type contentSecret struct {
	raw  []byte
	aead cipher.AEAD
}

// contentMembers are the members of a content key's JWK (RFC 7518 §6.4).
type contentMembers struct {
	Kty text `json:"kty"`
	Alg text `json:"alg"`
	K   text `json:"k"`
}

// GenerateContentKey makes a new random key.
func GenerateContentKey() (ContentKey, error) {
	raw := make([]byte, contentKeySize)
	_, _ = rand.Read(raw) // never fails
	return contentKey(raw)
}

// ParseContentKey reads a JWK of exactly kty "oct", alg "A256GCM" and k, 32 bytes; or
// returns ErrKey.
func ParseContentKey(jwk []byte) (ContentKey, error) {
	var m contentMembers
	if strict.Unmarshal(jwk, &m) != nil || m.Kty != "oct" || m.Alg != encA256GCM {
		return ContentKey{}, ErrKey
	}
	raw, err := decodeMember(string(m.K))
	if err != nil || len(raw) != contentKeySize {
		return ContentKey{}, ErrKey
	}
	return contentKey(raw)
}

func contentKey(raw []byte) (ContentKey, error) {
	block, err := aes.NewCipher(raw)
	if err != nil {
		return ContentKey{}, fmt.Errorf("content key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return ContentKey{}, fmt.Errorf("content key: %w", err)
	}
	s := &contentSecret{raw: raw, aead: aead}
	return ContentKey{open: func() *contentSecret { return s }}, nil
}

// JWK is the key itself as canonical JSON, or nil for the zero value. It must be sealed
// before it leaves.
func (k ContentKey) JWK() []byte {
	if k.open == nil {
		return nil
	}
	b, err := strict.Marshal(contentMembers{"oct", encA256GCM, text(base64url.EncodeToString(k.open().raw))})
	if err != nil {
		return nil // not reached: members are plain strings
	}
	return b
}

// Format prints that there is a key, whatever the verb.
func (k ContentKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "content key") }

// LogValue is what Format prints, for slog.
func (k ContentKey) LogValue() slog.Value { return slog.StringValue("content key") }

// MarshalJSON refuses: keys leave by JWK only.
func (k ContentKey) MarshalJSON() ([]byte, error) { return nil, errSecret }

// Place is where a chunk stands: its number from 0, and whether nothing follows it.
type Place struct {
	Number int
	End    bool
}

// chunkHeader names every parameter of a chunk's header. chunk and end are private
// parameters (RFC 7516 §4.3), which other readers pass over and authenticate all the same.
type chunkHeader struct {
	Alg   text    `json:"alg"`
	Enc   text    `json:"enc"`
	Chunk *uint32 `json:"chunk"`
	End   *bool   `json:"end"`
}

// Chunk is a sealed chunk that has passed the gate. Where it says that it stands is not
// proved before Decrypt. Only ParseChunk makes one.
type Chunk struct {
	protected          string // the header as it is authenticated (RFC 7516 §5.2)
	nonce, sealed, tag []byte
	place              Place
}

// ParseChunk passes a compact JWE of at most limit bytes through the gate: alg dir, so
// that its second part is empty (RFC 7518 §4.5), enc A256GCM, chunk and end, and nothing
// else. zip is refused with all the rest. It returns ErrTooLarge, ErrMalformed, ErrHeader
// or ErrAlgorithm, and looks in that order.
func ParseChunk(token string, limit int) (Chunk, error) {
	parts, err := split(token, 5, limit)
	if err != nil {
		return Chunk{}, err
	}
	if len(parts[1]) != 0 || len(parts[2]) != nonceSize || len(parts[3]) == 0 || len(parts[4]) != tagSize {
		return Chunk{}, ErrMalformed
	}
	var h chunkHeader
	if err := decode(parts[0], &h); err != nil {
		return Chunk{}, err
	}
	if h.Alg != algDir || h.Enc != encA256GCM {
		return Chunk{}, ErrAlgorithm
	}
	if h.Chunk == nil || h.End == nil || *h.Chunk > 1<<30 {
		return Chunk{}, ErrHeader
	}
	protected, _, _ := strings.Cut(token, ".")
	return Chunk{protected: protected, nonce: parts[2], sealed: parts[3], tag: parts[4],
		place: Place{Number: int(*h.Chunk), End: *h.End}}, nil
}

// Place is where the chunk says that it stands.
func (c Chunk) Place() Place { return c.place }

// Size is how many bytes of plaintext it holds.
func (c Chunk) Size() int { return len(c.sealed) }

// Decrypt returns the plaintext, which whoever holds the key sealed, for this very place.
// It returns ErrKey or ErrDecrypt.
func (c Chunk) Decrypt(key ContentKey) ([]byte, error) {
	if key.open == nil {
		return nil, ErrKey
	}
	joined := slices.Concat(c.sealed, c.tag)
	plaintext, err := key.open().aead.Open(joined[:0], c.nonce, joined, []byte(c.protected))
	if err != nil {
		return nil, ErrDecrypt
	}
	return plaintext, nil
}

// EncryptChunk seals one chunk as a compact JWE that any library opens with the key
// (RFC 7516 §5.1): alg dir, enc A256GCM, a random 96-bit nonce, and its place in the
// header. It goes past the JOSE library, which for content of this size takes several
// times as long, and memory with it. It returns ErrKey, and ErrMalformed for an empty
// plaintext.
func EncryptChunk(plaintext []byte, key ContentKey, at Place) (string, error) {
	if key.open == nil || at.Number < 0 || at.Number > 1<<30 {
		return "", ErrKey
	}
	if len(plaintext) == 0 {
		return "", ErrMalformed
	}
	number := uint32(at.Number)
	header, err := strict.Marshal(chunkHeader{algDir, encA256GCM, &number, &at.End})
	if err != nil {
		return "", fmt.Errorf("sealing a chunk: %w", err)
	}
	protected := base64url.EncodeToString(header)
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce) // never fails
	sealed := key.open().aead.Seal(nil, nonce, plaintext, []byte(protected))
	var b strings.Builder
	b.Grow(len(protected) + base64url.EncodedLen(nonceSize) + base64url.EncodedLen(len(plaintext)) + base64url.EncodedLen(tagSize) + 4)
	b.WriteString(protected)
	b.WriteString("..")
	b.WriteString(base64url.EncodeToString(nonce))
	b.WriteByte('.')
	body := make([]byte, base64url.EncodedLen(len(plaintext)))
	base64url.Encode(body, sealed[:len(plaintext)])
	b.Write(body)
	b.WriteByte('.')
	b.WriteString(base64url.EncodeToString(sealed[len(plaintext):]))
	return b.String(), nil
}
