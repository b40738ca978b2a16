// Package vault is the key store whose keys live in HashiCorp Vault's transit engine:
// they are made there, used there, and do not leave it.
//
// vault.go opens the store; session.go logs in by AppRole, keeps the token young and
// says what a failure means; versions.go reads the public parts and decides which
// versions still count; sign.go signs and rotates; wrap.go seals blobs under one
// AES key of Vault's; import.go brings keys of a local store there, wrapped as kwp.go
// wraps.
//
// A key NAME is the transit key NAME.es256 or NAME.eddsa, because a transit key has one
// type for life; what Wrap seals, it seals under the key kek.
package vault

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/sync/singleflight"

	"handover/keys"
)

// Holder is who has the private parts, in what List tells and in front of each blob.
const Holder = "vault"

// Config says where Vault is and who asks.
type Config struct {
	Address string // as https://vault.example:8200
	Mount   string // of the transit engine; "transit" when empty
	AppRole string // mount of the AppRole method; "approle" when empty
	CAFile  string // PEM certificates that Vault's is checked with; the system's when empty

	// The files that hold the role id and the secret id. They are read at each login, so
	// that a new secret id counts without a restart.
	RoleIDFile, SecretIDFile string
}

// callTime bounds one request to Vault: signing takes it a millisecond, and whoever
// waits for a token or a receipt has better answers than a long silence.
const callTime = 2500 * time.Millisecond

// idleConnections are kept open to Vault, so that callers at once need not connect.
const idleConnections = 64

// Store is the keys.Store in Vault. Several processes may use one Vault at once.
type Store struct {
	// RetireAfter is how long a version stays valid after a newer one was made.
	// Open sets it to keys.Overlap; set it before the first use.
	RetireAfter time.Duration
	// Now tells the time at which versions retire and the token is renewed. Vault's own
	// clock tells when a version was made.
	Now func() time.Time

	config Config
	client *api.Client

	session  session
	rotating sync.Mutex // one rotation at a time: see Rotate
	asking   singleflight.Group

	mu    sync.Mutex // guards what follows
	cache map[string]known
}

var _ keys.Store = (*Store)(nil)

// Open returns the store. It asks Vault nothing: whether Vault answers is what each
// call finds out, and Ready.
func Open(c Config) (*Store, error) {
	if c.Mount == "" {
		c.Mount = "transit"
	}
	if c.AppRole == "" {
		c.AppRole = "approle"
	}
	transport, err := c.transport()
	if err != nil {
		return nil, err
	}
	client, err := api.NewClient(&api.Config{
		Address: c.Address, Timeout: callTime,
		// A failure is told at once. The library's retries would make three requests and
		// four seconds out of one that Vault refuses with 500.
		MaxRetries: 0, CheckRetry: api.DefaultRetryPolicy,
		HttpClient: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	})
	if err != nil {
		return nil, errors.New("opening Vault: the address or a VAULT_… variable of the environment cannot be read")
	}
	// The library has read these from the environment, and only cmd may.
	client.ClearToken()
	client.ClearNamespace()
	return &Store{RetireAfter: keys.Overlap, Now: time.Now, config: c, client: client, cache: map[string]known{}}, nil
}

// transport connects to Vault and to nothing else: no proxy is taken from the
// environment, since a proxy would see what is unwrapped.
func (c Config) transport() (*http.Transport, error) {
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: callTime}).DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: callTime,
		MaxIdleConns:        idleConnections, MaxIdleConnsPerHost: idleConnections,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if c.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("opening Vault: reading the CA file: %w", err)
	}
	t.TLSClientConfig.RootCAs = x509.NewCertPool()
	if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("opening Vault: the CA file holds no certificate in PEM")
	}
	return t, nil
}

// path is the path of an operation of the transit engine.
func (s *Store) path(parts ...string) string { return s.config.Mount + "/" + strings.Join(parts, "/") }

// Format prints where the keys are, whatever the verb: never a token.
func (s *Store) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "keys in Vault at "+s.config.Address)
}

// LogValue is what Format prints, for slog.
func (s *Store) LogValue() slog.Value {
	return slog.StringValue("keys in Vault at " + s.config.Address)
}
