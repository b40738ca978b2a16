package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// maxFile bounds what is read of any file of a store.
const maxFile = 16 << 10

// makeDir makes dir for its owner alone, and refuses one that others can write
// to: they could put a store of their own in its place.
func makeDir(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("making key directory: %w", err)
		}
		return syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("making key directory: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("key directory %s can be changed by others than its owner: run chmod 700 on it", dir)
	}
	return nil
}

// readFile reads a file of bounded size. An error names it.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is longer than any file of a key store", path)
	}
	return data, err
}

// publish writes a new file that is there as a whole or not at all, also after a
// crash, and returns an error that is fs.ErrExist when the name is taken. Linking
// is what makes it exclusive: of two processes one gets the name, and neither
// overwrites the other.
func publish(path string, data []byte) error {
	temp, err := writeTemp(path, data)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if err := os.Link(temp, path); err != nil {
		return fmt.Errorf("writing key file: %w", err)
	}
	return syncDir(path)
}

// replace puts data in the place of a file: the old or the new, never a mixture.
func replace(path string, data []byte) error {
	temp, err := writeTemp(path, data)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		_ = os.Remove(temp)
		return fmt.Errorf("writing key file: %w", err)
	}
	return syncDir(path)
}

// writeTemp writes data durably beside path, readable by the owner alone. A crash
// may leave the file behind; nothing reads it, and it tells no more than the file
// that it was to become.
func writeTemp(path string, data []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return "", fmt.Errorf("writing key file: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", fmt.Errorf("writing key file: %w", err)
	}
	return f.Name(), nil
}

// syncDir makes a new name durable.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there; names are journalled
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("syncing key directory: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing key directory: %w", err)
	}
	return nil
}
