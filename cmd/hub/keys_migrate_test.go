package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"handover/client"
	"handover/internal/pg"
	"handover/internal/pgtest"
	"handover/keys/keystest"
)

// moving is a hub whose keys move while agencies send.
type moving struct {
	*victim
	server  *keystest.Vault
	ids     string
	senders []*sender
}

// keys runs one of the operator's commands on keys, with HUB_KEYS as the hub has it.
func (m *moving) keys(in string, args ...string) string {
	m.t.Helper()
	r := running{env: append(append(onVault(m.server.Addr, m.ids, "operator"), "HUB_KEYS="+in), m.operatorEnv()...)}
	return r.operator(m.t, append([]string{"keys"}, args...)...)
}

// restart stops the hub in order and starts it with another environment.
func (m *moving) restart(extra ...string) {
	m.t.Helper()
	m.stop()
	m.extra = extra
	m.start()
	m.awaitReceipts(m.senders, 5)
}

// logKey is what the hub shows as the log's key.
func (m *moving) logKey() string {
	m.t.Helper()
	answer, err := http.Get(m.issuer + "/v1/log/key") //nolint:noctx // of a test
	if err != nil {
		m.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return first
}

// wrappedBy fails unless every secret in the database is wrapped by frame.
func (m *moving) wrappedBy(frame string) {
	m.t.Helper()
	address, err := os.ReadFile(filepath.Join(m.dir, "database.url"))
	if err != nil {
		m.t.Fatal(err)
	}
	pool, err := pg.Open(m.t.Context(), string(address), "", 2)
	if err != nil {
		m.t.Fatal(err)
	}
	defer pool.Close()
	rows, err := pool.Query(m.t.Context(), `SELECT wrapped FROM oauth_secret UNION ALL SELECT wrapped FROM managed_key UNION ALL
		SELECT wrapped FROM managed_secret UNION ALL SELECT secret FROM oauth_provider`)
	if err != nil {
		m.t.Fatal(err)
	}
	blobs, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(blobs) < 2 {
		m.t.Fatalf("%d wrapped secrets, %v", len(blobs), err)
	}
	for _, b := range blobs {
		if !strings.HasPrefix(b, frame) {
			m.t.Errorf("a secret is wrapped by %.9s, want %s", b, frame)
		}
	}
}

// setProvider gives the database a secret to wrap anew.
func (m *moving) setProvider() {
	m.t.Helper()
	secret := file(m.t, "a client secret")
	r := running{env: m.operatorEnv()}
	r.operator(m.t, "provider", "set", "storm-housing", "--issuer", "https://login.storm.example", "--client-id", "handover",
		"--client-secret-file", secret, "--domain", "storm.example", "--claim", "groups", "--role", "staff=caseworker")
}

// TestKeysMoveUnderLoad moves a hub's keys to Vault, rotates each of them there, and moves
// back, while agencies send. The hub is restarted in between and its clients are not. No
// packet is lost, and every receipt that was ever given verifies with the key that its
// agency pinned when it enrolled.
func TestKeysMoveUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("sends for some seconds")
	}
	server := keystest.StartVault(t)
	m := &moving{victim: &victim{t: t, dir: pgtest.Dir(t), binary: build(t, t.TempDir(), "hub")}, server: server, ids: server.Prepare("transit")}
	m.start()
	t.Cleanup(func() { m.stop() })
	m.senders = m.furnish()
	m.setProvider()
	pinned := m.senders[0].client.LogKey()
	ctx, rest := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for _, s := range m.senders {
		load.Go(func() { s.sendUntil(ctx) })
	}
	m.awaitReceipts(m.senders, 5)
	onBoth := append(onVault(server.Addr, m.ids, "hub"), "HUB_KEYS=vault")

	m.keys(inVault, "init")
	m.restart(onBoth...)
	m.keys(inVault, "migrate", "--to", "vault")
	m.awaitReceipts(m.senders, 5)
	m.wrappedBy("vault:v1:")
	if got := m.logKey(); got != pinned.String() {
		t.Errorf("in Vault the log's key is %s, want %s as before", got, pinned)
	}
	away(t, m.dir)
	m.restart(onBoth...)
	for _, name := range []string{accessTokenKey, checkpointKey, hubStepsKey, webhookKey, wrappingKey} {
		m.keys(inVault, "rotate", name)
		m.awaitReceipts(m.senders, 5)
	}
	m.keys(inVault, "rewrap")
	m.wrappedBy("vault:v2:")
	rotated := m.logKey()
	if list := m.keys(inVault, "list"); strings.Count(list, "in vault") != 8 || strings.Contains(list, "in local") {
		t.Errorf("listed\n%s", list)
	}

	m.restart(append(onVault(server.Addr, m.ids, "hub"), "HUB_KEYS=local")...)
	for range 2 { // the second time there is nothing left to do
		m.keys(inLocal, "migrate", "--to", "local")
		m.awaitReceipts(m.senders, 5)
	}
	m.wrappedBy("local:v1:")
	m.restart()
	rest()
	load.Wait()
	if here := m.logKey(); rotated == pinned.String() || here == rotated {
		t.Errorf("the log's key went from %s over %s to %s", pinned, rotated, here)
	}
	for _, s := range m.senders {
		s.settle(t)
		s.verifyAll(t, 2)
	}
	m.reconcile(m.senders)
}

// away moves the local store's folder, as an operator does who has moved for good.
func away(t *testing.T, dir string) {
	t.Helper()
	if err := os.Rename(filepath.Join(dir, "keys"), filepath.Join(dir, "keys.moved")); err != nil {
		t.Fatal(err)
	}
}

// verifyAll verifies every receipt that was kept, offline, with what the client knows of the
// log's keys.
func (s *sender) verifyAll(t *testing.T, successions int) {
	t.Helper()
	key := s.client.LogKey()
	if got := len(key.Successions()); got != successions {
		t.Errorf("the client followed %d successions, want %d", got, successions)
	}
	for _, text := range s.receipts {
		var r client.Receipt
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Verify(key); err != nil {
			t.Errorf("the receipt of %s does not verify any more: %v", r.Reference, err)
		}
	}
}
