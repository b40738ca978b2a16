package signin_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"handover/internal/hubtest"
	"handover/oauth/signin"
	"handover/partners"
)

// idp is a provider that we did not write, and what reaches it.
type idp struct {
	issuer string
	client *http.Client
}

const clientSecret = "a client secret that is in no log 8812"

// account is what the provider says of somebody.
type account map[string]any

// accounts are the people of the provider.
func accounts() map[string]account {
	of := func(email string, verified any, groups any) account {
		return account{"name": "Ayo Example", "email": email, "email_verified": verified, "groups": groups}
	}
	return map[string]account{
		"ayo":        of("ayo@larkfield.example", true, []string{"everybody", "outreach"}),
		"bea":        of("bea@larkfield.example", true, "outreach"),
		"foreign":    of("ayo@elsewhere.example", true, "outreach"),
		"sub":        of("ayo@evil.larkfield.example", true, "outreach"),
		"suffix":     of("ayo@evillarkfield.example", true, "outreach"),
		"two":        of("ayo@elsewhere.example@larkfield.example", true, "outreach"),
		"unverified": of("ayo@larkfield.example", false, "outreach"),
		"unsaid":     of("ayo@larkfield.example", nil, "outreach"),
		"norole":     of("ayo@larkfield.example", true, []string{"everybody"}),
		"tworoles":   of("ayo@larkfield.example", true, []string{"outreach", "admins"}),
		"noclaim":    of("ayo@larkfield.example", true, nil),
		"lead":       of("lead@larkfield.example", true, []string{"leads"}),
	}
}

// startIDP runs the provider until the test ends.
func startIDP(t *testing.T, more ...string) *idp {
	t.Helper()
	dir := t.TempDir()
	cert, key, pool := certificate(t, dir)
	said, err := json.Marshal(accounts())
	if err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "provider.mjs")
	node.Dir = "../../internal/interop"
	node.Env = append(node.Environ(), append([]string{"CERT=" + cert, "KEY=" + key, "REDIRECT=" + hubtest.Issuer + signin.CallbackPath,
		"CLIENT_SECRET=" + clientSecret, "ACCOUNTS=" + string(said)}, more...)...)
	var complaints bytes.Buffer
	node.Stderr = &complaints
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = node.Wait()
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v (run npm ci in internal/interop first; make test does)\n%s", err, complaints.String())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	return &idp{issuer: "https://localhost:" + strings.TrimSpace(port), client: &http.Client{Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func certificate(t *testing.T, dir string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", secret), pool
}

// set gives a partner the provider, by the operator's hand.
func (i *idp) set(t *testing.T, h *hubtest.Hub, id partners.ID, acr ...string) {
	t.Helper()
	err := signin.NewStore(h.DB.Owner).SetProvider(t.Context(), h.Keys(), signin.Provider{Partner: id, Issuer: i.issuer, ClientID: "handover",
		Domains: []string{"larkfield.example"}, Claim: "groups", ACR: acr,
		Roles: map[string]partners.Role{"outreach": partners.Caseworker, "leads": partners.Manager, "admins": partners.Administrator}}, clientSecret)
	if err != nil {
		t.Fatal(err)
	}
}

// did is what a person does at the provider.
type did struct {
	Account string   `json:"account"`
	ACR     string   `json:"acr,omitempty"`
	AMR     []string `json:"amr,omitempty"`
	Ago     int      `json:"ago,omitempty"` // seconds since she signed in there
}

func withMFA(account string) did { return did{Account: account, AMR: []string{"pwd", "mfa"}} }

// visit takes a browser that the hub sent to the provider, lets her do what she does, and
// returns the path at the hub that the provider sends her back to.
func (i *idp) visit(t *testing.T, location string, d did) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Transport: i.client.Transport, Jar: jar, Timeout: 20 * time.Second, CheckRedirect: i.client.CheckRedirect}
	at := location
	for range 8 {
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(at, hubtest.Issuer+"/") {
			return u.RequestURI()
		}
		method, body := http.MethodGet, []byte(nil)
		if strings.HasPrefix(u.Path, "/interaction/") {
			method, body = http.MethodPost, jsonBody(t, d)
		}
		r, err := http.NewRequestWithContext(t.Context(), method, at, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		said, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		next, err := answer.Location()
		if err != nil {
			t.Fatalf("%s %s: %s\n%s", method, at, answer.Status, said)
		}
		at = next.String()
	}
	t.Fatalf("the provider sends in circles, now to %s", at)
	return ""
}

// leave is where the hub sends a browser that wants to sign in through the agency.
func leave(t *testing.T, b *hubtest.Browser, path string) string {
	t.Helper()
	a := b.Get(t, path)
	if a.Status != http.StatusSeeOther {
		t.Fatalf("%s: %d %s", path, a.Status, a.Body)
	}
	return a.Header.Get("Location")
}

const toIDP = "/sign-in/larkfield-housing/provider"

// back brings a browser back from the provider, as a link from another site does.
func back(t *testing.T, b *hubtest.Browser, path string) hubtest.Answer {
	t.Helper()
	r := b.Request(t, http.MethodGet, path, "", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	return b.Send(r)
}
