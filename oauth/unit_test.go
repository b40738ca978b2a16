package oauth

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ory/fosite"

	"handover/keys"
	"handover/keys/jose"
	"handover/partners"
)

// clock is a time that tests set.
type clock struct{ t time.Time }

func (c *clock) now() time.Time           { return c.t }
func (c *clock) advance(d time.Duration)  { c.t = c.t.Add(d) }
func fixedClock() *clock                  { return &clock{testTime} }
func (c *clock) in(d time.Duration) int64 { return c.t.Add(d).Unix() }

// memoryKeys is a key store of keys in memory that a test can take away.
type memoryKeys struct {
	keys.Store
	held  []jose.PrivateKey // newest first
	asked int
	err   error
}

func (m *memoryKeys) Public(context.Context, string) ([]jose.PublicKey, error) {
	m.asked++
	if m.err != nil {
		return nil, m.err
	}
	if len(m.held) == 0 {
		return nil, keys.ErrUnknownKey
	}
	var public []jose.PublicKey
	for _, k := range m.held {
		public = append(public, k.Public())
	}
	return public, nil
}

func (m *memoryKeys) Sign(_ context.Context, _, kid string, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	for _, k := range m.held {
		if k.KeyID() == kid {
			return k.Signer().Key.Sign(nil, digest, opts)
		}
	}
	return nil, keys.ErrUnknownKey
}

// Wrap hides nothing: the tests that use this store are of signing keys.
func (m *memoryKeys) Wrap(_ context.Context, plaintext, _ []byte) (string, error) {
	return hex.EncodeToString(plaintext), nil
}

func (m *memoryKeys) Unwrap(_ context.Context, blob string, _ []byte) ([]byte, error) {
	return []byte(blob), nil
}

