// Package attachment is the form of what is too large for a section: sealed in chunks of
// 64 KiB, each a compact JWE that any library opens by itself, in constant memory both
// ways. docs/packet.md is the normative text; testdata/vectors.json holds other
// implementations to it.
//
// The section attachment-N of a packet holds the head: media type, size, digest and the
// content key. It is sealed, copied, released and bound to its packet as every section is.
// The chunks travel apart, under that key (keys/jose, chunk.go). Each names its number and
// whether it is the last in what is authenticated, so that a reader finds out with the
// chunk in hand what was left out, doubled, exchanged, cut off or added; the envelope
// signs the digest over all of them.
//
// A sender writes to a Writer (seal.go), which hands each sealed chunk to a Put, and takes
// head and digest from it at the end. A reader gives a Reader (open.go) the head, the
// signed digest and a Next that brings the chunks; it returns no byte that has not been
// authenticated. lines.go keeps chunks in a file.
package attachment

import (
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"handover/internal/fault"
	"handover/internal/ids"
)

// The limits of the format, in bytes and chunks.
const (
	ChunkSize  = 64 << 10          // of plaintext, in each chunk but the last
	Limit      = 20 << 20          // of the whole plaintext
	MaxChunks  = Limit / ChunkSize // 320
	ChunkLimit = 88 << 10          // of a sealed chunk
)

// What can be refused about an attachment. None echoes content.
var (
	ErrSize = fault.New(fault.TooLarge, "attachment-size", fault.Sender,
		"An attachment has at least one byte and at most 20 MiB. Send it in several, or in another way.")
	ErrMediaType = fault.New(fault.Unprocessable, "attachment-media-type", fault.Sender,
		"The media type is not one as application/pdf, without parameters. Name it, or use application/octet-stream.")
	ErrUnreadable = fault.New(fault.Unprocessable, "attachment-unreadable", fault.Sender,
		"The attachment cannot be opened, or is not what its sender signed. The member chunk says where. Use nothing of it, and decline it as unreadable.")
)

// head is the data of the section that an attachment has in its packet.
type head struct {
	MediaType string         `json:"media_type"`
	Size      int64          `json:"size"`
	Digest    string         `json:"digest"` // of the plaintext; hidden until it is opened, as the head is salted and sealed
	Key       jsontext.Value `json:"key"`    // the content key, a JWK
}

// isMediaType reports whether s is a type and a subtype of RFC 6838 §4.2, and no more.
func isMediaType(s string) bool {
	kind, sub, ok := strings.Cut(s, "/")
	return ok && len(s) <= 127 && isName(kind) && isName(sub)
}

func isName(s string) bool {
	const first = "abcdefghijklmnopqrstuvwxyz0123456789"
	return s != "" && strings.Trim(s[:1], first) == "" && strings.Trim(s, first+"!#$&-^_.+") == ""
}

// chunkDigest adds a chunk to the digest over all of them: SHA-256 over the digest of each
// chunk and a line feed, in order. So whoever keeps the digests of the chunks can tell
// whether the whole is there, without reading it again.
func chunkDigest(all hash.Hash, chunk string) { addDigest(all, ids.Digest(chunk)) }

func addDigest(all hash.Hash, digest string) { all.Write([]byte(digest + "\n")) }

// Digest is the digest over all chunks, given the digest of each, in order.
func Digest(digests []string) string {
	all := sha256.New()
	for _, d := range digests {
		addDigest(all, d)
	}
	return sum(all)
}

func sum(h hash.Hash) string { return base64.RawURLEncoding.EncodeToString(h.Sum(nil)) }
