package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/client"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/internal/pgtest"
)

// TestChaos kills hub and PostgreSQL with SIGKILL while agencies send, four times over,
// or for as long as CHAOS says. Afterwards every packet that was ever posted is sent
// again: each finds one receipt, the one that was given before if one was, and
// packets, log entries and leaves match one to one.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for some seconds")
	}
	h := &victim{t: t, dir: pgtest.Dir(t), binary: build(t, t.TempDir(), "hub")}
	h.start()
	t.Cleanup(h.stop)
	senders := h.furnish()

	ctx, rest := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for _, s := range senders {
		load.Go(func() { s.sendUntil(ctx) })
	}
	length, _ := time.ParseDuration(os.Getenv("CHAOS"))
	until := time.Now().Add(length)
	for kills := 0; kills < 4 || time.Now().Before(until); kills++ {
		h.awaitReceipts(senders, 5+rand.IntN(40))
		h.kill(kills%2 == 1)
		h.start()
	}
	h.awaitReceipts(senders, 10)
	rest()
	load.Wait()
	for _, s := range senders {
		s.settle(t)
	}
	h.reconcile(senders)
}

// sender is one agency's system that sends as fast as it is answered, and keeps what
// it sent and what it got, as the client's outbox does.
type sender struct {
	client  *client.Client
	request client.Request

	mu       sync.Mutex
	posted   [][]byte          // every packet that was posted at least once
	receipts map[string]string // envelope digest to receipt
}

func (s *sender) sendUntil(ctx context.Context) {
	for ctx.Err() == nil {
		sealed, err := s.client.Seal(ctx, s.request)
		if err != nil {
			time.Sleep(50 * time.Millisecond) // the hub is away: its directory cannot be asked
			continue
		}
		s.mu.Lock()
		s.posted = append(s.posted, sealed)
		s.mu.Unlock()
		once, cancel := context.WithTimeout(ctx, 3*time.Second)
		receipt, err := s.client.Post(once, sealed)
		cancel()
		if err == nil {
			s.keep(receipt)
		}
	}
}

func (s *sender) keep(r client.Receipt) {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // a receipt that was just decoded
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receipts[r.Envelope] = string(text)
}

func (s *sender) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.receipts)
}

// settle posts everything once more, as a careful sender does after a storm.
func (s *sender) settle(t *testing.T) {
	t.Helper()
	for _, sealed := range s.posted {
		receipt, err := s.client.Post(t.Context(), sealed)
		if err != nil {
			t.Fatalf("a packet that was posted before is refused: %v", err)
		}
		before, had := s.receipts[receipt.Envelope]
		s.keep(receipt)
		if had && s.receipts[receipt.Envelope] != before {
			t.Errorf("the receipt of %s has changed", receipt.Reference)
		}
	}
}

// victim is a hub as a process of its own, with its own durable PostgreSQL.
type victim struct {
	t      *testing.T
	dir    string
	binary string
	issuer string
	port   string
	as     *syscall.Credential // nil is whoever runs the tests
	extra  []string            // of its environment
	cmd    *exec.Cmd
	log    bytes.Buffer
}

// build makes one of the programs in dir.
func build(t *testing.T, dir, program string) string {
	t.Helper()
	binary := filepath.Join(dir, program)
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../"+program).CombinedOutput()
	if err != nil {
		t.Fatalf("building %s: %v\n%s", program, err, out)
	}
	return binary
}

func (h *victim) env() []string {
	own := []string{"HUB_DIR=" + h.dir, "PORT=" + h.port, "HUB_PRIVATE_LISTEN=off", "HUB_LOG_LEVEL=error"}
	return slices.Concat(os.Environ(), own, h.extra)
}

// operatorEnv is the environment of operator's commands beside the running hub. It names the
// database, so that no command has to find out that a hub runs.
func (h *victim) operatorEnv() []string {
	h.t.Helper()
	address, err := os.ReadFile(filepath.Join(h.dir, "database.url"))
	if err != nil {
		h.t.Fatal(err)
	}
	return []string{"HUB_DIR=" + h.dir, "PORT=" + h.port, "HUB_DATABASE_URL=" + string(address)}
}

