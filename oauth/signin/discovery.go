package signin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// discovered is what a provider publishes of itself (OpenID Connect Discovery §3).
type discovered struct {
	lib   *oidc.Provider
	until time.Time

	SendsIssuer bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207 §3
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	Authorize   string   `json:"authorization_endpoint"`
	Token       string   `json:"token_endpoint"`
	Keys        string   `json:"jwks_uri"`
	UserInfo    string   `json:"userinfo_endpoint"`
}

// discoveryLife is how long what a provider publishes is kept.
const discoveryLife = time.Hour

// providers keeps what providers publish.
type providers struct {
	http *http.Client
	now  func() time.Time

	mu    sync.Mutex // guards known
	known map[string]*discovered
}

func newProviders(client *http.Client, now func() time.Time) *providers {
	return &providers{http: client, now: now, known: map[string]*discovered{}}
}

var errInsecure = errors.New("an address of the provider is not https")

// discover returns what the provider of that issuer publishes, not older than an hour. All
// its addresses are https: codes, secrets and keys go over them.
func (p *providers) discover(ctx context.Context, issuer string) (*discovered, error) {
	p.mu.Lock()
	d := p.known[issuer]
	p.mu.Unlock()
	if d != nil && p.now().Before(d.until) {
		return d, nil
	}
	// The key set that the library makes here outlives the request.
	lib, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.http), issuer)
	if err != nil {
		return nil, fmt.Errorf("discovering a provider: %w", err)
	}
	d = &discovered{lib: lib, until: p.now().Add(discoveryLife)}
	if err := lib.Claims(d); err != nil {
		return nil, fmt.Errorf("reading what a provider publishes: %w", err)
	}
	for _, address := range []string{d.Authorize, d.Token, d.Keys} {
		if !isHTTPS(address) {
			return nil, errInsecure
		}
	}
	if d.UserInfo != "" && !isHTTPS(d.UserInfo) {
		return nil, errInsecure
	}
	p.mu.Lock()
	p.known[issuer] = d // one for each partner at most: the operator sets them
	p.mu.Unlock()
	return d, nil
}

func isHTTPS(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil
}

// asRetrieve returns the status with which a token endpoint refused.
func asRetrieve(err error) (status int, ok bool) {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || refused.Response == nil {
		return 0, false
	}
	return refused.Response.StatusCode, true
}

// publicClient reaches providers on the internet: within ten seconds, without following
// redirects (which would take a secret elsewhere), without a proxy from the environment,
// and at public addresses only, so that what a provider publishes cannot point the hub at
// its own network (SSRF, CWE-918). The address is judged when the connection is made,
// after the name was resolved.
func publicClient() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !isPublic(at.Addr().Unmap()) {
			return errPrivate
		}
		return nil
	}}
	return &http.Client{
		Timeout: 10 * time.Second,
		Transport: short{&http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second,
			ResponseHeaderTimeout: 5 * time.Second, MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// short cuts answers that are longer than any that we ask for: the libraries read them whole.
type short struct{ next http.RoundTripper }

// longest is room for a provider's keys and a token, many times over.
const longest = 1 << 20

// RoundTrip is the next one's, with an answer of at most longest bytes.
func (s short) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := s.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(answer.Body, longest), answer.Body}
	return answer, nil
}

var errPrivate = errors.New("the provider's address is not a public one")

func isPublic(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a)
}

// shared is the network between a provider of connections and its customers (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")
