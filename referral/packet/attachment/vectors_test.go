package attachment_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/internal/fault"
	"handover/internal/strict"
	"handover/keys/jose"
	"handover/referral/packet/attachment"
)

var update = flag.Bool("update", false, "write the vectors anew")

const vectorsFile = "testdata/vectors.json"

type vector struct {
	Why    string   `json:"why"`
	Expect string   `json:"expect"`
	Head   string   `json:"head"`
	Signed string   `json:"signed"`
	Row    []string `json:"row"`
	Digest string   `json:"digest,omitempty"`
	Wrong  *int     `json:"wrong,omitempty"`
}

type vectors struct {
	Chunks  map[string]string `json:"chunks"`
	Vectors []vector          `json:"vectors"`
}

// pattern is the made plaintext of the README.
func pattern(n, mod int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % mod)
	}
	return b
}

// made are the vectors and the two attachments that they are of: a has three chunks, b two.
func makeVectors(t testing.TB) vectors {
	t.Helper()
	a, b := seal(t, pattern(2*attachment.ChunkSize+100, 251)), seal(t, pattern(attachment.ChunkSize+50, 241))
	key := keyOf(t, a)
	resealed := func(plain []byte, at jose.Place) string {
		token, err := jose.EncryptChunk(plain, key, at)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	end := a.plain[2*attachment.ChunkSize:]
	last := strings.Split(a.chunks[2], ".")
	header := func(h string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(h)) + "." + strings.Join(last[1:], ".")
	}
	v := vectors{Chunks: map[string]string{
		"a0": a.chunks[0], "a1": a.chunks[1], "a2": a.chunks[2], "b0": b.chunks[0], "b1": b.chunks[1],
		"a2-not-the-end":   resealed(end, jose.Place{Number: 2}),
		"a2-sealed-again":  resealed(end, jose.Place{Number: 2, End: true}),
		"a2-short":         resealed(end[:99], jose.Place{Number: 2, End: true}),
		"a2-tag":           strings.Join(last[:4], ".") + ".AAAAAAAAAAAAAAAAAAAAAA",
		"a2-other-header":  header(`{"alg":"dir","enc":"A256GCM","chunk":2,"end":true} `),
		"a2-zip":           header(`{"alg":"dir","enc":"A256GCM","zip":"DEF","chunk":2,"end":true}`),
		"a2-padding":       a.chunks[2] + "=",
		"a1-ends-early":    resealed(pattern(100, 251), jose.Place{Number: 1, End: true}),
		"a3-after-the-end": resealed([]byte("more"), jose.Place{Number: 3, End: true}),
	}}
	good := vector{Head: string(a.Head), Signed: a.Chunks, Row: []string{"a0", "a1", "a2"}}
	refused := func(why string, wrong int, row ...string) {
		bad := good
		bad.Why, bad.Expect, bad.Row, bad.Wrong = why, "attachment-unreadable", append([]string{}, row...), &wrong
		v.Vectors = append(v.Vectors, bad)
	}
	for _, w := range []whole{a, b} {
		v.Vectors = append(v.Vectors, vector{"It opens.", "ok", string(w.Head), w.Chunks, map[bool][]string{true: {"a0", "a1", "a2"}, false: {"b0", "b1"}}[w.Count == 3], digestOf(t, w), nil})
	}
	refused("Nothing comes.", 0)
	refused("The first chunk is missing.", 0, "a1", "a2")
	refused("A chunk is missing.", 1, "a0", "a2")
	refused("It is cut off before its end.", 2, "a0", "a1")
	refused("A chunk is doubled.", 1, "a0", "a0", "a1", "a2")
	refused("Two chunks are exchanged.", 0, "a1", "a0", "a2")
	refused("A chunk of another attachment stands at its place.", 0, "b0", "a1", "a2")
	refused("It goes on as another attachment.", 1, "a0", "b1")
	refused("A chunk follows the last.", 3, "a0", "a1", "a2", "a3-after-the-end")
	refused("The last chunk follows the last.", 3, "a0", "a1", "a2", "a2")
	refused("The last chunk does not say so.", 2, "a0", "a1", "a2-not-the-end")
	refused("It ends early, by a chunk that the content key sealed.", 1, "a0", "a1-ends-early")
	refused("The last chunk has one byte less than size says.", 2, "a0", "a1", "a2-short")
	refused("The last chunk was sealed again with the content key: it is not the one that was signed.", 2, "a0", "a1", "a2-sealed-again")
	refused("A changed tag.", 2, "a0", "a1", "a2-tag")
	refused("A header in another spelling: it is authenticated as it stands.", 2, "a0", "a1", "a2-other-header")
	refused("zip is refused like every parameter that is not listed.", 2, "a0", "a1", "a2-zip")
	refused("base64url has no padding here.", 2, "a0", "a1", "a2-padding")
	for why, change := range map[string][2]string{
		"An unknown member in the head.":       {`{"media_type"`, `{"name":"x","media_type"`},
		"A key for another encryption.":        {`"A256GCM"`, `"A128GCM"`},
		"A media type with a parameter.":       {`application/pdf`, `text/plain; charset=utf-8`},
		"More than 20 MiB.":                    {`"size":131172`, `"size":20971521`},
		"A digest that is none, by one letter": {`"digest":"`, `"digest":"A`},
	} {
		refused(why, -1, good.Row...)
		bad := &v.Vectors[len(v.Vectors)-1]
		if bad.Head = strings.Replace(good.Head, change[0], change[1], 1); bad.Head == good.Head {
			t.Fatalf("%s changes nothing", why)
		}
	}
	slices.SortStableFunc(v.Vectors, func(a, b vector) int { return strings.Compare(a.Expect+a.Why, b.Expect+b.Why) })
	return v
}

