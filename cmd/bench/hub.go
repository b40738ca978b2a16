package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

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
	works     []*work
	server    int // pid of the hub
	processes []*exec.Cmd
	issuer    string
	sender    member
	recipient member
	service   string
	basis     packet.Basis
	subject   string
	token     string
	dpop      jose.PrivateKey
	nonce     nonce
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
	x.server = cmd.Process.Pid
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
	children := tree()[x.server]
	if len(children) != 1 {
		return errors.New("the hub has no PostgreSQL of its own: unset HUB_DATABASE_URL")
	}
	port := strings.TrimPrefix(x.issuer, "http://localhost:")
	ours := target{address: "127.0.0.1:" + port, server: x.server, postgres: children[0]}
	bare := target{address: strings.TrimSpace(address), server: cmd.Process.Pid, postgres: children[0]}
	x.add("accept-4k", http.StatusCreated, ours, x.packetRequest, bare, func() ([]byte, error) {
		body := make([]byte, 5600) // what 4 KiB come to once sealed and encoded
		rand.Read(body)
		return request("/packets", "baseline", "application/octet-stream", nil, body), nil
	})
	x.add("token", http.StatusOK, ours, x.tokenRequest, bare, func() ([]byte, error) {
		body := make([]byte, 900) // an assertion in its form
		rand.Read(body)
		return request("/tokens", "baseline", "application/octet-stream", nil, body), nil
	})
	return nil
}

// add adds a work: the same two servers, each with its request for it.
func (x *bed) add(name string, status int, ours target, our func() ([]byte, error), bare target, its func() ([]byte, error)) {
	ours.status, bare.status = status, status
	ours.request, bare.request = our, its
	x.works = append(x.works, &work{name: name, hub: &ours, baseline: &bare, ours: map[int][]result{}, theirs: map[int][]result{}})
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