// start starts the hub and waits until it can accept a packet.
func (h *victim) start() {
	h.t.Helper()
	if h.port == "" {
		_, h.port, _ = strings.Cut(freeAddress(h.t), ":")
		h.issuer = "http://localhost:" + h.port
	}
	h.cmd = exec.CommandContext(context.WithoutCancel(h.t.Context()), h.binary, "serve")
	h.cmd.Env, h.cmd.Stderr, h.cmd.SysProcAttr = h.env(), &h.log, &syscall.SysProcAttr{Credential: h.as}
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	for range 600 {
		answer, err := http.Get(h.issuer + "/readyz") //nolint:noctx // bounded by the loop
		if err == nil && answer.Body.Close() == nil && answer.StatusCode == http.StatusOK {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	h.t.Fatalf("the hub did not come back:\n%s", h.log.String())
}

func (h *victim) stop() {
	_ = h.cmd.Process.Signal(syscall.SIGTERM)
	_ = h.cmd.Wait()
}

// kill ends the hub, or its PostgreSQL, without a word. A hub without its database
// ends by itself.
func (h *victim) kill(postgres bool) {
	h.t.Helper()
	pid := h.cmd.Process.Pid
	if postgres {
		first, err := os.ReadFile(filepath.Join(h.dir, "postgres", "data", "postmaster.pid"))
		if err != nil {
			h.t.Fatal(err)
		}
		line, _, _ := strings.Cut(string(first), "\n")
		if pid, err = strconv.Atoi(line); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		h.t.Fatal(err)
	}
	_ = h.cmd.Wait()
}

// awaitReceipts waits until n more packets have their receipts.
func (h *victim) awaitReceipts(senders []*sender, n int) {
	h.t.Helper()
	total := func() (sum int) {
		for _, s := range senders {
			sum += s.count()
		}
		return sum
	}
	want := total() + n
	for range 1200 {
		if total() >= want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	h.t.Fatalf("no more receipts come:\n%s", h.log.String())
}

// furnish enrols the agencies and gives each sender a request to repeat.
func (h *victim) furnish() []*sender {
	h.t.Helper()
	r := running{Config: Config{Issuer: h.issuer}, env: h.operatorEnv()}
	r.join(h.t, "storm-housing", "housing")
	service := ""
	var senders []*sender
	for i := range 4 {
		id := fmt.Sprintf("storm-outreach-%d", i)
		c := r.join(h.t, id, "borough-outreach")
		r.operator(h.t, "agreement", "add", id, "storm-housing", "--purpose", "housing", "--section", "need")
		if service == "" {
			service = r.operator(h.t, "service", "add", "storm-housing", "Homes", "--purpose", "housing", "--area", "E09000007")
		}
		consent, err := c.RecordConsent(h.t.Context(), client.Consent{How: client.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
			Bases: []client.Basis{{Article6: "a", Article9: "a"}}, Purpose: "housing", Method: "verbal-in-person",
			Recipients: []string{"storm-housing"}, Sections: []string{"need"},
			Notice: client.Notice{Version: "1", Digest: ids.Digest("notice"), Language: "en"}})
		if err != nil {
			h.t.Fatal(err)
		}
		senders = append(senders, &sender{client: c, receipts: map[string]string{}, request: client.Request{
			To: "storm-housing", Consent: consent.ID, Service: service, Area: "E09000007", Purpose: "housing", Urgency: "routine",
			Sections: map[string]client.Content{"need": client.Content(`{"summary":"a room"}`)}}})
	}
	return senders
}

// reconcile compares what the agencies hold with what the hub does.
func (h *victim) reconcile(senders []*sender) {
	h.t.Helper()
	address, err := os.ReadFile(filepath.Join(h.dir, "database.url"))
	if err != nil {
		h.t.Fatal(err)
	}
	pool, err := pg.Open(h.t.Context(), string(address), "", 2)
	if err != nil {
		h.t.Fatal(err)
	}
	defer pool.Close()
	column := func(sql string) []string {
		rows, err := pool.Query(h.t.Context(), sql)
		if err != nil {
			h.t.Fatal(err)
		}
		values, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			h.t.Fatal(err)
		}
		return values
	}
	stored := map[string]int{}
	for _, digest := range column(`SELECT digest FROM packet`) {
		stored[digest]++
	}
	receipts := 0
	for _, s := range senders {
		receipts += len(s.receipts)
		for digest := range s.receipts {
			if stored[digest] != 1 {
				h.t.Errorf("a receipted packet is stored %d times", stored[digest])
			}
		}
	}
	if receipts != len(stored) {
		h.t.Errorf("%d packets are stored, %d have receipts", len(stored), receipts)
	}
	for name, sql := range map[string]string{
		"packets without their own entry": `SELECT p.digest FROM packet p LEFT JOIN audit_entry e ON e.id = p.log_entry
			AND e.act = 'referral.request' AND convert_from(e.body, 'UTF8')::jsonb ->> 'envelope' = p.digest WHERE e.id IS NULL`,
		"entries without their packet": `SELECT e.id::text FROM audit_entry e LEFT JOIN packet p ON p.log_entry = e.id
			WHERE e.act = 'referral.request' AND p.seq IS NULL`,
		"entries without a leaf": `SELECT e.id::text FROM audit_entry e LEFT JOIN audit_leaf l ON l.entry = e.id WHERE l.idx IS NULL`,
		"gaps in the leaves":     `SELECT idx::text FROM (SELECT idx, row_number() OVER (ORDER BY idx) - 1 AS n FROM audit_leaf) x WHERE idx <> n`,
		"packets without a body": `SELECT p.digest FROM packet p LEFT JOIN section s ON s.packet = p.seq WHERE s.packet IS NULL`,
	} {
		if found := column(sql); len(found) != 0 {
			h.t.Errorf("there are %s: %d", name, len(found))
		}
	}
	h.t.Logf("%d packets, each with its one receipt", receipts)
}
