package signin

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// TestNothingOfTheHubsOwnNetworkIsReached: the address that a name resolves to is judged
// when the connection is made, so that no provider can point the hub at what stands beside it.
func TestNothingOfTheHubsOwnNetworkIsReached(t *testing.T) {
	t.Parallel()
	reached := false
	own := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	t.Cleanup(own.Close)
	for _, address := range []string{own.URL, strings.Replace(own.URL, "127.0.0.1", "localhost", 1), strings.Replace(own.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1)} {
		answer, err := publicClient().Get(address)
		if err == nil {
			_ = answer.Body.Close()
		}
		if !errors.Is(err, errPrivate) || reached {
			t.Errorf("%s: %v, reached: %v", address, err, reached)
		}
	}
	for address, public := range map[string]bool{
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false,
		"224.0.0.1": false, "255.255.255.255": false, "::1": false, "::": false, "fe80::1": false, "fd00::1": false, "ff02::1": false,
		"203.0.113.7": true, "2001:db8::1": true,
	} {
		if got := isPublic(netip.MustParseAddr(address)); got != public {
			t.Errorf("%s is public: %v", address, got)
		}
	}
}

func TestAProvidersAnswerIsShortAndLeadsNowhere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			w.Header().Set("Location", "/long")
			w.WriteHeader(http.StatusFound)
			return
		}
		for range 3 {
			_, _ = w.Write(make([]byte, longest))
		}
	}))
	t.Cleanup(server.Close)
	client := publicClient()
	client.Transport = short{http.DefaultTransport}
	for path, want := range map[string]struct{ status, length int }{"/away": {302, 0}, "/long": {200, longest}} {
		answer, err := client.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != want.status || len(body) != want.length {
			t.Errorf("%s: %d, %d bytes, %v", path, answer.StatusCode, len(body), err)
		}
		if err := answer.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}
