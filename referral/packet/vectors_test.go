package packet_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/internal/codes"
	"handover/internal/fault"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
	"handover/referral/packet"
)

var update = flag.Bool("update", false, "write testdata/vectors anew: every seal and ES256 signature in it changes")

const vectorsDir = "testdata/vectors"

// vector is one file of testdata/vectors. Its README.md says what each member means.
type vector struct {
	Why       string                     `json:"why"`
	Expect    string                     `json:"expect"`
	Claim     string                     `json:"claim,omitempty"`
	Section   string                     `json:"section,omitempty"`
	Now       int64                      `json:"now"`
	Hub       string                     `json:"hub"`
	Signer    json.RawMessage            `json:"signer"`
	Packet    string                     `json:"packet,omitempty"`
	Base64    string                     `json:"packet_base64url,omitempty"`
	Envelope  string                     `json:"envelope_digest,omitempty"`
	Referral  string                     `json:"referral,omitempty"`
	Reference string                     `json:"reference,omitempty"`
	Recipient json.RawMessage            `json:"recipient_private,omitempty"`
	Copies    json.RawMessage            `json:"copies_private,omitempty"`
	Data      map[string]json.RawMessage `json:"data,omitempty"`
}

// body is the packet's bytes as they were posted.
func (v vector) body(t testing.TB) []byte {
	t.Helper()
	if (v.Packet == "") == (v.Base64 == "") {
		t.Fatal("neither packet nor packet_base64url, or both")
	}
	if v.Packet != "" {
		return []byte(v.Packet)
	}
	return must(base64.RawURLEncoding.DecodeString(v.Base64))
}

// run does what README.md says.
func (v vector) run(t testing.TB) error {
	t.Helper()
	u, err := packet.Read(v.body(t))
	if err != nil {
		return err
	}
	o, err := u.Open(must(jose.ParsePublicKey(v.Signer)), v.Hub, time.Unix(v.Now, 0))
	if err != nil {
		return err
	}
	if v.Expect == "ok" && (o.Digest() != v.Envelope || o.ReferralID() != v.Referral || ids.Reference(o.ReferralID()) != v.Reference) {
		t.Errorf("envelope %s of referral %s, reference %s", o.Digest(), o.ReferralID(), ids.Reference(o.ReferralID()))
	}
	opened, copied := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	for _, name := range o.Names() {
		jwe, own := o.Sealed(name)
		content, err := o.Unseal(name, jwe, privateKey(t, v.Recipient))
		if err != nil {
			return err
		}
		opened[name] = json.RawMessage(content)
		if own == "" {
			continue
		}
		if content, err = o.Unseal(name, own, privateKey(t, v.Copies)); err != nil {
			return err
		}
		copied[name] = json.RawMessage(content)
	}
	v.holds(t, opened)
	if v.Copies != nil {
		v.holds(t, copied)
	}
	return nil
}

func privateKey(t testing.TB, jwk json.RawMessage) jose.PrivateKey {
	t.Helper()
	k, err := jose.ParsePrivateKey(jwk)
	if err != nil {
		t.Fatalf("a section is there to be opened, and no key to open it with: %v", err)
	}
	return k
}

