package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"handover/client"
	"handover/keys/jose"
)

// counted lets the fake count the requests that match, and answer the first of them
// by fail, which is told the number from 1.
func (p *pair) counted(match string, fail func(n int, w http.ResponseWriter) bool) *[]string {
	var bodies []string
	p.hub.before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.Method+" "+r.URL.Path, match) {
			return false
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		bodies = append(bodies, string(body))
		return fail(len(bodies), w)
	}
	return &bodies
}

func TestPendingReceiptIsAskedForAgainWithTheSameBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		sealed, err := p.from.Seal(t.Context(), asking(p.consent.ID))
		must(err)
		bodies := p.counted("POST /v1/referrals", func(n int, w http.ResponseWriter) bool {
			if n <= 3 {
				w.Header().Set("Retry-After", "2")
				refuse(w, 503, "receipt-pending")
			}
			return n <= 3
		})
		start := time.Now()
		if _, err := p.from.Post(t.Context(), sealed); err != nil {
			t.Fatal(err)
		}
		if len(*bodies) != 4 || slices.ContainsFunc(*bodies, func(b string) bool { return b != string(sealed) }) {
			t.Errorf("sent %d times, or not the same bytes", len(*bodies))
		}
		if waited := time.Since(start); waited < 6*time.Second || waited > 9*time.Second {
			t.Errorf("waited %v for three times two seconds", waited)
		}
	})
}

func TestRepeatingEndsSomeTime(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(w http.ResponseWriter)
		want int
		code string
	}{
		"busy without end":          {func(w http.ResponseWriter) { refuse(w, 503, "hub-busy") }, 6, "hub-busy"},
		"too many":                  {func(w http.ResponseWriter) { refuse(w, 429, "rate") }, 6, "rate"},
		"asked to wait for an hour": {func(w http.ResponseWriter) { w.Header().Set("Retry-After", "3600"); refuse(w, 503, "x") }, 1, "x"},
		"refused for good":          {func(w http.ResponseWriter) { refuse(w, 403, "not-covered") }, 1, "not-covered"},
		"failed at the hub":         {func(w http.ResponseWriter) { refuse(w, 500, "internal") }, 1, "internal"},
		"a proxy in between":        {func(w http.ResponseWriter) { w.WriteHeader(502) }, 1, "unexpected-answer"},
		"sent elsewhere":            {func(w http.ResponseWriter) { w.Header().Set("Location", "https://evil.example/"); w.WriteHeader(307) }, 1, "unexpected-answer"},
		"an answer that is no refusal": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(403)
			io.WriteString(w, "[")
		}, 1, "unexpected-answer"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t)
				bodies := p.counted("GET /v1/services", func(_ int, w http.ResponseWriter) bool { c.fail(w); return true })
				_, err := p.from.Services(t.Context(), "", "")
				if client.Code(err) != c.code || len(*bodies) != c.want {
					t.Errorf("asked %d times, got %v", len(*bodies), err)
				}
			})
		})
	}
}

func TestWaitingEndsWithTheCallersPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		bodies := p.counted("GET /v1/services", func(_ int, w http.ResponseWriter) bool {
			w.Header().Set("Retry-After", "20")
			refuse(w, 503, "hub-busy")
			return true
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := p.from.Services(ctx, "", "")
		if !errors.Is(err, context.DeadlineExceeded) || client.Code(err) != "hub-busy" || len(*bodies) != 1 {
			t.Errorf("asked %d times, got %v", len(*bodies), err)
		}
	})
}

// broken fails the first requests that match as a cut connection does.
type broken struct {
	*fakeHub
	match string
	times int
	seen  int
}

func (b *broken) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.Path, b.match) {
		if b.seen++; b.seen <= b.times {
			return nil, io.ErrUnexpectedEOF
		}
	}
	return b.fakeHub.RoundTrip(r)
}

func TestCutConnectionIsTriedAgainAFewTimes(t *testing.T) {
	for _, c := range []struct{ times, seen int }{{1, 2}, {2, 3}, {9, 3}} {
		synctest.Test(t, func(t *testing.T) {
			b := &broken{fakeHub: newHub(t), match: "/v1/partners", times: c.times}
			api := member(t, b.fakeHub, "camden-outreach")
			cut, err := client.New(client.Options{Hub: api.Hub(), Partner: api.PartnerID(), ClientID: "camden-outreach.abcde",
				LogKey: api.LogKey(), Keys: someKeys(), HTTP: &http.Client{Transport: b}})
			must(err)
			_, err = cut.Directory(t.Context())
			if (err == nil) != (c.times < 3) || b.seen != c.seen {
				t.Errorf("cut %d times: seen %d, %v", c.times, b.seen, err)
			}
		})
	}
}

func someKeys() client.Keys {
	auth, err := jose.Generate(jose.ES256, jose.P256)
	must(err)
	seal, err := jose.Generate(jose.ECDHESA256KW, jose.P256)
	must(err)
	return client.Keys{Authentication: auth, Signing: auth.Signer(), Encryption: []jose.PrivateKey{seal}}
}

