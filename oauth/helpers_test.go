package oauth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"golang.org/x/time/rate"

	"handover/audit/proof"
	"handover/internal/httpd"
	"handover/internal/pgtest"
	"handover/internal/strict"
	"handover/keys"
	"handover/keys/jose"
	"handover/partners"
)

func strictBytes(t testing.TB, v any) []byte {
	t.Helper()
	b, err := strict.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// hub is an authorization server and a guard over a database of their own.
type hub struct {
	t       testing.TB
	config  Config
	server  *Handler
	db      *pgtest.DB
	clock   *clock
	keys    keys.Store
	store   *Store
	guard   *Guard
	router  http.Handler
	log     bytes.Buffer
	mu      sync.Mutex
	counts  map[string]int
	refused []proof.Entry
	noLog   error // what the log answers to a refusal
}

// guarded is an address behind the guard.
const guarded = "/v1/referrals"

func newHub(t testing.TB, change ...func(*Config)) *hub {
	t.Helper()
	db := pgtest.New(t)
	h := &hub{t: t, db: db, clock: &clock{time.Now().UTC().Truncate(time.Second)}, store: NewStore(db.Hub), counts: map[string]int{}}
	dir := t.TempDir()
	local, err := keys.OpenLocal(dir+"/keys", keys.RootFile(dir+"/root"))
	if err != nil {
		t.Fatal(err)
	}
	local.Now = h.clock.now
	h.keys = local
	if _, err := local.Rotate(t.Context(), accessTokenKey, jose.ES256); err != nil {
		t.Fatal(err)
	}
	c := Config{
		Issuer: testIssuer, Keys: local, Partners: partners.NewStore(db.Hub, nil), Store: h.store,
		Count: h.count, Refuse: h.refuse, Log: slog.New(slog.NewTextHandler(&h.log, nil)), Now: h.clock.now,
		Rates: Rates{rate.Inf, rate.Inf, rate.Inf, rate.Inf, rate.Inf},
	}
	for _, f := range change {
		f(&c)
	}
	h.config = c
	h.router = h.assemble(c)
	return h
}

// assemble puts a hub together; the first one is h's own.
func (h *hub) assemble(c Config) http.Handler {
	h.t.Helper()
	server, err := New(c)
	if err != nil {
		h.t.Fatal(err)
	}
	guard, err := NewGuard(c)
	if err != nil {
		h.t.Fatal(err)
	}
	if h.server == nil {
		h.server, h.guard = server, guard
	}
	r := httpd.Router()
	r.Use(guard.Middleware)
	server.Mount(r)
	h.mountGuarded(r)
	return r
}

// mountGuarded adds routes that say who their caller is.
func (h *hub) mountGuarded(r *mux.Router) {
	r.PathPrefix("/v1/").Handler(httpd.Handle(func(w http.ResponseWriter, r *http.Request) error {
		c, ok := partners.CallerFrom(r.Context())
		if !ok {
			return partners.ErrUnauthenticated
		}
		var scopes []partners.Scope
		for _, s := range partners.Scopes() {
			if c.Has(s) {
				scopes = append(scopes, s)
			}
		}
		said := map[string]any{"partner": c.Partner(), "client": c.Client(), "scopes": scopes}
		if c.User() != "" {
			said["user"], said["role"] = c.User(), c.Role()
		}
		httpd.JSON(w, http.StatusOK, said)
		return nil
	}))
}

func (h *hub) count(reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[reason]++
}

func (h *hub) refuse(_ context.Context, e proof.Entry) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.noLog == nil {
		h.refused = append(h.refused, e)
	}
	return h.noLog
}