func TestAnAssertionIsJudgedByItsClaims(t *testing.T) {
	t.Parallel()
	const id = "camden-outreach.abcde"
	c := fixedClock()
	good := claims{"iss": id, "sub": id, "aud": testIssuer, "jti": "a", "iat": c.in(0), "exp": c.in(time.Minute)}
	for _, tt := range []struct {
		name   string
		claims claims
		want   string
	}{
		{"all right", good, ""},
		{"nbf now", good.but("nbf", c.in(0)), ""},
		{"the longest life", good.but("exp", c.in(5*time.Minute)), ""},
		{"10 seconds ahead", good.but("iat", c.in(10*time.Second)).but("nbf", c.in(10*time.Second)), ""},
		{"just expired by a slow clock", good.but("iat", c.in(-2*time.Minute)).but("exp", c.in(-59*time.Second)), ""},
		{"a claim that nobody knows", good.but("foo", "bar"), ""},

		{"other issuer", good.but("iss", "other"), "client-assertion-issuer"},
		{"no issuer", good.but("iss", nil), "client-assertion-issuer"},
		{"other subject", good.but("sub", "other"), "client-assertion-issuer"},
		{"other audience", good.but("aud", "https://other.example"), "client-assertion-audience"},
		{"the token endpoint as audience", good.but("aud", testIssuer+tokenPath), "client-assertion-audience"},
		{"issuer with a slash", good.but("aud", testIssuer+"/"), "client-assertion-audience"},
		{"audience as a list", good.but("aud", []string{testIssuer}), "client-assertion-audience"},
		{"audience among others", good.but("aud", []string{testIssuer, "https://other.example"}), "client-assertion-audience"},
		{"no audience", good.but("aud", nil), "client-assertion-audience"},
		{"no iat", good.but("iat", nil), "client-assertion-time"},
		{"no exp", good.but("exp", nil), "client-assertion-time"},
		{"11 seconds ahead", good.but("iat", c.in(11*time.Second)), "client-assertion-time"},
		{"nbf 11 seconds ahead", good.but("nbf", c.in(11*time.Second)), "client-assertion-time"},
		{"expired", good.but("iat", c.in(-2*time.Minute)).but("exp", c.in(-60*time.Second)), "client-assertion-time"},
		{"lives 5 minutes and a second", good.but("exp", c.in(5*time.Minute+time.Second)), "client-assertion-time"},
		{"lives ten years", good.but("exp", c.in(10*365*24*time.Hour)), "client-assertion-time"},
		{"no jti", good.but("jti", nil), "client-assertion-id"},
		{"endless jti", good.but("jti", strings.Repeat("x", maxName+1)), "client-assertion-id"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var a assertionClaims
			if err := readClaims(tt.claims.bytes(t), &a); err != nil {
				t.Fatal(err)
			}
			got := ""
			if refused, ok := errors.AsType[*refusal](a.check(testIssuer, id, testTime)); ok {
				got = refused.reason
				if refused.code != invalidClient || refused.status != http.StatusUnauthorized {
					t.Errorf("refused as %s, %d", refused.code, refused.status)
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestReadClaimsHasOneReading(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		`{"sub":"a","sub":"b"}`, `{"sub":"a"}{"sub":"b"}`, `{"sub":"a"} x`, `{"sub":1}`, `{"exp":"1773480413"}`,
		`{"exp":0}`, `{"exp":-1}`, `{"exp":1e300}`, `{"exp":null}`, `{"exp":true}`, `{"sub":"` + "\xff" + `"}`, `[]`, ``, `{`,
	} {
		var c assertionClaims
		if readClaims([]byte(in), &c) == nil {
			t.Errorf("%q was read as %+v", in, c)
		}
	}
	var c assertionClaims
	if err := readClaims([]byte(`{"SUB":"a","Exp":5}`), &c); err != nil || c.Subject != "" || !c.Expires.IsZero() {
		t.Errorf("names in other case were taken: %+v, %v", c, err)
	}
}

func TestGrantedIsAskedAndHeldByExactName(t *testing.T) {
	t.Parallel()
	held := []partners.Scope{"referrals:send", "audit:read"}
	for _, tt := range []struct {
		asked []string
		want  []partners.Scope
	}{
		{nil, []partners.Scope{"referrals:send", "audit:read"}},
		{[]string{"audit:read"}, []partners.Scope{"audit:read"}},
		{[]string{"audit:read", "hub:admin"}, []partners.Scope{"audit:read"}},
		{[]string{"AUDIT:READ"}, []partners.Scope{}},
		{[]string{"referrals:*"}, []partners.Scope{}},
		{[]string{"*"}, []partners.Scope{}},
	} {
		if diff := cmp.Diff(tt.want, granted(held, tt.asked)); diff != "" {
			t.Errorf("granted(%v):\n%s", tt.asked, diff)
		}
	}
}

// TestFositeKeepsToOurRules looks at what fosite is told rather than at what comes
// out: with these scopes and clients its defaults would often give the same answer.
func TestFositeKeepsToOurRules(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := &Handler{issuer: testIssuer, tokens: &accessTokens{}, now: fixedClock().now}
	config := h.newProvider().(*fosite.Fosite).Config
	if config.GetScopeStrategy(ctx)([]string{"referrals.*"}, "referrals.send") {
		t.Error("a wildcard grants a scope")
	}
	if config.GetScopeStrategy(ctx)([]string{"referrals"}, "referrals.send") {
		t.Error("a scope grants those below it")
	}
	if config.GetAudienceStrategy(ctx)([]string{testIssuer}, []string{testIssuer + "/v1"}) == nil {
		t.Error("an audience allows those below it")
	}
	if config.GetClientAuthenticationStrategy(ctx) == nil {
		t.Error("fosite authenticates clients by its own rules")
	}
	handlers := config.GetTokenEndpointHandlers(ctx)
	if len(handlers) != 4 {
		t.Fatalf("%d handlers serve the token endpoint", len(handlers))
	}
	if _, last := handlers[3].(*senderConstraint); !last {
		t.Error("the sender constraint is not the last handler")
	}
	if life := config.GetAccessTokenLifespan(ctx); life > 10*time.Minute {
		t.Errorf("an access token lives %v", life)
	}
	takes := func(grant fosite.Arguments) (n int) {
		for _, handler := range handlers {
			if handler.CanHandleTokenEndpointRequest(ctx, &fosite.AccessRequest{GrantTypes: grant}) {
				n++
			}
		}
		return n
	}
	for _, grant := range []fosite.Arguments{{"password"}, {"implicit"}, {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		{"authorization_code", "refresh_token"}, {"client_credentials", "password"}, {"CLIENT_CREDENTIALS"}, {}} {
		if n := takes(grant); n != 0 {
			t.Errorf("%d handlers take the grant %q", n, grant)
		}
	}
	for _, grant := range grants() {
		if n := takes(fosite.Arguments{grant}); n != 2 {
			t.Errorf("%d handlers take the grant %s, want its own and the sender constraint", n, grant)
		}
	}
}

func TestFositesOwnClientAuthenticationRefuses(t *testing.T) {
	t.Parallel()
	var s storage
	if _, err := s.GetClient(t.Context(), "a"); err == nil {
		t.Error("fosite finds a client")
	}
	if s.ClientAssertionJWTValid(t.Context(), "a") == nil || s.SetClientAssertionJWT(t.Context(), "a", testTime) == nil {
		t.Error("fosite keeps a jti")
	}
	if _, err := s.GetAccessTokenSession(t.Context(), "a", &session{}); err == nil {
		t.Error("fosite finds a session")
	}
}

func TestACopiedSessionStaysBound(t *testing.T) {
	t.Parallel()
	s := &session{client: "c", partner: "p", key: "k", thumbprint: "t", issued: testTime, expires: testTime.Add(tokenLife)}
	c, ok := s.Clone().(*session)
	if !ok || *c != *s || c == s {
		t.Errorf("the clone is %+v", c)
	}
}

func TestTheKeyringFollowsTheKeyStore(t *testing.T) {
	t.Parallel()
	old, fresh := newKey(t, jose.ES256), newKey(t, jose.ES256)
	store := &memoryKeys{held: []jose.PrivateKey{old}}
	c := fixedClock()
	ring := &keyring{store: store, now: c.now}
	has := func(k jose.PrivateKey) bool {
		t.Helper()
		_, ok, err := ring.find(t.Context(), k.KeyID())
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if !has(old) || has(fresh) {
		t.Fatal("the ring does not hold what the store holds")
	}
	store.held = []jose.PrivateKey{fresh, old}
	asked := store.asked
	if has(fresh) || store.asked != asked {
		t.Error("a stranger's kid makes the ring ask again at once")
	}
	c.advance(keyringPause)
	if !has(fresh) || !has(old) {
		t.Error("a rotation is not seen after a pause")
	}
	store.held = []jose.PrivateKey{fresh}
	c.advance(keyringLife)
	if has(old) {
		t.Error("a key that was dropped still counts")
	}
}

// A key signs only when every hub's ring has had the time to see it: else the first tokens
// after a rotation would be refused elsewhere.
func TestANewKeyIsPublishedBeforeItSigns(t *testing.T) {
	t.Parallel()
	old, fresh := newKey(t, jose.ES256), newKey(t, jose.ES256)
	store := &memoryKeys{held: []jose.PrivateKey{old}}
	c := fixedClock()
	here, there := &keyring{store: store, now: c.now}, &keyring{store: store, now: c.now}
	signs := func(want jose.PrivateKey, when string) {
		t.Helper()
		key, err := here.signing(t.Context())
		if err != nil || key.KeyID() != want.KeyID() {
			t.Errorf("%s it signs with another key: %v", when, err)
		}
		if _, ok, err := there.find(t.Context(), key.KeyID()); !ok || err != nil {
			t.Errorf("%s another hub refuses its key: %v", when, err)
		}
	}
	signs(old, "before the rotation")
	c.advance(keyringLife - keyringPause/2) // both rings are read anew in a moment, at different times
	_, _ = there.younger(t.Context(), 0)
	store.held = []jose.PrivateKey{fresh, old}
	c.advance(keyringPause / 2)
	signs(old, "when it sees the new key")
	c.advance(published - time.Millisecond)
	signs(old, "until the new key is published")
	c.advance(time.Millisecond)
	signs(fresh, "then")
}

// A key that was dropped before its time signs nothing more, though the ring has it still.
func TestTokensAreSignedOnWhenAKeyIsDropped(t *testing.T) {
	t.Parallel()
	old, fresh := newKey(t, jose.ES256), newKey(t, jose.ES256)
	store := &memoryKeys{held: []jose.PrivateKey{old}}
	c := fixedClock()
	tokens := &accessTokens{issuer: testIssuer, keys: store, now: c.now, ring: &keyring{store: store, now: c.now}}
	bound := session{client: "c", partner: "p", key: "k", thumbprint: "t", issued: testTime, expires: testTime.Add(tokenLife)}
	for _, want := range []jose.PrivateKey{old, fresh} {
		store.held = []jose.PrivateKey{want}
		token, _, err := tokens.GenerateAccessToken(t.Context(), &fosite.AccessRequest{Request: fosite.Request{Session: &bound}})
		if err != nil {
			t.Fatal(err)
		}
		if signed, err := jose.ParseSigned(token, maxToken, accessType); err != nil || signed.KeyID() != want.KeyID() {
			t.Errorf("signed by another key: %v", err)
		}
	}
}

func TestTheTokenCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := newTokenCache()
	c.size = 8
	digest := func(i int) [32]byte { return sha256.Sum256(fmt.Append(nil, i)) }
	for i := range 100 {
		c.put(digest(i), access{client: fmt.Sprint(i), expires: testTime.Add(time.Minute)}, testTime)
		if len(c.held) > c.size {
			t.Fatalf("%d tokens are held", len(c.held))
		}
		if got, ok := c.get(digest(i)); !ok || got.client != fmt.Sprint(i) {
			t.Fatalf("token %d was not kept", i)
		}
	}
	c.drop(digest(99))
	if _, ok := c.get(digest(99)); ok {
		t.Error("a dropped token is found")
	}
}

func TestTheIssuerIsSchemeAndHost(t *testing.T) {
	t.Parallel()
	for _, issuer := range []string{"", "hub.example", "https://", "https://hub.example/", "https://hub.example/x", "https://hub.example?a=b", "ftp://hub.example", "https://me@hub.example"} {
		if _, err := (Config{Issuer: issuer}).defaulted(); err == nil || !strings.Contains(err.Error(), "issuer") {
			t.Errorf("%q: %v", issuer, err)
		}
	}
}

func TestChallengesAreWellFormed(t *testing.T) {
	t.Parallel()
	for _, f := range []*refusal{errProofCount, errProofForm, errProofSign, errProofHTM, errProofHTU, errProofTime, errProofToken, errProofAgain, errScheme, errBinding, errExpired} {
		// RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E
		if strings.ContainsFunc(f.hint, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' || r == '\\' }) {
			t.Errorf("%s: the hint does not fit a quoted string", f.reason)
		}
		if c := f.challenge(); !strings.HasPrefix(c, `DPoP error="`+f.code+`"`) || !strings.HasSuffix(c, `algs="ES256 EdDSA PS256"`) {
			t.Errorf("challenge %s", c)
		}
	}
}
