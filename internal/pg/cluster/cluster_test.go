//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// open returns a folder that every account may enter, as t.TempDir is not.
func open(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "handover-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func account(t *testing.T) Account {
	t.Helper()
	a, err := Choose("")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// pretend makes a folder of programs that say they are a version.
func pretend(t *testing.T, version string) string {
	t.Helper()
	dir := open(t)
	for _, name := range []string{"initdb", "postgres"} {
		script := fmt.Sprintf("#!/bin/sh\necho '%s (PostgreSQL) %s'\n", name, version)
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(script), 0o600), os.Chmod(path, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestALoneLinkLeadsToTheWholeServer(t *testing.T) {
	found, err := Find(t.Context(), account(t))
	if err != nil {
		t.Fatal(err)
	}
	links := open(t)
	if err := os.Symlink(filepath.Join(found[0].Dir, "initdb"), filepath.Join(links, "initdb")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", links)
	again, err := Find(t.Context(), account(t))
	if err != nil || again[0] != found[0] {
		t.Errorf("found %v, %v, want %v", again, err, found[0])
	}
}

func TestNamedFolderIsTheOnlyOne(t *testing.T) {
	dir := pretend(t, "98.1")
	t.Setenv("HUB_PG_BIN", dir)
	found, err := Find(t.Context(), account(t))
	if diff := cmp.Diff([]Binaries{{Dir: dir, Major: 98}}, found); diff != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
}

func TestOnlyUsableServersAreFound(t *testing.T) {
	lame := pretend(t, "17.1")
	if err := os.Chmod(filepath.Join(lame, "postgres"), 0o644); err != nil {
		t.Fatal(err)
	}
	half := pretend(t, "17.1")
	if err := os.Remove(filepath.Join(half, "initdb")); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		dir   string
		major int // 0 when it is not usable
		says  string
	}{
		"a release":               {pretend(t, "17.6 (Debian 17.6-1)"), 17, ""},
		"a development version":   {pretend(t, "19devel"), 19, ""},
		"one too old":             {pretend(t, "14.9"), 0, "only PostgreSQL 14"},
		"one without version":     {pretend(t, "unknown"), 0, "apt-get install postgresql"},
		"one that does not run":   {lame, 0, "apt-get install postgresql"},
		"one without initdb":      {half, 0, "apt-get install postgresql"},
		"a folder that is absent": {"/nonexistent", 0, "apt-get install postgresql"},
	} {
		found, err := find(t.Context(), account(t), []string{row.dir})
		if row.major == 0 {
			if !errors.Is(err, ErrNoBinaries) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("%s: %v, %v", name, found, err)
			}
			continue
		}
		if diff := cmp.Diff([]Binaries{{Dir: row.dir, Major: row.major}}, found); diff != "" || err != nil {
			t.Errorf("%s: %v, (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestNewestVersionComesFirst(t *testing.T) {
	got := newestFirst([]string{"/usr/lib/postgresql/9.6/bin", "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin", "/usr/pgsql-17/bin"})
	want := []string{"/usr/pgsql-17/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/9.6/bin"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// impostor runs a program named postgres in a folder until the test ends.
func impostor(t *testing.T, in string) *exec.Cmd {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(open(t), "postgres")
	if err := os.WriteFile(path, program, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "1000")
	cmd.Dir = in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// await looks once whether the data directory is free.
func await(t *testing.T, data, pidFile string) (namesake int, err error) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(data, "postmaster.pid"), []byte(pidFile), 0o600); err != nil {
		t.Fatal(err)
	}
	once, cancel := context.WithCancel(t.Context())
	cancel()
	return AwaitFree(once, data)
}

func TestOnlyALiveServerOnTheseDataIsWaitedFor(t *testing.T) {
	data := open(t)
	ended := impostor(t, data)
	_ = ended.Process.Kill()
	_ = ended.Wait()
	elsewhere, here := impostor(t, open(t)), impostor(t, data)
	for name, row := range map[string]struct {
		pidFile  string
		namesake int
		occupied bool
	}{
		"no number yet":              {"", 0, false},
		"half a line":                {"x", 0, false},
		"a process that has ended":   {fmt.Sprint(ended.Process.Pid), 0, false},
		"a process of another name":  {fmt.Sprint(os.Getpid()), os.Getpid(), false},
		"a server on other data":     {fmt.Sprint(elsewhere.Process.Pid), elsewhere.Process.Pid, false},
		"a server on these data":     {fmt.Sprintf("%d\n%s\n", here.Process.Pid, data), 0, true},
		"a single-user server on it": {fmt.Sprintf("-%d\n%s\n", here.Process.Pid, data), 0, true},
	} {
		namesake, err := await(t, data, row.pidFile)
		if namesake != row.namesake || errors.Is(err, ErrOccupied) != row.occupied || (err != nil) != row.occupied {
			t.Errorf("%s: %d, %v", name, namesake, err)
		}
	}
}

// Where nobody reaps orphans, as in a container, a killed server stays listed.
func TestAKilledServerNobodyReapedIsNotWaitedFor(t *testing.T) {
	data := open(t)
	server := impostor(t, data)
	pid := server.Process.Pid
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for { // until it is dead; nobody waits for it before the test's end
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(stat), ") Z ") {
			break
		}
	}
	if namesake, err := await(t, data, strconv.Itoa(pid)); namesake != pid || err != nil {
		t.Errorf("%d, %v", namesake, err)
	}
}

func TestOnlyALiveProcessNamedPostgresIsAServer(t *testing.T) {
	for stat, want := range map[string]bool{
		"4711 (postgres) S 1 4711":          true,
		"4711 (postgres) R 1 4711":          true,
		"4711 (postgres) Z 1 4711":          false,
		"4711 (postgres) X 1 4711":          false,
		"4711 (hub) S 1 4711":               false,
		"4711 (notpostgres) S 1 4711":       false,
		"4711 (postgres) S (hub) S 1 4711":  false,
		"4711 (hub (postgres) S 1 4711 (x)": true, // ambiguous, and then it is waited for
		"":                                  false,
	} {
		if got := liveServer(stat); got != want {
			t.Errorf("%q: %t", stat, got)
		}
	}
}

func TestReadyIsWhatTheServerSays(t *testing.T) {
	folder := open(t)
	c := Cluster{Folder: folder}
	if err := os.Mkdir(c.Data(), 0o700); err != nil {
		t.Fatal(err)
	}
	for state, want := range map[string]bool{"starting": false, "stopping": false, "standby": false, "ready   ": true} {
		file := "4711\n/data\n1700000000\n5432\n/socket\n\n  123 456\n" + state + "\n"
		if err := os.WriteFile(filepath.Join(c.Data(), "postmaster.pid"), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := c.Ready(); got != want {
			t.Errorf("%q: %t", state, got)
		}
	}
}

// A second server on the same data would be refused by PostgreSQL; ours says so in a
// way that its caller can tell.
func TestServerThatDoesNotStartSaysWhy(t *testing.T) {
	folder := open(t)
	a := account(t)
	found, err := Find(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	c := Cluster{Binaries: found[0], Account: a, Folder: folder, Socket: folder}
	if err := errors.Join(os.Mkdir(c.Data(), 0o700), a.Own(folder, c.Data())); err != nil {
		t.Fatal(err)
	}
	s, err := c.Start(t.Context())
	if err == nil {
		t.Fatal(s.Stop())
	}
	for _, want := range []string{"did not start", c.Log(), "postgresql.conf"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not mention %s", err, want)
		}
	}
}
