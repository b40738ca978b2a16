package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"

	"handover/consent/record"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
	"handover/referral/packet"
)

// bed is everything a run needs: the hub with two enrolled partners, and the
// baseline beside it on the same PostgreSQL.
type bed struct {
	dir       string
	temporary bool
	hub       *target
	baseline  *target
	processes []*exec.Cmd
	issuer    string
	sender    member
	recipient member
	service   string
	basis     packet.Basis
	subject   string
	token     string
	dpop      jose.PrivateKey
}

// member is one enrolled partner.
type member struct {
	id, client                string
	auth, signing, encryption jose.PrivateKey
}

// start starts both servers and brings the hub to the point where it takes packets.
func start(ctx context.Context, o options) (_ *bed, err error) {
	x := &bed{}
	defer func() {
		if err != nil {
			x.stop()
		}
	}()
	if x.dir = o.dir; x.dir == "" {
		x.dir, err = os.MkdirTemp("", "handover-bench-")
		x.temporary = true
	}
	if err != nil {
		return nil, err
	}
	if err := x.startHub(ctx, o.hub); err != nil {
		return nil, err
	}
	if err := x.furnish(ctx, o.hub); err != nil {
		return nil, err
	}
	return x, x.startBaseline(ctx)
}

// stop ends what start started, hub last: its PostgreSQL goes with it.
func (x *bed) stop() {
	for i := len(x.processes) - 1; i >= 0; i-- {
		p := x.processes[i]
		_ = p.Process.Signal(syscall.SIGTERM)
		_ = p.Wait()
	}
	if x.temporary {
		_ = os.RemoveAll(x.dir)
	}
}

func (x *bed) startHub(ctx context.Context, binary string) error {
	port, err := x.port()
	if err != nil {
		return err
	}
	x.issuer = "http://localhost:" + port
	log, err := os.Create(filepath.Join(x.dir, "hub.log"))
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, binary, "serve")
	cmd.Env = append(os.Environ(), "HUB_DIR="+x.dir, "PORT="+port, "HUB_LOG_LEVEL=warn",
		"HUB_RATE_ADDRESS=0", "HUB_RATE_CLIENT=0", "HUB_RATE_TOKENS=0") // here it is the load that is wanted
	cmd.Env = append(cmd.Env, "HUB_PRIVATE_LISTEN="+orOff(os.Getenv("BENCH_PROFILES")))
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		return err
	}
	x.processes = append(x.processes, cmd)
	x.hub = &target{address: "127.0.0.1:" + port, server: cmd.Process.Pid, request: x.hubRequest}
	for range 300 {
		answer, err := http.Get(x.issuer + "/readyz")
		if err == nil && answer.Body.Close() == nil && answer.StatusCode == http.StatusOK {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("the hub did not become ready")
}

// port is the port of the hub: the one it had before in a folder that was kept, since
// a hub's address is its name, and its log is signed by that name.
func (x *bed) port() (string, error) {
	file := filepath.Join(x.dir, "port")
	if kept, err := os.ReadFile(file); err == nil {
		return string(kept), nil
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	return port, os.WriteFile(file, []byte(port), 0o600)
}

func orOff(s string) string {
	if s == "" {
		return "off"
	}
	return s
}

func (x *bed) startBaseline(ctx context.Context) error {
	database, err := os.ReadFile(filepath.Join(x.dir, "database.url"))
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, "baseline", "127.0.0.1:0", string(database)+"&pool_max_conns=12")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	x.processes = append(x.processes, cmd)
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("starting the baseline: %w", err)
	}
	// Both servers use the hub's PostgreSQL, which is the hub's only child.
	children := tree()[x.hub.server]
	if len(children) != 1 {
		return errors.New("the hub has no PostgreSQL of its own: unset HUB_DATABASE_URL")
	}
	x.hub.postgres = children[0]
	x.baseline = &target{address: strings.TrimSpace(address), server: cmd.Process.Pid, postgres: children[0]}
	x.baseline.request = func() ([]byte, error) {
		body := make([]byte, 5600) // what 4 KiB come to once sealed and encoded
		rand.Read(body)
		return request("/packets", "baseline", "application/octet-stream", nil, body), nil
	}
	return nil
}

// furnish enrols two partners and records one consent, as they would themselves.
func (x *bed) furnish(ctx context.Context, binary string) error {
	for _, m := range []struct {
		into     *member
		category string
	}{{&x.sender, "borough-outreach"}, {&x.recipient, "housing"}} {
		m.into.id = "bench-" + m.category + "-" + strings.ToLower(rand.Text()[:4]) // a kept folder has earlier ones
		_, err := x.operate(ctx, binary, "partner", "add", m.into.id, "--name", "Sample agency", "--category", m.category, "--area", "E09000007")
		if err != nil {
			return err
		}
		code, err := x.operate(ctx, binary, "invite", m.into.id)
		if err != nil {
			return err
		}
		if err := x.enrol(m.into, code); err != nil {
			return err
		}
	}
	_, err := x.operate(ctx, binary, "agreement", "add", x.sender.id, x.recipient.id, "--purpose", "housing", "--section", "need,safe-contact")
	if err != nil {
		return err
	}
	x.service, err = x.operate(ctx, binary, "service", "add", x.recipient.id, "Sample service", "--purpose", "housing", "--area", "E09000007")
	if err != nil {
		return err
	}
	if err := x.signIn(); err != nil {
		return err
	}
	return x.consent()
}

