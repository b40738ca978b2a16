package httpd

import (
	"context"
	"sync"
)

// Key names one of the few things that a handler may add to the log line of its
// request. The set is closed, so that no handler can log a body by mistake.
type Key int

// What may be added to the log line.
const (
	Partner Key = iota + 1 // the caller's partner id
	Client                 // the caller's client id
	Code                   // the code of the problem that was answered
)

// Annotate adds value to the log line of the request that ctx belongs to. A value
// that is not a plain identifier is written as "unprintable": text that a caller
// chose must not reach the log, whoever passes it. Without a request it does
// nothing.
func Annotate(ctx context.Context, key Key, value string) {
	x := exchangeFrom(ctx)
	if x == nil {
		return
	}
	if !identifier(value) {
		value = "unprintable"
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch key {
	case Partner:
		x.partner = value
	case Client:
		x.client = value
	case Code:
		x.code = value
	}
}

// RequestID is the id of the request that ctx belongs to, a UUIDv7 that the hub
// chose, or "" without one. What a caller sends as X-Request-Id is not used: it
// would let her write into our logs.
func RequestID(ctx context.Context) string {
	if x := exchangeFrom(ctx); x != nil {
		return x.id
	}
	return ""
}

// identifier reports whether s has the form of a partner id, client id or code.
func identifier(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}

// exchange is what one request and its answer gather on their way. Handlers reach
// it through the context, and only by Annotate and Problem.
type exchange struct {
	id     string
	issuer string
	limit  *limit

	network string // where the request comes from, for its share

	mu      sync.Mutex
	route   string
	partner string
	client  string
	code    string
	cause   string // text of an unclassified error, for the log line only
	stack   string // of a panic
	back    func() // ends the wait that the handler is in
}

type exchangeKey struct{}

func exchangeFrom(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

func (x *exchange) setRoute(template string) {
	x.mu.Lock()
	x.route = template
	x.mu.Unlock()
}

func (x *exchange) setCode(code string) {
	x.mu.Lock()
	x.code = code
	x.mu.Unlock()
}

func (x *exchange) blame(cause string) {
	x.mu.Lock()
	x.cause = cause
	x.mu.Unlock()
}
