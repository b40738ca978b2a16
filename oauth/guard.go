package oauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"handover/audit/proof"
	"handover/internal/gather"
	"handover/internal/httpd"
	"handover/partners"
)

// Guard turns the credentials of a request into the partners.Caller that its
// handler sees. It decides who is asking and nothing else: what she may do is
// decided by partners.Allow and the domains.
type Guard struct {
	issuer     string
	partners   *partners.Store
	store      *Store
	tokens     *accessTokens
	cache      *tokenCache
	nonces     *nonces
	limits     limits
	admissions *gather.Lines[*admission]
	count      func(string)
	logRefusal func(context.Context, proof.Entry) error
	log        *slog.Logger
	now        func() time.Time
}

// NewGuard returns a guard.
func NewGuard(c Config) (*Guard, error) {
	c, err := c.defaulted()
	if err != nil {
		return nil, fmt.Errorf("configuring the guard: %w", err)
	}
	g := &Guard{
		issuer: c.Issuer, partners: c.Partners, store: c.Store, tokens: c.tokens(), cache: newTokenCache(),
		nonces: c.nonces(), limits: c.limits(),
		count: c.Count, logRefusal: c.Refuse, log: c.Log, now: c.Now,
	}
	g.admissions = newAdmissions(g)
	return g, nil
}

// Middleware admits a caller, or lets the request on without one: routes decide
// whether strangers are welcome. Credentials that were refused leave their reason
// in WWW-Authenticate for the 401 that follows. While credentials cannot be checked
// the answer is 503, and over a limit 429; then next is not reached.
func (g *Guard) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := g.limits.origin.Network(r)
		if over(w, g.limits.address.Allow(from)) {
			g.count(ErrTooMany.Code)
			httpd.Problem(w, r, ErrTooMany)
			return
		}
		// A registration brings a one-time token of its own kind (RFC 7591 §3).
		if len(r.Header.Values("Authorization")) == 0 || r.URL.Path == registerPath {
			next.ServeHTTP(w, r)
			return
		}
		caller, err := g.admit(w, r, from)
		switch refused, ok := errors.AsType[*refusal](err); {
		case ok:
			w.Header().Set("WWW-Authenticate", refused.challenge())
			next.ServeHTTP(w, r)
			return
		case errors.Is(err, ErrTooMany):
			httpd.Problem(w, r, ErrTooMany)
			return
		case err != nil:
			if r.Context().Err() == nil { // else the caller has left, and nothing failed
				g.log.ErrorContext(r.Context(), "checking credentials failed", "error", err)
			}
			w.Header().Set("Retry-After", "2")
			httpd.Problem(w, r, ErrUnavailable)
			return
		}
		httpd.Annotate(r.Context(), httpd.Partner, string(caller.Partner()))
		httpd.Annotate(r.Context(), httpd.Client, caller.Client())
		next.ServeHTTP(w, r.WithContext(partners.WithCaller(r.Context(), caller)))
	})
}

// admit checks a request's credentials: first what the request alone can show, then,
// with the requests that come at the same time, that the proof is new and the caller
// may still act. Its error is a *refusal, which has been counted or logged, ErrTooMany, or
// else the hub's own failure.
func (g *Guard) admit(w http.ResponseWriter, r *http.Request, from string) (partners.Caller, error) {
	ctx := r.Context()
	held, proven, err := g.examine(w, r, from)
	if err != nil {
		return partners.Caller{}, g.counted(err)
	}
	a := &admission{held: held, proof: proven}
	if err := g.admissions.Join(ctx, a); err != nil {
		return partners.Caller{}, unavailable("admitting a caller", err)
	}
	switch {
	case errors.Is(a.err, errProofUsed):
		return partners.Caller{}, g.counted(errProofAgain)
	case errors.Is(a.err, errRevoked):
		return partners.Caller{}, g.logged(ctx, held, "token-revoked")
	case a.err != nil:
		return partners.Caller{}, unavailable("admitting a caller", a.err)
	case a.caller == nil:
		return partners.Caller{}, g.logged(ctx, held, "caller-inactive")
	}
	return *a.caller, nil
}

// admission is one request on its way to a partners.Caller.
type admission struct {
	held   access
	proof  dpopProof
	caller *partners.Caller // nil if she may not act
	err    error
}

// How requests share the round trip that admits them.
const (
	admissionsMost = 256              // requests of a group
	admissionTime  = 10 * time.Second // for a group, whoever of its callers has left
)

func newAdmissions(g *Guard) *gather.Lines[*admission] {
	return &gather.Lines[*admission]{Most: admissionsMost, Within: admissionTime, Do: g.admitAll}
}

