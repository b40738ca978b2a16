package proof_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/strict"
)

// exportLines are the lines of a small export without its end.
func exportLines() []proof.ExportLine {
	at := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	salt := bytes.Repeat([]byte{7}, 32)
	return []proof.ExportLine{
		{Export: &proof.ExportHeader{V: 1, Hub: "https://hub.example", Scope: proof.ScopeAll, Made: at, From: at, To: at.AddDate(0, 1, 0),
			First: 2, End: 4, Kept: []int64{1, 3}, LogKey: "k", Checkpoint: "c"}},
		{Tile: &proof.ExportTile{Level: 0, N: 0, Data: bytes.Repeat([]byte{1}, 4*32)}},
		{Tile: &proof.ExportTile{Level: 1, N: 0, Data: bytes.Repeat([]byte{1}, 32)}},
		{Entry: &proof.ExportEntry{Index: 2, Body: []byte(`{"v":1}`), Salt: salt}},
		{Entry: &proof.ExportEntry{Index: 3, Erased: true}},
		{Entry: &proof.ExportEntry{Index: 0, Body: []byte(`{"v":1}`), Salt: salt}},
		{Statement: &proof.ExportStatement{Kind: proof.StatementConsent, Digest: ids.Digest("a.b.c"), Text: "a.b.c"}},
		{Partner: &proof.ExportPartner{ID: "ash", Category: "housing", Keys: []jsontext.Value{jsontext.Value(`{"kty":"OKP"}`)}}},
		{Partner: &proof.ExportPartner{ID: "birch", Category: "housing", Keys: []jsontext.Value{jsontext.Value(`{"kty":"OKP"}`)}}},
		{HubKeys: []jsontext.Value{jsontext.Value(`{"kty":"OKP"}`)}},
	}
}

func signing(t *testing.T, s note.Signer) func(string) ([]byte, error) {
	t.Helper()
	return func(text string) ([]byte, error) { return note.Sign(&note.Note{Text: text}, s) }
}

// readAll reads an export to its end.
func readAll(data []byte) (lines []proof.ExportLine, err error) {
	r := proof.NewExportReader(bytes.NewReader(data))
	for {
		l, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
}

func written(t *testing.T, s note.Signer, lines []proof.ExportLine) []byte {
	t.Helper()
	var file bytes.Buffer
	w := proof.NewExportWriter(&file)
	for i, l := range lines {
		if err := w.Write(l); err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
	}
	if err := w.End(line, signing(t, s)); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestAnExportIsReadAsItWasWritten(t *testing.T) {
	s, key := signerOf(t, 1, line)
	file := written(t, s, exportLines())
	got, err := readAll(file)
	if err != nil {
		t.Fatal(err)
	}
	end := got[len(got)-1].End
	if end == nil {
		t.Fatal("no end line")
	}
	if err := end.Verify(4, key); err != nil {
		t.Error("the end line of a whole export:", err)
	}
	if diff := cmp.Diff(exportLines(), got[:len(got)-1]); diff != "" {
		t.Error(diff)
	}
}

// Whatever is cut off the end, the reader says that the file is not whole; whatever byte is
// changed, that it was changed or is none.
func TestNoPartAndNoChangeOfAnExportPasses(t *testing.T) {
	s, key := signerOf(t, 1, line)
	file := written(t, s, exportLines())
	for n := range len(file) {
		if _, err := readAll(file[:n]); !errors.Is(err, proof.ErrUnfinished) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(file), err)
		}
		changed := bytes.Clone(file)
		changed[n] ^= 1
		lines, err := readAll(changed)
		if err == nil {
			err = lines[len(lines)-1].End.Verify(4, key) // the change was in the signature
		}
		if err == nil {
			t.Fatalf("byte %d changed, and nobody noticed", n)
		}
	}
	for name, more := range map[string]string{"a line feed": "\n", "a byte": "x", "the end again": string(file[bytes.LastIndexByte(file[:len(file)-1], '\n')+1:])} {
		if _, err := readAll(append(bytes.Clone(file), more...)); !errors.Is(err, proof.ErrMalformed) && !errors.Is(err, proof.ErrUnfinished) {
			t.Errorf("%s after the end: %v", name, err)
		}
	}
}

