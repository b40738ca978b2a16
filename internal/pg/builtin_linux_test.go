package pg_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"handover/internal/pg"
	"handover/internal/pg/cluster"
	"handover/internal/pgtest"
)

// A test binary that finds this variable is another hub: it starts the built-in server
// in the folder named, says how that went, and runs until its standard input ends.
const hubVariable = "HANDOVER_TEST_HUB"

func TestMain(m *testing.M) {
	if dir := os.Getenv(hubVariable); dir != "" {
		b, err := pg.StartBuiltIn(context.Background(), dir, slog.New(slog.DiscardHandler))
		if err != nil {
			fmt.Println(0, err)
			os.Exit(1)
		}
		fmt.Println(b.Pid(), b.URL())
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = b.Stop()
		os.Exit(0)
	}
	code := m.Run()
	if err := os.RemoveAll(seedDir()); err != nil {
		code = 1
	}
	os.Exit(code)
}

// seedDir is the folder of a data directory that the tests of this binary copy.
func seedDir() string { return filepath.Join("/tmp", fmt.Sprintf("handover-seed-%d", os.Getpid())) }

// seed makes it: initdb takes a second, and a copy a tenth of one.
var seed = sync.OnceValue(func() error {
	if err := os.Mkdir(seedDir(), 0o711); err != nil {
		return err
	}
	b, err := pg.StartBuiltIn(context.Background(), seedDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return b.Stop()
})

// copySeed puts into dir the files of a server that was started once and stopped.
func copySeed(t *testing.T, dir string) {
	t.Helper()
	if err := seed(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", filepath.Join(seedDir(), "postgres"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// used returns a folder in which a server was started once and stopped.
func used(t *testing.T) string {
	t.Helper()
	dir := pgtest.Dir(t)
	copySeed(t, dir)
	return dir
}

// startHub starts another hub and returns its process and its server's.
func startHub(t *testing.T, dir string) (hub *exec.Cmd, server int, said string) {
	t.Helper()
	hub = exec.Command(os.Args[0])
	hub.Env = append(os.Environ(), hubVariable+"="+dir)
	if os.Geteuid() == 0 { // with a group besides, so that keeping it would show
		hub.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{4}}}
	}
	stdin, err := hub.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := hub.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = hub.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, said, _ := strings.Cut(strings.TrimSpace(line), " ")
	server, err = strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	return hub, server, said
}

// start starts the built-in server and stops it with t.
func start(t *testing.T, dir string) *pg.BuiltIn {
	t.Helper()
	b, err := pg.StartBuiltIn(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Stop() })
	return b
}

