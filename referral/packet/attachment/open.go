package attachment

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"

	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
	"handover/referral/packet"
)

// Next brings the sealed chunk of a number, or io.EOF when there is none. It is asked for
// one after the other, from 0.
type Next func(number int) (string, error)

// Reader opens an attachment as it is read. It holds one chunk and no more.
type Reader struct {
	head   head
	want   string // the digest over all chunks that the sender signed
	next   Next
	key    jose.ContentKey
	number int   // of the chunk that comes next
	left   int64 // of the plaintext, in bytes, not opened yet
	plain  hash.Hash
	chunks hash.Hash
	open   []byte // authenticated, and not read yet
	err    error
}

// NewReader returns a reader of the attachment that the head describes: the data of its
// section, from packet.Envelope.Unseal, and the digest in that envelope's manifest. It
// refuses with ErrUnreadable.
func NewReader(data packet.Content, chunks string, next Next) (*Reader, error) {
	r := &Reader{want: chunks, next: next, plain: sha256.New(), chunks: sha256.New()}
	if err := strict.Unmarshal(data, &r.head); err != nil {
		return nil, ErrUnreadable
	}
	h := r.head
	if !isMediaType(h.MediaType) || h.Size < 1 || h.Size > Limit || !ids.IsDigest(h.Digest) || !ids.IsDigest(chunks) {
		return nil, ErrUnreadable
	}
	var err error
	if r.key, err = jose.ParseContentKey(h.Key); err != nil {
		return nil, ErrUnreadable
	}
	r.head.Key, r.left = nil, h.Size
	return r, nil
}

// MediaType is what the sender says that it is. Nobody has looked.
func (r *Reader) MediaType() string { return r.head.MediaType }

// Size is that of the plaintext, in bytes: from 1 to Limit.
func (r *Reader) Size() int64 { return r.head.Size }

// Count is how many chunks there are.
func (r *Reader) Count() int { return int((r.head.Size + ChunkSize - 1) / ChunkSize) }

// Read returns plaintext of which every byte was sealed by the holder of the content key
// for exactly this place; of the last chunk nothing before all of it has been held against
// what the sender signed. So whoever has read up to io.EOF has the whole, and whoever gets
// any other error must use nothing of it. What is wrong with the attachment is
// ErrUnreadable with the member chunk; errors of Next come as they are, and Read can then
// be tried again.
func (r *Reader) Read(p []byte) (int, error) {
	if len(r.open) == 0 && r.err == nil {
		if r.left == 0 {
			r.err = io.EOF
		} else if err := r.advance(); err != nil {
			return 0, err
		}
	}
	if len(r.open) == 0 {
		return 0, r.err
	}
	n := copy(p, r.open)
	r.open = r.open[n:]
	return n, nil
}

// advance opens the next chunk.
func (r *Reader) advance() error {
	chunk, err := r.next(r.number)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("fetching chunk %d: %w", r.number, err)
	}
	last := r.left <= ChunkSize
	plain := r.decrypt(chunk, jose.Place{Number: r.number, End: last})
	if err != nil || plain == nil || int64(len(plain)) != min(r.left, ChunkSize) {
		return r.refuse(r.number)
	}
	if last {
		if err := r.lookBehind(); err != nil {
			return err
		}
	}
	r.plain.Write(plain)
	chunkDigest(r.chunks, chunk)
	// Against the recipient, who has the content key too: she cannot show another
	// attachment as the one that she was sent.
	if last && (sum(r.chunks) != r.want || sum(r.plain) != r.head.Digest) {
		return r.refuse(r.number)
	}
	r.open, r.left, r.number = plain, r.left-int64(len(plain)), r.number+1
	return nil
}

// decrypt opens a chunk that stands at that place and no other, or returns nil.
func (r *Reader) decrypt(token string, at jose.Place) []byte {
	chunk, err := jose.ParseChunk(token, ChunkLimit)
	if err != nil || chunk.Place() != at {
		return nil
	}
	plain, err := chunk.Decrypt(r.key)
	if err != nil {
		return nil
	}
	return plain
}

// lookBehind returns nil if nothing follows the last chunk.
func (r *Reader) lookBehind() error {
	_, err := r.next(r.number + 1)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return r.refuse(r.number + 1)
	}
	return fmt.Errorf("looking behind chunk %d: %w", r.number, err)
}

func (r *Reader) refuse(number int) error {
	r.err = ErrUnreadable.With("chunk", strconv.Itoa(number))
	return r.err
}
