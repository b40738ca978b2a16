package hubtest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/time/rate"

	"handover/audit"
	"handover/consent"
	"handover/consent/police"
	"handover/docs"
	"handover/internal/httpd"
	"handover/internal/pg"
	"handover/internal/pgtest"
	"handover/keys"
	"handover/keys/jose"
	"handover/notify"
	"handover/oauth"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/referral/managed"
	"handover/web"
)

// Issuer is the URL of every hub that New makes.
const Issuer = "https://hub.example"

// wait is how long a caller waits for her receipt.
const wait = 20 * time.Second

// Hub is a hub that serves in-process.
type Hub struct {
	DB        *pgtest.DB
	Log       *audit.Log
	Registry  *partners.Store // as the serving role
	Operator  *partners.Store // as the schema's owner
	Consents  *consent.Store
	Referrals *referral.Store
	Desk      *managed.Desk
	Police    *police.Store
	Webhooks  *notify.Worker // a test has it do a round when it wants one
	Exporter  *audit.Exporter
	Aftermath *referral.Aftermath // a test has it do a round when it wants one
	SignIn    *signin.Handler
	Routes    *mux.Router
	Now       func() time.Time

	StopLog func() // has it sequence nothing more, so that it does not see what is done to its database

	client        *http.Client // to agencies' providers; nil: the usual one
	reach         notify.Reach // of webhooks
	issuer        string
	keys          keys.Store
	handler       http.Handler
	pairs         atomic.Int64
	mu            sync.Mutex
	desks         map[partners.ID]*Agency // guarded by mu
	authorization *oauth.Handler
	nonce         atomic.Pointer[string] // the newest that an answer brought
	t             testing.TB             // the test that owns the hub; its answers are checked for it
}

// New returns a hub over an empty database. It stops with t.
func New(t testing.TB) *Hub {
	t.Helper()
	return assemble(t, &Hub{DB: pgtest.New(t), keys: openKeys(t), issuer: Issuer})
}

// Trusting returns a hub that reaches agencies' providers by client.
func Trusting(t testing.TB, client *http.Client) *Hub {
	t.Helper()
	return assemble(t, &Hub{DB: pgtest.New(t), keys: openKeys(t), issuer: Issuer, client: client})
}

// Reaching returns a hub whose webhooks are reached so.
func Reaching(t testing.TB, r notify.Reach) *Hub {
	t.Helper()
	return assemble(t, &Hub{DB: pgtest.New(t), keys: openKeys(t), issuer: Issuer, reach: r})
}

// Keeping returns a hub whose keys are in store, which has those of New's hubs already.
func Keeping(t testing.TB, store keys.Store) *Hub {
	t.Helper()
	return assemble(t, &Hub{DB: pgtest.New(t), keys: store, issuer: Issuer})
}

// Another returns a second hub on the database of the first, with the same keys and
// connections of its own.
func (h *Hub) Another(t testing.TB) *Hub {
	t.Helper()
	open := func(role string) *pgxpool.Pool {
		pool, err := pg.Open(t.Context(), h.DB.URL, role, connections)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		return pool
	}
	db := &pgtest.DB{URL: h.DB.URL, Hub: open(pg.RoleHub), Log: open(pg.RoleLog), Owner: h.DB.Owner}
	return assemble(t, &Hub{DB: db, keys: h.keys, issuer: h.issuer, client: h.client, reach: h.reach})
}

// connections is how many each pool of another hub may hold.
const connections = 4

// assemble puts together what h has not: everything but its database, its keys and what it
// is to be for others.
func assemble(t testing.TB, h *Hub) *Hub {
	t.Helper()
	h.Now, h.t, h.desks = time.Now, t, map[partners.ID]*Agency{}
	h.nonce.Store(new(string))
	firewall, err := partners.LoadFirewall()
	if err != nil {
		t.Fatal(err)
	}
	h.Registry = partners.NewStore(h.DB.Hub, firewall)
	h.Operator = partners.NewStore(h.DB.Owner, firewall)
	h.Consents = &consent.Store{Pool: h.DB.Hub, Partners: h.Registry, Hub: h.issuer}
	h.openLog(t)
	h.Referrals = referral.NewStore(h.DB.Hub, h.Registry, h.Log, h.issuer)
	h.Aftermath = referral.NewAftermath(h.Referrals, h.keys, slog.New(slog.DiscardHandler))
	h.mount(t)
	return h
}

