package notify

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestAnAddressIsTakenOrRefusedByItsForm(t *testing.T) {
	t.Parallel()
	public, local := NewEgress(Reach{}), NewEgress(Reach{Local: true})
	for address, want := range map[string][2]bool{ // for a hub on the internet, and for one on somebody's machine
		"https://hooks.agency.example/handover?a=1":                {true, true},
		"https://hooks.agency.example:443/":                        {true, true},
		"https://HOOKS.agency.example":                             {true, true},
		"":                                                         {},
		"http://hooks.agency.example/":                             {},
		"https://hooks.agency.example:8443/":                       {},
		"https://hooks.agency.example:22/":                         {},
		"https://user@hooks.agency.example/":                       {},
		"https://user:word@hooks.agency.example/":                  {},
		"https://hooks.agency.example/#part":                       {},
		"https://intranet/":                                        {},
		"https://hooks.agency.example./":                           {},
		"https://10.0.0.1/":                                        {},
		"https://8.8.8.8/":                                         {},
		"https://[2606:4700::1111]/":                               {},
		"https://[::1]/":                                           {false, true},
		"https://[::ffff:127.0.0.1]/":                              {},
		"https://[fe80::1%25eth0]/":                                {},
		"https://127.1/":                                           {},
		"https://2130706433/":                                      {},
		"https://0x7f.0.0.1/":                                      {},
		"https://0177.0.0.0x1/":                                    {},
		"https://127.0.0.1/":                                       {false, true},
		"http://127.0.0.1:3000/":                                   {false, true},
		"http://localhost:3000/":                                   {false, true},
		"http://localhost.agency.example/":                         {},
		"https://localhost/":                                       {false, true},
		"gopher://localhost/":                                      {},
		"file:///etc/passwd":                                       {},
		"https:hooks.agency.example":                               {},
		"//hooks.agency.example/":                                  {},
		"https://hooks.agency.example\\@127.0.0.1/":                {},
		"https://hooks.agency.example/\r\nHost: x":                 {},
		"https://hööks.agency.example/":                            {},
		"https://a-.example/":                                      {},
		"https://hooks.agency.example/" + strings.Repeat("a", 500): {},
	} {
		for i, e := range []*Egress{public, local} {
			if err := e.checkURL(address); (err == nil) != want[i] || err != nil && !errors.Is(err, ErrAddress) {
				t.Errorf("%q, local %v: %v, want taken: %v", address, e.local, err, want[i])
			}
		}
	}
}

func TestNoConnectionIsMadeIntoANetwork(t *testing.T) {
	t.Parallel()
	public, local := NewEgress(Reach{}), NewEgress(Reach{Local: true})
	for address, want := range map[string][2]bool{
		"8.8.8.8": {true, true}, "2606:4700:4700::1111": {true, true}, "::ffff:8.8.8.8": {true, true}, "64:ff9b::808:808": {true, true},
		"0.0.0.0": {}, "0.1.2.3": {}, "127.0.0.1": {false, true}, "127.8.8.8": {false, true}, "10.1.2.3": {}, "172.16.0.1": {}, "172.31.255.255": {}, "192.168.1.1": {},
		"169.254.169.254": {}, "100.64.0.1": {}, "100.127.255.255": {}, "192.0.0.170": {}, "192.0.2.1": {}, "192.88.99.1": {}, "198.18.0.1": {}, "198.51.100.1": {}, "203.0.113.1": {},
		"224.0.0.1": {}, "239.255.255.255": {}, "240.0.0.1": {}, "255.255.255.255": {},
		"::": {}, "::1": {false, true}, "::ffff:127.0.0.1": {false, true}, "::ffff:10.0.0.1": {}, "::127.0.0.1": {}, "::ffff:0:8.8.8.8": {},
		"fe80::1": {}, "fe80::1%eth0": {}, "2606:4700::1%eth0": {}, "fc00::1": {}, "fd12:3456::1": {}, "fec0::1": {}, "ff02::1": {}, "100::1": {},
		"64:ff9b::7f00:1": {}, "64:ff9b::a00:1": {}, "64:ff9b::a9fe:a9fe": {}, "64:ff9b:1::808:808": {}, // NAT64
		"2002:7f00:1::": {}, "2002:a00:1::1": {}, "2002:808:808::1": {}, // 6to4
		"2001::1": {}, "2001:0:4136:e378:8000:63bf:3fff:fdd2": {}, "2001:20::1": {}, "2001:db8::1": {}, "3fff::1": {}, "5f00::1": {}, "4000::1": {},
	} {
		for i, e := range []*Egress{public, local} {
			err := e.control("tcp", netip.AddrPortFrom(netip.MustParseAddr(address), 443).String(), nil)
			if (err == nil) != want[i] {
				t.Errorf("%s, local %v: %v, want a connection: %v", address, e.local, err, want[i])
			}
		}
	}
	for _, address := range []string{"8.8.8.8:80", "8.8.8.8:22", "8.8.8.8:8443", "[2606:4700:4700::1111]:5432", "hooks.agency.example:443", "8.8.8.8"} {
		if err := local.control("tcp", address, nil); err == nil {
			t.Errorf("a connection to %s was allowed", address)
		}
	}
}

