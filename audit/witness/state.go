package witness

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"handover/internal/strict"
)

// ErrState means that the state file is not what this witness has left there.
var ErrState = errors.New("the witness's state file cannot be trusted")

// state is the content of the state file.
type state struct {
	V           int      `json:"v"`
	Witness     string   `json:"witness"`     // verifier key
	Checkpoints []string `json:"checkpoints"` // the newest cosigned one of each log, as the log signed it
}

// checkpoint is the newest cosigned checkpoint of a log, or nil.
func (s *state) checkpoint(origin string) []byte {
	for _, c := range s.Checkpoints {
		if strings.HasPrefix(c, origin+"\n") {
			return []byte(c)
		}
	}
	return nil
}

// with is the state with another newest checkpoint of one log.
func (s *state) with(origin string, checkpoint []byte) *state {
	others := slices.DeleteFunc(slices.Clone(s.Checkpoints), func(c string) bool { return strings.HasPrefix(c, origin+"\n") })
	return &state{V: s.V, Witness: s.Witness, Checkpoints: append(others, string(checkpoint))}
}

// stateFile is the one file that says what was cosigned. Beside it are PATH.lock and, for
// a moment, PATH.new.
type stateFile struct {
	path    string
	witness string // whose it has to be
}

// create makes the state of a new key. It fails if there is any file by that name.
func (f *stateFile) create() error {
	err := f.withLock(os.O_CREATE|os.O_EXCL, func() error {
		if _, err := os.Lstat(f.path); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(err, fs.ErrExist)
		}
		return f.store(&state{V: 1, Witness: f.witness, Checkpoints: []string{}})
	})
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making the state file: there is one already: %w", fs.ErrExist)
	}
	return err
}

// locked calls do with the state as it is, while no other process or goroutine reads or
// writes it: the lock is held from before the reading until after whatever do stores is
// on the disk.
func (f *stateFile) locked(do func(*state) error) error {
	return f.withLock(0, func() error {
		s, err := f.read()
		if err != nil {
			return err
		}
		return do(s)
	})
}

// withLock calls do with the lock held. The lock is on a file of its own, which is never
// replaced: a lock on the state file would be on the one that was renamed over.
func (f *stateFile) withLock(flags int, do func() error) error {
	lock, err := os.OpenFile(f.path+".lock", os.O_RDWR|flags, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	defer lock.Close() // which gives the lock back
	if err := exclusive(lock); err != nil {
		return fmt.Errorf("locking the state file: %w", err)
	}
	return do()
}

// read returns the stored state. A file that is missing, cut short, in any form that
// store does not write, or of another key is ErrState; none of these begins anew.
func (f *stateFile) read() (*state, error) {
	text, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	var s state
	if err := strict.Unmarshal(text, &s); err != nil || s.V != 1 {
		return nil, fmt.Errorf("%w: it is cut short, or not a state file", ErrState)
	}
	if again, err := s.text(); err != nil || !bytes.Equal(again, text) {
		return nil, fmt.Errorf("%w: it was changed by hand", ErrState)
	}
	if s.Witness != f.witness {
		return nil, fmt.Errorf("%w: it is another key's", ErrState)
	}
	return &s, nil
}

func (s *state) text() ([]byte, error) {
	text, err := strict.Marshal(s)
	return append(text, '\n'), err
}

// store replaces the state, and returns when the new one would survive a loss of power:
// the file is on the disk before it gets its name, and the name is before store returns.
func (f *stateFile) store(s *state) error {
	text, err := s.text()
	if err != nil {
		return fmt.Errorf("writing the state file: %w", err)
	}
	next, err := os.OpenFile(f.path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing the state file: %w", err)
	}
	_, err = next.Write(text)
	err = errors.Join(err, next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("writing the state file: %w", err)
	}
	return f.settle()
}

// settle returns when the state file as it is would survive a loss of power.
func (f *stateFile) settle() error {
	for _, path := range []string{f.path, filepath.Dir(f.path)} {
		file, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("writing the state file: %w", err)
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return fmt.Errorf("writing the state file: %w", err)
		}
	}
	return nil
}
