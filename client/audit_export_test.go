package client_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"handover/audit/proof"
	"handover/client"
)

// exporting has the fake hub answer every export with what give returns, and counts them.
func (h *fakeHub) exporting(give func(w http.ResponseWriter)) *atomic.Int64 {
	asked := &atomic.Int64{}
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v1/log/export" {
			return false
		}
		asked.Add(1)
		give(w)
		return true
	}
	return asked
}

func query(f *liar) client.AuditQuery {
	return client.AuditQuery{From: f.header.From, To: f.header.To, Kept: f.header.Kept}
}

func TestAnExportIsTakenWhole(t *testing.T) {
	t.Parallel()
	p := quarter(t)
	f := p.hub.forge(t)
	f.header.Kept = []int64{3, 7}
	file := f.file()
	p.hub.exporting(func(w http.ResponseWriter) { _, _ = w.Write(file) })
	var got bytes.Buffer
	q := query(f)
	q.Kept = []int64{7, 3, 7}
	x, err := p.from.AuditExport(t.Context(), q, &got)
	if err != nil || !bytes.Equal(got.Bytes(), file) {
		t.Fatalf("%v; %d of %d bytes", err, got.Len(), len(file))
	}
	if x.Scope != proof.ScopeAll || x.First != 0 || x.End != f.header.End || x.Size != f.header.End || x.Entries != x.End || x.Statements == 0 {
		t.Errorf("%+v", x)
	}
}

// What is cut, changed, another's or another than was asked for is no export, is not asked for
// again behind the caller's back, and says so.
func TestNothingElseIsTakenForAnExport(t *testing.T) {
	t.Parallel()
	p := quarter(t)
	good := p.hub.forge(t)
	file := good.file()
	lines := bytes.SplitAfter(file, []byte("\n"))
	stranger := newLog(t, "hub.example/v1/log")
	for name, c := range map[string]struct {
		change func(f *liar)
		file   []byte
	}{
		"nothing at all":              {file: []byte{}},
		"all but the end line":        {file: bytes.Join(lines[:len(lines)-2], nil)},
		"all but the last byte":       {file: file[:len(file)-1]},
		"a line less":                 {file: append(bytes.Join(lines[:5], nil), bytes.Join(lines[6:], nil)...)},
		"a byte more":                 {file: append(bytes.Clone(file), ' ')},
		"another month":               {change: func(f *liar) { f.header.From = f.header.From.Add(-time.Hour) }},
		"another hub's":               {change: func(f *liar) { f.header.Hub = "https://other.example" }},
		"without a kept checkpoint":   {change: func(f *liar) { f.header.Kept = []int64{1} }},
		"signed by a stranger's key":  {change: func(f *liar) { f.signer = stranger.signer }},
		"an end that a stranger made": {file: endedBy(t, file, stranger)},
		"a page of a proxy":           {file: []byte("<html>\n")},
	} {
		t.Run(name, func(t *testing.T) {
			sent := c.file
			if c.change != nil {
				f := p.hub.forge(t)
				c.change(f)
				sent = f.file()
			}
			asked := p.hub.exporting(func(w http.ResponseWriter) { _, _ = w.Write(sent) })
			_, err := p.from.AuditExport(t.Context(), query(good), &bytes.Buffer{})
			if !errors.Is(err, client.ErrExport) || asked.Load() != 1 {
				t.Errorf("%v, after %d times", err, asked.Load())
			}
		})
	}
}

// endedBy is an export with the end line that a log of another key makes for it.
func endedBy(t *testing.T, file []byte, l *fakeLog) []byte {
	t.Helper()
	var again bytes.Buffer
	w := proof.NewExportWriter(&again)
	for in := proof.NewExportReader(bytes.NewReader(file)); ; {
		line, err := in.Next()
		must(err)
		if line.End != nil {
			must(w.End("hub.example/v1/log", func(text string) ([]byte, error) { return note.Sign(&note.Note{Text: text}, l.signer) }))
			return again.Bytes()
		}
		must(w.Write(line))
	}
}

func TestAnExportThatIsRefusedSaysWhy(t *testing.T) {
	t.Parallel()
	p := quarter(t)
	p.hub.exporting(func(w http.ResponseWriter) { refuse(w, http.StatusConflict, "log-shorter-than-kept") })
	var got bytes.Buffer
	_, err := p.from.AuditExport(t.Context(), query(p.hub.forge(t)), &got)
	if client.Code(err) != "log-shorter-than-kept" || got.Len() != 0 {
		t.Errorf("%v; %d bytes", err, got.Len())
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestAFullDiskIsNotTheHubsFault(t *testing.T) {
	t.Parallel()
	p := quarter(t)
	f := p.hub.forge(t)
	file := f.file()
	p.hub.exporting(func(w http.ResponseWriter) { _, _ = w.Write(file) })
	_, err := p.from.AuditExport(t.Context(), query(f), full{})
	if err == nil || errors.Is(err, client.ErrExport) || !strings.Contains(err.Error(), "no space left") {
		t.Error(err)
	}
}
