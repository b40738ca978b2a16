package client

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"handover/audit/proof"
	"handover/keys/jose"
	"handover/referral/packet"
)

// Receipt is the proof that a step is in the hub's log. It verifies offline.
type Receipt = proof.Receipt

// LogKey is the public key of the hub's log, in the form "origin+hash+base64".
type LogKey = proof.LogKey

// ParseLogKey reads a LogKey from its text.
func ParseLogKey(text string) (LogKey, error) { return proof.ParseLogKey(text) }

// Content is the plaintext of a section, one JSON object. Printed, logged or encoded as
// JSON, it shows its length only; to get at it, convert it to []byte.
type Content = packet.Content

// Options are what a Client is made of. Hub, Partner, ClientID, LogKey and of the Keys
// that for authentication are required.
type Options struct {
	// Hub is the hub's issuer URL: scheme and host alone, as https://hub.example.
	// Plain http is accepted for this machine only, because the keys that sections
	// are sealed to come over this connection.
	Hub      string
	Partner  string // your own partner id
	ClientID string // as Enrol returned it
	Keys     Keys
	LogKey   LogKey // pinned when you enrolled; every receipt is verified with it
	Policy   Policy // of witnesses, pinned: Witnessed says which receipts meet it. The hub's answers are taken without

	// Followed keeps the statements by which the hub's log went over to another key than the
	// one you pinned, so that LogKey can be given with them the next time (LogKey.Followed).
	// nil keeps them in memory: the hub is then asked again.
	Followed func(successions []string) error

	// Session is a person's sign-in (SignInAs): the client then acts for her, with her
	// rights. nil acts for the system itself.
	Session *Session

	// Known keeps what was seen of partners' keys, so that a hub which swaps one is caught. nil
	// keeps it in memory: then each start is a first contact with everybody.
	Known KeyMemory

	// HTTP is the client to send with. nil is one with timeouts. Redirects are not
	// followed in either case: a token is for one address.
	HTTP *http.Client
	// Now tells the time. nil is time.Now. The hub refuses what is signed more than
	// some seconds off its own clock.
	Now func() time.Time
}

// Keys are a partner's private keys, one use each. A system that was registered beside
// another (Register) may have that for authentication alone: it then signs and opens
// nothing.
type Keys struct {
	Authentication jose.PrivateKey   // signs client assertions at the token endpoint
	Signing        jose.SigningKey   // signs envelopes and consent records; may live in an HSM
	Encryption     []jose.PrivateKey // open sections; the first also seals your own copies
}

// Client talks to one hub as one partner's system.
type Client struct {
	hub      string
	host     string
	partner  string
	clientID string
	keys     Keys
	logKey   atomic.Pointer[LogKey] // with the keys before and after it, as far as they are known
	policy   Policy
	followed func(successions []string) error
	http     *http.Client
	now      func() time.Time
	tokens   *tokens

	memory  KeyMemory
	keeping sync.Mutex // held while something is kept

	mu    sync.Mutex
	known map[string]keySet // public keys by partner, for verifying
	ends  endpoints         // as the hub gave them; none until they are needed
}

// What New can refuse.
var (
	errHub     = errors.New("the hub is named by scheme and host alone, as https://hub.example; http is for this machine only")
	errOptions = errors.New("partner, client id, log key and the authentication key are all needed: enrol first")
	errNoKeys  = errors.New("this system has no keys to sign and seal with: use the one that your agency enrolled")
)

// New returns a client. It does not talk to the hub yet.
func New(o Options) (*Client, error) {
	hub, host, err := parseHub(o.Hub)
	if err != nil {
		return nil, err
	}
	if o.Partner == "" || o.ClientID == "" || o.LogKey.Origin() == "" || o.Keys.Authentication.Signer().Key == nil {
		return nil, errOptions
	}
	if o.LogKey.Origin() != host+logPath {
		return nil, fmt.Errorf("the log key is of %s and not of this hub", o.LogKey.Origin())
	}
	c := &Client{
		hub: hub, host: host, partner: o.Partner, clientID: o.ClientID, keys: o.Keys, followed: o.Followed,
		policy: o.Policy, http: sender(o.HTTP), now: o.Now, known: map[string]keySet{}, memory: o.Known,
	}
	key := o.LogKey.Alone()
	c.logKey.Store(&key)
	if c.memory == nil {
		c.memory = &memory{kept: map[string]KnownKeys{}}
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.tokens, err = newTokens(c, o.Session); err != nil {
		return nil, err
	}
	return c, nil
}

// signs returns errNoKeys for a system that has no keys of its own to sign and seal with.
func (c *Client) signs() error {
	if c.keys.Signing.Key == nil || len(c.keys.Encryption) == 0 {
		return errNoKeys
	}
	return nil
}

// Hub is the hub's issuer URL.
func (c *Client) Hub() string { return c.hub }

// PartnerID is the partner that the client acts for.
func (c *Client) PartnerID() string { return c.partner }

// LogKey is the pinned key of the hub's log, with the keys before and after it as far as
// they are known.
func (c *Client) LogKey() LogKey { return *c.logKey.Load() }

// parseHub returns the issuer URL as the hub writes it, and its host.
func parseHub(text string) (hub, host string, err error) {
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil || u.Host == "" || u.User != nil || u.String() != u.Scheme+"://"+u.Host {
		return "", "", errHub
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return "", "", errHub
	}
	return u.String(), u.Host, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// sender returns the HTTP client to use.
func sender(given *http.Client) *http.Client {
	own := &http.Client{Timeout: 90 * time.Second, Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second, // a long poll takes 30
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
	}}
	if given != nil {
		copied := *given
		own = &copied
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return own
}
