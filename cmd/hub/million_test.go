//go:build million

package main

import (
	"fmt"
	"log/slog"
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
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit"
	"handover/audit/proof"
	"handover/client"
	"handover/internal/ids"
	"handover/internal/pg"
)

// year is a log that fills a year, the last month of it with real referrals among the rest.
type year struct {
	running
	outreach, housing *client.Client
	service           string
	pool              *pgxpool.Pool
	now               time.Time
}

// TestAMillionEntries takes a month out of a year's log, verifies it, holds the whole log against the
// rows, and reads pages of what is asked for, with the programs as they are built, and prints a line a measure: make million.
// MILLION_ENTRIES is how many there are, a million unless it says otherwise; MILLION_REFERRALS
// how many real referrals the month has.
func TestAMillionEntries(t *testing.T) {
	y := &year{running: startHub(t, slog.DiscardHandler).named(), now: time.Now()}
	y.open(t)
	entries, referrals := fromEnv(t, "MILLION_ENTRIES", 1_000_000), fromEnv(t, "MILLION_REFERRALS", 1500)
	begin := time.Now()
	month := entries / 12
	y.fill(t, entries-month, y.now.AddDate(-1, 0, 0), y.now.AddDate(0, -1, 0))
	y.fill(t, month-5*referrals, y.now.AddDate(0, -1, 0), y.now)
	figure("million-fill", "%.0f s for %d entries", time.Since(begin).Seconds(), entries)
	y.enrol(t) // today, after all that was before
	begin = time.Now()
	y.refer(t, referrals)
	figure("million-refer", "%.0f s for %d referrals", time.Since(begin).Seconds(), referrals)
	y.drained(t)
	figure("million-entries", "%d", y.count(t, `SELECT count(*) FROM audit_leaf`))
	figure("million-database", "%d MB", y.count(t, `SELECT pg_database_size(current_database()) / 1000000`))

	file := filepath.Join(t.TempDir(), "month.audit")
	hub, handover := build(t, t.TempDir(), "hub"), build(t, t.TempDir(), "handover")
	args := []string{"audit", "export", "--from", y.now.AddDate(0, -1, 0).UTC().Format(time.RFC3339),
		"--to", y.now.AddDate(0, 0, 1).UTC().Format(time.RFC3339), "--kept", strconv.Itoa(entries / 2), "-o", file}
	out := y.measured(t, "million-export", exec.Command(hub, args...))
	t.Log("\n" + out)
	about, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	figure("million-export-size", "%.1f MB", float64(about.Size())/1e6)
	verify := exec.Command(handover, "--home", t.TempDir(), "--json=false", "audit", "verify", "--log-key", y.outreach.LogKey().String(), file)
	out = y.measured(t, "million-verify", verify)
	t.Log("\n" + out)
	t.Log("\n" + y.measured(t, "million-reconcile", exec.Command(hub, "log", "reconcile")))
	y.pages(t)
}