// holds compares what was opened with the vector's data, as JSON values.
func (v vector) holds(t testing.TB, opened map[string]json.RawMessage) {
	t.Helper()
	var got, want map[string]any
	if err := errors.Join(json.Unmarshal(must(json.Marshal(opened)), &got), json.Unmarshal(must(json.Marshal(v.Data)), &want)); err != nil {
		t.Fatal(err)
	}
	if len(got)+len(want) > 0 && !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

// readVectors reads the files, by name without .json.
func readVectors(t testing.TB) map[string]vector {
	t.Helper()
	paths := must(filepath.Glob(vectorsDir + "/*.json"))
	found := map[string]vector{}
	for _, path := range paths {
		var v vector
		if err := strict.Unmarshal(must(os.ReadFile(path)), &v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		found[strings.TrimSuffix(filepath.Base(path), ".json")] = v
	}
	return found
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	for name, v := range readVectors(t) {
		t.Run(name, func(t *testing.T) {
			got, claim, section := "ok", "", ""
			if err := v.run(t); err != nil {
				f, ok := errors.AsType[*fault.Fault](err)
				if !ok {
					t.Fatalf("%v is no refusal", err)
				}
				got = f.Code
				claim, _ = f.Members()["claim"].(string)
				section, _ = f.Members()["section"].(string)
			}
			if got != v.Expect || claim != v.Claim || section != v.Section {
				t.Errorf("got %s (claim %q, section %q), want %s (claim %q, section %q): %s",
					got, claim, section, v.Expect, v.Claim, v.Section, v.Why)
			}
			if v.Why == "" || (v.Expect == "ok") != strings.HasPrefix(name, "ok-") || !strings.HasPrefix(name, v.Expect) {
				t.Errorf("the name says %s, expect says %s, why says %q", name, v.Expect, v.Why)
			}
		})
	}
}

// The files are exactly those that -update writes: none was forgotten, none is made
// by hand, none is left of a rule that is gone.
func TestVectorsAreThoseThatAreGenerated(t *testing.T) {
	var made []string
	for _, m := range makeVectors(t) {
		made = append(made, m.name)
	}
	slices.Sort(made)
	if found := slices.Sorted(maps.Keys(readVectors(t))); !slices.Equal(found, made) {
		t.Error(cmp.Diff(made, found))
	}
	for _, file := range must(os.ReadDir(vectorsDir)) {
		if !strings.HasSuffix(file.Name(), ".json") && file.Name() != "README.md" {
			t.Errorf("%s is no vector", file.Name())
		}
	}
}

// Every event has a packet that is accepted, and every refusal one that is refused,
// with every algorithm and kind of key, with copies and without.
func TestVectorsCoverTheFormat(t *testing.T) {
	covered := map[string]bool{}
	for _, v := range readVectors(t) {
		covered[v.Expect] = true
		if v.Claim != "" {
			covered["claim "+v.Claim] = true
		}
		if v.Expect != "ok" {
			continue
		}
		var p packet.Packet
		if err := strict.Unmarshal(v.body(t), &p); err != nil {
			t.Fatal(err)
		}
		e := must(packet.ParseEnvelope(p.Envelope)).Unverified().Event
		covered["event "+string(e)] = true
		if len(p.Sections) == 0 {
			continue
		}
		covered["copies "+map[bool]string{true: "none", false: "some"}[len(p.Copies) == 0]] = true
		covered["signed "+string(must(jose.ParsePublicKey(v.Signer)).Algorithm())] = true
		covered["sealed "+string(must(jose.ParsePrivateKey(v.Recipient)).Public().Curve())] = true
		if v.Copies != nil {
			covered["copied "+string(must(jose.ParsePrivateKey(v.Copies)).Public().Curve())] = true
		}
	}
	want := []string{"ok", "copies none", "copies some", "signed ES256", "signed EdDSA", "sealed P-256", "sealed X25519",
		"copied P-256", "copied X25519", "claim sections", "claim basis"}
	for _, e := range packet.Events() {
		want = append(want, "event "+string(e))
	}
	for _, p := range presences() {
		want = append(want, "claim "+p.claim)
	}
	want = append(want, declaredCodes(t)...)
	for _, w := range want {
		if !covered[w] {
			t.Errorf("no vector for %s", w)
		}
	}
}

// declaredCodes are the codes of the package's refusals, from its source.
func declaredCodes(t testing.TB) []string {
	t.Helper()
	var declared []string
	for _, path := range must(filepath.Glob("*.go")) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		for _, m := range regexp.MustCompile(`fault\.New\([\w.]+, "([a-z-]+)"`).FindAllStringSubmatch(string(must(os.ReadFile(path))), -1) {
			declared = append(declared, m[1])
		}
	}
	if len(declared) < 11 {
		t.Fatalf("found only %v", declared)
	}
	return declared
}

// Whoever runs the vectors needs the codes, so README.md lists them: all, and in order.
func TestReadmeListsTheCodes(t *testing.T) {
	readme := string(must(os.ReadFile(vectorsDir + "/README.md")))
	for name, list := range map[string]codes.List{
		"`purpose`": codes.Purposes(), "`urgency`": codes.Urgencies(), "`outcome`": codes.Outcomes(),
		"`reason` of `decline`": codes.DeclineReasons(), "`reason` of `fail`": codes.FailReasons(),
		"`reason` of `withdraw`": codes.WithdrawReasons(), "`sections`": codes.Sections(),
	} {
		if row := "| " + name + " | `" + strings.Join(list.Codes(), "` `") + "` |\n"; !strings.Contains(readme, row) {
			t.Errorf("README.md lacks the row\n%s", row)
		}
	}
}

// The private keys in the vectors are published, so each says what it is.
func TestVectorsUseTestKeysOnly(t *testing.T) {
	for name, v := range readVectors(t) {
		for _, jwk := range []json.RawMessage{v.Signer, v.Recipient, v.Copies} {
			if jwk == nil {
				continue
			}
			var k struct{ Kid, D string }
			if err := json.Unmarshal(jwk, &k); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(k.Kid, "test-only-") {
				t.Errorf("%s: key %s", name, k.Kid)
			}
			if bytes.Equal(jwk, v.Signer) && k.D != "" {
				t.Errorf("%s: the signer is private", name)
			}
		}
	}
}