// The names under which cmd/hub keeps its keys.
const (
	accessTokenKey = "access-token"
	checkpointKey  = "checkpoint"
	hubStepsKey    = referral.HubStepsKey
	webhookKey     = notify.WebhookKey
)

func openKeys(t testing.TB) keys.Store {
	t.Helper()
	dir := t.TempDir()
	store, err := keys.OpenLocal(dir+"/keys", keys.RootFile(dir+"/root"))
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(keys.Ensure(t.Context(), store, accessTokenKey, jose.ES256),
		keys.Ensure(t.Context(), store, checkpointKey, jose.EdDSA), keys.Ensure(t.Context(), store, hubStepsKey, jose.EdDSA),
		keys.Ensure(t.Context(), store, webhookKey, jose.EdDSA))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// openLog opens the log and runs its sequencer until t ends.
func (h *Hub) openLog(t testing.TB) {
	t.Helper()
	key, err := keys.Signer(context.WithoutCancel(t.Context()), h.keys, checkpointKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := key.Key.Public().(ed25519.PublicKey); !ok {
		t.Fatal("the key of checkpoints is no Ed25519 key")
	}
	signer, err := audit.NewSigner(strings.TrimPrefix(Issuer, "https://")+"/v1/log", key.Key)
	if err != nil {
		t.Fatal(err)
	}
	if h.Log, err = audit.Open(t.Context(), h.DB.Log, h.DB.Hub, signer, h.Now); err != nil {
		t.Fatal(err)
	}
	h.Log.Logger = slog.New(slog.DiscardHandler)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- h.Log.Run(ctx) }()
	h.StopLog = sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the log stopped: %v", err)
		}
	})
	t.Cleanup(h.StopLog)
}

// mount hangs every route into one router behind the guard, as cmd/hub does.
func (h *Hub) mount(t testing.TB) {
	t.Helper()
	settings := oauth.Config{
		Issuer: h.issuer, Keys: h.keys, Partners: h.Registry, Store: oauth.NewStore(h.DB.Hub),
		Count: h.Log.CountAnonymous, Refuse: h.Log.Refuse,
		Rates: oauth.Rates{TokenAddress: rate.Inf, TokenClient: rate.Inf, Address: rate.Inf, Client: rate.Inf, User: rate.Inf},
	}
	authorization, err := oauth.New(settings)
	if err != nil {
		t.Fatal(err)
	}
	h.authorization = authorization
	guard, err := oauth.NewGuard(settings)
	if err != nil {
		t.Fatal(err)
	}
	gate := &partners.Gate{Log: h.Log}
	server := httpd.New(httpd.Options{Issuer: h.issuer, Ready: func(context.Context) error { return h.Log.Healthy() }})
	h.Routes = httpd.Router()
	gate.RecordStrays(h.Routes)
	server.Mount(h.Routes)
	authorization.Mount(h.Routes)
	(&docs.Handler{}).Mount(h.Routes)
	(&referral.Documents{}).Mount(h.Routes)
	(&partners.Handler{Gate: gate, Store: h.Registry, Issuer: h.issuer, Keys: h.keys, Wait: wait}).Mount(h.Routes)
	(&consent.Handler{Gate: gate, Log: h.Log, Wait: wait, Store: h.Consents}).Mount(h.Routes)
	h.Police = &police.Store{Pool: h.DB.Hub, Partners: h.Registry, Hub: h.issuer}
	(&police.Handler{Gate: gate, Log: h.Log, Wait: wait, Store: h.Police}).Mount(h.Routes)
	(&referral.Handler{Gate: gate, Log: h.Log, Wait: wait, Store: h.Referrals}).Mount(h.Routes)
	h.Desk = &managed.Desk{Pool: h.DB.Hub, Keys: h.keys, Partners: h.Registry, Consents: h.Consents, Referrals: h.Referrals,
		Log: h.Log, Hub: h.issuer, Wait: wait}
	(&managed.Handler{Gate: gate, Desk: h.Desk}).Mount(h.Routes)
	(&audit.Handler{Log: h.Log, Authenticated: gate.Authenticated, Readers: gate.Readers, Sources: []audit.Source{consent.QueueDoubts}, Partner: func(r *http.Request) string {
		c, _ := partners.CallerFrom(r.Context())
		return string(c.Partner())
	}}).Mount(h.Routes)
	webhooks := &notify.Store{Pool: h.DB.Hub, Partners: h.Registry, Keys: h.keys, Egress: notify.NewEgress(h.reach)}
	(&notify.Handler{Gate: gate, Log: h.Log, Store: webhooks}).Mount(h.Routes)
	(&notify.Stream{Gate: gate, Feed: h.feed(t), Partners: h.Registry, Now: h.Now, Pulse: pulse}).Mount(h.Routes)
	h.Webhooks = notify.NewWorker(webhooks, h.issuer, h.Log, slog.New(slog.DiscardHandler), h.Now)
	h.mountExport(gate)
	h.mountPages(t)
	h.handler = server.Public(guard.Middleware(h.Routes))
}