func TestAnExportIsSignedByTheKeyOfItsCheckpointOrALaterOne(t *testing.T) {
	s1, k1 := signerOf(t, 1, line)
	s2, k2 := signerOf(t, 2, line)
	stranger, _ := signerOf(t, 3, line)
	elsewhere, _ := signerOf(t, 1, "other.example/v1/log")
	key, err := k1.Followed([]string{signNote(t, proof.Succession{Size: 10, From: k1, To: k2}.Text(), s1, s2)})
	if err != nil {
		t.Fatal(err)
	}
	e := proof.ExportEnd{Lines: 3, Digest: ids.Digest("x")}
	text := proof.ExportEndText(line, e.Lines, e.Digest)
	for _, c := range []struct {
		name   string
		size   int64
		signed string
		ok     bool
	}{
		{"the first key, in its turn", 10, signNote(t, text, s1), true},
		{"the first key, when its turn was over", 11, signNote(t, text, s1), false},
		{"the second key, in its turn", 11, signNote(t, text, s2), true},
		{"the second key, of a checkpoint of the first", 10, signNote(t, text, s2), true},
		{"a stranger", 11, signNote(t, text, stranger), false},
		{"the same key for another log", 10, signNote(t, text, elsewhere), false},
		{"another number of lines", 11, signNote(t, proof.ExportEndText(line, 4, e.Digest), s2), false},
		{"another file", 11, signNote(t, proof.ExportEndText(line, 3, ids.Digest("y")), s2), false},
		{"a checkpoint", 11, signNote(t, line+"\n3\n"+e.Digest+"\n", s2), false},
		{"nothing", 11, "", false},
	} {
		e.Signature = c.signed
		if err := e.Verify(c.size, key); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := e.Verify(1, proof.LogKey{}); !errors.Is(err, proof.ErrSignature) {
		t.Error("the zero key:", err)
	}
}

// closed makes a file of raw lines, with an end line that fits them, signed by nobody: what
// is refused of it is refused for its form.
func closed(lines []string) []byte {
	before := strings.Join(lines, "\n") + "\n"
	sum := sha256.Sum256([]byte(before))
	return fmt.Appendf(nil, "%s{\"end\":{\"lines\":%d,\"digest\":%q,\"signature\":\"s\"}}\n", before, len(lines), base64.RawURLEncoding.EncodeToString(sum[:]))
}

func TestALineOfAnotherFormIsRefused(t *testing.T) {
	good := make([]string, 0, 10)
	for _, l := range exportLines() {
		text, err := strict.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		good = append(good, string(text))
	}
	if _, err := readAll(closed(good)); err != nil {
		t.Fatal("the lines as they should be:", err)
	}
	instead := func(at int, text string) []string {
		lines := append([]string(nil), good...)
		lines[at] = text
		return lines
	}
	swapped := func(i, j int) []string {
		lines := append([]string(nil), good...)
		lines[i], lines[j] = lines[j], lines[i]
		return lines
	}
	for name, lines := range map[string][]string{
		"no header":                       good[1:],
		"two headers":                     append([]string{good[0]}, good...),
		"a header of another version":     instead(0, strings.Replace(good[0], `"v":1`, `"v":2`, 1)),
		"a range that ends before":        instead(0, strings.Replace(good[0], `"first":2`, `"first":5`, 1)),
		"an agency's without an agency":   instead(0, strings.Replace(good[0], `"all"`, `"agency"`, 1)),
		"kept sizes that fall":            instead(0, strings.Replace(good[0], `[1,3]`, `[3,1]`, 1)),
		"two members":                     instead(1, `{"tile":{"level":0,"n":0,"data":""},"entry":{"index":2,"erased":true}}`),
		"no member":                       instead(3, `{}`),
		"an unknown member":               instead(3, `{"section":{}}`),
		"a member twice":                  instead(3, `{"entry":{"index":2,"erased":true},"entry":{"index":2,"erased":true}}`),
		"null":                            instead(3, `{"entry":null}`),
		"no object":                       instead(3, `[]`),
		"an empty line":                   instead(3, ``),
		"tiles that fall":                 swapped(1, 2),
		"a tile after an entry":           swapped(2, 3),
		"a tile of no whole hashes":       instead(1, `{"tile":{"level":0,"n":0,"data":"AAAA"}}`),
		"a tile in loose base64":          instead(1, strings.Replace(good[1], `AQE=`, `AQF=`, 1)),
		"entries that fall":               swapped(3, 4),
		"an entry twice":                  instead(4, good[3]),
		"an entry after the range":        instead(4, `{"entry":{"index":4,"erased":true}}`),
		"a ground before the range":       swapped(4, 5),
		"an erased entry with text":       instead(4, `{"entry":{"index":3,"entry":"YQ","erased":true}}`),
		"an entry without its salt":       instead(4, `{"entry":{"index":3,"entry":"YQ"}}`),
		"an entry with a short salt":      instead(4, `{"entry":{"index":3,"entry":"YQ","salt":"AAAA"}}`),
		"an entry that is no base64":      instead(4, `{"entry":{"index":3,"entry":"Y\n Q","salt":"AAAA"}}`),
		"a statement with another digest": instead(6, strings.Replace(good[6], "a.b.c", "a.b.d", 1)),
		"a statement before an entry":     swapped(5, 6),
		"partners that fall":              swapped(7, 8),
		"hub keys before a partner":       swapped(8, 9),
		"hub keys twice":                  append(append([]string(nil), good...), good[9]),
		"a line that is too long":         instead(6, `{"statement":{"kind":"`+strings.Repeat("a", proof.MaxExportLine)+`"}}`),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := readAll(closed(lines)); !errors.Is(err, proof.ErrMalformed) {
				t.Error(err)
			}
		})
	}
	for name, file := range map[string][]byte{
		"another count":       bytes.Replace(closed(good), []byte(`"lines":10`), []byte(`"lines":11`), 1),
		"a line put in front": append([]byte(good[0]+"\n"), closed(good[1:])...),
	} {
		if _, err := readAll(file); !errors.Is(err, proof.ErrAltered) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the reader would refuse, the writer does not write.
func TestAWriterKeepsTheOrder(t *testing.T) {
	w := proof.NewExportWriter(io.Discard)
	lines := exportLines()
	if err := w.Write(lines[1]); !errors.Is(err, proof.ErrMalformed) {
		t.Error("a tile before the header:", err)
	}
	if err := w.Write(lines[0]); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(lines[0]); !errors.Is(err, proof.ErrMalformed) {
		t.Error("a second header:", err)
	}
}

func FuzzExport(f *testing.F) {
	var file bytes.Buffer
	w := proof.NewExportWriter(&file)
	for _, l := range exportLines() {
		if err := w.Write(l); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.End(line, func(text string) ([]byte, error) { return []byte(text), nil }); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = readAll(data) // refuses, and neither panics nor runs on
	})
}
