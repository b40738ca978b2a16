// Package profile keeps one partner's side in a directory: which hub, which client
// id, the pinned key of the hub's log, the private keys, the packets that have not
// been answered yet, and the receipts of those that have.
//
//	profile.json   hub, partner, client id, log key, public keys (profile.go)
//	keys/          the private keys, each sealed under the root key (keys.go, rotate.go)
//	session.json   a person's sign-in, sealed under the root key (session.go)
//	store/         how the root key is had
//	root.key       the root key, mode 0600, unless there is a passphrase instead
//	outbox/        packets, saved before they are sent for the first time (outbox.go)
//	receipts/      what the hub answered
//	known/         what was seen of each partner's keys (known.go)
//	gp-refusals/   GP practices that refused to register somebody (refusals.go)
//
// The directory is for its owner alone. Back it up with root.key kept elsewhere:
// without the encryption key, what was sealed to it can be opened by nobody.
package profile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"handover/client"
	"handover/internal/strict"
	"handover/keys/jose"
)

// Options say how a profile is made and used. The zero Options are for Open.
type Options struct {
	// Passphrase opens the keys, 16 characters or more. "" takes the root key from
	// the file root.key in the directory.
	Passphrase string

	Signing    jose.Algorithm // of Create: jose.ES256 (default) or jose.EdDSA
	Encryption jose.Curve     // of Create: jose.P256 (default) or jose.X25519

	HTTP *http.Client     // nil is one with timeouts
	Now  func() time.Time // nil is time.Now

	authenticatesOnly bool // of Create: no keys to sign and open with
}

// The refusals of this package.
var (
	ErrNone        = errors.New("there is no profile in this directory")
	ErrExists      = errors.New("there is a profile in this directory already")
	ErrEnrolled    = errors.New("this profile is enrolled already")
	ErrNotEnrolled = errors.New("this profile is not enrolled yet")
	ErrNotSignedIn = errors.New("nobody is signed in here")
)

// Settings are profile.json: nothing in it is secret.
type Settings struct {
	V        int        `json:"v"`
	Hub      string     `json:"hub,omitempty"`
	Partner  string     `json:"partner,omitempty"`
	ClientID string     `json:"client_id,omitempty"`
	LogKey   string     `json:"log_key,omitempty"` // as the hub gave it at enrolment
	Keys     PublicKeys `json:"keys"`
	Next     *Next      `json:"next,omitempty"`    // a rotation that has begun
	Retired  []Retired  `json:"retired,omitempty"` // keys that were replaced and may count for a while

	followed []string      // by which statements the log's key was followed by others: log.json
	policy   client.Policy // of the witnesses to demand: witnesses.txt
}

// PublicKeys are the public parts of a profile's keys. That of a system which its agency
// registered beside another has the first alone.
type PublicKeys struct {
	Authentication jose.PublicKey   `json:"authentication"`
	Signing        jose.PublicKey   `json:"signing,omitzero"`
	Encryption     []jose.PublicKey `json:"encryption,omitempty"` // newest first; none is ever taken out
}

// whole reports whether the keys are those of a system that signs and opens, or of one
// that does neither.
func (k PublicKeys) whole() bool {
	return !k.Authentication.IsZero() && k.Signing.IsZero() == (len(k.Encryption) == 0)
}

// Profile is an open profile.
type Profile struct {
	dir      string
	options  Options
	settings Settings
	keys     privateKeys
}

const settingsFile = "profile.json"

// Create makes a profile with three new keys. The directory may exist; a profile in
// it is ErrExists. profile.json is written last, so what a crash leaves is no profile.
func Create(ctx context.Context, dir string, o Options) (*Profile, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the profile's directory: %w", err)
	}
	path := filepath.Join(dir, settingsFile)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(ErrExists, err)
	}
	p := &Profile{dir: dir, options: o, settings: Settings{V: 1}}
	if err := p.makeKeys(ctx); err != nil {
		return nil, err
	}
	if err := p.save(); err != nil {
		return nil, err
	}
	return p, nil
}

// Register makes the profile of a further system of an agency, with a key to authenticate
// and no other, and registers it with the one-time token of its administrator. The key is
// kept before it is sent; where an earlier try has left it, it is used again. The errors
// are those of client.Register, and ErrEnrolled.
func Register(ctx context.Context, dir string, o Options, g client.Registering) (*Profile, client.Enrolment, error) {
	p, err := Open(ctx, dir, o)
	if errors.Is(err, ErrNone) {
		o.authenticatesOnly = true
		p, err = Create(ctx, dir, o)
	}
	if err != nil {
		return nil, client.Enrolment{}, err
	}
	if p.settings.ClientID != "" || !p.settings.Keys.Signing.IsZero() {
		return nil, client.Enrolment{}, ErrEnrolled
	}
	g.Key, g.HTTP, g.Now = p.settings.Keys.Authentication, o.HTTP, o.Now
	e, err := client.Register(ctx, g)
	if err != nil {
		return nil, client.Enrolment{}, err
	}
	return p, e, p.joined(e)
}

