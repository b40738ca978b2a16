package pg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"handover/internal/pg/cluster"
)

// elsewhere is where files go that the server's account could not reach in the hub's
// own folder. It lasts as long as the machine, unlike a temporary folder.
const elsewhere = "/var/lib/handover"

// makeDir returns dir's real path, and makes dir if it is not there: one that others
// may pass through, for the server's account must, but not look into.
func makeDir(dir string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(dir)), 0o755); err != nil {
		return "", fmt.Errorf("making the hub's folder: %w", err)
	}
	err := os.Mkdir(dir, 0o711)
	if err == nil {
		err = os.Chmod(dir, 0o711) // whatever the umask
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("making the hub's folder: %w", err)
	}
	dir, err = filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", fmt.Errorf("locating the hub's folder: %w", err)
	}
	return dir, nil
}

// place decides where the server's files are, whom they belong to and which binaries
// run on them. Files that exist stay where they are; new ones go into dir, or
// elsewhere if the server's account cannot be let into that.
func place(ctx context.Context, dir string, log *slog.Logger) (c cluster.Cluster, err error) {
	link := filepath.Join(dir, "postgres")
	c.Folder, err = existing(link)
	if err != nil {
		return c, err
	}
	if err := mine(c.Folder); err != nil {
		return c, err
	}
	c.Account, err = cluster.Choose(c.Data())
	if err != nil {
		return c, err
	}
	written, err := c.Version()
	if err != nil {
		return c, err
	}
	found, err := cluster.Find(ctx, c.Account)
	if err != nil {
		return c, err
	}
	c.Binaries, err = pick(found, written, c.Data())
	if err != nil {
		return c, err
	}
	if err := own(c.Account, c.Folder); err != nil {
		return c, err
	}
	reached, err := c.Account.Reaches(ctx, c.Binaries, c.Folder)
	if err == nil && !reached && c.Folder == link {
		reached, err = letThrough(ctx, c, dir)
	}
	if err != nil || reached {
		return c, err
	}
	if written != 0 || c.Folder != link {
		return c, fmt.Errorf("PostgreSQL does not run as root, and the account %s cannot enter %s: "+
			"let it pass through each folder on the way (chmod o+x), or start the hub as the files' owner", c.Account.Name, c.Folder)
	}
	c.Folder, err = moveElsewhere(ctx, c, link)
	if err != nil {
		return c, err
	}
	log.WarnContext(ctx, "built-in PostgreSQL keeps its files outside the hub's folder, which its account cannot enter",
		"folder", c.Folder, "link", link, "account", c.Account.Name)
	return c, nil
}

// existing returns the real path of the folder that link is or leads to. It makes one
// when there is neither. A link that leads nowhere is an error: the data it led to
// are missing, and an empty database in their place would look like one.
func existing(link string) (string, error) {
	err := os.Mkdir(link, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("making the folder of the built-in PostgreSQL: %w", err)
	}
	folder, err := filepath.EvalSymlinks(link)
	if errors.Is(err, fs.ErrNotExist) {
		target, _ := os.Readlink(link)
		return "", fmt.Errorf("the data of the built-in PostgreSQL were kept in %s and are not there any more: "+
			"bring them back, or remove %s to begin with an empty database", target, link)
	}
	if err != nil {
		return "", fmt.Errorf("locating the folder of the built-in PostgreSQL: %w", err)
	}
	return folder, nil
}

