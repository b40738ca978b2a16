package main

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"handover/client"
	"handover/internal/ids"
	"handover/internal/pgtest"
)

// TestTheMemoryOfAnIdleHub starts a hub as it is shipped, has it pass on a referral that it
// cannot open and one that it opens for an agency whose keys it holds, lets it rest, and reads its memory as somebody with root's rights would. What it must not
// hold, it fails for; what it does hold, it tells. It is a search for what is known, in
// the spellings that are known: it can show that something is there, never that nothing is.
func TestTheMemoryOfAnIdleHub(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a hub of its own")
	}
	h := &victim{t: t, dir: pgtest.Dir(t)}
	h.binary = build(t, h.dir, "hub")
	h.start()
	t.Cleanup(h.stop)
	h.passOn(t)
	h.passOnByTheHub(t, running{Config: Config{Issuer: h.issuer}, env: []string{"HUB_DIR=" + h.dir, "HUB_ISSUER=" + h.issuer}})
	time.Sleep(2 * time.Second) // idle: what works in the background has had its turn

	found := h.search(t, slices.Concat(contents(absent+"what was sealed", herName), contents(told+"what the hub opened and sealed", hubsName), h.heldKeys(t), h.ownKeys(t)))
	for _, name := range slices.Sorted(maps.Keys(found)) {
		t.Logf("%3d × %s", found[name], name)
	}
	for name, times := range found {
		if times > 0 && strings.HasPrefix(name, absent) {
			t.Errorf("the memory of an idle hub holds %s, %d times", name, times)
		}
	}
	// The local store signs by itself, so its keys are there, and are what shows that the
	// search sees anything.
	if found[told+"the signing key "+checkpointKey+", as bytes"] == 0 {
		t.Error("not even a key that must be there was found: the search sees nothing")
	}
}

// What must not be found, and what is told if it is, begin so.
const (
	absent = "absent: "
	told   = "told: "
)

// needle is something to look for.
type needle struct {
	name  string
	bytes []byte
}

// passOn has one agency refer somebody to another, which opens it and answers.
func (h *victim) passOn(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	r := running{Config: Config{Issuer: h.issuer}, env: []string{"HUB_DIR=" + h.dir}}
	outreach, housing := r.join(t, "memory-outreach", "borough-outreach"), r.join(t, "memory-housing", "housing")
	r.operator(t, "agreement", "add", "memory-outreach", "memory-housing", "--purpose", "housing", "--section", "need,note", "--both-ways")
	service := r.operator(t, "service", "add", "memory-housing", "Homes", "--purpose", "housing", "--area", "E09000007")
	consent, err := outreach.RecordConsent(ctx, client.Consent{How: client.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
		Bases: []client.Basis{{Article6: "a", Article9: "a"}}, Purpose: "housing", Method: "verbal-in-person",
		Recipients: []string{"memory-housing", "memory-outreach"}, Sections: []string{"need", "note"},
		Notice: client.Notice{Version: "1", Digest: ids.Digest("notice"), Language: "en"}})
	if err != nil {
		t.Fatal(err)
	}
	content := func(member string) client.Content { return client.Content(fmt.Sprintf(`{%q:%q}`, member, herName)) }
	sent, err := outreach.Send(ctx, client.Request{To: "memory-housing", Consent: consent.ID, Service: service, Area: "E09000007",
		Purpose: "housing", Urgency: "urgent", Sections: map[string]client.Content{"need": content("summary")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := housing.Open(ctx, client.Opening{Referral: sent.Referral, Sections: []string{"need"}, Reason: "triage"}); err != nil {
		t.Fatal(err)
	}
	if _, err := housing.Step(ctx, client.Step{Referral: sent.Referral, Event: "accept", Consent: consent.ID,
		Sections: map[string]client.Content{"note": content("text")}}); err != nil {
		t.Fatal(err)
	}
}

// contents is what was passed on, in each way to write it.
func contents(what, name string) (all []needle) {
	for i, form := range sightingsOf(name) {
		all = append(all, needle{fmt.Sprintf("%s, in spelling %d", what, i), []byte(form)})
	}
	return all
}

// ownKeys are the keys of the hub's own store, opened by hand as a thief with the
// directory and the root key would.
func (h *victim) ownKeys(t *testing.T) (all []needle) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	// SHA-256 keeps the bytes that it was fed last, in HKDF where nobody can reach them, and
	// the collector frees memory without overwriting it.
	all = spellings(absent+"the root key", root)
	all[0].name = told + "the root key, as bytes"
	ring, err := hkdf.Key(sha256.New, root, nil, "handover local v1 key files", 32)
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, needle{told + "what key files are sealed under, as bytes", ring})
	for _, name := range []string{accessTokenKey, checkpointKey} {
		d := h.signingKey(t, ring, name)
		all = append(all, spellings(told+"the signing key "+name, d)...)
		hash := sha512.Sum512(d) // RFC 8032 §5.1.5
		all = append(all, needle{told + "the signing key " + name + ", as what Ed25519 derives from it", hash[32:]})
	}
	return all
}

// spellings are the ways in which 32 secret bytes may lie in memory: as they are, with the
// last first as in the limbs of a big number, and as text.
func spellings(name string, secret []byte) []needle {
	limbs := bytes.Clone(secret)
	slices.Reverse(limbs)
	return []needle{
		{name + ", as bytes", secret},
		{name + ", as limbs", limbs},
		{name + ", as base64url", []byte(base64.RawURLEncoding.EncodeToString(secret))},
		{name + ", as base16", []byte(hex.EncodeToString(secret))},
	}
}

// signingKey opens the first version of a key's file: AES-256-GCM under ring, bound to
// what is beside it.
func (h *victim) signingKey(t *testing.T, ring []byte, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, "keys", name+".1.key"))
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Made   time.Time
		Public struct{ Kid, Alg string }
		Sealed string
	}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	sealed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(f.Sealed, "local:v1:"))
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(ring)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := aead.Open(nil, nil, sealed, fmt.Appendf(nil, "handover key file v1\n%s\n1\n%s\n%s\n%s",
		name, f.Public.Kid, f.Public.Alg, f.Made.UTC().Format(time.RFC3339Nano)))
	if err != nil {
		t.Fatal(err)
	}
	var key struct{ D string }
	if err := json.Unmarshal(jwk, &key); err != nil {
		t.Fatal(err)
	}
	d, err := base64.RawURLEncoding.DecodeString(key.D)
	if err != nil || len(d) != 32 {
		t.Fatalf("%d bytes, %v", len(d), err)
	}
	return d
}

