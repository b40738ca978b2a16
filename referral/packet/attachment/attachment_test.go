package attachment_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"handover/internal/fault"
	"handover/internal/ids"
	"handover/referral/packet/attachment"
)

// TestMain makes the properties draw the same values in every run.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.seed", "20261126"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// whole is a sealed attachment with all that its reader is given.
type whole struct {
	attachment.Sealed
	chunks []string
	plain  []byte
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func seal(t testing.TB, plain []byte) whole {
	t.Helper()
	a := whole{plain: plain}
	w, err := attachment.NewWriter("application/pdf", func(number int, chunk string) error {
		if number != len(a.chunks) {
			t.Errorf("chunk %d is put as the %dth", number, len(a.chunks))
		}
		a.chunks = append(a.chunks, chunk)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, iotest.HalfReader(bytes.NewReader(plain))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if a.Sealed, err = w.Sealed(); err != nil {
		t.Fatal(err)
	}
	return a
}

// from brings these chunks.
func from(chunks []string) attachment.Next {
	return func(number int) (string, error) {
		if number >= len(chunks) {
			return "", io.EOF
		}
		return chunks[number], nil
	}
}

func (a whole) open(chunks []string) ([]byte, error) {
	r, err := attachment.NewReader(a.Head, a.Chunks, from(chunks))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// refuses fails t unless the chunks are refused as unreadable, and what came before the
// refusal is a beginning of what was sealed and not all of it.
func (a whole) refuses(t rapid.TB, what string, chunks []string) {
	t.Helper()
	got, err := a.open(chunks)
	if !errors.Is(err, attachment.ErrUnreadable) {
		t.Fatalf("%s: %v, want attachment-unreadable", what, err)
	}
	if f, ok := errors.AsType[*fault.Fault](err); !ok || f.Members()["chunk"] == nil {
		t.Fatalf("%s: it is not said where", what)
	}
	if !bytes.HasPrefix(a.plain, got) || len(got) == len(a.plain) {
		t.Fatalf("%s: %d bytes came out before the refusal, which are not a beginning of it", what, len(got))
	}
}

func TestWhatWasSealedIsReadBack(t *testing.T) {
	t.Parallel()
	const k = attachment.ChunkSize
	for _, n := range []int{1, 2, k - 1, k, k + 1, 2 * k, 3*k - 1, 5*k + 7} {
		a := seal(t, random(n))
		count := (n + k - 1) / k
		got, err := a.open(a.chunks)
		if err != nil || !bytes.Equal(got, a.plain) || len(a.chunks) != count || a.Count != count || a.Size != int64(n) {
			t.Errorf("of %d bytes in %d chunks, %d are read with %v", n, len(a.chunks), len(got), err)
		}
		for _, chunk := range a.chunks {
			if len(chunk) > attachment.ChunkLimit {
				t.Errorf("a chunk has %d bytes", len(chunk))
			}
		}
		r, err := attachment.NewReader(a.Head, a.Chunks, from(a.chunks))
		if err != nil || r.MediaType() != "application/pdf" || r.Size() != int64(n) || r.Count() != count {
			t.Errorf("the head says %s of %d bytes in %d chunks, %v", r.MediaType(), r.Size(), r.Count(), err)
		}
		if err := iotest.TestReader(r, a.plain); err != nil {
			t.Error(err)
		}
	}
}

func TestLinesKeepChunks(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	w, err := attachment.NewWriter("image/png", attachment.Lines(&file))
	if err != nil {
		t.Fatal(err)
	}
	plain := random(2*attachment.ChunkSize + 5)
	_, err = w.Write(plain)
	sealed, unfinished := w.Sealed()
	if err = errors.Join(err, w.Close()); err != nil || unfinished == nil || sealed.Count != 0 {
		t.Fatal(err, unfinished)
	}
	if sealed, err = w.Sealed(); err != nil {
		t.Fatal(err)
	}
	text := file.String()
	for what, kept := range map[string]string{"": text, "no last line feed": text[:len(text)-1], "cut": text[:len(text)/2],
		"one line too many": text + "x\n", "no end of a line": text + "x", "an endless line": strings.Repeat("A", 1<<20), "nothing": "", "an empty line": "\n" + text} {
		r, err := attachment.NewReader(sealed.Head, sealed.Chunks, attachment.FromLines(strings.NewReader(kept)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if what == "" && (err != nil || !bytes.Equal(got, plain)) || what != "" && !errors.Is(err, attachment.ErrUnreadable) {
			t.Errorf("%q: %d bytes, %v", what, len(got), err)
		}
	}
}

func TestTheWriterKeepsToItsLimits(t *testing.T) {
	t.Parallel()
	none := func(int, string) error { return nil }
	for _, bad := range []string{"", "pdf", "application/", "/pdf", "Application/PDF", "text/plain; charset=utf-8", "a/b/c", "text/plain\n", "text/" + strings.Repeat("a", 130)} {
		if _, err := attachment.NewWriter(bad, none); !errors.Is(err, attachment.ErrMediaType) {
			t.Errorf("media type %q: %v", bad, err)
		}
	}
	w, _ := attachment.NewWriter("text/plain", none)
	if err := w.Close(); !errors.Is(err, attachment.ErrSize) {
		t.Errorf("of nothing: %v", err)
	}
	w, _ = attachment.NewWriter("text/plain", none)
	if n, err := w.Write(make([]byte, attachment.Limit)); n != attachment.Limit || err != nil {
		t.Fatalf("of 20 MiB %d are taken, %v", n, err)
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, attachment.ErrSize) {
		t.Errorf("one byte over 20 MiB: %v", err)
	}
	if _, err := w.Sealed(); w.Close() == nil || err == nil {
		t.Error("what went over the limit is closed as if it were whole")
	}
	full := errors.New("the disk is full")
	w, _ = attachment.NewWriter("text/plain", func(int, string) error { return full })
	_, err := w.Write(make([]byte, attachment.ChunkSize+1))
	if !errors.Is(err, full) || !errors.Is(w.Close(), full) {
		t.Errorf("what could not be put: %v, then %v", err, w.Close())
	}
	w, _ = attachment.NewWriter("text/plain", none)
	_, _ = w.Write([]byte("x"))
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := w.Write([]byte("y")); err == nil {
		t.Error("it takes more after its end")
	}
}

// Any order of the chunks but theirs is refused, whatever is left out, doubled, exchanged
// or added, also from another attachment.
func TestAnyOtherRowOfChunksIsRefused(t *testing.T) {
	const k = attachment.ChunkSize
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(r, "chunks")
		a := seal(t, random((n-1)*k+rapid.IntRange(1, k).Draw(r, "in the last")))
		b := seal(t, random(len(a.plain)))
		all := slices.Concat(a.chunks, b.chunks)
		row := rapid.SliceOfN(rapid.SampledFrom(all), 0, n+2).Draw(r, "row")
		if slices.Equal(row, a.chunks) {
			return
		}
		a.refuses(r, "a row of its own and others' chunks", row)
	})
}

// The ways by name, so that none is left to chance.
func TestEveryWayToDisturbTheRowIsRefused(t *testing.T) {
	t.Parallel()
	const k = attachment.ChunkSize
	a, b := seal(t, random(3*k+10)), seal(t, random(3*k+10))
	c := a.chunks
	for what, row := range map[string][]string{
		"first missing":         c[1:],
		"one missing":           {c[0], c[2], c[3]},
		"truncated at the end":  c[:3],
		"nothing":               {},
		"doubled":               {c[0], c[0], c[1], c[2], c[3]},
		"last doubled":          {c[0], c[1], c[2], c[3], c[3]},
		"exchanged":             {c[0], c[2], c[1], c[3]},
		"appended":              slices.Concat(c, b.chunks[3:]),
		"appended garbage":      slices.Concat(c, []string{"x"}),
		"one of another":        {c[0], b.chunks[1], c[2], c[3]},
		"beginning and another": slices.Concat(c[:2], b.chunks[2:]),
		"another":               b.chunks,
	} {
		a.refuses(t, what, row)
	}
	for what, other := range map[string]whole{
		"another's signed digest": {Sealed: attachment.Sealed{Head: a.Head, Chunks: b.Chunks}, plain: a.plain},
		"another's head":          {Sealed: attachment.Sealed{Head: b.Head, Chunks: a.Chunks}, plain: a.plain},
	} {
		other.refuses(t, what, c)
	}
}

// A changed byte of a chunk, wherever it is, is refused; one cut out and one put in too.
func TestAnyChangedByteIsRefused(t *testing.T) {
	t.Parallel()
	a := seal(t, random(attachment.ChunkSize+300))
	changed := func(chunk string, i int, by byte) string {
		b := []byte(chunk)
		b[i] ^= by
		return string(b)
	}
	last := a.chunks[1]
	for i := range last { // every byte of a small chunk
		a.refuses(t, fmt.Sprintf("byte %d", i), []string{a.chunks[0], changed(last, i, 1)})
		a.refuses(t, fmt.Sprintf("without byte %d", i), []string{a.chunks[0], last[:i] + last[i+1:]})
	}
	rapid.Check(t, func(r *rapid.T) { // any of a large one
		i := rapid.IntRange(0, len(a.chunks[0])-1).Draw(r, "place")
		by := byte(rapid.IntRange(1, 255).Draw(r, "by"))
		a.refuses(r, "a changed byte", []string{changed(a.chunks[0], i, by), last})
		put := a.chunks[0][:i] + string(rapid.Byte().Draw(r, "put in")) + a.chunks[0][i:]
		a.refuses(r, "one byte more", []string{put, last})
	})
}

func TestTheHeadIsReadStrictly(t *testing.T) {
	t.Parallel()
	a := seal(t, random(100))
	good := string(a.Head)
	for what, bad := range map[string]string{
		"no head":              ``,
		"an unknown member":    strings.Replace(good, `{`, `{"name":"x",`, 1),
		"a member twice":       strings.Replace(good, `{`, `{"size":100,`, 1),
		"no size":              strings.Replace(good, `"size":100,`, ``, 1),
		"size 0":               strings.Replace(good, `"size":100`, `"size":0`, 1),
		"a negative size":      strings.Replace(good, `"size":100`, `"size":-100`, 1),
		"over 20 MiB":          strings.Replace(good, `"size":100`, `"size":20971521`, 1),
		"a media type of none": strings.Replace(good, `application/pdf`, `pdf`, 1),
		"no digest":            strings.Replace(good, `"digest":"`, `"digest":"A`, 1),
		"a key of 31 bytes":    strings.Replace(good, `"k":"`, `"k":"","x":"`, 1),
		"a key of another use": strings.Replace(good, `"alg":"A256GCM"`, `"alg":"A128GCM"`, 1),
		"no key":               good[:strings.Index(good, `,"key"`)] + `}`,
		"a private key":        strings.Replace(good, `"kty":"oct"`, `"kty":"EC"`, 1),
	} {
		if bad == good {
			t.Fatalf("%s changes nothing", what)
		}
		if _, err := attachment.NewReader([]byte(bad), a.Chunks, from(a.chunks)); !errors.Is(err, attachment.ErrUnreadable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, other := range map[string]string{"one byte less": `"size":99`, "one byte more": `"size":101`, "a chunk more": `"size":65637`} {
		lying := whole{Sealed: a.Sealed, plain: a.plain}
		lying.Head = []byte(strings.Replace(good, `"size":100`, other, 1))
		lying.refuses(t, what, a.chunks)
	}
	// The head is signed like the chunks: a sender who contradicts herself shows nothing.
	lying := whole{Sealed: a.Sealed, plain: a.plain}
	lying.Head = []byte(strings.Replace(good, digestOf(t, a), ids.Digest("another"), 1))
	lying.refuses(t, "another plaintext's digest", a.chunks)
	if _, err := attachment.NewReader(a.Head, "x", from(a.chunks)); !errors.Is(err, attachment.ErrUnreadable) {
		t.Errorf("without a signed digest: %v", err)
	}
	if printed := fmt.Sprintf("%v %+v %#v %s", a.Head, a.Sealed, a.Sealed, a.Head); strings.Contains(printed, string(jsontext.Value(a.Head)[20:40])) || strings.Contains(printed, `"k"`) {
		t.Error("the content key is printed")
	}
}

// What fails on the way is no verdict: reading goes on where it stopped.
func TestReadingGoesOnAfterABrokenConnection(t *testing.T) {
	t.Parallel()
	a, broken, calls := seal(t, random(3*attachment.ChunkSize+1)), errors.New("connection reset"), 0
	r, err := attachment.NewReader(a.Head, a.Chunks, func(number int) (string, error) {
		if calls++; calls%2 == 1 {
			return "", broken
		}
		return from(a.chunks)(number)
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	failures := 0
	for buf := make([]byte, 1000); ; {
		n, err := r.Read(buf)
		got = append(got, buf[:n]...)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if err != nil {
			failures++
		}
		if failures > 20 {
			break
		}
	}
	if failures < 4 {
		t.Errorf("%d failures, %d bytes", failures, len(got))
	}
}

// Whatever chunks come, the reader does not panic, refuses with the declared refusal and
// lets nothing out but a beginning of what was sealed.
func FuzzReader(f *testing.F) {
	a := seal(f, random(300))
	b := seal(f, random(300))
	f.Add(a.chunks[0], "")
	f.Add(a.chunks[0], a.chunks[0])
	f.Add(b.chunks[0], "")
	f.Add("....", "")
	f.Add(a.chunks[0][:len(a.chunks[0])-1], "x")
	f.Fuzz(func(t *testing.T, first, second string) {
		row := []string{first}
		if second != "" {
			row = append(row, second)
		}
		got, err := a.open(row)
		if err == nil && (first != a.chunks[0] || second != "") || err != nil && len(got) > 0 || err == nil && !bytes.Equal(got, a.plain) {
			t.Errorf("%q and %q: %d bytes, %v", first, second, len(got), err)
		}
		if err != nil && !errors.Is(err, attachment.ErrUnreadable) {
			t.Errorf("refused with %v", err)
		}
		r, err := attachment.NewReader([]byte(first), a.Chunks, from(a.chunks))
		if err == nil {
			if got, err := io.ReadAll(r); err == nil && !bytes.Equal(got, a.plain) {
				t.Errorf("with the head %q other content comes out", first)
			}
		} else if !errors.Is(err, attachment.ErrUnreadable) {
			t.Errorf("a head is refused with %v", err)
		}
	})
}
