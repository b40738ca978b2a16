package terms_test

import (
	"bytes"
	"encoding/base64"
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

	"handover/internal/fault"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
	"handover/partners/terms"
)

var update = flag.Bool("update", false, "write testdata/vectors anew: every ES256 signature in it changes")

const vectorsDir = "testdata/vectors"

// vector is one file of testdata/vectors. Its README.md says what each member means.
type vector struct {
	Why       string          `json:"why"`
	Expect    string          `json:"expect"`
	Claim     string          `json:"claim,omitempty"`
	Now       int64           `json:"now"`
	Hub       string          `json:"hub"`
	Kind      string          `json:"kind"`
	Signer    json.RawMessage `json:"signer"`
	Statement string          `json:"statement"`
	Digest    string          `json:"digest,omitempty"`
	Proposal  string          `json:"proposal,omitempty"`
}

// run does what README.md says.
func (v vector) run() error {
	key := must(jose.ParsePublicKey(v.Signer))
	at := time.Unix(v.Now, 0)
	switch v.Kind {
	case "answer":
		s, err := terms.ParseAnswer(v.Statement)
		if err != nil {
			return err
		}
		a, err := terms.VerifyAnswer(s, key)
		if err != nil {
			return err
		}
		return errors.Join(terms.Fresh(a.Hub, a.IssuedAt, v.Hub, at), a.To(v.proposed(), ids.Digest(v.Proposal)))
	case "end":
		s, err := terms.ParseEnd(v.Statement)
		if err != nil {
			return err
		}
		e, err := terms.VerifyEnd(s, key)
		if err != nil {
			return err
		}
		return errors.Join(terms.Fresh(e.Hub, e.IssuedAt, v.Hub, at), e.To(v.proposed(), ids.Digest(v.Proposal)))
	}
	s, err := terms.ParseProposal(v.Statement)
	if err != nil {
		return err
	}
	p, err := terms.VerifyProposal(s, key)
	if err != nil {
		return err
	}
	return terms.Fresh(p.Hub, p.IssuedAt, v.Hub, at)
}

func (v vector) proposed() terms.Claims { return must(terms.ParseProposal(v.Proposal)).Unverified() }

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
	covered := map[string]bool{}
	vectors := readVectors(t)
	for name, v := range vectors {
		t.Run(name, func(t *testing.T) {
			got, claim := "ok", ""
			if err := v.run(); err != nil {
				f, ok := errors.AsType[*fault.Fault](err)
				if !ok {
					t.Fatalf("%v is no refusal", err)
				}
				got = f.Code
				claim, _ = f.Members()["claim"].(string)
			}
			if got != v.Expect || claim != v.Claim || v.Why == "" || !strings.HasPrefix(name, v.Expect) {
				t.Errorf("got %s (claim %q), want %s (claim %q): %s", got, claim, v.Expect, v.Claim, v.Why)
			}
			if got == "ok" && ids.Digest(v.Statement) != v.Digest {
				t.Errorf("digest %s, want %s", ids.Digest(v.Statement), v.Digest)
			}
			covered[v.Expect+" "+v.Claim], covered[v.Expect+" "+v.Kind] = true, true
			covered["signed "+string(must(jose.ParsePublicKey(v.Signer)).Algorithm())] = true
		})
	}
	var made []string
	for name := range makeVectors(t) {
		made = append(made, name)
	}
	slices.Sort(made)
	if diff := cmp.Diff(made, slices.Sorted(maps.Keys(vectors))); diff != "" {
		t.Error(diff)
	}
	for claim := range bad() {
		if !covered["agreement-claim "+claim] {
			t.Errorf("no vector for %s", claim)
		}
	}
	for _, w := range []string{"ok proposal", "ok answer", "ok end", "signed ES256", "signed EdDSA", "agreement-malformed ", "agreement-signature ", "agreement-stale "} {
		if !covered[w] {
			t.Errorf("no vector for %s", w)
		}
	}
}