// admitAll decides requests that came together in one round trip. What stands against
// one of them does not touch its neighbours.
func (g *Guard) admitAll(ctx context.Context, group []*admission) {
	bearers := make([]partners.Bearer, len(group))
	for i, a := range group {
		bearers[i] = a.held.bearer()
	}
	uses := newSpending(group)
	callers, err := g.partners.Admit(ctx, bearers, uses.queue)
	var used []error
	if err == nil {
		used, err = g.store.judge(ctx, uses)
	}
	for i, a := range group {
		if a.err = err; err == nil {
			a.caller, a.err = callers[i], used[i]
		}
	}
	if errors.Is(group[0].err, errMemoryLost) { // then it is lost to all of them
		err = g.store.remember(ctx, g.now())
		for _, a := range group {
			a.err = errors.Join(a.err, err)
		}
	}
}

// counted counts a refusal of somebody who has proved nothing. A failure of the
// hub's own is none.
func (g *Guard) counted(err error) error {
	if refused, ok := errors.AsType[*refusal](err); ok && refused.code != useNonce {
		g.count(refused.reason)
	}
	return err
}

// logged logs that a caller who has proved who she is does not take part any more,
// or uses a token that was revoked, or that she got by a key revoked since. Only she can
// cause it, so it cannot be used to flood the log in her name.
func (g *Guard) logged(ctx context.Context, held access, reason string) error {
	refused := badToken(reason)
	err := g.logRefusal(ctx, proof.Entry{Act: "refused", Partner: held.partner, Client: held.client, User: held.user,
		Outcome: partners.ErrUnauthenticated.Code, Reason: refused.reason})
	if err != nil {
		return unavailable("logging a refusal", err)
	}
	return refused
}

// examine checks what needs no database: one Authorization of scheme DPoP, a token
// of this hub, the limits of whoever has it, a proof for this very request (RFC 9449
// §7.1), and that the token is bound to the proof's key, without which a stolen token
// would do.
func (g *Guard) examine(w http.ResponseWriter, r *http.Request, from string) (access, dpopProof, error) {
	sent := r.Header.Values("Authorization")
	if len(sent) != 1 {
		return access{}, dpopProof{}, badToken("token-count")
	}
	scheme, token, _ := strings.Cut(sent[0], " ")
	if !strings.EqualFold(scheme, "DPoP") {
		return access{}, dpopProof{}, errScheme // RFC 9449 §7.2: never as a bearer token
	}
	now := g.now()
	held, err := g.token(r.Context(), token, now)
	if err != nil {
		return access{}, dpopProof{}, err
	}
	if g.limits.exceeded(w, held, from) {
		return access{}, dpopProof{}, ErrTooMany
	}
	nonces, err := g.nonces.set(r.Context())
	if err != nil {
		return access{}, dpopProof{}, err
	}
	proven, err := openProof(r.Header, expected{method: r.Method, origin: g.issuer, path: r.URL.EscapedPath(),
		token: token, now: now, nonces: nonces, header: held.header})
	if proven.outdated || errors.Is(err, errProofNonce) {
		w.Header().Set("DPoP-Nonce", nonces.newest) // RFC 9449 §9, §8.2
	}
	if err != nil {
		return access{}, dpopProof{}, err
	}
	if proven.thumbprint != held.thumbprint {
		return access{}, dpopProof{}, errBinding
	}
	if !proven.header.Equal(held.header) {
		held.header = proven.header
		g.cache.put(sha256.Sum256([]byte(token)), held, now)
	}
	return held, proven, nil
}

var (
	errScheme  = &refusal{code: invalidToken, reason: "token-scheme", hint: "Send the token with the scheme DPoP and a proof."}
	errBinding = &refusal{code: invalidToken, reason: "token-binding", hint: "The token is bound to another key than that of the proof."}
	errExpired = badToken("token-expired")
)

// token returns a verified token: from the cache, if the hub's key that signed it
// is still one of its keys, or by its signature.
func (g *Guard) token(ctx context.Context, token string, now time.Time) (access, error) {
	if len(token) > maxToken {
		return access{}, badToken("token-form")
	}
	digest := sha256.Sum256([]byte(token))
	if held, ok := g.cache.get(digest); ok {
		if !now.Before(held.expires) {
			g.cache.drop(digest)
			return access{}, errExpired
		}
		_, valid, err := g.tokens.ring.find(ctx, held.signedBy)
		if err != nil {
			return access{}, unavailable("verifying an access token", err)
		}
		if valid {
			return held, nil
		}
		g.cache.drop(digest)
	}
	held, err := g.tokens.open(ctx, token)
	if err != nil {
		return access{}, err
	}
	g.cache.put(digest, held, now)
	return held, nil
}
