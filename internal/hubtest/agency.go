package hubtest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys"
	"handover/keys/jose"
	"handover/partners"
)

// Area is the area that every agency serves.
const Area = "E09000007"

// Agency is a partner that takes part, with the private keys of its system.
type Agency struct {
	ID       partners.ID
	Category partners.Category
	Client   string // its client id
	Auth     jose.PrivateKey
	DPoP     jose.PrivateKey
	Signing  jose.PrivateKey
	Sealing  jose.PrivateKey

	hub    *Hub
	mu     sync.Mutex
	tokens map[string]string // by their scopes
}

// At is the same agency as it calls another hub.
func (a *Agency) At(h *Hub) *Agency {
	return &Agency{ID: a.ID, Category: a.Category, Client: a.Client, Auth: a.Auth, DPoP: a.DPoP,
		Signing: a.Signing, Sealing: a.Sealing, hub: h, tokens: map[string]string{}}
}

// Key makes a key, or ends the test.
func Key(t testing.TB, use partners.Use) jose.PrivateKey {
	t.Helper()
	alg, curve := jose.ES256, jose.P256
	if use == partners.Encryption {
		alg, curve = jose.ECDHESA256KW, jose.X25519
	}
	k, err := jose.Generate(alg, curve)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Invited registers a partner and invites it; it has no keys yet.
func (h *Hub) Invited(t testing.TB, id partners.ID, c partners.Category) (a *Agency, code string) {
	t.Helper()
	p := partners.Partner{ID: id, Name: "Agency " + string(id), Category: c, Areas: []string{Area}}
	if err := h.Operator.Add(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	code, err := h.Operator.Invite(t.Context(), id, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	a = &Agency{ID: id, Category: c, hub: h}
	a.newKeys(t)
	return a, code
}

// Agency registers a partner and enrols its system.
func (h *Hub) Agency(t testing.TB, id partners.ID, c partners.Category) *Agency {
	t.Helper()
	a, code := h.Invited(t, id, c)
	a.Enrol(t, code)
	return a
}

// Enrol redeems the code for the agency's system.
func (a *Agency) Enrol(t testing.TB, code string) {
	t.Helper()
	client, err := a.hub.Registry.Enrol(t.Context(), a.hub.issuer, code, a.Statement(t, code))
	if err != nil {
		t.Fatal(err)
	}
	a.Client = client.ID
}

// Renew replaces the agency's system by a second one, with new keys. What the first
// had enrolled stays enrolled.
func (a *Agency) Renew(t testing.TB) {
	t.Helper()
	code, err := a.hub.Operator.Invite(t.Context(), a.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	a.newKeys(t)
	a.Enrol(t, code)
}

func (a *Agency) newKeys(t testing.TB) {
	t.Helper()
	a.Auth, a.DPoP = Key(t, partners.Authentication), Key(t, partners.Authentication)
	a.Signing, a.Sealing = Key(t, partners.Signing), Key(t, partners.Encryption)
	a.tokens = map[string]string{}
}

// Enrolment is what the agency's system states of itself for the code.
func (a *Agency) Enrolment(code string) partners.Enrolment {
	digest := sha256.Sum256([]byte(code))
	e := partners.Enrolment{Hub: a.hub.issuer, CodeDigest: base64.RawURLEncoding.EncodeToString(digest[:]), IssuedAt: a.hub.Now().Unix()}
	e.Keys.Authentication, e.Keys.Signing, e.Keys.Encryption = a.Auth.Public(), a.Signing.Public(), a.Sealing.Public()
	return e
}

// Statement is the signed enrolment statement for the code, after change.
func (a *Agency) Statement(t testing.TB, code string, change ...func(*partners.Enrolment)) string {
	t.Helper()
	e := a.Enrolment(code)
	for _, f := range change {
		f(&e)
	}
	return SignAs(t, partners.EnrolmentType, e, a.Signing.Signer())
}

// SignAs signs claims, whatever they are, as a compact JWS of typ.
func SignAs(t testing.TB, typ string, claims any, key jose.SigningKey) string {
	t.Helper()
	token, err := jose.Sign(typ, must(strict.Marshal(claims)), key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Possession is what the new signing key of a rotation signs.
func Possession(t testing.TB, r partners.Rotation, key jose.PrivateKey) string {
	t.Helper()
	return SignAs(t, partners.PossessionType, partners.Possession{Hub: r.Hub, Partner: r.Partner, Key: r.Key.KeyID()}, key.Signer())
}

// Caller is the agency as the stores see it, with the scopes or else all that its
// system has.
func (a *Agency) Caller(t testing.TB, scopes ...partners.Scope) partners.Caller {
	t.Helper()
	if len(scopes) == 0 {
		scopes = partners.SystemScopes()
	}
	callers, err := a.hub.Registry.Admit(t.Context(), []partners.Bearer{{Client: a.Client, Granted: scopes}}, nil)
	if err != nil || callers[0] == nil {
		t.Fatal(err, callers)
	}
	return *callers[0]
}

// Token gets an access token from the token endpoint, with the scopes or else all
// that the system has. The same token is given again the next time.
func (a *Agency) Token(t testing.TB, scopes ...partners.Scope) string {
	t.Helper()
	var asked []string
	for _, s := range scopes {
		asked = append(asked, string(s))
	}
	scope := strings.Join(asked, " ")
	a.mu.Lock()
	defer a.mu.Unlock()
	if held := a.tokens[scope]; held != "" {
		return held
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if scope != "" {
		form.Set("scope", scope)
	}
	answer := a.post(t, "/oauth/token", form)
	var held struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(answer.Body, &held); err != nil || held.Token == "" {
		t.Fatalf("no token for %s: %d %s", a.ID, answer.Status, answer.Body)
	}
	a.tokens[scope] = held.Token
	return held.Token
}

// Push pushes an authorization request (RFC 9126) with which all is right but for what
// form says, and returns its request_uri and the verifier of its challenge.
func (a *Agency) Push(t testing.TB, form url.Values) (requestURI, verifier string) {
	t.Helper()
	verifier = rand.Text() + rand.Text()
	asked := url.Values{"response_type": {"code"}, "redirect_uri": {partners.LoopbackRedirect}, "code_challenge": {ids.Digest(verifier)},
		"code_challenge_method": {"S256"}}
	maps.Copy(asked, form)
	var pushed struct {
		URI string `json:"request_uri"`
	}
	a.post(t, "/oauth/par", asked).Into(t, http.StatusCreated, &pushed)
	return pushed.URI, verifier
}

// post sends a form to the authorization server, with the system's private_key_jwt and a
// DPoP proof, anew with each nonce.
func (a *Agency) post(t testing.TB, path string, form url.Values) Answer {
	t.Helper()
	return a.hub.withNonce(func() *http.Request {
		now := a.hub.Now().Unix()
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", SignAs(t, "JWT", map[string]any{"iss": a.Client, "sub": a.Client, "aud": a.hub.issuer,
			"jti": rand.Text(), "iat": now, "exp": now + 60}, a.Auth.Signer()))
		r := httptest.NewRequest(http.MethodPost, a.hub.issuer+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		a.prove(r, "")
		return r
	})
}

func (a *Agency) prove(r *http.Request, token string) { a.hub.Prove(r, token, a.DPoP) }

// Prove adds the DPoP proof of a request by the key (RFC 9449 §4.2). token "" is for the
// authorization server.
func (h *Hub) Prove(r *http.Request, token string, key jose.PrivateKey) {
	claims := map[string]any{"jti": rand.Text(), "htm": r.Method, "htu": h.issuer + r.URL.EscapedPath(), "iat": h.Now().Unix(), "nonce": *h.nonce.Load()}
	if token != "" {
		ath := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(ath[:])
	}
	r.Header.Set("DPoP", must(jose.SignProof(must(strict.Marshal(claims)), key)))
}

// Resign is the token with one claim changed, signed by the hub's own key: nothing but
// the claim is wrong with it.
func (h *Hub) Resign(t testing.TB, token, claim string, value any) string {
	t.Helper()
	signed, err := jose.ParseSigned(token, 4<<10, "at+jwt")
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(signed.UnverifiedPayload(), &claims); err != nil {
		t.Fatal(err)
	}
	claims[claim] = value
	key, err := keys.Signer(t.Context(), h.keys, accessTokenKey)
	if err != nil {
		t.Fatal(err)
	}
	return SignAs(t, "at+jwt", claims, key)
}

// Revoke gives a token of the agency's system back.
func (a *Agency) Revoke(t testing.TB, token string) {
	t.Helper()
	if answer := a.post(t, "/oauth/revoke", url.Values{"token": {token}}); answer.Status != http.StatusOK {
		t.Fatalf("revoking: %d %s", answer.Status, answer.Body)
	}
}

// Call is one request of an agency.
type Call struct {
	Method, Path string
	Type         string // Content-Type of the body
	Body         []byte
	Scopes       []partners.Scope // of the token; none: all that the system has
}

// Do makes the call with a token and a fresh proof. It may be used by many goroutines.
func (a *Agency) Do(t testing.TB, c Call) Answer {
	t.Helper()
	return a.call(t, c, a.Token(t, c.Scopes...))
}

// call makes the call with a token, if there is one, and a fresh proof.
func (a *Agency) call(t testing.TB, c Call, token string) Answer {
	t.Helper()
	return a.hub.withNonce(func() *http.Request {
		r := httptest.NewRequest(c.Method, a.hub.issuer+c.Path, bytes.NewReader(c.Body)).WithContext(t.Context())
		if c.Type != "" {
			r.Header.Set("Content-Type", c.Type)
		}
		if token != "" {
			r.Header.Set("Authorization", "DPoP "+token)
			a.prove(r, token)
		}
		return r
	})
}

// Get reads an address as the agency.
func (a *Agency) Get(t testing.TB, path string) Answer {
	t.Helper()
	return a.Do(t, Call{Method: http.MethodGet, Path: path})
}

// Answer is what the hub answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Problem is an RFC 9457 problem, with the members that a test may ask for.
type Problem struct {
	Type     string         `json:"type"`
	Title    string         `json:"title"`
	Status   int            `json:"status"`
	Instance string         `json:"instance"`
	Code     string         `json:"code"`
	Party    string         `json:"party"`
	Retry    bool           `json:"retry"`
	Section  string         `json:"section"`
	Member   string         `json:"member"`
	Detail   string         `json:"detail"`
	Claim    string         `json:"claim"`
	Key      string         `json:"key"`
	JWK      jose.PublicKey `json:"jwk"`
	Head     string         `json:"head"`
	State    string         `json:"state"`
	Scope    string         `json:"scope"`
}

// Problem reads the answer as a problem; it is empty when it is none.
func (a Answer) Problem() (p Problem) {
	_ = json.Unmarshal(a.Body, &p) // no problem has no code
	return p
}

// Into reads the answer, which must have the status, into v.
func (a Answer) Into(t testing.TB, status int, v any) {
	t.Helper()
	if a.Status != status {
		t.Fatalf("answered %d, want %d: %s", a.Status, status, a.Body)
	}
	if err := json.Unmarshal(a.Body, v); err != nil {
		t.Fatalf("answered %s: %v", a.Body, err)
	}
}

// must is for what cannot fail with the values it is given here.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