func keyOf(t testing.TB, a whole) jose.ContentKey {
	t.Helper()
	var h struct{ Key json.RawMessage }
	if err := json.Unmarshal(a.Head, &h); err != nil {
		t.Fatal(err)
	}
	key, err := jose.ParseContentKey(h.Key)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func digestOf(t testing.TB, a whole) string {
	t.Helper()
	var h struct{ Digest string }
	if err := json.Unmarshal(a.Head, &h); err != nil {
		t.Fatal(err)
	}
	return h.Digest
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	file, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := strict.Unmarshal(file, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectors(t *testing.T) {
	if *update {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetIndent("", " ")
		if err := enc.Encode(makeVectors(t)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all := readVectors(t)
	for _, v := range all.Vectors {
		t.Run(v.Why, func(t *testing.T) {
			var row []string
			for _, name := range v.Row {
				row = append(row, all.Chunks[name])
			}
			got, wrong, out := v.run(row)
			wanted := -2
			if v.Wrong != nil {
				wanted = *v.Wrong
			}
			if got != v.Expect || wrong != wanted {
				t.Errorf("%s at chunk %d, want %s at %d", got, wrong, v.Expect, wanted)
			}
			if v.Expect == "ok" && (v.Digest != digestOf(t, whole{Sealed: attachment.Sealed{Head: []byte(v.Head)}}) || len(out) == 0) {
				t.Error("other content comes out")
			}
			if v.Expect != "ok" && !bytes.Equal(out, pattern(len(out), 251)) {
				t.Error("what comes out before the refusal is no beginning of it")
			}
		})
	}
	// The files are those that -update writes, but for keys and nonces.
	var names, want []string
	for _, v := range all.Vectors {
		names = append(names, v.Expect+": "+v.Why)
	}
	for _, v := range makeVectors(t).Vectors {
		want = append(want, v.Expect+": "+v.Why)
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

// run does what the README says: ok or a code, where it stopped, and what came out.
func (v vector) run(row []string) (code string, wrong int, out []byte) {
	r, err := attachment.NewReader([]byte(v.Head), v.Signed, from(row))
	if err == nil {
		out, err = io.ReadAll(r)
	}
	if err == nil {
		return "ok", -2, out
	}
	f, _ := errors.AsType[*fault.Fault](err)
	wrong, bad := -1, error(nil)
	if at, ok := f.Members()["chunk"].(string); ok {
		if wrong, bad = strconv.Atoi(at); bad != nil {
			return "no number", -3, out
		}
	}
	return f.Code, wrong, out
}
