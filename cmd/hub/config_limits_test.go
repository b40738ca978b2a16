package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/time/rate"

	"handover/oauth"
)

func TestLimitsCanBeSetAndLifted(t *testing.T) {
	c, err := load([]string{"HUB_RATE_ADDRESS=7", "HUB_RATE_CLIENT=0", "HUB_RATE_TOKENS=0"})
	if err != nil {
		t.Fatal(err)
	}
	want := oauth.Rates{TokenAddress: rate.Inf, TokenClient: rate.Inf, Address: 7, Client: rate.Inf, User: 20}
	if diff := cmp.Diff(want, c.rates()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProxiesAreNetworks(t *testing.T) {
	c, err := load([]string{"HUB_PROXIES=10.1.2.3/8, 2001:db8::/32"})
	if err != nil {
		t.Fatal(err)
	}
	origin, err := c.origin()
	want := []string{"10.0.0.0/8", "2001:db8::/32"}
	if err != nil || len(origin.Proxies) != 2 || origin.Proxies[0] != netip.MustParsePrefix(want[0]) || origin.Proxies[1] != netip.MustParsePrefix(want[1]) {
		t.Errorf("%v %v, want %v", origin.Proxies, err, want)
	}
	for _, wrong := range []string{"10.0.0.0", "proxy.example", "10.0.0.0/8,", ","} {
		if _, err := load([]string{"HUB_PROXIES=" + wrong}); err == nil || !strings.Contains(err.Error(), "HUB_PROXIES") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}