// refused returns the text of the error that a start ends in.
func refused(t *testing.T, dir string) string {
	t.Helper()
	b, err := pg.StartBuiltIn(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err == nil {
		_ = b.Stop()
		t.Fatal("it started")
	}
	return err.Error()
}

func stop(t *testing.T, b *pg.BuiltIn) {
	t.Helper()
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// superuser is the address of a database of the built-in server as superuser.
func superuser(b *pg.BuiltIn, database string) string {
	return strings.Replace(b.URL(), "://handover@/handover?", "://postgres@/"+database+"?", 1)
}

func pgdata(dir string) string { return filepath.Join(dir, "postgres", "data") }

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

func TestServerIsPrivateAndDurableWhateverItsFilesSay(t *testing.T) {
	t.Parallel()
	dir := used(t)
	b := start(t, dir)
	admin := connect(t, superuser(b, "postgres"))
	for _, s := range []string{"fsync = off", "synchronous_commit = off", "full_page_writes = off", "listen_addresses = '*'", "log_statement = 'all'"} {
		run(t, admin, "ALTER SYSTEM SET "+s)
	}
	stop(t, b)
	b = start(t, dir)
	conn := connect(t, b.URL())
	for name, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on",
		"listen_addresses": "", "log_statement": "none", "unix_socket_permissions": "0700",
		"server_encoding": "UTF8", "TimeZone": "UTC",
	} {
		if got := one[string](t, conn, "SELECT current_setting($1)", name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := one[string](t, conn, "SELECT datcollate FROM pg_database WHERE datname = current_database()"); got != "C.UTF-8" {
		t.Errorf("the database's collation is %q", got)
	}
	if n := one[int](t, conn, "SELECT setting::int FROM pg_settings WHERE name = 'shared_buffers'"); n*8192 < 128<<20 {
		t.Errorf("shared_buffers is %d pages", n)
	}
	for _, path := range []string{filepath.Join(dir, "postgres"), pgdata(dir)} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestTheHubsLoginIsNoSuperuser(t *testing.T) {
	t.Parallel()
	b := start(t, used(t))
	conn := connect(t, b.URL())
	for _, s := range []string{
		"COPY (SELECT 1) TO PROGRAM 'true'", "CREATE ROLE friend", "CREATE DATABASE more", "ALTER SYSTEM SET fsync = off",
		"SELECT pg_read_file('postgresql.conf')", "SET ROLE postgres",
	} {
		if _, err := conn.Exec(t.Context(), s); !refusedBy(err, insufficientPrivilege) {
			t.Errorf("the hub's login may %s: %v", s, err)
		}
	}
	if err := pg.Migrate(t.Context(), b.URL()); err != nil {
		t.Errorf("and needs to be for the migrations: %v", err)
	}
	// Even as superuser, a role with rights of its own is not taken for the hub's.
	run(t, connect(t, superuser(b, "postgres")), "ALTER ROLE handover_hub BYPASSRLS")
	if pool, err := pg.Open(t.Context(), b.URL(), pg.RoleHub, 1); err == nil {
		pool.Close()
		t.Error("a role that row-level security does not bind was opened")
	}
}

func TestLogQuotesNothingThatWasSent(t *testing.T) {
	t.Parallel()
	const canary = "Canary-Tilda-Brook"
	dir := used(t)
	b := start(t, dir)
	conn := connect(t, b.URL())
	run(t, conn, "CREATE TABLE person (name text UNIQUE CHECK (length(name) < 20))", "INSERT INTO person VALUES ('"+canary+"')")
	for _, name := range []string{canary, canary + canary} { // DETAIL would quote the key, and the row
		if _, err := conn.Exec(t.Context(), "INSERT INTO person VALUES ($1)", name); err == nil {
			t.Fatal("the row was taken")
		}
		if _, err := conn.Exec(t.Context(), "INSERT INTO person VALUES ('"+name+"')"); err == nil {
			t.Fatal("the row was taken")
		}
	}
	stop(t, b)
	text, err := os.ReadFile(filepath.Join(dir, "postgres", "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "violates check constraint") {
		t.Error("the log does not mention the refusals")
	}
	if strings.Contains(string(text), canary) {
		t.Error("the log quotes a row")
	}
}

func TestDataOfAnotherVersionIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	dir := used(t)
	stop(t, start(t, dir))
	version := filepath.Join(pgdata(dir), "PG_VERSION")
	written, err := os.ReadFile(version)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(version, []byte("12\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := list(t, pgdata(dir))
	said := refused(t, dir)
	for _, want := range []string{"PostgreSQL 12", "PostgreSQL " + strings.TrimSpace(string(written)), "nothing was changed"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q does not say %q", said, want)
		}
	}
	if after := list(t, pgdata(dir)); !slices.Equal(before, after) {
		t.Error("files were changed")
	}
	if err := os.WriteFile(version, written, 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, dir)
}

// list names every file with its size and time.
func list(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			files = append(files, fmt.Sprint(path, info.Size(), info.ModTime()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestForeignFilesAreNotTakenForData(t *testing.T) {
	t.Parallel()
	dir := pgtest.Dir(t)
	theirs := filepath.Join(pgdata(dir), "thesis.txt")
	if err := os.MkdirAll(pgdata(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(theirs, []byte("years of work"), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := refused(t, dir); !strings.Contains(said, "is not a PostgreSQL data directory") {
		t.Errorf("refused with %q", said)
	}
	if _, err := os.Stat(theirs); err != nil {
		t.Error(err)
	}
}

func TestUnfinishedDataDirectoryIsMadeAnew(t *testing.T) {
	t.Parallel()
	dir := pgtest.Dir(t)
	half := pgdata(dir) + ".init"
	if err := os.MkdirAll(filepath.Join(half, "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, dir)
	if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the unfinished one is still there: %v", err)
	}
}

func TestMissingDataAreNotReplacedByAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	dir := pgtest.Dir(t)
	if err := os.Symlink("/nonexistent/handover", filepath.Join(dir, "postgres")); err != nil {
		t.Fatal(err)
	}
	if said := refused(t, dir); !strings.Contains(said, "/nonexistent/handover") || !strings.Contains(said, "not there any more") {
		t.Errorf("refused with %q", said)
	}
}

// The kernel's address of a socket holds 107 bytes.
func TestLongFolderStillHasASocketAndOneAddress(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(pgtest.Dir(t), strings.Repeat("long-", 20), strings.Repeat("longer-", 20))
	b := start(t, dir)
	socket, err := os.Readlink(filepath.Join(dir, "postgres", "socket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(socket) })
	if n := one[int](t, connect(t, b.URL()), "SELECT 1"); n != 1 {
		t.Error("no answer")
	}
	stop(t, b)
	again := start(t, dir)
	if again.URL() != b.URL() {
		t.Errorf("the address became %s, was %s", again.URL(), b.URL())
	}
	stop(t, again)

	// A folder in /tmp that others may enter is not trusted again.
	if err := os.Chmod(socket, 0o755); err != nil {
		t.Fatal(err)
	}
	moved := start(t, dir)
	if moved.URL() == b.URL() {
		t.Error("a folder open to others is used for the socket")
	}
	fresh, err := os.Readlink(filepath.Join(dir, "postgres", "socket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(fresh) })
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

func TestMissingBinariesAreNamedInOneSentence(t *testing.T) {
	empty := pgtest.Dir(t)
	t.Setenv("HUB_PG_BIN", empty)
	if said := refused(t, pgtest.Dir(t)); !strings.Contains(said, "HUB_PG_BIN names "+empty) {
		t.Errorf("refused with %q", said)
	}
	if said := pg.ErrNoBinaries.Error(); !strings.Contains(said, "apt-get install postgresql") {
		t.Errorf("%q does not say what to do", said)
	}
}

func TestRootGivesUpItsRightsAndItsFoldersStayItsOwn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives up root")
	}
	t.Parallel()
	dir := pgtest.Dir(t)
	_, server, _ := startHub(t, dir)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", server))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(status), "\n") {
		name, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		switch name {
		case "Uid", "Gid":
			if slices.Contains(fields, "0") {
				t.Errorf("the server keeps root: %s", line)
			}
		case "Groups":
			if len(fields) > 0 {
				t.Errorf("the server keeps groups: %s", line)
			}
		case "CapEff", "CapPrm", "CapAmb":
			if strings.Trim(value, "\t 0") != "" {
				t.Errorf("the server keeps capabilities: %s", line)
			}
		}
	}
	for path, mine := range map[string]bool{dir: true, filepath.Join(dir, "postgres"): false, pgdata(dir): false} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t); (owner.Uid == 0) != mine {
			t.Errorf("%s belongs to uid %d", path, owner.Uid)
		}
	}
}

// The hub makes its folder for itself alone, and its keys are in there.
func TestServerIsLetThroughTheHubsClosedFolderOnly(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("whoever is not root runs the server herself")
	}
	t.Parallel()
	dir := pgtest.Dir(t)
	key := filepath.Join(dir, "root.key")
	if err := errors.Join(os.Chmod(dir, 0o700), os.WriteFile(key, []byte("secret"), 0o600)); err != nil {
		t.Fatal(err)
	}
	copySeed(t, dir)
	b := start(t, dir)
	stop(t, b)
	folder, err := os.Lstat(filepath.Join(dir, "postgres"))
	if err != nil || !folder.IsDir() {
		t.Fatalf("the data are elsewhere: %v", err)
	}
	account := folder.Sys().(*syscall.Stat_t)
	for _, program := range [][]string{{"/bin/ls", dir}, {"/bin/cat", key}} {
		cmd := exec.Command(program[0], program[1])
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: account.Uid, Gid: account.Gid}}
		if out, err := cmd.Output(); err == nil || len(out) > 0 {
			t.Errorf("the server's account can run %q: %s", program, out)
		}
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o710 {
		t.Errorf("the hub's folder is %v, %v", info.Mode(), err)
	}
}

// A newcomer may clone into /root, which nobody else can enter.
func TestFolderClosedToTheServersAccountWorks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("whoever is not root runs the server herself")
	}
	t.Parallel()
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(closed, "hub")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b := start(t, dir)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the hub's folder was opened for nothing: %v, %v", info.Mode(), err)
	}
	folder, err := os.Readlink(filepath.Join(dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if filepath.Dir(folder) == pg.Elsewhere {
			_ = os.RemoveAll(folder)
			_ = os.Remove(pg.Elsewhere) // if that was the last
		}
	})
	if filepath.Dir(folder) != pg.Elsewhere {
		t.Fatalf("the data are in %s", folder)
	}
	note, err := os.ReadFile(filepath.Join(folder, "README"))
	if err != nil || !strings.Contains(string(note), dir) {
		t.Errorf("nothing says whose data these are: %v", err)
	}
	run(t, connect(t, b.URL()), "CREATE TABLE kept (id int)", "INSERT INTO kept VALUES (7)")
	stop(t, b)
	again := start(t, dir)
	if n := one[int](t, connect(t, again.URL()), "SELECT id FROM kept"); n != 7 {
		t.Errorf("read %d", n)
	}
	stop(t, again)

	// Whoever removes the hub's folder begins anew, and does not meet the old data.
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	fresh := start(t, dir)
	other, err := os.Readlink(filepath.Join(dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(other) })
	if n := one[int](t, connect(t, fresh.URL()), "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'"); n != 0 {
		t.Error("a new folder found old data")
	}
}

// Roles belong to the server, so the migrations of its databases meet there: whoever
// comes second must find the role, or the membership, made in the same moment.
func TestDatabasesOfOneServerMayMigrateAtOnce(t *testing.T) {
	t.Parallel()
	b := start(t, used(t))
	admin, watcher := connect(t, superuser(b, "postgres")), connect(t, superuser(b, "postgres"))
	run(t, admin, "DROP ROLE handover_hub, handover_log", "CREATE ROLE builder LOGIN CREATEROLE")
	for _, row := range []struct{ name, first string }{
		{"roles", "CREATE ROLE handover_hub ADMIN builder"},
		{"memberships", "GRANT handover_hub, handover_log TO builder"},
	} {
		run(t, admin, "CREATE DATABASE "+row.name+" OWNER builder", "BEGIN", row.first)
		url := strings.Replace(superuser(b, row.name), "postgres@", "builder@", 1)
		var second errgroup.Group
		second.Go(func() error { return pg.Migrate(t.Context(), url) })
		eventually(t, "the second waits for the first", func() bool {
			return one[int](t, watcher, "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'", row.name) > 0
		})
		run(t, admin, "COMMIT")
		if err := second.Wait(); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		pool, err := pg.Open(t.Context(), url, pg.RoleHub, 1)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		pool.Close()
		run(t, admin, "REVOKE handover_hub, handover_log FROM builder CASCADE")
	}
}

func TestMigrationsRefuseWhatWouldNotHold(t *testing.T) {
	t.Parallel()
	b := start(t, used(t))
	admin := connect(t, superuser(b, "postgres"))
	run(t, admin, "ALTER ROLE handover_log BYPASSRLS")
	if err := pg.Migrate(t.Context(), b.URL()); err == nil || !strings.Contains(err.Error(), "more rights than a plain role") {
		t.Errorf("a role that steps around row-level security: %v", err)
	}
	run(t, admin, "ALTER ROLE handover_log NOBYPASSRLS", "REVOKE handover_hub FROM handover")
	if err := pg.Migrate(t.Context(), b.URL()); err == nil || !strings.Contains(err.Error(), "GRANT handover_hub TO handover") {
		t.Errorf("a login that is no member: %v", err)
	}
	run(t, admin, "GRANT handover_hub TO handover")
	if err := pg.Migrate(t.Context(), b.URL()); err != nil {
		t.Errorf("after the repair: %v", err)
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