// withNonce serves the request that make returns, and once more with the nonce that the
// hub asks for (RFC 9449 §8, §9), if it does.
func (h *Hub) withNonce(make func() *http.Request) Answer {
	a := h.Do(make())
	wanted := a.Header.Get("DPoP-Nonce")
	if wanted != "" {
		h.nonce.Store(&wanted)
	}
	if wanted != "" && (a.Status == http.StatusUnauthorized || a.Status == http.StatusBadRequest) {
		a = h.Do(make())
	}
	return a
}

// mountPages hangs in sign-in and the pages.
func (h *Hub) mountPages(t testing.TB) {
	t.Helper()
	var err error
	h.SignIn, err = signin.New(signin.Config{
		Issuer: h.issuer, Store: signin.NewStore(h.DB.Hub), Partners: h.Registry, Log: h.Log, Keys: h.keys, Now: h.Now, Client: h.client,
		NetworkRate: rate.Inf, PersonRate: rate.Inf, Landings: web.Landings(),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.SignIn.Mount(h.Routes)
	pages, err := web.New(web.Config{SignIn: h.SignIn, Partners: h.Registry, Authorization: h.authorization, Referrals: h.Referrals,
		Consents: h.Consents, Desk: h.Desk, Log: h.Log, Feed: h.feed(t), Exporter: h.Exporter, Webhooks: h.Webhooks.Store, Hub: h.issuer, Now: func() time.Time { return h.Now() }})
	if err != nil {
		t.Fatal(err)
	}
	pages.Mount(h.Routes)
}

// Do serves one request as it is, of a stranger unless it carries credentials, and
// holds the exchange against docs/openapi.json.
func (h *Hub) Do(r *http.Request) Answer {
	sent := must(io.ReadAll(r.Body))
	r.Body = io.NopCloser(bytes.NewReader(sent))
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	a := Answer{Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
	if h.issuer != Issuer { // the document is read for the hubs of New
		return a
	}
	if err := fits(r, sent, a); err != nil {
		h.t.Errorf("%s %s answered %d, which docs/openapi.json describes otherwise: %v\n%s", r.Method, r.URL.Path, a.Status, err, a.Body)
	}
	return a
}

// Listening returns a hub that a real browser can use: on a free port of this machine, at
// http://localhost:PORT, which browsers take for a safe place.
func Listening(t testing.TB) *Hub {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	h := assemble(t, &Hub{DB: pgtest.New(t), keys: openKeys(t), issuer: "http://localhost:" + port, reach: notify.Reach{Local: true}})
	server := &http.Server{Handler: h.handler, ReadHeaderTimeout: wait}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serving: %v", err)
		}
	})
	return h
}

// pulse is how often a stream gives a sign of life, and notices that it is over.
const pulse = 100 * time.Millisecond

// feed follows the log for who listens, a little faster than a hub does.
func (h *Hub) feed(t testing.TB) *notify.Feed {
	t.Helper()
	f := notify.NewFeed(h.DB.Hub, slog.New(slog.DiscardHandler))
	f.Pause = 50 * time.Millisecond
	go func() { _ = f.Run(t.Context()) }()
	return f
}

// Keys is the hub's key store.
func (h *Hub) Keys() keys.Store { return h.keys }

// URL is where the hub is.
func (h *Hub) URL() string { return h.issuer }
