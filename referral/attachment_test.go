package referral_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
	"handover/referral/packet/attachment"
)

// letter is random plaintext of some chunks.
func letter(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.Read(b)
	return b
}

const twoChunks = attachment.ChunkSize + 1000

// attached sends a request with one attachment of the class.
func attached(t *testing.T, p hubtest.Pair, class string, plain []byte) (hubtest.Sealed, hubtest.Attached) {
	t.Helper()
	d, a := p.Request().Attach(t, "attachment-1", class, plain)
	p.From.PutAll(t, a)
	s := d.Seal(t)
	p.From.Sent(t, s)
	return s, a
}

// readerOf opens the head of the attachment and returns a reader over the hub's chunks.
func readerOf(t *testing.T, by *hubtest.Agency, p hubtest.Pair, s hubtest.Sealed) *attachment.Reader {
	t.Helper()
	var answer struct{ Sections map[string]string }
	by.Open(t, s.Digest, "", "attachment-1").Into(t, http.StatusOK, &answer)
	stated, err := packet.ParseEnvelope(s.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	e, err := stated.Verify(p.From.Signing.Public())
	if err != nil {
		t.Fatal(err)
	}
	head, err := e.Unseal("attachment-1", answer.Sections["attachment-1"], by.Sealing)
	if err != nil {
		t.Fatal(err)
	}
	var r *attachment.Reader
	r, err = attachment.NewReader(head, e.Sections["attachment-1"].Chunks, func(n int) (string, error) {
		if n == r.Count() {
			return "", io.EOF
		}
		answer := by.Chunk(t, s.Digest, "attachment-1", n)
		if answer.Status != http.StatusOK {
			return "", errors.New(answer.Problem().Code)
		}
		return string(answer.Body), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func refusedWith(t *testing.T, what string, a hubtest.Answer, status int, code string) {
	t.Helper()
	if a.Status != status || a.Problem().Code != code {
		t.Errorf("%s: %d %s, want %d %s", what, a.Status, a.Body, status, code)
	}
}

func TestAnAttachmentReachesItsRecipientAndItsSender(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	p := h.Pair(t, partners.VAWGService)
	plain := letter(2*attachment.ChunkSize + 77)
	s, a := attached(t, p, "health", plain)
	for name, by := range map[string]*hubtest.Agency{"the recipient": p.To, "the sender": p.From} {
		got, err := io.ReadAll(readerOf(t, by, p, s))
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s reads %d bytes of %d, %v", name, len(got), len(plain), err)
		}
	}
	// The same bytes again find the same receipt, though the attachment is named by now.
	again := p.From.Send(t, s)
	if again.Status != http.StatusCreated {
		t.Errorf("sent again: %d %s", again.Status, again.Body)
	}
	for n, chunk := range a.Chunks {
		if put := p.From.PutChunk(t, a.Packet, a.Name, n, chunk); put.Status != http.StatusNoContent {
			t.Errorf("chunk %d put again: %d %s", n, put.Status, put.Body)
		}
	}
	acts := hubtest.Column[string](t, h, `SELECT convert_from(body, 'UTF8')::jsonb ->> 'act' FROM audit_entry
		WHERE convert_from(body, 'UTF8')::jsonb -> 'sections' ? 'attachment-1' ORDER BY at`)
	slices.Sort(acts)
	if diff := cmp.Diff([]string{"attachment.begin", "copy.open", "referral.request", "section.open"}, acts); diff != "" {
		t.Errorf("the log says of it (-want +got):\n%s", diff)
	}
}

func TestChunksAreTakenOnceAndInAnyOrder(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.VAWGService)
	d, a := p.Request().Attach(t, "attachment-1", "need", letter(3*attachment.ChunkSize))
	_, other := p.Request().Attach(t, "attachment-1", "need", letter(3*attachment.ChunkSize))
	put := func(number int, chunk string) hubtest.Answer {
		return p.From.PutChunk(t, a.Packet, "attachment-1", number, chunk)
	}
	here := func() (numbers []int) {
		var answer struct{ Chunks []referral.PutChunk }
		p.From.Get(t, "/v1/attachments/"+a.Packet+"/attachment-1").Into(t, http.StatusOK, &answer)
		for _, c := range answer.Chunks {
			numbers = append(numbers, c.Number)
		}
		return numbers
	}
	if got := here(); len(got) != 0 {
		t.Errorf("before it begins, %v are here", got)
	}
	var all sync.WaitGroup
	for range 4 { // the same chunk at once, by four: it begins once and is stored once
		all.Go(func() {
			if got := put(2, a.Chunks[2]); got.Status != http.StatusNoContent {
				t.Errorf("at once: %d %s", got.Status, got.Body)
			}
		})
	}
	all.Wait()
	refusedWith(t, "another chunk under the number", put(2, other.Chunks[2]), 409, "attachment-conflict")
	refusedWith(t, "a chunk under another's number", put(1, a.Chunks[0]), 422, "attachment-chunk")
	for what, chunk := range map[string]string{"no chunk": "e30....", "nothing": "", "text": "hello", "a section": d.Seal(t).Sections["need"],
		"a cut chunk": a.Chunks[0][:len(a.Chunks[0])-1], "a line behind": a.Chunks[0] + "\n"} {
		refusedWith(t, what, put(0, chunk), 422, "attachment-chunk")
	}
	refusedWith(t, "too long a chunk", put(0, string(make([]byte, attachment.ChunkLimit+1))), 413, "body-too-large")
	for what, path := range map[string]string{"no packet id": "/v1/attachments/x/attachment-1/0", "a packet id that is no UUIDv7": "/v1/attachments/" + uuid.NewString() + "/attachment-1/0",
		"a section": "/v1/attachments/" + a.Packet + "/need/0", "over 20 MiB": "/v1/attachments/" + a.Packet + "/attachment-1/320", "another spelling": "/v1/attachments/" + a.Packet + "/attachment-1/00"} {
		refusedWith(t, what, p.From.Do(t, hubtest.Call{Method: "PUT", Path: path, Type: "application/jose", Body: []byte(a.Chunks[0])}), 422, "attachment-chunk")
	}
	if got := here(); !slices.Equal(got, []int{2}) {
		t.Errorf("%v are here, want the one that was put", got)
	}
	// What is missing is put, and then the packet passes.
	refusedWith(t, "named before it is whole", p.From.Send(t, d.Seal(t)), 422, "attachment-incomplete")
	put(0, a.Chunks[0])
	put(1, a.Chunks[1])
	s := d.Seal(t)
	p.From.Sent(t, s)
	refusedWith(t, "a chunk behind what a packet has named", put(3, replaced(t, 3)), 409, "attachment-conflict")
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM audit_entry WHERE act = 'attachment.begin'`); n != 1 {
		t.Errorf("it begins %d times in the log", n)
	}
}

// replaced is a well-formed chunk of another attachment that says it stands at number.
func replaced(t *testing.T, number int) string {
	t.Helper()
	_, other := hubtest.Draft{Claims: packet.Claims{ID: uuid.Must(uuid.NewV7()).String()}}.Attach(t, "attachment-1", "need", letter((number+1)*attachment.ChunkSize))
	return other.Chunks[number]
}

// TestAnAttachmentThatIsNotWholeIsRefused: whatever is wrong with what is here, the packet
// is not stored, and the refusal names the section.
func TestAnAttachmentThatIsNotWholeIsRefused(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.VAWGService)
	plain := letter(2*attachment.ChunkSize + 5)
	for what, put := range map[string]func(a hubtest.Attached){
		"nothing": func(hubtest.Attached) {},
		"the end is missing": func(a hubtest.Attached) {
			p.From.PutChunk(t, a.Packet, a.Name, 0, a.Chunks[0])
			p.From.PutChunk(t, a.Packet, a.Name, 1, a.Chunks[1])
		},
		"the beginning is missing": func(a hubtest.Attached) {
			p.From.PutChunk(t, a.Packet, a.Name, 1, a.Chunks[1])
			p.From.PutChunk(t, a.Packet, a.Name, 2, a.Chunks[2])
		},
		"one is another's": func(a hubtest.Attached) {
			p.From.PutChunk(t, a.Packet, a.Name, 0, replaced(t, 0))
			p.From.PutChunk(t, a.Packet, a.Name, 1, a.Chunks[1])
			p.From.PutChunk(t, a.Packet, a.Name, 2, a.Chunks[2])
		},
		"one too many": func(a hubtest.Attached) {
			p.From.PutAll(t, a)
			p.From.PutChunk(t, a.Packet, a.Name, 3, replaced(t, 3))
		},
		"under another section": func(a hubtest.Attached) { a.Name = "attachment-2"; p.From.PutAll(t, a) },
		"under another packet":  func(a hubtest.Attached) { a.Packet = uuid.Must(uuid.NewV7()).String(); p.From.PutAll(t, a) },
		"by another partner":    func(a hubtest.Attached) { p.To.PutAll(t, a) },
	} {
		d, a := p.Request().Attach(t, "attachment-1", "need", plain)
		put(a)
		got := p.From.Send(t, d.Seal(t))
		refusedWith(t, what, got, 422, "attachment-incomplete")
		if !bytes.Contains(got.Body, []byte(`"section":"attachment-1"`)) || !bytes.Contains(got.Body, []byte(`"retry":true`)) {
			t.Errorf("%s: %s", what, got.Body)
		}
	}
	// A sender who signs for chunks that do not end is not taken either.
	d, a := p.Request().Attach(t, "attachment-1", "need", plain)
	var digests []string
	for _, chunk := range a.Chunks[:2] {
		digests = append(digests, ids.Digest(chunk))
	}
	d.Sections["attachment-1"] = packet.Sealing{Class: "need", Chunks: attachment.Digest(digests)}
	p.From.PutChunk(t, a.Packet, a.Name, 0, a.Chunks[0])
	p.From.PutChunk(t, a.Packet, a.Name, 1, a.Chunks[1])
	refusedWith(t, "signed without an end", p.From.Send(t, d.Seal(t)), 422, "attachment-incomplete")
	// Nor one who signs for chunks with a gap.
	d, a = p.Request().Attach(t, "attachment-1", "need", plain)
	d.Sections["attachment-1"] = packet.Sealing{Class: "need", Chunks: attachment.Digest([]string{ids.Digest(a.Chunks[0]), ids.Digest(a.Chunks[2])})}
	p.From.PutChunk(t, a.Packet, a.Name, 0, a.Chunks[0])
	p.From.PutChunk(t, a.Packet, a.Name, 2, a.Chunks[2])
	refusedWith(t, "signed with a gap", p.From.Send(t, d.Seal(t)), 422, "attachment-incomplete")
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM packet`); n != 0 {
		t.Errorf("%d packets are stored", n)
	}
}

// TestWhatNoPacketNamesIsForgotten after a day, with a log entry, and nothing else is.
func TestWhatNoPacketNamesIsForgotten(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	p := h.Pair(t, partners.VAWGService)
	named, _ := attached(t, p, "need", letter(twoChunks))
	d, old := p.Request().Attach(t, "attachment-1", "need", letter(twoChunks))
	_, fresh := p.Request().Attach(t, "attachment-1", "need", letter(twoChunks))
	p.From.PutAll(t, old)
	p.From.PutAll(t, fresh)
	h.Exec(t, `ALTER TABLE attachment DISABLE TRIGGER attachment_settled`)
	h.Exec(t, `UPDATE attachment SET begun_at = begun_at - interval '25 hours' WHERE jti <> $1`, fresh.Packet)
	for range 2 { // a second time finds nothing more
		if err := h.Referrals.ForgetUnnamed(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	left := hubtest.Column[string](t, h, `SELECT DISTINCT jti::text FROM attachment_chunk ORDER BY 1`)
	want := []string{named.Claims.ID, fresh.Packet}
	slices.Sort(want)
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("attachments that are left (-want +got):\n%s", diff)
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM audit_entry WHERE act = 'attachment.forget'`); n != 1 {
		t.Errorf("%d entries say that it was forgotten", n)
	}
	refusedWith(t, "named after it was forgotten", p.From.Send(t, d.Seal(t)), 422, "attachment-incomplete")
	p.From.PutAll(t, old) // and put again
	p.From.Sent(t, d.Seal(t))
}

func TestOnePartnersUnnamedAttachmentsAreBounded(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.VAWGService)
	d, a := p.Request().Attach(t, "attachment-1", "need", letter(twoChunks))
	p.From.PutChunk(t, a.Packet, a.Name, 0, a.Chunks[0])
	h.Exec(t, `UPDATE attachment SET bytes = $1`, 512<<20)
	got := p.From.PutChunk(t, a.Packet, a.Name, 1, a.Chunks[1])
	refusedWith(t, "over 512 MiB", got, 429, "attachment-uploads")
	_, other := p.To.Event(p.From, packet.Accept, ids.Digest("x"), ids.Digest("x")).Attach(t, "attachment-1", "need", letter(10))
	if put := p.To.PutChunk(t, other.Packet, other.Name, 0, other.Chunks[0]); put.Status != http.StatusNoContent {
		t.Errorf("another partner's: %d %s", put.Status, put.Body)
	}
	h.Exec(t, `UPDATE attachment SET bytes = 1`)
	p.From.PutAll(t, a)
	p.From.Sent(t, d.Seal(t))
	h.Exec(t, `INSERT INTO attachment (issuer, jti, name, bytes, begun_at, log_entry)
		SELECT $1, gen_random_uuid(), 'attachment-1', 1, now(), (SELECT id FROM audit_entry LIMIT 1) FROM generate_series(1, 1000)`, string(p.From.ID))
	_, more := p.Request().Attach(t, "attachment-1", "need", letter(10))
	refusedWith(t, "over a thousand", p.From.PutChunk(t, more.Packet, more.Name, 0, more.Chunks[0]), 429, "attachment-uploads")
}

// TestPacketsWithAttachmentsShareATransaction: requests that arrive together, of which one
// is not whole, are each judged for themselves.
func TestPacketsWithAttachmentsShareATransaction(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.VAWGService)
	var all sync.WaitGroup
	for i := range 12 {
		d, a := p.Request("need").Attach(t, "attachment-1", "need", letter(10))
		if i%3 != 0 {
			p.From.PutAll(t, a)
		}
		body := d.Seal(t)
		all.Go(func() {
			if got := p.From.Send(t, body); (got.Status == http.StatusCreated) != (i%3 != 0) {
				t.Errorf("packet %d: %d %s", i, got.Status, got.Body)
			}
		})
	}
	all.Wait()
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM attachment WHERE packet IS NOT NULL`); n != 8 {
		t.Errorf("%d attachments are named, want 8", n)
	}
}

// TestAnAttachmentToAnAnswer: events carry them too.
func TestAnAttachmentToAnAnswer(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.VAWGService)
	s := p.Sent(t)
	head := p.Step(t, p.To, packet.Receive, s.Digest, s.Digest).Digest
	head = p.Step(t, p.To, packet.Ask, s.Digest, head).Digest
	d, a := p.From.Event(p.To, packet.Answer, s.Digest, head).With(p.Consent, "note").Attach(t, "attachment-3", "need", letter(twoChunks))
	p.From.PutAll(t, a)
	answer := d.Seal(t)
	p.From.Sent(t, answer)
	p.To.Open(t, s.Digest, answer.Digest, "attachment-3")
	got := p.To.Get(t, fmt.Sprintf("/v1/referrals/%s/attachments/attachment-3/1?envelope=%s", s.Digest, answer.Digest))
	if got.Status != http.StatusOK || string(got.Body) != a.Chunks[1] {
		t.Errorf("%d, %d bytes", got.Status, len(got.Body))
	}
}
