//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Account is whom a server runs as, and who owns its files. PostgreSQL refuses to run
// as root.
type Account struct {
	Name     string
	UID, GID uint32
}

// Choose returns the account for a server on the data directory data, which need not
// exist yet. Whoever is not root runs the server herself. Root gives it to the owner
// of the data, else to the account postgres, else to nobody.
func Choose(data string) (Account, error) {
	if uid := os.Geteuid(); uid != 0 {
		return Account{Name: nameOf(uint32(uid)), UID: uint32(uid), GID: uint32(os.Getegid())}, nil
	}
	info, err := os.Stat(data)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Account{}, fmt.Errorf("looking at the data directory: %w", err)
	}
	if err == nil {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 {
			return Account{Name: nameOf(owner.Uid), UID: owner.Uid, GID: owner.Gid}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		known, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(known.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(known.Gid, 10, 32)
		if uidErr == nil && gidErr == nil && uid != 0 {
			return Account{Name: name, UID: uint32(uid), GID: uint32(gid)}, nil
		}
	}
	return Account{}, errors.New("PostgreSQL refuses to run as root, and this machine has neither an account postgres nor nobody: start the hub as an ordinary user, or set HUB_DATABASE_URL")
}

// nameOf is the account's name, or its number if it has none.
func nameOf(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	if known, err := user.LookupId(number); err == nil {
		return known.Username
	}
	return "uid " + number
}

// Own gives the named files to the account.
func (a Account) Own(paths ...string) error {
	if a.ours() {
		return nil
	}
	for _, path := range paths {
		if err := os.Chown(path, int(a.UID), int(a.GID)); err != nil {
			return fmt.Errorf("giving a file to the server's account: %w", err)
		}
	}
	return nil
}

// Reaches reports whether the account can enter the folder dir, by having it try: no
// reading of permission bits would know about access lists and mounts. PostgreSQL
// needs every folder on the way, and /root, for one, is closed to all but root.
func (a Account) Reaches(ctx context.Context, b Binaries, dir string) (bool, error) {
	err := a.command(ctx, dir, filepath.Join(b.Dir, "postgres"), "--version").Run()
	if errors.Is(err, fs.ErrPermission) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("trying whether account %s can enter %s: %w", a.Name, dir, err)
	}
	return true, nil
}

// ours reports whether the account is the one this process runs as.
func (a Account) ours() bool { return int(a.UID) == os.Geteuid() }

// command prepares name to run as the account in dir, with nothing of our environment:
// a stray PGDATA or PGOPTIONS must not reach a server.
func (a Account) command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = a.Attributes()
	return cmd
}

// Attributes makes a process of the account: root's groups and capabilities are gone
// before its program starts.
func (a Account) Attributes() *syscall.SysProcAttr {
	if a.ours() {
		return &syscall.SysProcAttr{}
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: a.UID, Gid: a.GID}}
}
