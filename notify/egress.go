package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"time"
)

// Reach is how messages leave the hub.
type Reach struct {
	Local    bool           // also to this machine, by http too: for a hub at http://localhost
	Roots    *x509.CertPool // by which receivers' certificates are checked; nil: the system's
	Resolver *net.Resolver  // nil: the system's
	Patience time.Duration  // how long one attempt may take; 0: attemptTime
}

// Egress is the one way out for messages.
//
// An agency's administrator chooses the address, so it must not become her way into the hub's
// network (SSRF, CWE-918): each connection is judged by the address that the name has led to,
// at the moment it is made, so that no name can be one thing when it is checked and
// another when it is used (DNS rebinding). No redirect is followed, no proxy of the
// environment used, nothing of the answer read but its status.
type Egress struct {
	local    bool
	patience time.Duration
	client   *http.Client
}

// attemptTime is how long one attempt may take, and no longer.
const attemptTime = 10 * time.Second

// NewEgress returns the way out.
func NewEgress(r Reach) *Egress {
	e := &Egress{local: r.Local, patience: attemptTime}
	if r.Patience > 0 {
		e.patience = min(r.Patience, attemptTime)
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second, Resolver: r.Resolver, Control: e.control}
	e.client = &http.Client{
		Timeout: e.patience,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: r.Roots},
			TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: attemptTime, MaxResponseHeaderBytes: 16 << 10,
			MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second, DisableCompression: true, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return e
}

// errForbidden means that a name has led to where no message may go.
var errForbidden = errors.New("the address is not a public one")

// control judges where a connection is about to go. It runs for each address that is tried,
// after the name was resolved and before anything is sent.
func (e *Egress) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return errForbidden
	}
	if e.local && at.Addr().Unmap().IsLoopback() || at.Port() == 443 && isPublic(at.Addr()) {
		return nil
	}
	return errForbidden
}

// What can become of an attempt, besides the status of an answer.
const (
	outcomeForbidden   = "address-refused" // the name leads into somebody's network
	outcomeNoName      = "name-unknown"
	outcomeTimeout     = "timeout"
	outcomeCertificate = "certificate"
	outcomeConnection  = "connection"
	statusGone         = "410" // the receiver wants no more (Standard Webhooks, Operational considerations)
)

// post makes one attempt, and returns what came of it: a status, or one of the words above. No error, since one
// could repeat the address.
func (e *Egress) post(ctx context.Context, url string, header http.Header, body []byte) (outcome string) {
	ctx, cancel := context.WithTimeout(ctx, e.patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil || e.checkURL(url) != nil {
		return outcomeForbidden
	}
	r.Header = header
	answer, err := e.client.Do(r)
	if err != nil {
		return outcomeOf(err)
	}
	_ = answer.Body.Close() // however long it would be: only the status counts
	return strconv.Itoa(answer.StatusCode)
}

func outcomeOf(err error) string {
	if errors.Is(err, errForbidden) {
		return outcomeForbidden
	}
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		return outcomeTimeout
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return outcomeNoName
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return outcomeCertificate
	}
	return outcomeConnection
}

// taken reports whether the receiver has the message: any status of success, and no other.
func taken(outcome string) bool { return len(outcome) == 3 && outcome[0] == '2' }

func (e *Egress) close() { e.client.CloseIdleConnections() }