// joined keeps what the hub answered.
func (p *Profile) joined(e client.Enrolment) error {
	p.settings.Hub, p.settings.Partner, p.settings.ClientID, p.settings.LogKey = e.Hub, e.Partner, e.ClientID, e.LogKey
	if err := p.save(); err != nil {
		return fmt.Errorf("the hub has enrolled the client %s of %s, yet: %w", e.ClientID, e.Partner, err)
	}
	return nil
}

// Open opens a profile, or returns ErrNone, an error that is keys.ErrRoot when root
// key or passphrase are not the profile's, or one that names the damaged file.
func Open(ctx context.Context, dir string, o Options) (*Profile, error) {
	settings, err := Read(dir)
	if err != nil {
		return nil, err
	}
	p := &Profile{dir: dir, options: o, settings: settings}
	if err := p.openKeys(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Read reads profile.json alone, which needs neither root key nor passphrase.
func Read(dir string) (Settings, error) {
	path := filepath.Join(dir, settingsFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Settings{}, ErrNone
	}
	if err != nil {
		return Settings{}, fmt.Errorf("reading the profile: %w", err)
	}
	var s Settings
	if err := strict.Unmarshal(data, &s); err != nil || s.V != 1 || !s.Keys.whole() {
		return Settings{}, fmt.Errorf("%s is damaged: restore it from a backup", path)
	}
	if s.followed, err = readFollowed(dir); err != nil {
		return s, err
	}
	s.policy, err = readPolicy(dir)
	return s, err
}

func (p *Profile) save() error {
	data, err := strict.Marshal(p.settings)
	if err != nil {
		return fmt.Errorf("writing the profile: %w", err)
	}
	return write(filepath.Join(p.dir, settingsFile), append(data, '\n'))
}

// Dir is the profile's directory.
func (p *Profile) Dir() string { return p.dir }

// Settings are what profile.json holds.
func (p *Profile) Settings() Settings { return p.settings }

// Enrol redeems an enrolment code with the profile's public keys, and keeps what the
// hub answered: client id and log key, which is pinned from then on. The errors are
// those of client.Enrol, and ErrEnrolled.
func (p *Profile) Enrol(ctx context.Context, hub, code string) (client.Enrolment, error) {
	public := p.settings.Keys
	if p.settings.ClientID != "" || public.Signing.IsZero() {
		return client.Enrolment{}, ErrEnrolled
	}
	e, err := client.Enrol(ctx, client.Enrolling{
		Hub: hub, Code: code, Authentication: public.Authentication, Signing: public.Signing,
		Encryption: public.Encryption[0], Sign: p.keys.signing.Signer(), HTTP: p.options.HTTP, Now: p.options.Now,
	})
	if err != nil {
		return client.Enrolment{}, err
	}
	return e, p.joined(e)
}

// Client returns the client of an enrolled profile, or ErrNotEnrolled.
func (p *Profile) Client() (*client.Client, error) { return p.client(p.keys, nil) }

func (p *Profile) client(keys privateKeys, session *client.Session) (*client.Client, error) {
	if p.settings.ClientID == "" {
		return nil, ErrNotEnrolled
	}
	logKey, err := p.settings.logKey()
	if err != nil {
		return nil, fmt.Errorf("the profile's log key is damaged: %w", err)
	}
	return client.New(client.Options{
		Hub: p.settings.Hub, Partner: p.settings.Partner, ClientID: p.settings.ClientID, LogKey: logKey, Policy: p.settings.policy,
		Keys:    client.Keys{Authentication: keys.authentication, Signing: keys.signing.Signer(), Encryption: keys.encryption},
		Session: session, HTTP: p.options.HTTP, Now: p.options.Now, Known: knownKeys{p.dir},
		Followed: func(successions []string) error { return keepFollowed(p.dir, successions) },
	})
}

// Trust is what documents can be verified with offline: the pinned log key, and the
// partner's own signing key for its own packets and records. A profile that is not
// enrolled trusts nothing.
func (s Settings) Trust() client.Trust {
	logKey, err := s.logKey()
	if err != nil {
		return client.Trust{}
	}
	var own []client.Key
	for _, k := range append(s.retired(client.Signing), s.Keys.Signing) {
		if !k.IsZero() {
			own = append(own, client.Key{PublicKey: k, Use: client.Signing, NotAfter: time.Unix(1<<40, 0)})
		}
	}
	return client.Trust{LogKey: logKey, Policy: s.policy, Keys: map[string][]client.Key{s.Partner: own}}
}
