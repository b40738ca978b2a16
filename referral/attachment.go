package referral

import (
	"strconv"
	"time"

	"handover/internal/codes"
	"handover/internal/fault"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/referral/packet"
	"handover/referral/packet/attachment"
)

// What can be refused about an attachment's chunks.
var (
	ErrChunk = fault.New(fault.Unprocessable, "attachment-chunk", fault.Sender,
		"This is no sealed chunk with the number in its address. Address it by the packet's id, the section's name and a number from 0 to 319, and seal it as docs/packet.md says.")
	ErrChunkConflict = fault.New(fault.Conflict, "attachment-conflict", fault.Sender,
		"Another chunk is stored under this number, or a packet has named the attachment as it is. Seal it anew under another packet id.")
	ErrUploads = fault.New(fault.TooMany, "attachment-uploads", fault.Sender,
		"More of your attachments wait for their packets than the hub keeps. Post the packets that name them, or wait until they are forgotten after a day.").Retryable()
	ErrNotWhole = fault.New(fault.Unprocessable, "attachment-incomplete", fault.Sender,
		"An attachment that the envelope names is not here as it was signed. The member section names it. Ask which chunks are here, put what is missing, and post the same packet again.").Retryable()
	ErrNotReleased = fault.New(fault.Forbidden, "attachment-not-released", fault.Sender,
		"Nobody has released this attachment to you within the last hour. Open its section first; the chunks can then be fetched for an hour.")
)

// How long chunks wait for the packet that names them, how much of one partner waits, and
// how long a release gives the right to fetch.
const (
	unnamedLife  = 24 * time.Hour
	unnamedBytes = 512 << 20
	unnamedMost  = 1000
	releaseLife  = time.Hour
)

// place is where a chunk belongs: the packet's id and section, and its number.
type place struct {
	packet, section string
	number          int
}

// parsePlace reads the parts of an address; what is none is ErrChunk, and never reaches the
// database.
func parsePlace(packetID, section, number string) (place, error) {
	n, err := strconv.Atoi(number)
	if err != nil || strconv.Itoa(n) != number || n < 0 || n >= attachment.MaxChunks ||
		!ids.IsUUIDv7(packetID) || !codes.IsAttachment(section) {
		return place{}, ErrChunk
	}
	return place{packetID, section, n}, nil
}

// sealedChunk is a chunk that has passed the gate and belongs where it is to go. What is in
// it, and whether it opens, the hub cannot know.
type sealedChunk struct {
	place
	token, digest string
	ends          bool
}

func parseChunk(at place, token string) (sealedChunk, error) {
	c, err := jose.ParseChunk(token, attachment.ChunkLimit)
	if err != nil || c.Place().Number != at.number || c.Size() > attachment.ChunkSize || !c.Place().End && c.Size() != attachment.ChunkSize {
		return sealedChunk{}, ErrChunk
	}
	return sealedChunk{at, token, ids.Digest(token), c.Place().End}, nil
}

// upload is what is here of an attachment, as the transaction that names it sees it.
type upload struct {
	digests []string // of the chunks, in the order of their numbers
	gap     bool     // their numbers are not 0, 1, 2…
	ends    int      // how many say that they are the last
	ended   bool     // the last of them says so
}

func (u *upload) add(number int, digest string, ends bool) {
	u.gap = u.gap || number != len(u.digests)
	u.digests, u.ended = append(u.digests, digest), ends
	if ends {
		u.ends++
	}
}

// whole reports whether it is exactly what was signed, to its end. Neither alone is enough:
// a sender could sign for a row of chunks that no recipient can open.
func (u *upload) whole(signed string) bool {
	return u != nil && !u.gap && u.ends == 1 && u.ended && attachment.Digest(u.digests) == signed
}

// uploads are those of the packets that one transaction decides on.
type uploads map[uploadKey]*upload

type uploadKey struct{ packet, section string }

// hold refuses a packet of which an attachment is not here, whole, as it was signed.
func (u uploads) hold(p packet.Opened) error {
	for _, name := range p.Names() {
		if codes.IsAttachment(name) && !u[uploadKey{p.ID, name}].whole(p.Sections[name].Chunks) {
			return ErrNotWhole.With("section", name)
		}
	}
	return nil
}
