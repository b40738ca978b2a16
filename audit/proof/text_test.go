package proof_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	. "handover/audit/proof"
)

// copied returns a log of the same entries, to be tampered with.
func (b *bench) copied() *bench {
	return &bench{
		key: b.key, signer: b.signer,
		salts: slices.Clone(b.salts), bodies: slices.Clone(b.bodies), hashes: slices.Clone(b.hashes),
	}
}

// rewrite changes one entry and hashes everything anew, as an operator with the
// signing key could.
func (b *bench) rewrite(at int) {
	b.bodies[at] = bytes.Replace(b.bodies[at], []byte("request"), []byte("decline"), 1)
	b.hashes = nil
	for i := range b.bodies {
		hashes, err := tlog.StoredHashes(int64(i), Leaf(b.salts[i], b.bodies[i]), b)
		if err != nil {
			panic(err)
		}
		b.hashes = append(b.hashes, hashes...)
	}
}

func (b *bench) mustCheckpoint(size int64) []byte {
	root, err := tlog.TreeHash(size, b)
	if err != nil {
		panic(err)
	}
	signed, err := note.Sign(&note.Note{Text: FormatCheckpoint(origin, tlog.Tree{N: size, Hash: root})}, b.signer)
	if err != nil {
		panic(err)
	}
	return signed
}

func anyInclusion(t *rapid.T) Inclusion {
	p := Inclusion{Index: rapid.Int64Range(0, 1<<62).Draw(t, "index")}
	if extra := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "extra"); len(extra) > 0 {
		p.Extra = extra
	}
	p.Hashes = []tlog.Hash{}
	for range rapid.IntRange(0, 63).Draw(t, "path length") {
		p.Hashes = append(p.Hashes, tlog.Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash")))
	}
	p.Checkpoint = rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "checkpoint")
	return p
}

func TestAProofReadsBackAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyInclusion(t)
		got, err := ParseProof(FormatProof(p))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestAConsistencyProofReadsBackAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyInclusion(t)
		old, hashes, newer, err := ParseConsistency(FormatConsistency(p.Index, tlog.TreeProof(p.Hashes), p.Checkpoint))
		if err != nil || old != p.Index || !cmp.Equal([]tlog.Hash(hashes), []tlog.Hash(p.Hashes)) || !bytes.Equal(newer, p.Checkpoint) {
			t.Fatalf("got %d, %v, %q, %v", old, hashes, newer, err)
		}
	})
}

