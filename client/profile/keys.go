package profile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"handover/client"
	"handover/keys"
	"handover/keys/jose"
)

// privateKeys are a profile's keys, opened.
type privateKeys struct {
	authentication jose.PrivateKey
	signing        jose.PrivateKey
	encryption     []jose.PrivateKey // as in PublicKeys
}

const (
	keyFolder   = "keys"
	storeFolder = "store"
	rootFile    = "root.key"
)

// vault opens what seals the key files. Create makes root key and store; afterwards
// a missing one is an error, not a reason for a new one.
func (p *Profile) vault() (*keys.Local, error) {
	root := keys.RootFile(filepath.Join(p.dir, rootFile))
	if p.options.Passphrase != "" {
		root = keys.Passphrase(p.options.Passphrase)
	}
	return keys.OpenLocal(filepath.Join(p.dir, storeFolder), root)
}

// makeKeys makes the three keys and writes them, sealed.
func (p *Profile) makeKeys(ctx context.Context) error {
	signing, curve := jose.ES256, jose.P256
	if p.options.Signing == jose.EdDSA {
		signing, curve = jose.EdDSA, jose.Ed25519
	}
	agreement := jose.P256
	if p.options.Encryption == jose.X25519 {
		agreement = jose.X25519
	}
	authentication, err := jose.Generate(jose.ES256, jose.P256)
	if err != nil {
		return fmt.Errorf("making keys: %w", err)
	}
	if p.options.authenticatesOnly {
		p.keys, p.settings.Keys = privateKeys{authentication: authentication}, PublicKeys{Authentication: authentication.Public()}
		return p.writeKeys(ctx, authentication)
	}
	sign, err := jose.Generate(signing, curve)
	if err != nil {
		return fmt.Errorf("making keys: %w", err)
	}
	encryption, err := jose.Generate(jose.ECDHESA256KW, agreement)
	if err != nil {
		return fmt.Errorf("making keys: %w", err)
	}
	p.keys = privateKeys{authentication, sign, []jose.PrivateKey{encryption}}
	p.settings.Keys = PublicKeys{authentication.Public(), sign.Public(), []jose.PublicKey{encryption.Public()}}
	return p.writeKeys(ctx, authentication, sign, encryption)
}

// writeKeys writes the keys, sealed, each durably.
func (p *Profile) writeKeys(ctx context.Context, made ...jose.PrivateKey) error {
	vault, err := p.vault()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(p.dir, keyFolder), 0o700); err != nil {
		return fmt.Errorf("making the key directory: %w", err)
	}
	for _, k := range made {
		sealed, err := vault.Wrap(ctx, k.JWK(), binding(k.Public()))
		if err != nil {
			return fmt.Errorf("sealing a key: %w", err)
		}
		if err := write(p.keyPath(k.Public()), []byte(sealed+"\n")); err != nil {
			return err
		}
	}
	return nil
}

// binding is what a sealed key is bound to, so that no key file can be put in the
// place of another.
func binding(k jose.PublicKey) []byte {
	return fmt.Appendf(nil, "handover profile key v1\n%s\n%s", k.Algorithm(), k.Thumbprint())
}

func (p *Profile) keyPath(k jose.PublicKey) string {
	return filepath.Join(p.dir, keyFolder, k.Thumbprint()+".key")
}

// openKeys opens every key that profile.json names.
func (p *Profile) openKeys(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(p.dir, storeFolder)); err != nil {
		return fmt.Errorf("opening the profile's keys: %w", err)
	}
	vault, err := p.vault()
	if err != nil {
		return err
	}
	public := p.settings.Keys
	if p.keys.authentication, err = p.openKey(ctx, vault, public.Authentication); err != nil {
		return err
	}
	if !public.Signing.IsZero() {
		if p.keys.signing, err = p.openKey(ctx, vault, public.Signing); err != nil {
			return err
		}
	}
	for _, k := range public.Encryption {
		key, err := p.openKey(ctx, vault, k)
		if err != nil {
			return err
		}
		p.keys.encryption = append(p.keys.encryption, key)
	}
	// The hub may show the next one to senders already, before it is adopted here.
	if n := p.settings.Next; n != nil && n.Use == client.Encryption {
		key, err := p.openKey(ctx, vault, n.Key)
		if err != nil {
			return err
		}
		p.keys.encryption = append(p.keys.encryption, key)
	}
	return nil
}

func (p *Profile) openKey(ctx context.Context, vault *keys.Local, k jose.PublicKey) (jose.PrivateKey, error) {
	path := p.keyPath(k)
	sealed, err := os.ReadFile(path)
	if err != nil {
		return jose.PrivateKey{}, fmt.Errorf("reading a key: %w", err)
	}
	jwk, err := vault.Unwrap(ctx, string(trimNewline(sealed)), binding(k))
	if err != nil {
		return jose.PrivateKey{}, fmt.Errorf("%s does not open: restore it from a backup: %w", path, err)
	}
	key, err := jose.ParsePrivateKey(jwk)
	if err != nil || !key.Public().Equal(k) {
		return jose.PrivateKey{}, fmt.Errorf("%s holds another key than profile.json names: restore both from a backup", path)
	}
	return key, nil
}

func trimNewline(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		return b[:n-1]
	}
	return b
}