func (x *bed) operate(ctx context.Context, binary string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "HUB_DIR="+x.dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

func (x *bed) enrol(m *member, code string) (err error) {
	for _, k := range []struct {
		into  *jose.PrivateKey
		alg   jose.Algorithm
		curve jose.Curve
	}{{&m.auth, jose.ES256, jose.P256}, {&m.signing, jose.ES256, jose.P256}, {&m.encryption, jose.ECDHESA256KW, jose.P256}} {
		if *k.into, err = jose.Generate(k.alg, k.curve); err != nil {
			return err
		}
	}
	claims, err := strict.Marshal(map[string]any{"hub": x.issuer, "code_digest": ids.Digest(code), "iat": time.Now().Unix(),
		"keys": map[string]jose.PublicKey{"authentication": m.auth.Public(), "signing": m.signing.Public(), "encryption": m.encryption.Public()}})
	if err != nil {
		return err
	}
	statement, err := jose.Sign("handover-enrolment+jwt", claims, m.signing.Signer())
	if err != nil {
		return err
	}
	body, err := strict.Marshal(map[string]string{"code": code, "enrolment": statement})
	if err != nil {
		return err
	}
	var enrolled struct {
		Client string `json:"client_id"`
	}
	err = post(x.issuer+"/v1/enrol", "application/json", nil, body, &enrolled)
	m.client = enrolled.Client
	return err
}

// signIn gets the sender's access token, bound to a key for proofs.
func (x *bed) signIn() (err error) {
	if x.dpop, err = jose.Generate(jose.EdDSA, jose.Ed25519); err != nil {
		return err
	}
	now := time.Now().Unix()
	claims, err := strict.Marshal(map[string]any{"iss": x.sender.client, "sub": x.sender.client, "aud": x.issuer,
		"iat": now, "exp": now + 60, "jti": uuid.NewString()})
	if err != nil {
		return err
	}
	assertion, err := jose.Sign("client-authentication+jwt", claims, x.sender.auth.Signer())
	if err != nil {
		return err
	}
	proof, err := x.proof("POST", "/oauth/token", "")
	if err != nil {
		return err
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
	var granted struct {
		Token string `json:"access_token"`
	}
	err = post(x.issuer+"/oauth/token", "application/x-www-form-urlencoded", map[string]string{"DPoP": proof}, []byte(form.Encode()), &granted)
	x.token = granted.Token
	return err
}

// proof makes a DPoP proof (RFC 9449 §4.2).
func (x *bed) proof(method, path, token string) (string, error) {
	claims := map[string]any{"htm": method, "htu": x.issuer + path, "iat": time.Now().Unix(), "jti": uuid.NewString()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	body, err := strict.Marshal(claims)
	if err != nil {
		return "", err
	}
	return jose.SignProof(body, x.dpop)
}

func (x *bed) consent() error {
	sub := make([]byte, 16)
	rand.Read(sub)
	x.subject = base64.RawURLEncoding.EncodeToString(sub)
	now := time.Now().Unix()
	claims := record.Claims{Hub: x.issuer, Issuer: x.sender.id, ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: now,
		Subject: x.subject, Jurisdiction: "GB-ENG", Agreement: "agreed", Method: "verbal-in-person", Purpose: "housing",
		Recipients: []string{x.recipient.id}, Sections: []string{"need", "safe-contact"}, Onward: "none",
		Notice:  record.Notice{Version: "1", Digest: ids.Digest("notice"), Language: "en"},
		GivenAt: now, ValidFrom: now, Expires: now + 86400}
	token, err := claims.Sign(x.sender.signing.Signer())
	if err != nil {
		return err
	}
	x.basis = packet.Basis{Consent: claims.ID, Digest: ids.Digest(token)}
	headers, err := x.authorize("POST", "/v1/consents")
	if err != nil {
		return err
	}
	return post(x.issuer+"/v1/consents", "application/jose", headers, []byte(token), &struct{}{})
}

func (x *bed) authorize(method, path string) (map[string]string, error) {
	proof, err := x.proof(method, path, x.token)
	return map[string]string{"Authorization": "DPoP " + x.token, "DPoP": proof}, err
}

// hubRequest makes a referral of 4 KiB in two sections, sealed and signed, with a
// DPoP proof of its own.
func (x *bed) hubRequest() ([]byte, error) {
	half, err := json.Marshal(map[string]string{"text": strings.Repeat("x", 2030)})
	if err != nil {
		return nil, err
	}
	p, err := packet.Seal(packet.Claims{Hub: x.issuer, Issuer: x.sender.id, Audience: x.recipient.id, Event: packet.Request,
		Subject: x.subject, Purpose: "housing", Urgency: "urgent", Service: x.service, Area: "E09000007", Basis: &x.basis},
		map[string]packet.Content{"need": half, "safe-contact": half},
		packet.To{Recipient: x.recipient.encryption.Public()}, x.sender.signing.Signer(), time.Now())
	if err != nil {
		return nil, err
	}
	body, err := p.Bytes()
	if err != nil {
		return nil, err
	}
	headers, err := x.authorize("POST", "/v1/referrals")
	if err != nil {
		return nil, err
	}
	return request("/v1/referrals", strings.TrimPrefix(x.issuer, "http://"), packet.MediaType, headers, body), nil
}

// request is a whole HTTP/1.1 request.
func request(path, host, mediaType string, headers map[string]string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %s\r\n", path, host, mediaType, strconv.Itoa(len(body)))
	for name, value := range headers {
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

func post(address, mediaType string, headers map[string]string, body []byte, into any) error {
	r, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", mediaType)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s: %s", address, answer.Status, text)
	}
	return json.Unmarshal(text, into)
}