// TestProofHasC2SPForm compares with the layout that c2sp.org/tlog-proof shows.
func TestProofHasC2SPForm(t *testing.T) {
	p := Inclusion{Extra: []byte("why"), Index: 73894, Hashes: tlog.RecordProof{{1}, {2}}, Checkpoint: []byte("log.example\n109482\n")}
	want := "c2sp.org/tlog-proof@v1\nextra d2h5\nindex 73894\n" +
		"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nAgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\nlog.example\n109482\n"
	if diff := cmp.Diff(want, string(FormatProof(p))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAProofTextIsRefused(t *testing.T) {
	const hash = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for name, text := range map[string]string{
		"empty":                      "",
		"another header":             "c2sp.org/tlog-proof@v2\nindex 1\n\nc\n",
		"no index":                   "c2sp.org/tlog-proof@v1\n\nc\n",
		"no checkpoint":              "c2sp.org/tlog-proof@v1\nindex 1\n\n",
		"no empty line":              "c2sp.org/tlog-proof@v1\nindex 1\n" + hash + "\n",
		"index with leading zero":    "c2sp.org/tlog-proof@v1\nindex 01\n\nc\n",
		"index with sign":            "c2sp.org/tlog-proof@v1\nindex +1\n\nc\n",
		"negative index":             "c2sp.org/tlog-proof@v1\nindex -1\n\nc\n",
		"index beyond 63 bits":       "c2sp.org/tlog-proof@v1\nindex 9223372036854775808\n\nc\n",
		"index twice":                "c2sp.org/tlog-proof@v1\nindex 1\nindex 1\n\nc\n",
		"extra after index":          "c2sp.org/tlog-proof@v1\nindex 1\nextra d2h5\n\nc\n",
		"extra empty":                "c2sp.org/tlog-proof@v1\nextra \nindex 1\n\nc\n",
		"extra with loose last bits": "c2sp.org/tlog-proof@v1\nextra d2g5d2h=\nindex 1\n\nc\n",
		"extra with a line feed":     "c2sp.org/tlog-proof@v1\nextra d2\rh5\nindex 1\n\nc\n",
		"short hash":                 "c2sp.org/tlog-proof@v1\nindex 1\nAQ==\n\nc\n",
		"hash with loose last bits":  "c2sp.org/tlog-proof@v1\nindex 1\n" + loosen(hash) + "\n\nc\n",
		"hash in the URL alphabet":   "c2sp.org/tlog-proof@v1\nindex 1\n" + strings.Repeat("_", 43) + "=\n\nc\n",
		"carriage returns":           "c2sp.org/tlog-proof@v1\r\nindex 1\r\n\r\nc\r\n",
		"65 hashes":                  "c2sp.org/tlog-proof@v1\nindex 1\n" + strings.Repeat(hash+"\n", 65) + "\nc\n",
		"too long":                   "c2sp.org/tlog-proof@v1\nindex 1\n\n" + strings.Repeat("c", 200<<10),
	} {
		if _, err := ParseProof([]byte(text)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
}

func TestAConsistencyTextIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"empty":            "",
		"no old":           "\n\nc\n",
		"old with zero":    "old 01\n\nc\n",
		"no checkpoint":    "old 1\n\n",
		"short hash":       "old 1\nAQ==\n\nc\n",
		"carriage returns": "old 1\r\n\r\nc\r\n",
		"too long":         "old 1\n\n" + strings.Repeat("c", 200<<10),
	} {
		if _, _, _, err := ParseConsistency([]byte(text)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
}

func TestAnEntryReadsBackAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-zA-Z0-9._"\\<é-]{0,12}`)
		e := Entry{
			V: Version, ID: word.Draw(t, "id"), Act: word.Draw(t, "act"), Partner: word.Draw(t, "partner"),
			Client: word.Draw(t, "client"), User: word.Draw(t, "user"), Other: word.Draw(t, "other"),
			Referral: word.Draw(t, "referral"), Event: word.Draw(t, "event"), Envelope: word.Draw(t, "envelope"),
			State: word.Draw(t, "state"), Consent: word.Draw(t, "consent"), Digest: word.Draw(t, "digest"),
			Reason: word.Draw(t, "reason"), Outcome: word.Draw(t, "outcome"), Target: word.Draw(t, "target"),
			Count: rapid.Int64Range(0, 1<<53).Draw(t, "count"),
			Time:  time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "time")).UTC(),
		}
		if s := rapid.SliceOfN(word, 0, 3).Draw(t, "sections"); len(s) > 0 {
			e.Sections = s
		}
		body, err := e.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseEntry(body)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestEntryBytesDoNotDependOnTheClocksZone(t *testing.T) {
	e := entry(3)
	want, err := e.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	e.Time = e.Time.Add(999 * time.Nanosecond).In(time.FixedZone("", 3600))
	got, err := e.Bytes()
	if err != nil || !bytes.Equal(want, got) {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
}

func TestAnEntryWithoutPartsHasOnlyItsParts(t *testing.T) {
	e := Entry{V: 1, ID: "i", Act: "a", Time: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)}
	got, err := e.Bytes()
	if want := `{"v":1,"id":"i","time":"2026-01-02T03:04:05.000006Z","act":"a"}`; err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}

func TestAnEntryInAnotherSpellingIsRefused(t *testing.T) {
	for name, body := range map[string]string{
		"empty":                 ``,
		"not JSON":              `{`,
		"another version":       `{"v":2,"id":"i","time":"2026-01-02T03:04:05Z","act":"a"}`,
		"no version":            `{"id":"i","time":"2026-01-02T03:04:05Z","act":"a"}`,
		"white space":           `{"v":1, "id":"i","time":"2026-01-02T03:04:05Z","act":"a"}`,
		"another order":         `{"id":"i","v":1,"time":"2026-01-02T03:04:05Z","act":"a"}`,
		"unknown member":        `{"v":1,"id":"i","time":"2026-01-02T03:04:05Z","act":"a","x":1}`,
		"member twice":          `{"v":1,"id":"i","id":"i","time":"2026-01-02T03:04:05Z","act":"a"}`,
		"member in capitals":    `{"V":1,"id":"i","time":"2026-01-02T03:04:05Z","act":"a"}`,
		"empty member":          `{"v":1,"id":"i","time":"2026-01-02T03:04:05Z","act":"a","user":""}`,
		"empty list":            `{"v":1,"id":"i","time":"2026-01-02T03:04:05Z","act":"a","sections":[]}`,
		"zero count":            `{"v":1,"id":"i","time":"2026-01-02T03:04:05Z","act":"a","count":0}`,
		"escape without need":   `{"v":1,"id":"\u0069","time":"2026-01-02T03:04:05Z","act":"a"}`,
		"time of another zone":  `{"v":1,"id":"i","time":"2026-01-02T04:04:05+01:00","act":"a"}`,
		"time with nanoseconds": `{"v":1,"id":"i","time":"2026-01-02T03:04:05.000000001Z","act":"a"}`,
		"trailing data":         `{"v":1,"id":"i","time":"2026-01-02T03:04:05Z","act":"a"}{}`,
	} {
		if _, err := ParseEntry([]byte(body)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
}

func FuzzParseProof(f *testing.F) {
	b := newBench(f, 1, 21)
	for _, at := range [][2]int64{{0, 1}, {13, 21}, {20, 21}} {
		f.Add(FormatProof(b.inclusion(f, at[0], at[1])))
	}
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra d2h5\nindex 0\n\nc\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseProof(text)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("unnamed error: %v", err)
			}
			return
		}
		if again := FormatProof(p); !bytes.Equal(again, text) {
			t.Fatalf("two spellings of one proof:\n%q\n%q", text, again)
		}
		// Whatever was read, it proves entry 13 only if it is the proof of entry 13.
		if _, err := p.Verify(Leaf(b.salts[13], b.bodies[13]), b.key); err == nil && p.Index != 13 {
			t.Fatalf("entry 13 proved at index %d", p.Index)
		}
	})
}
