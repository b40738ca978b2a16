package oauth

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/time/rate"

	"handover/oauth/limit"
	"handover/partners"
)

// at makes the call from an address.
func (h *hub) at(c *call, address string) *httptest.ResponseRecorder {
	h.t.Helper()
	c.edit = func(r *http.Request) { r.RemoteAddr = address + ":4711" }
	return h.do(c.request(h.t))
}

// TestTheAPIHasALimitForEachAddressClientAndPerson, and each is told what is left.
func TestTheAPIHasALimitForEachAddressClientAndPerson(t *testing.T) {
	t.Parallel()
	h := newHub(t, func(c *Config) {
		c.Rates.Address, c.Rates.Client, c.Rates.User = 1, 0.5, 0.2 // bursts of 10, 5 and 2
	})
	a, b := h.enrol("camden-outreach"), h.enrol("hackney-housing")
	her, his := h.lent(a, h.person(a, partners.Caseworker), "referrals:send"), h.lent(a, h.person(a, partners.Caseworker), "referrals:send")
	own, others := h.token(a), h.token(b)
	h.guard.limits = h.config.limits() // what was spent on getting the tokens is given back
	for _, step := range []struct {
		what   string
		as     agency
		token  string
		from   string
		status int
		told   string
	}{
		{"a person", a, her.Token, "192.0.2.1", 200, `"user";r=1;t=5`},
		{"a person again", a, her.Token, "192.0.2.1", 200, `"user";r=0;t=10`},
		{"a person over her limit", a, her.Token, "192.0.2.1", 429, `"user";r=0;t=5`},
		{"a colleague through the same system", a, his.Token, "192.0.2.1", 200, `"user";r=1;t=5`},
		{"the system itself, over what all have used", a, own, "192.0.2.1", 200, `"client";r=0;t=10`},
		{"the system over its limit", a, own, "192.0.2.1", 429, `"client";r=0;t=2`},
		{"the same system from elsewhere", a, own, "192.0.2.2", 200, `"client";r=4;t=2`},
		{"another system from there", b, others, "192.0.2.1", 200, `"client";r=4;t=2`},
	} {
		w := h.at(h.call(step.as, step.token), step.from)
		if w.Code != step.status || w.Header().Get("RateLimit") != step.told || w.Header().Get("RateLimit-Policy") == "" {
			t.Errorf("%s: %d, RateLimit %s; want %d, %s", step.what, w.Code, w.Header().Get("RateLimit"), step.status, step.told)
		}
		if w.Code == http.StatusTooManyRequests && (w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "too-many-requests")) {
			t.Errorf("%s: %v %s", step.what, w.Header(), w.Body)
		}
	}
	// A stolen token, without its key, takes nothing from its owner's allowance elsewhere.
	for range 20 {
		c := h.call(a, own)
		c.dpop = newKey(t, "ES256")
		h.at(c, "198.51.100.9")
	}
	if w := h.at(h.call(a, own), "192.0.2.2"); w.Code != http.StatusOK {
		t.Errorf("a thief has used up what the owner may send: %d", w.Code)
	}
	// An address has its limit whoever comes from it, and before any credentials are read.
	for range 20 {
		h.at(&call{method: http.MethodGet, path: guarded, token: "nonsense"}, "203.0.113.5")
	}
	before := h.counts["token-form"]
	w := h.at(&call{method: http.MethodGet, path: guarded, token: "nonsense"}, "203.0.113.5")
	if w.Code != http.StatusTooManyRequests || h.counts["token-form"] != before || h.counts["too-many-requests"] == 0 {
		t.Errorf("beyond its address's limit: %d, counted %v", w.Code, h.counts)
	}
}

// TestLimitsOfTheAuthorizationServerAreTold at every endpoint of it.
func TestLimitsOfTheAuthorizationServerAreTold(t *testing.T) {
	t.Parallel()
	h := newHub(t, func(c *Config) { c.Rates.TokenAddress, c.Rates.TokenClient = 3, 0.2 })
	a := h.enrol("camden-outreach")
	for range 2 {
		if w := h.do(h.ask(a).request(t)); w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("RateLimit"), `"client";r=`) {
			t.Errorf("%d, RateLimit %s", w.Code, w.Header().Get("RateLimit"))
		}
	}
	for _, path := range []string{tokenPath, pushPath, revokePath, introspectPath} {
		k := h.asking(a, nil)
		k.path = path
		k.form.Set("grant_type", clientCredentials)
		k.form.Set("token", "x")
		if w := h.do(k.request(t)); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || w.Header().Get("RateLimit") != `"client";r=0;t=5` {
			t.Errorf("%s: %d, RateLimit %s, Retry-After %s", path, w.Code, w.Header().Get("RateLimit"), w.Header().Get("Retry-After"))
		}
	}
}

// TestRegistrationsAreLimited: else initial access tokens could be tried out.
func TestRegistrationsAreLimited(t *testing.T) {
	t.Parallel()
	h := newHub(t, func(c *Config) { c.Rates.TokenAddress = 0.2 })
	for _, want := range []int{401, 401, 429} {
		r := httptest.NewRequest(http.MethodPost, testIssuer+registerPath, strings.NewReader("{}"))
		r.Header.Set("Authorization", "Bearer guess")
		if w := h.do(r); w.Code != want || w.Header().Get("RateLimit") == "" {
			t.Errorf("%d %s, want %d", w.Code, w.Body, want)
		}
	}
}

// TestBehindAProxyTheLimitIsOfTheAddressBehindIt, else one careless partner would stop all.
func TestBehindAProxyTheLimitIsOfTheAddressBehindIt(t *testing.T) {
	t.Parallel()
	h := newHub(t, func(c *Config) {
		c.Rates.Address = 0.2
		c.Origin = limit.Origin{Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}}
	})
	status := func(forwarded string) int {
		r := httptest.NewRequest(http.MethodGet, testIssuer+guarded, nil)
		r.RemoteAddr = "192.0.2.1:1"
		r.Header.Set("X-Forwarded-For", forwarded)
		return h.do(r).Code
	}
	for _, want := range []int{401, 401, 429} {
		if got := status("198.51.100.1"); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
	if got := status("198.51.100.2"); got != 401 {
		t.Errorf("another address: %d", got)
	}
}

func TestLimitsHaveDefaults(t *testing.T) {
	t.Parallel()
	if r := (Rates{}).defaulted(); r != (Rates{20, 5, 300, 100, 20}) {
		t.Errorf("%+v", r)
	}
	if r := (Rates{Address: rate.Inf, User: 7}).defaulted(); r != (Rates{20, 5, rate.Inf, 100, 7}) {
		t.Errorf("%+v", r)
	}
}