// nonce is what a proof must carry now.
func (h *hub) nonce() string {
	h.t.Helper()
	set, err := h.guard.nonces.set(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return set.newest
}

// exec changes the database as its owner.
func (h *hub) exec(sql string, args ...any) {
	h.t.Helper()
	if _, err := h.db.Owner.Exec(h.t.Context(), sql, args...); err != nil {
		h.t.Fatal(err)
	}
}

// number reads one number as the database's owner.
func (h *hub) number(sql string, args ...any) (n int) {
	h.t.Helper()
	if err := h.db.Owner.QueryRow(h.t.Context(), sql, args...).Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// agency is a partner that has enrolled, with its system's keys.
type agency struct {
	partner partners.ID
	client  string
	auth    jose.PrivateKey // authenticates at the token endpoint
	dpop    jose.PrivateKey // access tokens are bound to it
}

func (h *hub) enrol(id partners.ID) agency {
	h.t.Helper()
	ctx := h.t.Context()
	operator := partners.NewStore(h.db.Owner, nil)
	if err := operator.Add(ctx, partners.Partner{ID: id, Name: "An agency", Category: partners.Housing, Areas: []string{"E09000007"}}); err != nil {
		h.t.Fatal(err)
	}
	code, err := operator.Invite(ctx, id, time.Hour)
	if err != nil {
		h.t.Fatal(err)
	}
	a := agency{partner: id, auth: newKey(h.t, jose.ES256), dpop: newKey(h.t, jose.ES256)}
	signing := newKey(h.t, jose.EdDSA)
	sealing, err := jose.Generate(jose.ECDHESA256KW, jose.X25519)
	if err != nil {
		h.t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(code))
	e := partners.Enrolment{Hub: testIssuer, CodeDigest: base64.RawURLEncoding.EncodeToString(digest[:]), IssuedAt: time.Now().Unix()}
	e.Keys.Authentication, e.Keys.Signing, e.Keys.Encryption = a.auth.Public(), signing.Public(), sealing.Public()
	c, err := partners.NewStore(h.db.Hub, nil).Enrol(ctx, testIssuer, code, sign(h.t, partners.EnrolmentType, strictBytes(h.t, e), signing))
	if err != nil {
		h.t.Fatal(err)
	}
	a.client = c.ID
	return a
}

// ask is a request to an endpoint of the authorization server in the making.
type ask struct {
	path      string
	assertion claims
	typ       string
	key       jose.PrivateKey
	proof     claims
	dpop      jose.PrivateKey
	form      url.Values
	edit      func(*http.Request) // the finished request
}

// ask returns a token request of a with which all is right.
func (h *hub) ask(a agency) *ask {
	now := h.clock.now().Unix()
	return &ask{
		path:      tokenPath,
		assertion: claims{"iss": a.client, "sub": a.client, "aud": testIssuer, "jti": rand.Text(), "iat": now, "exp": now + 60},
		key:       a.auth,
		proof:     claims{"jti": rand.Text(), "htm": "POST", "htu": testIssuer + tokenPath, "iat": now, "nonce": h.nonce()},
		dpop:      a.dpop,
		form:      url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {assertionType}},
		edit:      func(*http.Request) {},
	}
}

func (k *ask) request(t testing.TB) *http.Request {
	t.Helper()
	if !k.form.Has("client_assertion") {
		k.form.Set("client_assertion", sign(t, k.typ, k.assertion.bytes(t), k.key))
	}
	r := httptest.NewRequest(http.MethodPost, testIssuer+k.path, strings.NewReader(k.form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if k.proof != nil {
		r.Header.Set("DPoP", signProof(t, k.dpop, k.proof.bytes(t)))
	}
	k.edit(r)
	return r
}

func (h *hub) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.router.ServeHTTP(w, r)
	return w
}

// tokenAnswer is what a token request gave, or why not.
type tokenAnswer struct {
	Token     string `json:"access_token"`
	Type      string `json:"token_type"`
	ExpiresIn int    `json:"expires_in"`
	Scope     string `json:"scope"`
	Refresh   string `json:"refresh_token"`
	Error     string `json:"error"`
	Hint      string `json:"error_description"`
}

func answerOf(t testing.TB, w *httptest.ResponseRecorder) (a tokenAnswer) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("status %d with %q: %v", w.Code, w.Body, err)
	}
	return a
}

// token returns an access token for a.
func (h *hub) token(a agency) string {
	h.t.Helper()
	w := h.do(h.ask(a).request(h.t))
	if w.Code != http.StatusOK {
		h.t.Fatalf("no token: %d %s\n%s", w.Code, w.Body, h.log.String())
	}
	return answerOf(h.t, w).Token
}

// call is a request to the API in the making.
type call struct {
	method, path string
	token        string
	proof        claims
	dpop         jose.PrivateKey
	edit         func(*http.Request)
}

// call returns a request of a with which all is right.
func (h *hub) call(a agency, token string) *call {
	return &call{
		method: http.MethodGet, path: guarded, token: token, dpop: a.dpop,
		proof: claims{"jti": rand.Text(), "htm": "GET", "htu": testIssuer + guarded, "iat": h.clock.now().Unix(), "ath": athOf(token), "nonce": h.nonce()},
		edit:  func(*http.Request) {},
	}
}

func (c *call) request(t testing.TB) *http.Request {
	t.Helper()
	r := httptest.NewRequest(c.method, testIssuer+c.path, nil)
	r.Header.Set("Authorization", "DPoP "+c.token)
	if c.proof != nil {
		r.Header.Set("DPoP", signProof(t, c.dpop, c.proof.bytes(t)))
	}
	c.edit(r)
	return r
}