// naming is a resolver that leads every name to those addresses, each time to the next one.
func naming(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		buf := make([]byte, 1500)
		for asked := 0; ; {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			answer := named(buf[:n], netip.MustParseAddr(addresses[min(asked, len(addresses)-1)]))
			if answer[7] == 1 {
				asked++
			}
			_, _ = server.WriteTo(answer, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// named answers a question of DNS for an address of IPv4 with one, and any other with none
// (RFC 1035 §4.1).
func named(query []byte, a netip.Addr) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the last, empty label, type and class
	answer := append([]byte{}, query[:end]...)
	answer[2], answer[3] = 0x80|query[2], 0x80 // an answer, by a server that looks further
	copy(answer[4:12], []byte{0, 1, 0, 0, 0, 0, 0, 0})
	if query[end-4] == 0 && query[end-3] == 1 {
		answer[7] = 1
		answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		answer = append(answer, a.AsSlice()...)
	}
	return answer
}

func TestANameIsJudgedByWhereItLeadsEachTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, url string
		reach     Reach
		want      string
	}{
		{"a name of this machine", "https://hooks.agency.example/", Reach{Resolver: naming(t, "127.0.0.1")}, outcomeForbidden},
		{"a name of the cloud's metadata", "https://hooks.agency.example/", Reach{Resolver: naming(t, "169.254.169.254")}, outcomeForbidden},
		{"a name of somebody's network, at a hub on somebody's machine", "https://hooks.agency.example/", Reach{Local: true, Resolver: naming(t, "10.0.0.7")}, outcomeForbidden},
		{"an address that was let in by mistake", "https://10.0.0.7/", Reach{}, outcomeForbidden},
		{"no name", "https://hooks.agency.invalid/", Reach{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		}}}, outcomeNoName},
	} {
		if got := NewEgress(c.reach).post(t.Context(), c.url, http.Header{}, []byte(`{}`)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	// Rebinding: what the name led to before does not matter.
	e := NewEgress(Reach{Resolver: naming(t, "198.51.100.7", "127.0.0.1")})
	for range 2 {
		if got := e.post(t.Context(), "https://hooks.agency.example/", http.Header{}, nil); got != outcomeForbidden {
			t.Errorf("a name that leads elsewhere the second time: %s", got)
		}
	}
}

// TestAReceiverHasToShowACertificate that somebody whom the hub trusts has signed for its name.
func TestAReceiverHasToShowACertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	for _, c := range []struct {
		url   string
		roots *x509.CertPool
		want  string
	}{
		{server.URL, trusted, "204"},
		{server.URL, x509.NewCertPool(), outcomeCertificate},
		{strings.Replace(server.URL, "127.0.0.1", "localhost", 1), trusted, outcomeCertificate}, // its certificate is of another name
		{strings.Replace(server.URL, "https", "http", 1), trusted, "400"},
	} {
		if got := NewEgress(Reach{Local: true, Roots: c.roots}).post(t.Context(), c.url, http.Header{}, nil); got != c.want {
			t.Errorf("%s: %s, want %s", c.url, got, c.want)
		}
	}
}

func TestNoProxyOfTheEnvironmentIsUsed(t *testing.T) {
	asked := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer proxy.Close()
	t.Setenv("HTTPS_PROXY", proxy.URL)
	t.Setenv("HTTP_PROXY", proxy.URL)
	e := NewEgress(Reach{Resolver: naming(t, "127.0.0.1")})
	if got := e.post(t.Context(), "https://hooks.agency.example/", http.Header{}, nil); got != outcomeForbidden || asked != 0 {
		t.Errorf("%s, and the proxy was asked %d times", got, asked)
	}
}