func fromEnv(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func figure(name, form string, args ...any) {
	fmt.Printf("figure %s "+form+"\n", append([]any{name}, args...)...)
}

// open opens the hub's database as the hub does.
func (y *year) open(t *testing.T) {
	t.Helper()
	var err error
	if y.pool, err = pg.Open(t.Context(), y.address, pg.RoleHub, 2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(y.pool.Close)
}

func (y *year) enrol(t *testing.T) {
	t.Helper()
	y.outreach, y.housing = y.join(t, "sample-outreach", "borough-outreach"), y.join(t, "sample-housing", "housing")
	y.operator(t, "agreement", "add", "sample-outreach", "sample-housing", "--purpose", "housing", "--section", "need", "--both-ways")
	y.service = y.operator(t, "service", "add", "sample-housing", "Homes", "--purpose", "housing", "--area", "E09000007")
}

// fill writes n entries, evenly from one time to another, and lets the hub's own sequencer
// give them their places.
func (y *year) fill(t *testing.T, n int, from, to time.Time) {
	t.Helper()
	const batch = 2000
	step := to.Sub(from) / time.Duration(max(n, 1))
	for done := 0; done < n; {
		b := &pgx.Batch{}
		for range min(batch, n-done) {
			if _, err := audit.Queue(b, ordinary(done, from.Add(time.Duration(done)*step))); err != nil {
				t.Fatal(err)
			}
			done++
		}
		if err := y.pool.SendBatch(t.Context(), b).Close(); err != nil {
			t.Fatal(err)
		}
		for y.count(t, `SELECT count(*) FROM audit_pending`) > 4*batch { // in the order of their times
			time.Sleep(10 * time.Millisecond)
		}
	}
	y.drained(t)
}

// ordinary is one of the entries that most of a log is made of and that rest on nothing.
func ordinary(i int, at time.Time) proof.Entry {
	e := proof.Entry{Time: at, Partner: []string{"sample-outreach", "sample-housing"}[i%2], User: fmt.Sprintf("00000000-0000-4000-8000-%012d", i%200)}
	switch i % 10 {
	case 0:
		e.Act, e.Outcome, e.Referral = proof.Refused, "not-covered", ids.Digest(strconv.Itoa(i))
	case 1, 2:
		e.Act, e.Target = "user.signin", "passkey"
	case 3, 4, 5:
		e.Act, e.Referral = "referral.read", ids.Digest(strconv.Itoa(i/10))
	default:
		e.Act = "referral.list"
	}
	return e
}

// refer has n women referred, from what they agreed to up to the yes of who helps.
func (y *year) refer(t *testing.T, n int) {
	t.Helper()
	work := make(chan struct{}, n)
	for range n {
		work <- struct{}{}
	}
	close(work)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range work {
				if err := y.one(t); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func (y *year) one(t *testing.T) error {
	ctx := t.Context()
	consent, err := y.outreach.RecordConsent(ctx, client.Consent{How: client.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
		Bases: []client.Basis{{Article6: "a", Article9: "a"}}, Purpose: "housing", Method: "verbal-in-person",
		Recipients: []string{"sample-housing", "sample-outreach"}, Sections: []string{"need"}, Words: map[string]string{"her-words": "yes", "circumstances": ""},
		Notice: client.Notice{Version: "1", Digest: ids.Digest("notice"), Language: "en"}})
	if err != nil {
		return err
	}
	sent, err := y.outreach.Send(ctx, client.Request{To: "sample-housing", Consent: consent.ID, Service: y.service, Area: "E09000007",
		Purpose: "housing", Urgency: "routine", Sections: map[string]client.Content{"need": client.Content(`{"summary":"a room"}`)}})
	if err != nil {
		return err
	}
	if _, err := y.housing.Open(ctx, client.Opening{Referral: sent.Referral, Reason: "triage"}); err != nil {
		return err
	}
	_, err = y.housing.Step(ctx, client.Step{Referral: sent.Referral, Event: "accept"})
	return err
}

// drained waits until every entry has its place.
func (y *year) drained(t *testing.T) {
	t.Helper()
	for y.count(t, `SELECT count(*) FROM audit_pending`) > 0 {
		time.Sleep(10 * time.Millisecond)
	}
}

func (y *year) count(t *testing.T, sql string) (n int64) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), y.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// measured runs a program that must succeed, and says how long it took and how much memory.
// Linux counts in what this test held when it started the program, so that is the most it can have been.
func (y *year) measured(t *testing.T, name string, cmd *exec.Cmd) string {
	t.Helper()
	cmd.Env = append(os.Environ(), y.env...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, said.String())
	}
	figure(name, "%.1f s", time.Since(begin).Seconds())
	figure(name+"-cpu", "%.1f s", (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	if used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		figure(name+"-memory", "%d MB", used.Maxrss/1024)
	}
	return said.String()
}

// pages reads the newest page of what is asked for, again and again, and an agency's own
// export over the wire.
func (y *year) pages(t *testing.T) {
	t.Helper()
	for name, q := range map[string]client.LogQuery{
		"act":      {Act: "section.open"},
		"outcome":  {Outcome: "not-covered"},
		"partner":  {Partner: "sample-housing"},
		"together": {Act: "user.signin", From: y.now.AddDate(0, -3, 0), To: y.now.AddDate(0, -2, 0)},
	} {
		var took []time.Duration
		for range 21 {
			begin := time.Now()
			page, err := y.outreach.LogEntries(t.Context(), q)
			if err != nil || len(page.Entries) == 0 {
				t.Fatalf("%s: %d entries, %v", name, len(page.Entries), err)
			}
			took = append(took, time.Since(begin))
		}
		slices.Sort(took)
		figure("million-page-"+name, "%.1f ms, at most %.1f ms", took[10].Seconds()*1000, took[20].Seconds()*1000)
	}
	begin := time.Now()
	var size counting
	x, err := y.outreach.AuditExport(t.Context(), client.AuditQuery{From: y.now.AddDate(0, -1, 0), To: y.now.AddDate(0, 0, 1)}, &size)
	if err != nil {
		t.Fatal(err)
	}
	figure("million-export-agency", "%.1f s for %d entries, %.1f MB", time.Since(begin).Seconds(), x.Entries, float64(size)/1e6)
}

// counting counts what is written.
type counting int64

func (c *counting) Write(b []byte) (int, error) {
	*c += counting(len(b))
	return len(b), nil
}
