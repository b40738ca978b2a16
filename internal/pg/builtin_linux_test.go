package pg_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"handover/internal/pg"
	"handover/internal/pg/cluster"
	"handover/internal/pgtest"
)

func TestDataAndAddressOutliveTheServer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(pgtest.Dir(t), "hub")
	b := start(t, dir)
	conn := connect(t, b.URL())
	run(t, conn, "CREATE TABLE kept (id int)", "INSERT INTO kept VALUES (7)")
	stop(t, b)
	if err := b.Err(); err != nil {
		t.Errorf("after an orderly stop: %v", err)
	}
	stop(t, b) // again, to no effect

	again := start(t, dir)
	if again.URL() != b.URL() {
		t.Errorf("the address became %s, was %s", again.URL(), b.URL())
	}
	if n := one[int](t, connect(t, again.URL()), "SELECT id FROM kept"); n != 7 {
		t.Errorf("read %d", n)
	}
}

func TestKilledServerIsNoticedAndLosesNothingCommitted(t *testing.T) {
	t.Parallel()
	dir := used(t)
	b := start(t, dir)
	run(t, connect(t, b.URL()), "CREATE TABLE receipt (id int PRIMARY KEY)")

	var committed [4]int // how many each writer was told are committed
	var writers errgroup.Group
	for w := range committed {
		conn := connect(t, b.URL())
		writers.Go(func() error {
			for {
				id := w*1_000_000 + committed[w]
				if _, err := conn.Exec(t.Context(), "INSERT INTO receipt VALUES ($1)", id); err != nil {
					return nil // the server is gone
				}
				committed[w]++
			}
		})
	}
	seen := connect(t, b.URL())
	eventually(t, "rows are being written", func() bool { return one[int](t, seen, "SELECT count(*) FROM receipt") > 200 })
	kill(t, b.Pid())
	<-b.Done()
	if b.Err() == nil {
		t.Error("the end of a killed server has no reason")
	}
	if err := writers.Wait(); err != nil {
		t.Fatal(err)
	}
	again := start(t, dir)
	if again.URL() != b.URL() {
		t.Errorf("the address became %s, was %s", again.URL(), b.URL())
	}
	conn := connect(t, again.URL())
	for w, n := range committed {
		found := one[int](t, conn, "SELECT count(*) FROM receipt WHERE id >= $1 AND id < $2", w*1_000_000, w*1_000_000+n)
		if found != n {
			t.Errorf("writer %d was told of %d rows, %d are there", w, n, found)
		}
	}
	if err := b.Stop(); err == nil {
		t.Error("stopping a killed server says that all is well")
	}
}

func TestServerShutDownBySomeoneElseIsNoticed(t *testing.T) {
	t.Parallel()
	b := start(t, used(t))
	if err := syscall.Kill(b.Pid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-b.Done()
	if b.Err() == nil {
		t.Error("a server that nobody asked to stop ended without a reason")
	}
}

func TestServerDiesWithAKilledHubAndTheNextHubTakesOver(t *testing.T) {
	t.Parallel()
	dir := used(t)
	hub, server, url := startHub(t, dir)
	conn := connect(t, url)
	run(t, conn, "CREATE TABLE kept (id int)", "INSERT INTO kept SELECT generate_series(1, 10000)")
	kill(t, hub.Process.Pid)
	_ = hub.Wait()

	next := start(t, dir) // at once, while the first server is still shutting down
	eventually(t, "the first server has ended", func() bool { return errors.Is(syscall.Kill(server, 0), syscall.ESRCH) })
	if next.URL() != url {
		t.Errorf("the address became %s, was %s", next.URL(), url)
	}
	if n := one[int](t, connect(t, next.URL()), "SELECT count(*) FROM kept"); n != 10000 {
		t.Errorf("%d rows, want 10000", n)
	}
}

func TestSecondHubOnOneFolderIsRefused(t *testing.T) {
	t.Parallel()
	dir := used(t)
	_, server, url := startHub(t, dir)
	// By the lock, before it has touched a file or waited for anything.
	_, err := pg.StartBuiltIn(t.Context(), dir, slog.New(slog.DiscardHandler))
	if !errors.Is(err, pg.ErrInUse) || errors.Is(err, cluster.ErrOccupied) {
		t.Errorf("a second hub: %v", err)
	}
	if _, _, said := startHub(t, dir); !strings.Contains(said, pg.ErrInUse.Error()) {
		t.Errorf("a third hub: %s", said)
	}
	if n := one[int](t, connect(t, url), "SELECT 1"); n != 1 || syscall.Kill(server, 0) != nil {
		t.Error("the first hub's server was disturbed")
	}
}

func TestFoldersAreServersOfTheirOwn(t *testing.T) {
	t.Parallel()
	first, two := start(t, used(t)), start(t, used(t))
	run(t, connect(t, first.URL()), "CREATE TABLE here (id int)")
	if n := one[int](t, connect(t, two.URL()), "SELECT count(*) FROM pg_tables WHERE tablename = 'here'"); n != 0 {
		t.Error("two folders share one server")
	}
	stop(t, first)
	if n := one[int](t, connect(t, two.URL()), "SELECT 1"); n != 1 {
		t.Error("one server's stop reached the other")
	}
}

// A server that was killed leaves its process number, and in a container the next start
// gives the same numbers to other processes.
func TestAnotherProcessWithTheOldNumberIsNoObstacle(t *testing.T) {
	t.Parallel()
	other := start(t, used(t)) // a PostgreSQL of the same account, on other data
	dir := used(t)
	b := start(t, dir)
	kill(t, b.Pid())
	<-b.Done()
	file := filepath.Join(pgdata(dir), "postmaster.pid")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(file, []byte(strconv.Itoa(other.Pid())+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	again := start(t, dir)
	if n := one[int](t, connect(t, again.URL()), "SELECT 1"); n != 1 {
		t.Error("no answer")
	}
	if n := one[int](t, connect(t, other.URL()), "SELECT 1"); n != 1 {
		t.Error("the other server was disturbed")
	}
}

func TestAStartThatIsCalledOffLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	dir := pgtest.Dir(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if b, err := pg.StartBuiltIn(ctx, dir, slog.New(slog.DiscardHandler)); err == nil {
		stop(t, b)
		t.Fatal("it started")
	}
	b := start(t, dir)
	conn, err := pgx.Connect(t.Context(), b.URL())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
