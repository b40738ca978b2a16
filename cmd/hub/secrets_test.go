package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"handover/client"
	"handover/client/profile"
	"handover/internal/hubtest"
)

// wire writes down every credential that passes between the hub and those who use it.
type wire struct {
	mu    sync.Mutex
	seen  map[string]string // what it is, by its text
	kinds map[string]bool
}

// secretNames are the members and parameters that hold one.
var secretNames = map[string]bool{
	"client_assertion": true, "code": true, "code_verifier": true, "refresh_token": true, "access_token": true, "token": true,
	"request_uri": true, "initial_access_token": true, "link": true,
}

// RoundTrip passes a request on.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.header(r.Header)
	for name, values := range r.URL.Query() {
		w.value(name, values[0])
	}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		w.body(body)
	}
	a, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	w.header(a.Header)
	for _, c := range a.Cookies() {
		w.value("the cookie "+c.Name, c.Value)
	}
	body, err := io.ReadAll(a.Body)
	if err != nil {
		return nil, err
	}
	a.Body = io.NopCloser(bytes.NewReader(body))
	w.body(body)
	return a, nil
}

func (w *wire) header(h http.Header) {
	_, token, _ := strings.Cut(h.Get("Authorization"), " ")
	w.value("an access token", token)
	w.value("a proof", h.Get("DPoP"))
	if u, err := url.Parse(h.Get("Location")); err == nil {
		for name, values := range u.Query() {
			w.value(name, values[0])
		}
	}
}

// body finds the secrets of a form or of a JSON object, unless that is a problem, whose code
// is none.
func (w *wire) body(b []byte) {
	var object map[string]any
	if json.Unmarshal(b, &object) == nil {
		for name, value := range object {
			if text, ok := value.(string); ok && object["title"] == nil && object["error"] == nil {
				w.value(name, text)
			}
		}
		return
	}
	if form, err := url.ParseQuery(string(b)); err == nil {
		for name, values := range form {
			w.value(name, values[0])
		}
	}
}

// value remembers a secret: of a link its code, of a pushed request's name what is random
// in it.
func (w *wire) value(name, text string) {
	if !secretNames[name] && !strings.Contains(name, " ") || text == "" {
		return
	}
	text = text[strings.LastIndexAny(text, "#:")+1:]
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[text], w.kinds[name] = name, true
}

// TestNoCredentialIsWrittenDown watches all that an administrator does, in her browser and
// through two systems of her agency, and looks for each credential that passed in the log,
// the metrics and every row: with a copy of them nobody gets in. People's names are where
// people are listed, and nowhere else.
func TestNoCredentialIsWrittenDown(t *testing.T) {
	t.Parallel()
	log := &lockedBuffer{}
	r := startHub(t, slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w := &wire{seen: map[string]string{}, kinds: map[string]bool{}}
	r.administer(t, w)

	for kind := range secretNames {
		if !w.kinds[kind] {
			t.Errorf("no %s has passed: the test sees too little", kind)
		}
	}
	for _, kind := range []string{"an access token", "a proof", "the cookie __Host-session", "the cookie __Host-ceremony"} {
		if !w.kinds[kind] {
			t.Errorf("%s has not passed: the test sees too little", kind)
		}
	}
	for way, text := range r.waysOut(t, log, "/oauth/token") {
		for secret, kind := range w.seen {
			raw, _ := base64.RawURLEncoding.DecodeString(secret) // as a column of bytes shows it
			if strings.Contains(text, secret) || strings.Contains(text, hex.EncodeToString([]byte(secret))) || len(raw) > 0 && strings.Contains(text, hex.EncodeToString(raw)) {
				t.Errorf("%s (%s) is in %s", kind, secret, way)
			}
		}
		if strings.Contains(text, herName) != (way == "the table public.partner_user") {
			t.Errorf("a colleague's name in %s: %v", way, strings.Contains(text, herName))
		}
	}
}

// administer is an administrator's work: she joins, signs in, lets a system act for her,
// adds a colleague, gives a second system leave, and signs out.
func (r running) administer(t *testing.T, w *wire) {
	t.Helper()
	ctx := t.Context()
	r.operator(t, "partner", "add", "canary-agency", "--name", "Sample agency", "--category", "housing", "--area", "E09000007")
	options := profile.Options{HTTP: &http.Client{Transport: w, Timeout: time.Minute}}
	own, err := profile.Create(ctx, t.TempDir(), options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.Enrol(ctx, r.Issuer, r.operator(t, "invite", "canary-agency")); err != nil {
		t.Fatal(err)
	}
	link := codeOf(r.operator(t, "user", "add", "canary-agency", "--name", "Ada Example", "--role", "administrator"))
	w.value("link", link)
	her := hubtest.NewBrowser(r.Issuer, overHTTP(t, w))
	if joined, in := her.Join(t, link), her.SignIn(t); joined.Status != http.StatusOK || in.Status != http.StatusOK {
		t.Fatalf("she cannot sign in: %s, %s", joined.Body, in.Body)
	}

	system, err := own.Client()
	if err != nil {
		t.Fatal(err)
	}
	begun, err := system.BeginSignIn(ctx, "http://127.0.0.1:4711/callback", "partner:admin", "referrals:send")
	if err != nil {
		t.Fatal(err)
	}
	asked, err := url.Parse(begun.Address())
	if err != nil {
		t.Fatal(err)
	}
	if page := her.Get(t, asked.RequestURI()); page.Status != http.StatusOK {
		t.Fatalf("the permission page: %d %s", page.Status, page.Body)
	}
	said := her.Form(t, "/oauth/authorize", url.Values{"client_id": asked.Query()["client_id"], "request_uri": asked.Query()["request_uri"], "answer": {"allow"}})
	back, err := url.Parse(said.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	session, err := begun.Finish(ctx, back.Query())
	if err == nil {
		err = own.KeepSession(ctx, session)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.colleague(t, own, options)
	if _, err := begun.Finish(ctx, back.Query()); err == nil {
		t.Fatal("a code counts twice")
	}
	if _, err := system.BeginSignIn(ctx, "http://127.0.0.1:4711/callback", "partner:admin"); err != nil { // and left so
		t.Fatal(err)
	}
}

// colleague adds one by the session that a profile keeps, and a second system.
func (r running) colleague(t *testing.T, own *profile.Profile, options profile.Options) {
	t.Helper()
	ctx := t.Context()
	administrator, err := own.PersonClient(ctx)
	if err != nil {
		t.Fatal(err)
	}
	added, err := administrator.AddPerson(ctx, herName, "caseworker")
	if err != nil {
		t.Fatal(err)
	}
	if people, err := administrator.People(ctx); err != nil || len(people) != 2 || added.Link == "" {
		t.Fatalf("%v %v", people, err)
	}
	leave, err := administrator.InviteClient(ctx)
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := profile.Register(ctx, t.TempDir(), options, client.Registering{Hub: r.Issuer, Token: leave.Token, Name: "Night rota",
		Scopes: []string{"referrals:send"}, Grants: []string{"client_credentials"}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := second.Client()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Services(ctx, "housing", "E09000007"); err != nil {
		t.Fatal(err)
	}
	if err := administrator.SignOut(ctx); err != nil {
		t.Fatal(err)
	}
}
