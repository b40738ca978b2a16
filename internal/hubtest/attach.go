package hubtest

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"testing"

	"handover/referral/packet"
	"handover/referral/packet/attachment"
)

// Attached is an attachment that was sealed for a draft.
type Attached struct {
	attachment.Sealed
	Name, Packet string // the section, and the id of the packet that is to name it
	Chunks       []string
}

// Attach seals plain as an attachment of the draft, which then names it. Nothing is put.
func (d Draft) Attach(t testing.TB, name, class string, plain []byte) (Draft, Attached) {
	t.Helper()
	a := Attached{Name: name, Packet: d.ID}
	w := must(attachment.NewWriter("application/pdf", func(_ int, chunk string) error {
		a.Chunks = append(a.Chunks, chunk)
		return nil
	}))
	if _, err := io.Copy(w, bytes.NewReader(plain)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	a.Sealed = must(w.Sealed())
	data, sections := map[string]packet.Content{name: a.Head}, map[string]packet.Sealing{name: {Class: class, Chunks: a.Sealed.Chunks}}
	maps.Copy(data, d.Data)
	maps.Copy(sections, d.Sections)
	d.Data, d.Sections = data, sections
	return d, a
}

// PutChunk puts one chunk, whatever it is.
func (a *Agency) PutChunk(t testing.TB, packetID, name string, number int, chunk string) Answer {
	t.Helper()
	return a.Do(t, Call{Method: http.MethodPut, Path: fmt.Sprintf("/v1/attachments/%s/%s/%d", packetID, name, number),
		Type: "application/jose", Body: []byte(chunk)})
}

// PutAll puts all chunks, which must be taken.
func (a *Agency) PutAll(t testing.TB, of Attached) {
	t.Helper()
	for n, chunk := range of.Chunks {
		if answer := a.PutChunk(t, of.Packet, of.Name, n, chunk); answer.Status != http.StatusNoContent {
			t.Fatalf("putting chunk %d: %d %s", n, answer.Status, answer.Body)
		}
	}
}

// Chunk fetches one chunk of the request's attachment.
func (a *Agency) Chunk(t testing.TB, referral, name string, number int) Answer {
	t.Helper()
	return a.Get(t, fmt.Sprintf("/v1/referrals/%s/attachments/%s/%d", referral, name, number))
}
