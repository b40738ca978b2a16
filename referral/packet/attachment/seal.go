package attachment

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"handover/internal/strict"
	"handover/keys/jose"
	"handover/referral/packet"
)

// Put takes the sealed chunks one after the other, by number from 0.
type Put func(number int, chunk string) error

// errUnfinished is returned for what is known only at the end.
var errUnfinished = errors.New("the attachment is not closed yet")

// Sealed is what the packet says of an attachment whose chunks have been put.
type Sealed struct {
	Head   packet.Content // the data of its section, with the content key: it must be sealed
	Chunks string         // for the manifest: the digest over the sealed chunks
	Size   int64          // of the plaintext, in bytes
	Count  int            // of chunks
}

// Writer seals what is written to it. It holds one chunk and no more, which it seals when
// the next byte comes or Close says that none will.
type Writer struct {
	mediaType string
	put       Put
	key       jose.ContentKey
	held      []byte
	count     int
	size      int64
	plain     hash.Hash
	chunks    hash.Hash
	sealed    *Sealed
	err       error // what ended it
}

// NewWriter returns a writer with a fresh content key, which is for these chunks alone. It
// refuses with ErrMediaType.
func NewWriter(mediaType string, put Put) (*Writer, error) {
	if !isMediaType(mediaType) {
		return nil, ErrMediaType
	}
	key, err := jose.GenerateContentKey()
	if err != nil {
		return nil, fmt.Errorf("sealing an attachment: %w", err)
	}
	return &Writer{mediaType: mediaType, put: put, key: key, held: make([]byte, 0, ChunkSize),
		plain: sha256.New(), chunks: sha256.New()}, nil
}

// Write seals p, whole chunks at once and the rest later. After an error nothing more is
// taken: what was put cannot be put otherwise. Over Limit it is ErrSize.
func (w *Writer) Write(p []byte) (n int, err error) {
	if w.err == nil && w.sealed != nil {
		w.err = io.ErrClosedPipe
	}
	if w.err == nil && w.size+int64(len(p)) > Limit {
		w.err = ErrSize
	}
	for len(p) > 0 && w.err == nil {
		if len(w.held) == ChunkSize {
			w.err = w.flush(false)
			continue
		}
		took := copy(w.held[len(w.held):ChunkSize], p)
		w.held, p = w.held[:len(w.held)+took], p[took:]
		n, w.size = n+took, w.size+int64(took)
	}
	return n, w.err
}

// flush seals what is held.
func (w *Writer) flush(end bool) error {
	chunk, err := jose.EncryptChunk(w.held, w.key, jose.Place{Number: w.count, End: end})
	if err != nil {
		return fmt.Errorf("sealing an attachment: %w", err)
	}
	w.plain.Write(w.held)
	chunkDigest(w.chunks, chunk)
	if err := w.put(w.count, chunk); err != nil {
		return err
	}
	w.count, w.held = w.count+1, w.held[:0]
	return nil
}

// Close seals the last chunk, as the last. Of nothing there is no attachment: ErrSize.
func (w *Writer) Close() error {
	if w.err != nil || w.sealed != nil {
		return w.err
	}
	if w.size == 0 {
		w.err = ErrSize
		return w.err
	}
	if w.err = w.flush(true); w.err != nil {
		return w.err
	}
	data, err := strict.Marshal(head{w.mediaType, w.size, sum(w.plain), w.key.JWK()})
	if err != nil {
		w.err = fmt.Errorf("writing the head of an attachment: %w", err)
		return w.err
	}
	w.sealed = &Sealed{Head: data, Chunks: sum(w.chunks), Size: w.size, Count: w.count}
	return nil
}

// Sealed is what the packet is to say of it, once it has been closed.
func (w *Writer) Sealed() (Sealed, error) {
	if w.sealed == nil {
		return Sealed{}, errors.Join(errUnfinished, w.err)
	}
	return *w.sealed, nil
}
