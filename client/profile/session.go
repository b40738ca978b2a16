package profile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"handover/client"
	"handover/internal/strict"
	"handover/keys/jose"
)

const sessionFile = "session.json"

// SignedIn is what session.json says in clear: nothing in it is secret.
type SignedIn struct {
	V      int            `json:"v"`
	At     time.Time      `json:"at"`
	Scopes []string       `json:"scopes"`
	Key    jose.PublicKey `json:"key"` // that the session is bound to
	Sealed string         `json:"sealed"`
}

// sessionSecret is what is sealed of a session.
type sessionSecret struct {
	Refresh string         `json:"refresh_token"`
	Key     jsontext.Value `json:"key"`
}

// KeepSession keeps a person's sign-in, in the place of an earlier one: sealed under the
// root key, and bound to hub, system and key, so that it cannot be put into another
// profile.
func (p *Profile) KeepSession(ctx context.Context, s client.Session) error {
	vault, err := p.vault()
	if err != nil {
		return err
	}
	kept := SignedIn{V: 1, At: p.now().UTC().Truncate(time.Second), Scopes: s.Scopes, Key: s.Key.Public()}
	secret, err := strict.Marshal(sessionSecret{s.Refresh, s.Key.JWK()})
	if err != nil {
		return fmt.Errorf("writing a session: %w", err)
	}
	if kept.Sealed, err = vault.Wrap(ctx, secret, p.sessionBinding(kept)); err != nil {
		return fmt.Errorf("sealing a session: %w", err)
	}
	data, err := strict.Marshal(kept)
	if err != nil {
		return fmt.Errorf("writing a session: %w", err)
	}
	return write(filepath.Join(p.dir, sessionFile), append(data, '\n'))
}

func (p *Profile) sessionBinding(s SignedIn) []byte {
	return fmt.Appendf(nil, "handover profile session v1\n%s\n%s\n%s", p.settings.Hub, p.settings.ClientID, s.Key.Thumbprint())
}

// SignedIn returns who is signed in, or ErrNotSignedIn.
func (p *Profile) SignedIn() (SignedIn, error) {
	data, err := os.ReadFile(filepath.Join(p.dir, sessionFile))
	if errors.Is(err, fs.ErrNotExist) {
		return SignedIn{}, ErrNotSignedIn
	}
	if err != nil {
		return SignedIn{}, fmt.Errorf("reading the session: %w", err)
	}
	var s SignedIn
	if err := strict.Unmarshal(data, &s); err != nil || s.V != 1 {
		return SignedIn{}, fmt.Errorf("%w: %s is damaged", ErrNotSignedIn, sessionFile)
	}
	return s, nil
}

// PersonClient returns the client that acts for who is signed in, or ErrNotSignedIn.
func (p *Profile) PersonClient(ctx context.Context) (*client.Client, error) {
	s, err := p.SignedIn()
	if err != nil {
		return nil, err
	}
	vault, err := p.vault()
	if err != nil {
		return nil, err
	}
	opened, err := vault.Unwrap(ctx, s.Sealed, p.sessionBinding(s))
	if err != nil {
		return nil, fmt.Errorf("%w: %s does not open: %w", ErrNotSignedIn, sessionFile, err)
	}
	var secret sessionSecret
	if err := strict.Unmarshal(opened, &secret); err != nil {
		return nil, fmt.Errorf("%w: %s is damaged", ErrNotSignedIn, sessionFile)
	}
	key, err := jose.ParsePrivateKey(secret.Key)
	if err != nil || !key.Public().Equal(s.Key) {
		return nil, fmt.Errorf("%w: %s is damaged", ErrNotSignedIn, sessionFile)
	}
	return p.client(p.keys, &client.Session{Refresh: secret.Refresh, Key: key, Scopes: s.Scopes})
}

// ForgetSession takes the session out of the profile.
func (p *Profile) ForgetSession() error {
	err := os.Remove(filepath.Join(p.dir, sessionFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting the session: %w", err)
	}
	return syncFolder(p.dir)
}

func (p *Profile) now() time.Time {
	now := p.options.Now
	if now == nil {
		now = time.Now
	}
	return now()
}
