package newfile_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"handover/internal/newfile"
)

func write(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

// names are the files in a folder.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		all = append(all, f.Name())
	}
	return all
}

func TestAFileAppearsWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "export")
	broken := errors.New("broken")
	err := newfile.Write(name, func(w io.Writer) error {
		if err := write("half")(w); err != nil {
			return err
		}
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Error("half of it has its name")
		}
		return broken
	})
	if !errors.Is(err, broken) || len(names(t, dir)) != 0 {
		t.Fatalf("a failure: %v, and left %v", err, names(t, dir))
	}
	if err := newfile.Write(name, write("whole")); err != nil {
		t.Fatal(err)
	}
	about, err := os.Stat(name)
	if err != nil || about.Mode() != 0o600 || len(names(t, dir)) != 1 {
		t.Fatalf("%v, %v, %v", about.Mode(), err, names(t, dir))
	}
}

func TestAFileThatIsThereIsNotTouched(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "export")
	err := newfile.Write(name, func(w io.Writer) error { // another is quicker
		return errors.Join(write("second")(w), os.WriteFile(name, []byte("first"), 0o600))
	})
	if !errors.Is(err, newfile.ErrThere) {
		t.Error(err)
	}
	err = newfile.Write(name, func(io.Writer) error {
		t.Error("it was begun")
		return nil
	})
	if !errors.Is(err, newfile.ErrThere) {
		t.Error(err)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "first" {
		t.Errorf("%q, %v", text, err)
	}
}
