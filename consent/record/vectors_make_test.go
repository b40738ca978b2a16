package record_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"handover/consent/record"
	"handover/keys/jose"
)

// made is one vector with its name.
type made struct {
	name string
	vector
}

// mold is what a vector is made of.
type mold struct {
	claims record.Claims
	how    record.Circumstances // none if its salt is ""
	texts  map[string]string
	typ    string
	signer jose.PrivateKey
	whole  func(*record.Posted) // a last change, under no signature
	sealed func(map[string]string)
}

// sealing is the recorder's own key for what is sealed to it.
var sealing = sync.OnceValue(func() jose.PrivateKey {
	d := sha256.Sum256([]byte("handover, test key, not a secret: recorder-x25519"))
	x := must(ecdh.X25519().NewPrivateKey(d[:])).PublicKey().Bytes()
	m := map[string]string{"kty": "OKP", "crv": "X25519", "kid": "test-only-recorder-x25519", "alg": "ECDH-ES+A256KW", "d": b64(d[:]), "x": b64(x)}
	return must(jose.ParsePrivateKey(must(json.Marshal(m))))
})

// plain is the mold of a partial yes: housing, not police.
func plain() *mold {
	m := &mold{claims: agreed(), how: asked(), typ: record.ConsentType, signer: signingEd25519(),
		texts: map[string]string{"her-words": "Housing may know. Not the police.", "capacity": "", "circumstances": ""}}
	m.claims.Supersedes = ""
	m.how.Salt = b64([]byte("sixteen of bytes"))
	return m
}

// cast makes the vector.
func (m *mold) cast(t *testing.T, name, why string) made {
	t.Helper()
	v := vector{Why: why, Now: now.Unix(), Hub: hub, Signer: must(m.signer.Public().MarshalJSON()), Texts: m.texts,
		Categories: map[string]string{"charity": "vawg-service", "borough": "housing", "surgery": "primary-care", "force": "police"}}
	v.Expect, v.Claim, _ = strings.Cut(strings.SplitN(name, "/", 2)[0], " ")
	p := record.Posted{Sealed: map[string]string{}}
	c := m.claims
	c.Sealed, c.Circumstances = map[string]string{}, ""
	for part, text := range m.texts {
		p.Sealed[part] = must(record.SealText(c.Issuer, c.ID, part, text, sealing().Public()))
		c.Sealed[part] = digestOf(p.Sealed[part])
	}
	if m.how.Salt != "" {
		p.Circumstances, c.Circumstances = must2(m.how.Text())
		v.Circumstances = must(json.Marshal(m.how))
	}
	if m.sealed != nil {
		m.sealed(c.Sealed)
	}
	p.Record = sign(t, m.typ, must(json.Marshal(c)), m.signer)
	if m.whole != nil {
		m.whole(&p)
	}
	v.Posted = string(must(json.Marshal(p)))
	if v.Expect == "ok" {
		v.Digest, v.Recorder = digestOf(p.Record), privateJWK(t)
		v.Review = p.NeedsReview(c)
	} else {
		v.Circumstances, v.Texts = nil, nil
	}
	return made{strings.NewReplacer(" ", "-", "/", "-", ".", "-").Replace(name), v}
}

// privateJWK is the sealing key as the vectors publish it.
func privateJWK(t *testing.T) json.RawMessage {
	t.Helper()
	d := sha256.Sum256([]byte("handover, test key, not a secret: recorder-x25519"))
	var m map[string]any
	if err := json.Unmarshal(must(sealing().Public().MarshalJSON()), &m); err != nil {
		t.Fatal(err)
	}
	m["d"] = b64(d[:])
	return must(json.Marshal(m))
}

func writeVectors(t *testing.T) {
	t.Helper()
	for _, path := range must(filepath.Glob(vectorsDir + "/*.json")) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range makeVectors(t) {
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(m.vector); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(vectorsDir, m.name+".json"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// makeVectors makes all of them.
func makeVectors(t *testing.T) (all []made) {
	t.Helper()
	seen := map[string]bool{}
	for _, rows := range [][]cast{good(), claimsRefused(), lawRefused(), howRefused(), formRefused()} {
		for _, row := range rows {
			m := plain()
			row.change(m)
			v := m.cast(t, row.name, row.why)
			if seen[v.name] {
				t.Fatalf("two vectors are %s", v.name)
			}
			seen[v.name] = true
			all = append(all, v)
		}
	}
	return all
}

// cast is one vector: expect, the claim at fault, and what it is of; why; how it differs from
// a partial yes.
type cast struct {
	name, why string
	change    func(*mold)
}
