package oauth

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/audit/proof"
	"handover/keys/jose"
	"handover/partners"
)

func TestAnAdmittedCallerIsTheTokensPartner(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	token := h.token(a)
	for range 2 { // the second time from the cache
		w := h.do(h.call(a, token).request(t))
		want := `{"client":"` + a.client + `","partner":"camden-outreach","scopes":["referrals:send","referrals:receive","consents:write","services:write","audit:read"]}`
		if w.Code != http.StatusOK || w.Body.String() != want {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if c := w.Header().Get("WWW-Authenticate"); c != "" {
			t.Errorf("an admitted caller is challenged: %s", c)
		}
	}
	if len(h.counts) != 0 || len(h.refused) != 0 {
		t.Errorf("counted %v, logged %v", h.counts, h.refused)
	}
}

func TestACallersScopesAreTheTokensAndStillHeld(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	k := h.ask(a)
	k.form.Set("scope", "audit:read referrals:send")
	token := answerOf(t, h.do(k.request(t))).Token
	scopes := func() string {
		t.Helper()
		w := h.do(h.call(a, token).request(t))
		_, after, _ := strings.Cut(w.Body.String(), `"scopes":`)
		return after
	}
	if got := scopes(); got != `["referrals:send","audit:read"]}` {
		t.Errorf("asked for two scopes, has %s", got)
	}
	h.exec(`UPDATE partner_client SET scopes = '{audit:read}' WHERE id = $1`, a.client)
	if got := scopes(); got != `["audit:read"]}` {
		t.Errorf("one was taken away, has %s", got)
	}
}

// TestEveryWayToCheatTheGuard is a row for each. All end in 401 without a caller, and
// the first part of the challenge tells the developer which of the two was wrong.
func TestEveryWayToCheatTheGuard(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, b := h.enrol("camden-outreach"), h.enrol("hackney-housing")
	token, theirs := h.token(a), h.token(b)
	used := h.call(a, token)
	if w := h.do(used.request(t)); w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	public, err := h.keys.Public(t.Context(), accessTokenKey)
	if err != nil {
		t.Fatal(err)
	}
	forger := renamed(t, newKey(t, jose.ES256), public[0].KeyID())
	signed, err := jose.ParseSigned(token, maxToken, accessType)
	if err != nil {
		t.Fatal(err)
	}
	forged := sign(t, accessType, signed.UnverifiedPayload(), forger)

	const badToken, badProof = `DPoP error="invalid_token"`, `DPoP error="invalid_dpop_proof"`
	for _, tt := range []struct {
		name      string
		change    func(*call)
		challenge string
		reason    string
	}{
		{"as a bearer token", func(c *call) { c.edit = header("Authorization", "Bearer "+token) }, badToken, "token-scheme"},
		{"as a bearer token without proof", func(c *call) { c.proof = nil; c.edit = header("Authorization", "Bearer "+token) }, badToken, "token-scheme"},
		{"by password", func(c *call) { c.edit = func(r *http.Request) { r.SetBasicAuth("a", "b") } }, badToken, "token-scheme"},
		{"two Authorization headers", func(c *call) { c.edit = header("Authorization", "DPoP "+token, "DPoP "+token) }, badToken, "token-count"},
		{"no token", func(c *call) { c.edit = header("Authorization", "DPoP") }, badToken, "token-form"},
		{"two spaces", func(c *call) { c.edit = header("Authorization", "DPoP  "+token) }, badToken, "token-form"},
		{"an endless token", func(c *call) { c.edit = header("Authorization", "DPoP "+strings.Repeat("a", maxToken+1)) }, badToken, "token-form"},
		{"her assertion as token", func(c *call) {
			c.edit = header("Authorization", "DPoP "+sign(t, "JWT", h.ask(a).assertion.bytes(t), a.auth))
		}, badToken, "token-form"},
		{"a token of her own making", func(c *call) {
			c.edit = header("Authorization", "DPoP "+sign(t, accessType, signed.UnverifiedPayload(), a.auth))
		}, badToken, "token-key"},
		{"a forged token under the hub's kid", func(c *call) { c.edit = header("Authorization", "DPoP "+forged) }, badToken, "token-signature"},
		{"another partner's token with its ath", func(c *call) {
			c.token, c.proof = theirs, c.proof.but("ath", athOf(theirs))
		}, badToken, "token-binding"},
		{"her token with a thief's key", func(c *call) { c.dpop = newKey(t, jose.ES256) }, badToken, "token-binding"},

		{"no proof", func(c *call) { c.proof = nil }, badProof, "proof-count"},
		{"two proofs", func(c *call) { c.edit = func(r *http.Request) { r.Header.Add("DPoP", r.Header.Get("DPoP")) } }, badProof, "proof-count"},
		{"a token as proof", func(c *call) { c.edit = header("DPoP", token) }, badProof, "proof-form"},
		{"proof for another path", func(c *call) { c.proof = c.proof.but("htu", testIssuer+"/v1/consents") }, badProof, "proof-uri"},
		{"path other than the proof's", func(c *call) { c.path = "/v1/consents" }, badProof, "proof-uri"},
		{"proof for another host", func(c *call) { c.proof = c.proof.but("htu", "https://evil.example"+guarded) }, badProof, "proof-uri"},
		{"proof for the host that the request names", func(c *call) {
			c.proof = c.proof.but("htu", "https://evil.example"+guarded)
			c.edit = func(r *http.Request) { r.Host = "evil.example"; r.Header.Set("X-Forwarded-Host", "evil.example") }
		}, badProof, "proof-uri"},
		{"proof for another method", func(c *call) { c.method = http.MethodPost }, badProof, "proof-method"},
		{"proof without ath", func(c *call) { c.proof = c.proof.but("ath", nil) }, badProof, "proof-token"},
		{"proof made at the token endpoint", func(c *call) {
			c.proof = c.proof.but("ath", nil).but("htm", "POST").but("htu", testIssuer+tokenPath)
		}, badProof, "proof-method"},
		{"proof for another token", func(c *call) { c.proof = c.proof.but("ath", athOf(theirs)) }, badProof, "proof-token"},
		{"old proof", func(c *call) { c.proof = c.proof.but("iat", h.clock.in(-61*time.Second)) }, badProof, "proof-time"},
		{"proof from the future", func(c *call) { c.proof = c.proof.but("iat", h.clock.in(11*time.Second)) }, badProof, "proof-time"},
		{"replayed proof", func(c *call) { c.proof = used.proof }, badProof, "proof-used"},
		{"used jti at another time", func(c *call) { c.proof = used.proof.but("iat", h.clock.in(-time.Second)) }, badProof, "proof-used"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h.counts, h.refused = map[string]int{}, nil
			c := h.call(a, token)
			tt.change(c)
			w := h.do(c.request(t))
			challenge := w.Header().Get("WWW-Authenticate")
			if w.Code != http.StatusUnauthorized || !strings.HasPrefix(challenge, tt.challenge) || !strings.HasSuffix(challenge, `algs="ES256 EdDSA PS256"`) {
				t.Errorf("got %d, challenge %s", w.Code, challenge)
			}
			if diff := cmp.Diff(map[string]int{tt.reason: 1}, h.counts); diff != "" || len(h.refused) != 0 {
				t.Errorf("counted:\n%s\nlogged: %v", diff, h.refused)
			}
		})
	}
	if h.log.Len() != 0 {
		t.Errorf("refusals are in the hub's own log: %s", h.log.String())
	}
}

