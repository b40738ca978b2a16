// Package newfile writes files that appear whole or not at all.
package newfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrThere means that there is a file of that name already.
var ErrThere = errors.New("there is such a file already: move it away, or choose another name")

// Write makes a file, readable by its owner alone, with what fill writes. It is written under
// another name beside its place, and gets its own when it is whole and durable, so nobody ever
// takes half of it for the file. A file that has the name already is not touched: ErrThere.
func Write(name string, fill func(io.Writer) error) (err error) {
	if _, err := os.Lstat(name); err == nil { // said before the work is done, and not only after it
		return fmt.Errorf("%s: %w", name, ErrThere)
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if err := fill(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	err = os.Link(f.Name(), name) // which, unlike a rename, replaces nothing
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s: %w", name, ErrThere)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}
