package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// call is one request, which may be sent several times.
type call struct {
	method    string
	path      string // escaped, below the hub
	query     url.Values
	body      []byte
	mediaType string
	stranger  bool   // no token: the address is open to everybody
	bearer    string // a token of another kind than ours (RFC 6750 §2.1)
	once      bool   // it is not safe to repeat: whether it was done, its caller must look

	into func(io.Reader) error // takes the body of a good answer as it comes; what it fails with is not repeated
}

type response struct {
	status int
	header http.Header
	body   []byte
}

// How often a call is repeated, and how long is waited in between.
const (
	maxAttempts   = 6
	maxBroken     = 3 // of those, on broken connections
	firstPause    = 200 * time.Millisecond
	longestPause  = 5 * time.Second
	longestHeeded = 30 * time.Second // a longer Retry-After is the caller's to wait for
)

// maxAnswer bounds what is read of an answer: a history of thousands of steps.
const maxAnswer = 64 << 20

// do sends a call until it succeeds, is refused for good, or has been repeated
// often enough. It repeats on 429 and 503, after the time in Retry-After or longer,
// and on broken connections. Pauses are random, so that clients whom one outage
// has stopped do not come back as one. Its error is a *Problem, or says that the
// hub cannot be reached.
func (c *Client) do(ctx context.Context, k call) (response, error) {
	for attempt := 1; ; attempt++ {
		r, err := c.send(ctx, k)
		if err == nil && r.status < 300 {
			return r, nil
		}
		if err == nil {
			err = problemOf(r)
		}
		pause, again := pauseAfter(attempt, r, err)
		unsure := k.once && !errors.As(err, new(*Problem)) // no answer: it may have been done
		if !again || unsure || ctx.Err() != nil {
			return response{}, err
		}
		if sleep(ctx, pause) != nil {
			return response{}, fmt.Errorf("%w; the last answer was: %w", ctx.Err(), err)
		}
	}
}

// pauseAfter decides whether a call that failed is sent again, and after how long.
func pauseAfter(attempt int, r response, err error) (time.Duration, bool) {
	pause := jitter(min(firstPause<<(attempt-1), longestPause))
	p, answered := errors.AsType[*Problem](err)
	if !answered {
		var untrusted *tls.CertificateVerificationError
		lost := errors.As(err, new(*url.Error)) && !errors.As(err, &untrusted)
		return pause, lost && attempt < maxBroken
	}
	if attempt >= maxAttempts || (p.Status != http.StatusTooManyRequests && p.Status != http.StatusServiceUnavailable) {
		return 0, false
	}
	asked := retryAfter(r.header)
	return max(pause, asked+pause/4), asked <= longestHeeded
}

// retryAfter reads the seconds of Retry-After (RFC 9110 §10.2.3). The date form
// needs two clocks to agree; it reads as zero, and the pause grows by itself.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// jitter returns a random duration between half of d and d.
func jitter(d time.Duration) time.Duration {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	half := uint64(d / 2)
	return time.Duration(half + binary.BigEndian.Uint64(b[:])%(half+1))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send sends a call with credentials. A token that is refused is dropped and the
// call sent once more with a new one: it may have expired, or the hub's key have
// been replaced. A nonce that the hub asks for is given (RFC 9449 §9).
func (c *Client) send(ctx context.Context, k call) (response, error) {
	if k.stranger {
		return c.exchange(ctx, k, "")
	}
	token, err := c.tokens.get(ctx)
	if err != nil {
		return response{}, err
	}
	r, err := c.exchange(ctx, k, token)
	if err != nil || r.status != http.StatusUnauthorized || wantsPerson(r) {
		return r, err
	}
	if !c.tokens.wantsNonce(r) {
		c.tokens.drop(token)
		if token, err = c.tokens.get(ctx); err != nil {
			return response{}, err
		}
	}
	return c.exchange(ctx, k, token)
}

// wantsPerson reports whether an answer asks the person to prove who she is (RFC 9470 §3),
// which no other token of the same session can do for her.
func wantsPerson(r response) bool {
	return strings.Contains(r.header.Get("WWW-Authenticate"), `error="insufficient_user_authentication"`)
}

// exchange sends one HTTP request, with a fresh proof when there is a token.
func (c *Client) exchange(ctx context.Context, k call, token string) (response, error) {
	address := c.hub + k.path
	request, err := http.NewRequestWithContext(ctx, k.method, address, bytes.NewReader(k.body))
	if err != nil {
		return response{}, fmt.Errorf("building a request: %w", err)
	}
	request.URL.RawQuery = k.query.Encode()
	request.Header.Set("User-Agent", "handover-client")
	if k.body != nil {
		request.Header.Set("Content-Type", k.mediaType)
	}
	if k.bearer != "" {
		request.Header.Set("Authorization", "Bearer "+k.bearer)
	}
	if token != "" {
		proof, err := c.tokens.prove(k.method, address, token)
		if err != nil {
			return response{}, err
		}
		request.Header.Set("Authorization", "DPoP "+token)
		request.Header.Set("DPoP", proof)
	}
	r, err := c.roundTrip(request, k.into)
	if err == nil {
		c.tokens.remember(r)
	}
	return r, err
}

func (c *Client) roundTrip(request *http.Request, into func(io.Reader) error) (response, error) {
	if into != nil {
		return c.stream(request, into)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return response{}, fmt.Errorf("reaching the hub: %w", err)
	}
	defer answer.Body.Close()
	return c.whole(request, answer)
}

// whole reads an answer to its end.
func (c *Client) whole(request *http.Request, answer *http.Response) (response, error) {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		// A url.Error, so that it counts as a broken connection.
		return response{}, fmt.Errorf("reaching the hub: %w",
			&url.Error{Op: request.Method, URL: c.hub, Err: err})
	}
	if len(body) > maxAnswer {
		return response{}, fmt.Errorf("%w: it is longer than %d bytes", ErrAnswer, maxAnswer)
	}
	return response{status: answer.StatusCode, header: answer.Header, body: body}, nil
}

// read decodes an answer. Members it does not know are of a newer hub and pass;
// a member given twice does not.
func read[T any](r response) (T, error) {
	var v T
	if err := json.Unmarshal(r.body, &v); err != nil {
		var none T
		return none, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return v, nil
}

// get asks for a resource and decodes it.
func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	r, err := c.do(ctx, call{method: http.MethodGet, path: path, query: query})
	if err != nil {
		var none T
		return none, err
	}
	return read[T](r)
}
