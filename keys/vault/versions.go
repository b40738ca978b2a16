package vault

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"handover/keys"
	"handover/keys/jose"
)

// cacheLife is how long the public parts of a key are taken from memory. It bounds how
// long this process goes on with a version after another process has made a newer one.
const cacheLife = time.Second

// version is one version of a key.
type version struct {
	key    jose.PublicKey
	place  place
	number int // within the transit key
	made   time.Time
}

// known is what Vault said of a key a moment ago.
type known struct {
	at       time.Time
	versions []version // newest first, the retired ones that Vault still has among them
}

// place is the transit key that holds versions of one algorithm.
type place struct {
	name string
	alg  jose.Algorithm
}

// suffixes end the names of transit keys.
const (
	suffixES256 = ".es256"
	suffixEdDSA = ".eddsa"
)

func (p place) String() string {
	if p.alg == jose.ES256 {
		return p.name + suffixES256
	}
	return p.name + suffixEdDSA
}

func (p place) kind() string {
	if p.alg == jose.ES256 {
		return "ecdsa-p256"
	}
	return "ed25519"
}

func placeOf(transitKey string) (place, bool) {
	if name, ok := strings.CutSuffix(transitKey, suffixES256); ok {
		return place{name, jose.ES256}, keys.CheckName(name) == nil
	}
	name, ok := strings.CutSuffix(transitKey, suffixEdDSA)
	return place{name, jose.EdDSA}, ok && keys.CheckName(name) == nil
}

func places(name string) []place {
	return []place{{name, jose.ES256}, {name, jose.EdDSA}}
}

// Public is keys.Store's.
func (s *Store) Public(ctx context.Context, name string) ([]jose.PublicKey, error) {
	valid, err := s.valid(ctx, name)
	if err != nil {
		return nil, err
	}
	public := make([]jose.PublicKey, len(valid))
	for i, v := range valid {
		public[i] = v.key
	}
	return public, nil
}

// valid returns the versions that may be used now, newest first, or keys.ErrUnknownKey.
func (s *Store) valid(ctx context.Context, name string) ([]version, error) {
	all, err := s.versions(ctx, name)
	if err != nil {
		return nil, err
	}
	valid := s.current(all)
	if len(valid) == 0 {
		return nil, keys.ErrUnknownKey
	}
	return valid, nil
}

// current cuts off the versions that have retired: each RetireAfter after its successor
// was made.
func (s *Store) current(all []version) []version {
	now := s.Now()
	for i := 1; i < len(all); i++ {
		if !now.Before(all[i-1].made.Add(s.RetireAfter)) {
			return all[:i]
		}
	}
	return all
}

// versions returns what Vault has of a key, at most cacheLife old. Callers at once share
// one question.
func (s *Store) versions(ctx context.Context, name string) ([]version, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := keys.CheckName(name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	held, ok := s.cache[name]
	s.mu.Unlock()
	if ok && s.Now().Sub(held.at) < cacheLife {
		return held.versions, nil
	}
	got := s.asking.DoChan("key "+name, func() (any, error) { return s.ask(context.WithoutCancel(ctx), name) })
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-got:
		found, _ := r.Val.([]version)
		return found, r.Err
	}
}

// ask reads a key from Vault and remembers it.
func (s *Store) ask(ctx context.Context, name string) ([]version, error) {
	at := s.Now()
	var all []version
	for _, p := range places(name) {
		secret, err := s.read(ctx, s.path("keys", p.String()))
		if err != nil {
			return nil, err
		}
		if secret == nil {
			continue
		}
		found, err := p.versions(secret)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b version) int {
		if a.place == b.place {
			return cmp.Compare(b.number, a.number)
		}
		return b.made.Compare(a.made)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(all) > 0 {
		s.cache[name] = known{at, all}
	} else {
		delete(s.cache, name) // so that names nobody has do not fill it
	}
	return all, nil
}

// forget makes the next question about a key reach Vault.
func (s *Store) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cache, name)
}

// versions reads Vault's answer about a transit key.
func (p place) versions(secret *api.Secret) ([]version, error) {
	if secret.Data["type"] != p.kind() {
		return nil, fmt.Errorf("the key %s in Vault is not of type %s", p, p.kind())
	}
	entries, _ := secret.Data["keys"].(map[string]any)
	var all []version
	for text, entry := range entries {
		number, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("the key %s in Vault has a version without a number", p)
		}
		fields, _ := entry.(map[string]any)
		public, _ := fields["public_key"].(string)
		created, _ := fields["creation_time"].(string)
		made, err := time.Parse(time.RFC3339Nano, created)
		if err != nil {
			return nil, fmt.Errorf("version %d of the key %s in Vault has no time", number, p)
		}
		key, err := p.parse(public)
		if err != nil {
			return nil, fmt.Errorf("version %d of the key %s in Vault: %w", number, p, err)
		}
		all = append(all, version{key: key, place: p, number: number, made: made})
	}
	return all, nil
}

// parse reads a public key as transit gives it: Ed25519 in base64, P-256 in PEM.
func (p place) parse(text string) (jose.PublicKey, error) {
	if p.alg == jose.EdDSA {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return jose.PublicKey{}, errors.New("no Ed25519 key")
		}
		return jose.PublicOf(p.alg, ed25519.PublicKey(raw))
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return jose.PublicKey{}, errors.New("no key in PEM")
	}
	var key crypto.PublicKey
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return jose.PublicKey{}, err
	}
	return jose.PublicOf(p.alg, key)
}

// List is keys.Store's. It needs a policy that may list.
func (s *Store) List(ctx context.Context) ([]keys.Version, error) {
	secret, err := s.do(ctx, func(ctx context.Context, l *api.Logical) (*api.Secret, error) {
		return l.ListWithContext(ctx, s.path("keys"))
	})
	if err != nil || secret == nil {
		return nil, err
	}
	found, _ := secret.Data["keys"].([]any)
	names := map[string]bool{}
	for _, f := range found {
		text, _ := f.(string)
		if p, ok := placeOf(text); ok {
			names[p.name] = true
		}
	}
	var all []keys.Version
	for _, name := range slices.Sorted(maps.Keys(names)) {
		valid, err := s.valid(ctx, name)
		if errors.Is(err, keys.ErrUnknownKey) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, v := range valid {
			all = append(all, keys.Version{Name: name, Number: v.number, Key: v.key, Made: v.made, Holder: Holder})
		}
	}
	return all, nil
}

// Ready is keys.Store's. It asks for the key that wraps, which every hub needs, so it
// sees a sealed Vault and a token or policy that does not hold.
func (s *Store) Ready(ctx context.Context) error {
	secret, err := s.read(ctx, s.path("keys", kek))
	if err == nil && secret == nil {
		return unavailable("Vault has no key that wraps: run hub keys init")
	}
	return err
}

// number reads a number of Vault's JSON.
func number(v any) int {
	n, ok := v.(json.Number)
	if !ok {
		return 0
	}
	i, err := n.Int64()
	if err != nil {
		return 0
	}
	return int(i)
}