// mine returns an error when the folder belongs to somebody else and we are not root: a
// hub that root once started cannot be continued by another account.
func mine(folder string) error {
	info, err := os.Lstat(folder)
	if err != nil {
		return fmt.Errorf("looking at the folder of the built-in PostgreSQL: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if me := os.Geteuid(); me != 0 && ok && int(owner.Uid) != me {
		return fmt.Errorf("the database files in %s belong to another account (uid %d): start the hub as that account or as root", folder, owner.Uid)
	}
	return nil
}

// own makes the folder private to the account.
func own(account cluster.Account, folder string) error {
	if err := account.Own(folder); err != nil {
		return err
	}
	if err := os.Chmod(folder, 0o700); err != nil {
		return fmt.Errorf("making a folder private: %w", err)
	}
	return nil
}

// letThrough lets the server's group pass through the hub's own folder, and tells
// whether its account then reaches its files. The hub makes that folder 0700; with 0710
// the server can enter its files below it, but list and read nothing else there. A
// folder of somebody else's, or one that a group uses already, stays as it is.
func letThrough(ctx context.Context, c cluster.Cluster, dir string) (bool, error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return false, fmt.Errorf("looking at the hub's folder: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	mode := info.Mode().Perm()
	if !ok || int(owner.Uid) != os.Geteuid() || mode&0o070 != 0 {
		return false, nil
	}
	if err := os.Chown(dir, -1, int(c.Account.GID)); err != nil {
		return false, fmt.Errorf("letting the server's group into the hub's folder: %w", err)
	}
	if err := os.Chmod(dir, mode|0o010); err != nil {
		return false, fmt.Errorf("letting the server's group into the hub's folder: %w", err)
	}
	reached, err := c.Account.Reaches(ctx, c.Binaries, c.Folder)
	if err != nil || reached {
		return reached, err
	}
	// A folder further up is closed: this one need not have been opened.
	return false, errors.Join(os.Chmod(dir, mode), os.Chown(dir, -1, int(owner.Gid)))
}

// moveElsewhere replaces the empty folder at link by a link to a new one elsewhere. Its
// name is random, not made from the path of the hub: whoever removes the hub's folder
// to begin afresh must not find yesterday's data again.
func moveElsewhere(ctx context.Context, c cluster.Cluster, link string) (string, error) {
	folder, err := newPrivate(elsewhere, "postgres-*", c.Account)
	if err != nil {
		return "", err
	}
	if reached, err := c.Account.Reaches(ctx, c.Binaries, folder); err != nil || !reached {
		return "", errors.Join(err, os.Remove(folder), fmt.Errorf("PostgreSQL does not run as root, and the account %s can enter neither %s nor %s: "+
			"start the hub as an ordinary user, or set HUB_DIR to a folder that every account may pass through, or set HUB_DATABASE_URL",
			c.Account.Name, link, elsewhere))
	}
	note := "The data of the Handover hub in " + filepath.Dir(link) + ".\n" +
		"They are here because the account " + c.Account.Name + ", which PostgreSQL runs as, cannot enter that folder.\n"
	if err := os.WriteFile(filepath.Join(folder, "README"), []byte(note), 0o600); err != nil {
		return "", fmt.Errorf("noting whose data these are: %w", err)
	}
	if err := os.Remove(link); err != nil { // refuses a folder that is not empty
		return "", fmt.Errorf("making room for a link: %w", err)
	}
	if err := os.Symlink(folder, link); err != nil {
		return "", fmt.Errorf("linking to the database files: %w", err)
	}
	return folder, nil
}

// newPrivate makes a folder of the account's own in parent, which others may pass
// through.
func newPrivate(parent, pattern string, account cluster.Account) (string, error) {
	err := os.Mkdir(parent, 0o711)
	if err == nil {
		err = os.Chmod(parent, 0o711) // whatever the umask
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("making a folder for the database: %w", err)
	}
	folder, err := os.MkdirTemp(parent, pattern)
	if err != nil {
		return "", fmt.Errorf("making a folder for the database: %w", err)
	}
	if err := account.Own(folder); err != nil {
		return "", errors.Join(err, os.Remove(folder))
	}
	return folder, nil
}

// socketDir returns the folder of the socket: the cluster's own, or when its path is
// too long for a socket, a short one under /tmp that a link in the cluster's folder
// remembers, so that the address stays. Only a socket is ever there.
func socketDir(c cluster.Cluster) (string, error) {
	if len(c.Folder) <= cluster.LongestSocketDir {
		return c.Folder, nil
	}
	link := filepath.Join(c.Folder, "socket")
	if short, err := os.Readlink(link); err == nil && private(short, c.Account) {
		return short, nil
	}
	short, err := newPrivate("/tmp", "handover-*", c.Account)
	if err != nil {
		return "", err
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("replacing the link to the socket: %w", err)
	}
	if err := os.Symlink(short, link); err != nil {
		return "", fmt.Errorf("linking to the socket: %w", err)
	}
	return short, nil
}

// private reports whether dir is a folder that the account owns and nobody else can
// enter. In /tmp anyone could have made another of that name since the last start, and
// whoever owns the socket's folder is trusted as superuser.
func private(dir string, account cluster.Account) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && owner.Uid == account.UID
}
