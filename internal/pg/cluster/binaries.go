//go:build linux

package cluster

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// OldestMajor is the oldest PostgreSQL whose SQL the migrations may use.
const OldestMajor = 15

// ErrNoBinaries says that this machine has no PostgreSQL server, and how to get one.
var ErrNoBinaries = errors.New("no PostgreSQL server was found on this machine: run `apt-get install postgresql`, " +
	"or name the folder that holds initdb and postgres in HUB_PG_BIN, or set HUB_DATABASE_URL to use a server that runs already")

// Binaries is a folder that holds initdb and postgres of one release.
type Binaries struct {
	Dir   string
	Major int
}

// Find returns the usable servers of this machine, the one to prefer first: the folder
// HUB_PG_BIN names and no other; else those on PATH; else those in the versioned
// folders of Debian and Red Hat, newest first. It runs each as account, because a
// folder that only root may enter is of no use to a server that is not root.
func Find(ctx context.Context, account Account) ([]Binaries, error) {
	named := os.Getenv("HUB_PG_BIN")
	if named == "" {
		return find(ctx, account, append(onPath(), versioned()...))
	}
	found, err := find(ctx, account, []string{named})
	if err != nil {
		return nil, fmt.Errorf("HUB_PG_BIN names %s, which does not hold initdb and postgres of PostgreSQL %d or newer that the account %s may run",
			named, OldestMajor, account.Name)
	}
	return found, nil
}

// find returns those of dirs that hold a usable server.
func find(ctx context.Context, account Account, dirs []string) ([]Binaries, error) {
	var found []Binaries
	tooOld := 0
	for _, dir := range dirs {
		b, err := inspect(ctx, account, dir)
		switch {
		case err != nil:
			continue
		case b.Major < OldestMajor:
			tooOld = b.Major
		case !slices.Contains(found, b):
			found = append(found, b)
		}
	}
	if len(found) == 0 && tooOld > 0 {
		return nil, fmt.Errorf("found only PostgreSQL %d, and the hub needs %d or newer: %w", tooOld, OldestMajor, ErrNoBinaries)
	}
	if len(found) == 0 {
		return nil, ErrNoBinaries
	}
	return found, nil
}

// onPath lists the folders of PATH that have an initdb, without looking closely.
func onPath() (dirs []string) {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		// A lone link to initdb leads to the folder that has the rest.
		if real, err := filepath.EvalSymlinks(filepath.Join(dir, "initdb")); err == nil {
			dirs = append(dirs, filepath.Dir(real), dir)
		}
	}
	return dirs
}

// versioned lists the folders named by a version, newest first.
func versioned() (dirs []string) {
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"} {
		matches, _ := filepath.Glob(pattern) // the patterns are well formed
		dirs = append(dirs, matches...)
	}
	return newestFirst(dirs)
}

// newestFirst sorts folders such as /usr/lib/postgresql/15/bin and /usr/pgsql-16/bin.
func newestFirst(dirs []string) []string {
	major := func(dir string) int {
		n, _ := leadingNumber(strings.TrimPrefix(filepath.Base(filepath.Dir(dir)), "pgsql-"))
		return n
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return cmp.Compare(major(b), major(a)) })
	return dirs
}

// inspect runs the server of dir just long enough to learn its version.
func inspect(ctx context.Context, account Account, dir string) (Binaries, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Binaries{}, fmt.Errorf("locating a folder of programs: %w", err)
	}
	for _, name := range []string{"initdb", "postgres"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return Binaries{}, fmt.Errorf("looking for %s: %w", name, err)
		}
		if info.IsDir() || info.Mode()&0o111 == 0 {
			return Binaries{}, fmt.Errorf("%s in %s is not a program", name, dir)
		}
	}
	out, err := account.command(ctx, "/", filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return Binaries{}, fmt.Errorf("asking postgres for its version: %w", err)
	}
	// As "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" or "… 19devel".
	_, version, _ := bytes.Cut(out, []byte("(PostgreSQL) "))
	major, err := leadingNumber(string(version))
	if err != nil {
		return Binaries{}, fmt.Errorf("reading the version of postgres in %s: %w", dir, err)
	}
	return Binaries{Dir: dir, Major: major}, nil
}

// leadingNumber reads the digits that s begins with.
func leadingNumber(s string) (int, error) {
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(s)
	}
	return strconv.Atoi(s[:end])
}
