package attachment_test

import (
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"handover/referral/packet/attachment"
)

// ceiling is how much may be alive beyond what was before, while 20 MiB pass through.
const ceiling = 1 << 20

// heap is how much lives on the heap, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// zeros is that many bytes, without holding them.
func zeros(n int64) io.Reader { return io.LimitReader(nothing{}, n) }

type nothing struct{}

func (nothing) Read(p []byte) (int, error) { return len(p), nil }

// TestMemoryIsConstant seals and opens 20 MiB, and never holds more than a few chunks. It
// is not parallel: what other tests hold would be counted.
func TestMemoryIsConstant(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "sealed"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	before, most := heap(), int64(0)
	look := func(chunk int) {
		if chunk%16 == 0 {
			most = max(most, heap()-before)
		}
	}
	keep := attachment.Lines(file)
	w, err := attachment.NewWriter("application/octet-stream", func(number int, chunk string) error {
		look(number)
		return keep(number, chunk)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, zeros(attachment.Limit)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := w.Sealed()
	if err != nil || a.Count != attachment.MaxChunks {
		t.Fatalf("%d chunks, %v", a.Count, err)
	}
	t.Logf("sealing 20 MiB: at most %d KiB alive", most>>10)
	if most > ceiling {
		t.Errorf("sealing holds %d bytes, and %d are allowed", most, ceiling)
	}

	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	before, most = heap(), 0
	lines := attachment.FromLines(file)
	r, err := attachment.NewReader(a.Head, a.Chunks, func(number int) (string, error) {
		look(number)
		return lines(number)
	})
	if err != nil {
		t.Fatal(err)
	}
	got, want := sha256.New(), sha256.New()
	n, err := io.Copy(got, r)
	if _, e := io.Copy(want, zeros(attachment.Limit)); errors.Join(err, e) != nil || n != attachment.Limit || string(got.Sum(nil)) != string(want.Sum(nil)) {
		t.Fatalf("%d bytes are opened, %v", n, errors.Join(err, e))
	}
	t.Logf("opening 20 MiB: at most %d KiB alive", most>>10)
	if most > ceiling {
		t.Errorf("opening holds %d bytes, and %d are allowed", most, ceiling)
	}
}

func BenchmarkSeal(b *testing.B) {
	b.SetBytes(attachment.Limit)
	b.ReportAllocs()
	for range b.N {
		w, err := attachment.NewWriter("application/octet-stream", func(int, string) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(w, zeros(attachment.Limit)); err != nil || w.Close() != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	a := seal(b, make([]byte, attachment.Limit))
	b.SetBytes(attachment.Limit)
	b.ReportAllocs()
	for range b.N {
		r, err := attachment.NewReader(a.Head, a.Chunks, from(a.chunks))
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); err != nil || n != attachment.Limit {
			b.Fatal(n, err)
		}
	}
}