// search counts each needle in all memory that the hub can read. Where the kernel keeps
// others out, which is what it should, the test is skipped.
func (h *victim) search(t *testing.T, needles []needle) map[string]int {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d/", h.cmd.Process.Pid)
	regions, err := os.ReadFile(proc + "maps")
	if err != nil {
		t.Skipf("there is no /proc here: %v", err)
	}
	memory, err := os.Open(proc + "mem")
	if errors.Is(err, fs.ErrPermission) {
		t.Skipf("the kernel lets nobody read the hub's memory, as it should: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	found := map[string]int{}
	for _, n := range needles {
		found[n.name] = 0
	}
	total := 0
	lines := bufio.NewScanner(bytes.NewReader(regions))
	for lines.Scan() {
		var from, to uint64
		var rights string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &rights); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		if rights[0] == 'r' && !strings.HasSuffix(lines.Text(), "[vvar]") && !strings.HasSuffix(lines.Text(), "[vsyscall]") {
			total += searchRegion(memory, int64(from), int64(to), needles, found)
		}
	}
	t.Logf("%d MiB that are not empty were searched", total>>20)
	return found
}

const (
	page    = 4 << 10
	overlap = 128 // longer than any needle
)

// searchRegion counts the needles between two addresses, and returns how many bytes were
// not empty pages. A page that cannot be read ends the region.
func searchRegion(memory *os.File, from, to int64, needles []needle, found map[string]int) (total int) {
	empty := make([]byte, page)
	buffer := make([]byte, overlap+1<<20)
	kept := 0 // bytes of the chunk before, so that nothing hides on the edge
	for at := from; at < to; {
		n, err := memory.ReadAt(buffer[kept:kept+int(min(1<<20, to-at))], at)
		chunk := buffer[:kept+n]
		if !allEmpty(chunk, empty) {
			total += n
			for _, needle := range needles {
				found[needle.name] += bytes.Count(chunk, needle.bytes)
				if kept > 0 { // and not what was counted before
					found[needle.name] -= bytes.Count(chunk[:kept], needle.bytes)
				}
			}
		}
		if err != nil || n == 0 {
			return total
		}
		at += int64(n)
		kept = copy(buffer, chunk[len(chunk)-min(overlap, len(chunk)):])
	}
	return total
}

func allEmpty(chunk, empty []byte) bool {
	for len(chunk) >= len(empty) {
		if !bytes.Equal(chunk[:len(empty)], empty) {
			return false
		}
		chunk = chunk[len(empty):]
	}
	return bytes.Equal(chunk, empty[:len(chunk)])
}