func TestWithoutCredentialsARequestPassesWithoutACaller(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.exec(`ALTER TABLE oauth_proof RENAME TO hidden`) // it must not even be asked
	w := h.do(httptest.NewRequest(http.MethodGet, testIssuer+guarded, nil))
	if c := w.Header().Get("WWW-Authenticate"); w.Code != http.StatusUnauthorized || c != `DPoP algs="ES256 EdDSA PS256"` {
		t.Errorf("%d, challenge %s", w.Code, c)
	}
	if w := h.do(httptest.NewRequest(http.MethodGet, testIssuer+metadataPath, nil)); w.Code != http.StatusOK || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("an open route: %d %v", w.Code, w.Header())
	}
	if len(h.counts) != 0 {
		t.Errorf("counted %v", h.counts)
	}
}

func TestATokenExpires(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	cached, fresh := h.token(a), h.token(a)
	h.clock.advance(tokenLife - time.Second)
	if w := h.do(h.call(a, cached).request(t)); w.Code != http.StatusOK {
		t.Fatalf("in its last second: %d %s", w.Code, w.Body)
	}
	h.clock.advance(time.Second)
	for name, token := range map[string]string{"cached": cached, "never seen": fresh} {
		if w := h.do(h.call(a, token).request(t)); w.Code != http.StatusUnauthorized || !strings.Contains(w.Header().Get("WWW-Authenticate"), "invalid_token") {
			t.Errorf("%s token: %d", name, w.Code)
		}
	}
	if h.counts["token-expired"] != 2 {
		t.Errorf("counted %v", h.counts)
	}
}