// TestEnrolmentIsRepeatedWhenItsAnswerIsLost: the same code with the same keys is told
// the same.
func TestEnrolmentIsRepeatedWhenItsAnswerIsLost(t *testing.T) {
	b := &broken{fakeHub: newHub(t), match: "/v1/enrol", times: 1}
	keys := someKeys()
	sign, err := jose.Generate(jose.EdDSA, jose.Ed25519)
	must(err)
	_, err = client.Enrol(t.Context(), client.Enrolling{Hub: b.issuer, Code: "camden-outreach", Sign: sign.Signer(),
		Authentication: keys.Authentication.Public(), Signing: sign.Public(), Encryption: keys.Encryption[0].Public(),
		HTTP: &http.Client{Transport: b}})
	if err != nil || b.seen != 2 {
		t.Errorf("sent %d times: %v", b.seen, err)
	}
}

func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	p := newPair(t)
	had := p.hub.tokens
	p.counted("GET /v1/services", func(n int, w http.ResponseWriter) bool {
		if n == 1 {
			w.Header().Set("WWW-Authenticate", `DPoP error="invalid_token", error_description="It expired."`)
			refuse(w, 401, "unauthenticated")
			return true
		}
		answer(w, 200, map[string]any{"services": []client.Service{}})
		return true
	})
	if _, err := p.from.Services(t.Context(), "", ""); err != nil || p.hub.tokens != had+1 {
		t.Errorf("%d new tokens, %v", p.hub.tokens-had, err)
	}

	bodies := p.counted("GET /v1/services", func(_ int, w http.ResponseWriter) bool {
		w.Header().Set("WWW-Authenticate", `DPoP error="invalid_token", error_description="It expired."`)
		refuse(w, 401, "unauthenticated")
		return true
	})
	_, err := p.from.Services(t.Context(), "", "")
	var problem *client.Problem
	if !errors.As(err, &problem) || problem.Status != 401 || problem.Detail != "It expired." || len(*bodies) != 2 {
		t.Errorf("asked %d times, %v", len(*bodies), err)
	}
}

func TestNonceThatTheHubAsksForIsGiven(t *testing.T) {
	p := newPair(t)
	fresh := member(t, p.hub, "northgate-homes")
	had := p.hub.tokens
	p.hub.before = func(w http.ResponseWriter, r *http.Request) bool {
		payload, _, err := jose.VerifyProof(r.Header.Get("DPoP"), 4<<10)
		if err != nil || strings.Contains(string(payload), `"nonce":"n-1"`) {
			return false
		}
		w.Header().Set("DPoP-Nonce", "n-1")
		if r.URL.Path == "/oauth/token" {
			answer(w, 400, map[string]any{"error": "use_dpop_nonce"})
			return true
		}
		w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
		refuse(w, 401, "unauthenticated")
		return true
	}
	for _, c := range []*client.Client{fresh, p.from} { // at the token endpoint, and with a token in hand
		if _, err := c.Directory(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if p.hub.tokens != had+1 {
		t.Errorf("%d tokens for one client without", p.hub.tokens-had)
	}
}

func TestTokenIsKeptUntilShortlyBeforeItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		had := p.hub.tokens
		ask := func() {
			if _, err := p.from.Directory(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ask()
		time.Sleep(9 * time.Minute)
		ask()
		if p.hub.tokens != had {
			t.Errorf("%d tokens within nine minutes", p.hub.tokens-had)
		}
		time.Sleep(45 * time.Second)
		ask()
		if p.hub.tokens != had+1 {
			t.Errorf("%d tokens after that", p.hub.tokens-had)
		}
	})
}

func TestSignInThatIsRefusedSaysWhy(t *testing.T) {
	p := newPair(t)
	other := member(t, p.hub, "northgate-homes")
	p.hub.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/oauth/token" {
			return false
		}
		answer(w, 401, map[string]any{"error": "invalid_client", "error_description": "Check client id and key."})
		return true
	}
	_, err := other.SignIn(t.Context())
	var problem *client.Problem
	if !errors.As(err, &problem) || problem.Status != 401 || problem.Code != "invalid_client" || problem.Title != "Check client id and key." {
		t.Errorf("%#v", err)
	}
	if scopes, err := p.from.SignIn(t.Context()); err != nil || !slices.Contains(scopes, "referrals:send") {
		t.Errorf("%v, %v", scopes, err)
	}
}

func TestClockSaysHowFarTheHubIsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.hub.before = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Date", time.Now().Add(2*time.Minute).UTC().Format(http.TimeFormat))
			answer(w, 200, map[string]any{})
			return true
		}
		if ahead, err := p.from.Clock(t.Context()); err != nil || ahead != 2*time.Minute {
			t.Errorf("%v, %v", ahead, err)
		}
	})
}
