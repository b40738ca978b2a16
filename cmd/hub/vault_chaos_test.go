package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"handover/client/profile"
	"handover/internal/pgtest"
	"handover/keys/keystest"
)

// onVault is the environment of a hub, or with the role operator of a command, whose keys
// are in the Vault at address.
func onVault(address, dir, role string) []string {
	return []string{"VAULT_ADDR=" + address,
		"HUB_VAULT_ROLE_ID_FILE=" + filepath.Join(dir, role+".role-id"), "HUB_VAULT_SECRET_ID_FILE=" + filepath.Join(dir, role+".secret-id")}
}

// TestChaosOfVault takes Vault away from a hub while agencies send: killed and back
// sealed, sealed, silent, slow; once each, or for as long as CHAOS says. The hub itself is
// never restarted. It refuses with 503 and when to come again, and with nothing else; it
// recovers by itself; and afterwards every packet that was ever posted has its one receipt.
func TestChaosOfVault(t *testing.T) {
	if testing.Short() {
		t.Skip("takes Vault away for some seconds")
	}
	server := keystest.StartVault(t)
	ids := server.Prepare("transit")
	slow := keystest.NewSlow(t, strings.TrimPrefix(server.Addr, "http://"))
	h := &victim{t: t, dir: pgtest.Dir(t), binary: build(t, t.TempDir(), "hub")}
	h.extra = append(onVault(slow.Addr, ids, "hub"), "HUB_LOG_LEVEL=info", "HUB_RECEIPT_WAIT=1s")
	r := running{env: append(onVault(server.Addr, ids, "operator"), "HUB_DIR="+h.dir)}
	r.operator(t, "keys", "init")
	h.start()
	stop := sync.OnceFunc(h.stop)
	t.Cleanup(stop)
	senders := h.furnish()
	stranger := h.unsigned("storm-late")

	ctx, rest := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for _, s := range senders {
		load.Go(func() { s.sendUntil(ctx) })
	}
	length, _ := time.ParseDuration(os.Getenv("CHAOS"))
	until := time.Now().Add(length)
	troubles := []struct{ begin, end func() }{
		{server.Kill, func() { server.Start(); h.awaitUnready(); server.Unseal() }},
		{server.Seal, server.Unseal},
		{func() { slow.By(4 * time.Second) }, func() { slow.By(0) }},
	}
	for i := 0; i < len(troubles) || time.Now().Before(until); i++ {
		h.awaitReceipts(senders, 10)
		trouble := troubles[i%len(troubles)]
		trouble.begin()
		h.awaitUnready()
		h.refusesToken(stranger)
		time.Sleep(time.Second) // so that the load meets it
		trouble.end()
		h.awaitReady()
	}
	slow.By(100 * time.Millisecond) // slow, but there: it only takes longer
	h.awaitReceipts(senders, 10)
	slow.By(0)
	h.awaitReceipts(senders, 10)
	if _, err := stranger.Client(); err != nil {
		t.Error(err)
	}
	rest()
	load.Wait()
	for _, s := range senders {
		s.settle(t)
	}
	h.reconcile(senders)
	stop()
	h.checkRefusals()
}

// unsigned is a system that has enrolled and has no token yet.
func (h *victim) unsigned(id string) *profile.Profile {
	h.t.Helper()
	r := running{Config: Config{Issuer: h.issuer}, env: h.operatorEnv()}
	r.operator(h.t, "partner", "add", id, "--name", "Sample agency", "--category", "housing", "--area", "E09000007")
	own, err := profile.Create(h.t.Context(), h.t.TempDir(), profile.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := own.Enrol(h.t.Context(), h.issuer, r.operator(h.t, "invite", id)); err != nil {
		h.t.Fatal(err)
	}
	return own
}

// refusesToken asks for a token while the hub cannot sign one.
func (h *victim) refusesToken(p *profile.Profile) {
	h.t.Helper()
	c, err := p.Client()
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Second)
	defer cancel()
	if _, err := c.SignIn(ctx); err == nil {
		h.t.Error("the hub gave a token without its key")
	}
}

// probe is what /readyz answers.
func (h *victim) probe() (status int, retryAfter, code string) {
	h.t.Helper()
	answer, err := http.Get(h.issuer + "/readyz") //nolint:noctx // bounded by the caller
	if err != nil {
		h.t.Fatalf("the hub is gone: %v", err)
	}
	defer answer.Body.Close()
	var problem struct {
		Code string `json:"code"`
	}
	body, err := io.ReadAll(answer.Body)
	if err == nil {
		err = json.Unmarshal(body, &problem)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header.Get("Retry-After"), problem.Code
}

// awaitUnready waits until /readyz says that the keys cannot be used.
func (h *victim) awaitUnready() {
	h.t.Helper()
	h.awaitProbe(http.StatusServiceUnavailable, "keys-unavailable")
}

func (h *victim) awaitReady() { h.t.Helper(); h.awaitProbe(http.StatusOK, "") }

func (h *victim) awaitProbe(want int, wantCode string) {
	h.t.Helper()
	var status int
	var code string
	for range 600 {
		var after string
		status, after, code = h.probe()
		if status == http.StatusServiceUnavailable && after == "" {
			h.t.Fatal("/readyz does not say when to come again")
		}
		if status == want && code == wantCode {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	h.t.Fatalf("/readyz stays at %d %s, want %d %s", status, code, want, wantCode)
}

// checkRefusals reads in the hub's log what it refused: what Vault's absence explains, and
// each time as something that may be sent again.
func (h *victim) checkRefusals() {
	h.t.Helper()
	counts := map[string]int{}
	for line := range bytes.Lines(h.log.Bytes()) {
		var entry struct {
			Status int    `json:"status"`
			Code   string `json:"code"`
		}
		if json.Unmarshal(line, &entry) != nil || entry.Status < 400 || entry.Status == 499 {
			continue
		}
		counts[entry.Code]++
		if entry.Status != http.StatusServiceUnavailable && entry.Status != http.StatusBadRequest || entry.Code == "internal" {
			h.t.Errorf("the hub answered %s", line)
		}
	}
	if counts["receipt-pending"] == 0 {
		h.t.Error("no receipt was pending: was there any load?")
	}
	codes := make([]string, 0, len(counts))
	for code, n := range counts {
		codes = append(codes, code+" "+strconv.Itoa(n))
	}
	slices.Sort(codes)
	h.t.Logf("refused meanwhile: %s", strings.Join(codes, ", "))
}
