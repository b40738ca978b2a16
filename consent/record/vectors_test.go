package record_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/consent/record"
	"handover/internal/fault"
	"handover/internal/strict"
	"handover/keys/jose"
)

var update = flag.Bool("update", false, "write testdata/vectors anew: every seal and ES256 signature in it changes")

const vectorsDir = "testdata/vectors"

// vector is one file of testdata/vectors. Its README.md says what each member means.
type vector struct {
	Why           string            `json:"why"`
	Expect        string            `json:"expect"`
	Claim         string            `json:"claim,omitempty"`
	Now           int64             `json:"now"`
	Hub           string            `json:"hub"`
	Categories    map[string]string `json:"categories"`
	Signer        json.RawMessage   `json:"signer"`
	Posted        string            `json:"posted"`
	Digest        string            `json:"record_digest,omitempty"`
	Review        bool              `json:"review,omitzero"`
	Circumstances json.RawMessage   `json:"circumstances,omitempty"`
	Recorder      json.RawMessage   `json:"recorder_private,omitempty"`
	Texts         map[string]string `json:"texts,omitempty"`
}

// run does what README.md says.
func (v vector) run(t *testing.T) error {
	t.Helper()
	stated, posted, err := record.ReadPosted([]byte(v.Posted))
	if err != nil {
		return err
	}
	c, err := record.VerifyConsent(stated, must(jose.ParsePublicKey(v.Signer)))
	if err != nil {
		return err
	}
	if err := record.Fresh(c.Hub, c.IssuedAt, v.Hub, time.Unix(v.Now, 0)); err != nil {
		return err
	}
	if err := c.Bases.SuitCategory(func(partner string) string { return v.Categories[partner] }); err != nil {
		return err
	}
	if v.Expect != "ok" {
		return nil
	}
	if c.Digest() != v.Digest || posted.NeedsReview(c.Claims) != v.Review {
		t.Errorf("digest %s, review %v, want %s, %v", c.Digest(), posted.NeedsReview(c.Claims), v.Digest, v.Review)
	}
	if v.Circumstances != nil {
		var want record.Circumstances
		got := must(record.ParseCircumstances(posted.Circumstances))
		if err := strict.Unmarshal(v.Circumstances, &want); err != nil || got != want {
			t.Errorf("circumstances %+v, want %+v, %v", got, want, err)
		}
	}
	texts := map[string]string{}
	for part, jwe := range posted.Sealed {
		if texts[part], err = record.OpenText(c.Issuer, c.ID, part, jwe, must(jose.ParsePrivateKey(v.Recorder))); err != nil {
			return err
		}
	}
	if !maps.Equal(texts, v.Texts) {
		t.Error(cmp.Diff(v.Texts, texts))
	}
	return nil
}

// readVectors reads the files, by name without .json.
func readVectors(t *testing.T) map[string]vector {
	t.Helper()
	found := map[string]vector{}
	for _, path := range must(filepath.Glob(vectorsDir + "/*.json")) {
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
			got, claim := "ok", ""
			if err := v.run(t); err != nil {
				f, ok := errors.AsType[*fault.Fault](err)
				if !ok {
					t.Fatalf("%v is no refusal", err)
				}
				got = f.Code
				claim, _ = f.Members()["claim"].(string)
			}
			if got != v.Expect || claim != v.Claim {
				t.Errorf("got %s (claim %q), want %s (claim %q): %s", got, claim, v.Expect, v.Claim, v.Why)
			}
			if v.Why == "" || !strings.HasPrefix(name, v.Expect) {
				t.Errorf("the name says %s, expect says %s, why says %q", name, v.Expect, v.Why)
			}
		})
	}
}

// The files are exactly those that -update writes, and every code of what she said, of the
// law and of a refusal has one.
func TestVectorsCoverTheFormat(t *testing.T) {
	var made []string
	for _, m := range makeVectors(t) {
		made = append(made, m.name)
	}
	slices.Sort(made)
	vectors := readVectors(t)
	if found := slices.Sorted(maps.Keys(vectors)); !slices.Equal(found, made) {
		t.Error(cmp.Diff(made, found))
	}
	covered := map[string]bool{}
	for _, v := range vectors {
		covered[v.Expect] = true
		covered["claim "+v.Claim] = true
		if v.Expect != "ok" {
			continue
		}
		stated, _, err := record.ReadPosted([]byte(v.Posted))
		if err != nil {
			t.Fatal(err)
		}
		covered["agreement "+stated.Unverified().Agreement] = true
		covered["pathway "+stated.Unverified().Gate.Pathway] = true
		covered["signed "+string(must(jose.ParsePublicKey(v.Signer)).Algorithm())] = true
		for _, b := range stated.Unverified().Bases {
			covered["art6 "+b.Article6], covered["art9 "+b.Article9], covered["art10 "+b.Article10] = true, true, true
		}
	}
	want := []string{"ok", "consent-malformed", "consent-signature", "consent-stale", "signed ES256", "signed EdDSA", "art10 schedule-1"}
	for _, list := range []struct {
		what string
		all  []string
	}{{"agreement", record.Agreements().Codes()}, {"pathway", []string{"none", "duty-to-refer", "nrm-adult", "marac"}},
		{"art6", record.Articles6().Codes()}, {"art9", []string{"a", "g", "h"}}, {"claim", refusable()}} {
		for _, code := range list.all {
			want = append(want, list.what+" "+code)
		}
	}
	for _, w := range want {
		if !covered[w] {
			t.Errorf("no vector for %s", w)
		}
	}
}

// refusable are the claims for which a record can be refused.
func refusable() []string {
	return []string{"hub", "iss", "jti", "iat", "act", "sub", "supersedes", "jurisdiction", "agreement", "method", "purpose", "recipients",
		"sections", "withheld", "onward", "notice", "given_at", "valid_from", "expires_at", "review_at", "basis", "basis.controller",
		"basis.art6", "basis.ea_condition", "basis.provision", "basis.art9", "basis.art10", "basis.schedule1", "basis.schedule1_18_reason",
		"basis.policy", "gate.pathway", "gate.agreements", "gate.authority", "circumstances", "circumstances.salt",
		"circumstances.seen_alone", "circumstances.coercion", "circumstances.interpreter", "circumstances.language", "circumstances.capacity",
		"sealed", "sealed.capacity"}
}

// The private keys in the vectors are published, so each says what it is.
func TestVectorsUseTestKeysOnly(t *testing.T) {
	for name, v := range readVectors(t) {
		for _, jwk := range []json.RawMessage{v.Signer, v.Recorder} {
			if jwk == nil {
				continue
			}
			var k struct{ Kid, D string }
			if err := json.Unmarshal(jwk, &k); err != nil || !strings.HasPrefix(k.Kid, "test-only-") || bytes.Equal(jwk, v.Signer) && k.D != "" {
				t.Errorf("%s: key %s, %v", name, k.Kid, err)
			}
		}
	}
}