func TestWhatTheHubDecidesCountsAtTheNextRequest(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*hub, agency){
		"suspended partner": func(h *hub, a agency) {
			if err := partners.NewStore(h.db.Owner, nil).Suspend(h.t.Context(), a.partner); err != nil {
				h.t.Fatal(err)
			}
		},
		"stopped client": func(h *hub, a agency) {
			h.exec(`UPDATE partner_client SET active = false WHERE id = $1`, a.client)
		},
		"revoked authentication key": func(h *hub, a agency) {
			h.exec(`UPDATE partner_key SET revoked_at = now() WHERE kid = $1`, a.auth.KeyID())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHub(t)
			a, b := h.enrol("camden-outreach"), h.enrol("hackney-housing")
			token, other := h.token(a), h.token(b)
			if w := h.do(h.call(a, token).request(t)); w.Code != http.StatusOK {
				t.Fatal(w.Body)
			}
			change(h, a)
			if w := h.do(h.call(a, token).request(t)); w.Code != http.StatusUnauthorized || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), `DPoP error="invalid_token"`) {
				t.Errorf("her token: %d %v", w.Code, w.Header())
			}
			want := []proof.Entry{{Act: "refused", Partner: "camden-outreach", Client: a.client, Outcome: "unauthenticated", Reason: "caller-inactive"}}
			if diff := cmp.Diff(want, h.refused); diff != "" || len(h.counts) != 0 {
				t.Errorf("logged:\n%s\ncounted: %v", diff, h.counts)
			}
			if w := h.do(h.ask(a).request(t)); w.Code != http.StatusUnauthorized {
				t.Errorf("a new token: %d", w.Code)
			}
			if w := h.do(h.call(b, other).request(t)); w.Code != http.StatusOK {
				t.Errorf("another partner: %d", w.Code)
			}
			h.noLog = errors.New("the log is away")
			if w := h.do(h.call(a, token).request(t)); w.Code != http.StatusServiceUnavailable {
				t.Errorf("a refusal that cannot be logged: %d", w.Code)
			}
		})
	}
}

func TestADroppedHubKeyEndsItsTokens(t *testing.T) {
	t.Parallel()
	old, fresh := newKey(t, jose.ES256), newKey(t, jose.ES256)
	store := &memoryKeys{held: []jose.PrivateKey{old}}
	h := newHub(t, func(c *Config) { c.Keys = store })
	a := h.enrol("camden-outreach")
	token := h.token(a)
	if w := h.do(h.call(a, token).request(t)); w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	store.held = []jose.PrivateKey{fresh} // the old one was stolen
	h.clock.advance(keyringLife)
	if w := h.do(h.call(a, token).request(t)); w.Code != http.StatusUnauthorized || h.counts["token-key"] != 1 {
		t.Errorf("a verified token outlives the hub's key: %d, %v", w.Code, h.counts)
	}
	store.err = errors.New("the key store is away")
	h.clock.advance(keyringLife)
	if w := h.do(h.call(a, token).request(t)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("without the key store: %d", w.Code)
	}
}

func TestTheGuardFailsClosed(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*hub){
		"registry": func(h *hub) { h.exec(`ALTER TABLE partner_client RENAME TO hidden`) },
		"memory":   func(h *hub) { h.exec(`ALTER TABLE oauth_proof RENAME TO hidden`) },
		"database": func(h *hub) { h.db.Hub.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHub(t)
			a := h.enrol("camden-outreach")
			token := h.token(a)
			stop(h)
			w := h.do(h.call(a, token).request(t))
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "credentials-unavailable") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if h.log.Len() == 0 {
				t.Error("the operator is not told")
			}
			for _, secret := range []string{token, a.client} {
				if strings.Contains(h.log.String(), secret) {
					t.Errorf("the log has what was sent: %s", h.log.String())
				}
			}
		})
	}
}

func TestMoreCallersThanConnectionsAllFinish(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	token := h.token(a)
	requests := make([]*http.Request, 4*int(h.db.Hub.Config().MaxConns))
	for i := range requests {
		c := h.call(a, token)
		c.proof = c.proof.but("jti", rand.Text())
		requests[i] = c.request(t)
	}
	if won, _ := race(t, []http.Handler{h.router}, requests); won != len(requests) {
		t.Errorf("%d of %d are served", won, len(requests))
	}
}
