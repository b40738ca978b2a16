package pg_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"handover/internal/pg"
	"handover/internal/pgtest"
)

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

// moved returns where the files behind dir/postgres went, and removes them with t.
func moved(t *testing.T, dir string) string {
	t.Helper()
	folder, err := os.Readlink(filepath.Join(dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(folder) != pg.Elsewhere {
		t.Fatalf("the data are in %s", folder)
	}
	t.Cleanup(func() {
		_ = os.RemoveAll(folder)
		_ = os.Remove(pg.Elsewhere) // if that was the last
	})
	return folder
}

// A newcomer may clone into /root, which nobody else can enter.
func TestFolderClosedToTheServersAccountWorks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("whoever is not root runs the server herself")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "hub") // in a folder for root alone
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b := start(t, dir)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the hub's folder was opened for nothing: %v, %v", info.Mode(), err)
	}
	note, err := os.ReadFile(filepath.Join(moved(t, dir), "README"))
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
	moved(t, dir)
	if n := one[int](t, connect(t, fresh.URL()), "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'"); n != 0 {
		t.Error("a new folder found old data")
	}
}
