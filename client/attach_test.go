package client_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"handover/client"
	"handover/referral/packet/attachment"
)

// attachmentsIn has the hub keep chunks in files of a folder, and calls at with each
// chunk that comes or goes.
func (h *fakeHub) attachmentsIn(t *testing.T, at func()) (folder string) {
	t.Helper()
	folder = t.TempDir()
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		parts := strings.Split(r.URL.Path, "/")
		i := slices.Index(parts, "attachments")
		if i < 0 || len(parts) < 6 {
			return false
		}
		at()
		file := filepath.Join(folder, parts[len(parts)-2]+"."+parts[len(parts)-1])
		if r.Method == http.MethodPut {
			body, err := io.ReadAll(r.Body)
			if err := errors.Join(err, os.WriteFile(file, body, 0o600)); err != nil {
				t.Error(err)
			}
			w.WriteHeader(http.StatusNoContent)
			return true
		}
		chunk, err := os.ReadFile(file)
		if err != nil || r.URL.Query().Get("envelope") == "" {
			refuse(w, 404, "section-not-found")
			return true
		}
		_, _ = w.Write(chunk)
		return true
	}
	return folder
}

func TestAttachmentsAreSentAndOpened(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	folder := p.hub.attachmentsIn(t, func() {})
	one, two := make([]byte, 2*attachment.ChunkSize+3), []byte("a note")
	_, _ = rand.Read(one)
	q := asking(p.consent.ID)
	receipt, err := p.from.Send(t.Context(), q, client.Attachment{Class: "need", MediaType: "application/pdf", Content: bytes.NewReader(one)},
		client.Attachment{Class: "note", MediaType: "text/plain", Content: bytes.NewReader(two)})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*client.Client{"the recipient": p.to, "the sender": p.from} {
		opened, err := c.Open(t.Context(), client.Opening{Referral: receipt.Referral, Reason: "triage"})
		if err != nil {
			t.Fatal(err)
		}
		if len(opened.Attachments) != 2 || !slices.Equal(slices.Sorted(maps.Keys(opened.Sections)), slices.Sorted(maps.Keys(q.Sections))) {
			t.Fatalf("%s is given %d attachments, sections %v", name, len(opened.Attachments), slices.Collect(maps.Keys(opened.Sections)))
		}
		for i, want := range [][]byte{one, two} {
			a := opened.Attachments[i]
			got, err := io.ReadAll(a.Content)
			if err != nil || !bytes.Equal(got, want) || a.Size != int64(len(want)) || a.Class != []string{"need", "note"}[i] || a.MediaType != []string{"application/pdf", "text/plain"}[i] {
				t.Errorf("%s reads %s, %d bytes: %v", name, a.Name, len(got), err)
			}
		}
	}
	// A hub that gives another chunk in the place of one is found out.
	file := filepath.Join(folder, "attachment-1.1")
	first, err := os.ReadFile(filepath.Join(folder, "attachment-1.0"))
	if err := errors.Join(err, os.WriteFile(file, first, 0o600)); err != nil {
		t.Fatal(err)
	}
	opened, err := p.to.Open(t.Context(), client.Opening{Referral: receipt.Referral, Reason: "triage"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(opened.Attachments[0].Content)
	if client.Code(err) != "attachment-unreadable" || !bytes.Equal(got, one[:attachment.ChunkSize]) {
		t.Errorf("%d bytes and %v", len(got), err)
	}
}

func TestWhatIsNoAttachmentIsRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.hub.attachmentsIn(t, func() { t.Error("a chunk is sent") })
	broken := errors.New("the disk is gone")
	for code, a := range map[string]client.Attachment{
		"attachment-size":       {Class: "need", MediaType: "text/plain", Content: strings.NewReader("")},
		"attachment-media-type": {Class: "need", MediaType: "text", Content: strings.NewReader("x")},
		"envelope-claim":        {Class: "photos", MediaType: "text/plain", Content: strings.NewReader("x")},
		"":                      {Class: "need", MediaType: "text/plain", Content: io.MultiReader(strings.NewReader("x"), failing{broken})},
	} {
		_, err := p.from.Send(t.Context(), asking(p.consent.ID), a)
		if client.Code(err) != code || code == "" && !errors.Is(err, broken) {
			t.Errorf("%v, want %s", err, code)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestAnAttachmentPassesInConstantMemory sends and opens 20 MiB. It is not parallel: what
// other tests hold would be counted.
func TestAnAttachmentPassesInConstantMemory(t *testing.T) {
	const ceiling = 2 << 20
	p := newPair(t)
	before, most, chunks := int64(0), int64(0), 0
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	p.hub.attachmentsIn(t, func() {
		if chunks++; chunks%32 == 0 {
			most = max(most, heap()-before)
		}
	})
	before = heap()
	receipt, err := p.from.Send(t.Context(), asking(p.consent.ID), client.Attachment{Class: "need", MediaType: "application/pdf", Content: io.LimitReader(endless{}, attachment.Limit)})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("sending 20 MiB: at most %d KiB alive", most>>10)
	if most > ceiling || chunks != attachment.MaxChunks {
		t.Errorf("sending %d chunks holds %d bytes, and %d are allowed", chunks, most, ceiling)
	}
	before, most = heap(), 0
	opened, err := p.to.Open(t.Context(), client.Opening{Referral: receipt.Referral, Reason: "triage"})
	if err != nil {
		t.Fatal(err)
	}
	got, want := sha256.New(), sha256.New()
	n, err := io.Copy(got, opened.Attachments[0].Content)
	_, _ = io.Copy(want, io.LimitReader(endless{}, attachment.Limit))
	t.Logf("opening 20 MiB: at most %d KiB alive", most>>10)
	if err != nil || n != attachment.Limit || !bytes.Equal(got.Sum(nil), want.Sum(nil)) || most > ceiling {
		t.Errorf("%d bytes, %v; %d alive, and %d are allowed", n, err, most, ceiling)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