func writeVectors(t *testing.T) {
	t.Helper()
	for _, path := range must(filepath.Glob(vectorsDir + "/*.json")) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for name, v := range makeVectors(t) {
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(v); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(vectorsDir, name+".json"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// makeVectors makes all of them: what is honest, and each claim with the first value that it
// must not have.
func makeVectors(t *testing.T) map[string]vector {
	t.Helper()
	all := map[string]vector{}
	proposed := must(proposal().Sign(edKey().Signer()))
	about := func(m members) members { return m.with("digest", ids.Digest(proposed)) }
	add := func(name, why, kind, token string, key jose.PrivateKey) {
		v := vector{Why: why, Now: now.Unix(), Hub: hub, Kind: kind, Signer: must(key.Public().MarshalJSON()), Statement: token}
		v.Expect, v.Claim, _ = strings.Cut(name, "/")
		if v.Expect == "ok" {
			v.Digest = ids.Digest(token)
		}
		if v.Expect != "agreement-claim" {
			v.Claim = ""
		}
		if kind != "proposal" {
			v.Proposal = proposed
		}
		all[strings.NewReplacer("/", "-").Replace(name)] = v
	}
	typs := map[string]string{"proposal": terms.ProposalType, "answer": terms.AnswerType, "end": terms.EndType}
	good := map[string]members{"proposal": membersOf(t, proposal()), "answer": about(membersOf(t, answer())), "end": about(membersOf(t, ended()))}
	body := func(m members) []byte { return must(json.Marshal(m)) }
	add("ok/proposal", "Both ways, for a year.", "proposal", proposed, edKey())
	add("ok/answer", "Signed by who was asked.", "answer", sign(t, terms.AnswerType, body(good["answer"]), edKey()), edKey())
	add("ok/refusal", "Refused by who was asked, with a reason.", "answer", sign(t, terms.AnswerType, body(about(membersOf(t, refusal()))), edKey()), edKey())
	add("ok/end", "Ended by who proposed it.", "end", sign(t, terms.EndType, body(good["end"]), edKey()), edKey())
	second := good["proposal"].with("version", 2).with("supersedes", other)
	add("ok/second-version-es256", "It takes the place of an earlier one; signed with P-256.", "proposal", sign(t, terms.ProposalType, body(second), p256Key()), p256Key())
	add("ok/one-way", "Nothing may come back.", "proposal", sign(t, terms.ProposalType, body(good["proposal"].with("receives", nil)), edKey()), edKey())
	add("agreement-malformed/other-kind", "An answer is no proposal.", "proposal", sign(t, terms.AnswerType, body(good["answer"]), edKey()), edKey())
	add("agreement-malformed/claim-too-many", "Nothing but its claims.", "end", sign(t, terms.EndType, body(good["end"].with("note", "x")), edKey()), edKey())
	add("agreement-signature/other-key", "Signed by another key than the one it names.", "proposal", sign(t, terms.ProposalType, body(good["proposal"].with("version", 1)), edKey())[:len(proposed)-86]+strings.Repeat("A", 86), edKey())
	add("agreement-stale/hub", "For another hub.", "proposal", sign(t, terms.ProposalType, body(good["proposal"].with("hub", "https://staging.example")), edKey()), edKey())
	add("agreement-stale/old", "Signed two days ago.", "proposal", sign(t, terms.ProposalType, body(good["proposal"].with("iat", now.Unix()-2*day)), edKey()), edKey())
	for claim, values := range bad() {
		kind := "proposal"
		if _, has := good[kind][claim]; !has && claim != "supersedes" {
			kind = "answer"
		}
		m := good[kind].with(claim, values[0])
		if claim == "supersedes" {
			m["version"] = 2
		}
		add("agreement-claim/"+claim, "The first of the values that "+claim+" must not have.", kind, sign(t, typs[kind], body(m), edKey()), edKey())
	}
	return all
}

// payloadOf is the payload of a token, as bytes.
func payloadOf(token string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
}
