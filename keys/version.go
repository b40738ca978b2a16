package keys

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"handover/internal/strict"
	"handover/keys/jose"
)

// suffix ends the name of a version's file: NAME.NUMBER.key.
const suffix = ".key"

// version is one version of a key, opened.
type version struct {
	number int
	key    jose.PrivateKey
	made   time.Time
}

// keyFile is a version as it lies in its file. What is not sealed is bound to
// what is, so none of it can be changed or taken from another file.
type keyFile struct {
	V       int            `json:"v"`
	Name    string         `json:"name"`
	Version int            `json:"version"`
	Made    time.Time      `json:"made"`
	Public  jose.PublicKey `json:"public"`
	Sealed  string         `json:"sealed,omitempty"` // the private JWK; gone once the version has retired
}

// aad is what the sealed part is bound to. None of the fields can hold a line
// break, so the text has one meaning.
func (f keyFile) aad() []byte {
	return fmt.Appendf(nil, "handover key file v%d\n%s\n%d\n%s\n%s\n%s",
		f.V, f.Name, f.Version, f.Public.KeyID(), f.Public.Algorithm(), f.Made.UTC().Format(time.RFC3339Nano))
}

// file is the place of one version.
type file struct {
	name   string
	number int
}

func (f file) String() string { return f.name + "." + strconv.Itoa(f.number) + suffix }

// files lists the versions that have a file in dir, in no order.
func files(dir string) ([]file, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing keys: %w", err)
	}
	var found []file
	for _, e := range entries {
		name, rest, _ := strings.Cut(e.Name(), ".")
		n, err := strconv.Atoi(strings.TrimSuffix(rest, suffix))
		f := file{name, n}
		if err == nil && n > 0 && f.String() == e.Name() {
			found = append(found, f)
		}
	}
	return found, nil
}

// listing is what was in the directory when it had been changed last at some time.
type listing struct {
	changed time.Time
	files   []file
}

// settled is how old a change of a directory must be before its listing is kept: a
// second change within the same tick of the clock would not show.
const settled = 2 * time.Second

// list lists the files, anew only if the directory has changed: whatever a process
// does to a version, it adds or replaces a file.
func (l *Local) list() ([]file, error) {
	dir, err := os.Stat(l.dir)
	if err != nil {
		return nil, fmt.Errorf("listing keys: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listed.changed.Equal(dir.ModTime()) && l.listed.files != nil {
		return l.listed.files, nil
	}
	found, err := files(l.dir)
	if err != nil {
		return nil, err
	}
	l.listed = listing{}
	if l.Now().Sub(dir.ModTime()) > settled {
		l.listed = listing{dir.ModTime(), found}
	}
	return found, nil
}

// numbers lists the versions of a key that have a file, newest first.
func (l *Local) numbers(name string) ([]int, error) {
	all, err := l.list()
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, f := range all {
		if f.name == name {
			numbers = append(numbers, f.number)
		}
	}
	slices.Sort(numbers)
	slices.Reverse(numbers)
	return numbers, nil
}

// valid opens the versions that may be used now, newest first. The directory is
// asked each time, so that a rotation by another process counts at once.
func (l *Local) valid(ctx context.Context, name string) ([]*version, error) {
	if err := check(ctx, name); err != nil {
		return nil, err
	}
	numbers, err := l.numbers(name)
	if err != nil {
		return nil, err
	}
	var valid []*version
	for _, n := range numbers {
		if len(valid) > 0 && l.retired(valid[len(valid)-1].made) {
			break // and all before it
		}
		v, err := l.load(file{name, n})
		if errors.Is(err, errRetired) && len(valid) > 0 {
			break // for a process with a shorter overlap, or an earlier clock
		}
		if err != nil {
			return nil, err
		}
		valid = append(valid, v)
	}
	if len(valid) == 0 {
		return nil, ErrUnknownKey
	}
	return valid, nil
}

// retired reports whether a version has retired whose successor was made then.
func (l *Local) retired(successor time.Time) bool {
	return !l.Now().Before(successor.Add(l.RetireAfter))
}

// errRetired is the answer for a version whose private part was destroyed.
var errRetired = errors.New("the private part was destroyed when the key retired")

// load opens one version.
func (l *Local) load(f file) (*version, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v, ok := l.opened[f]; ok {
		return v, nil
	}
	content, err := l.read(f)
	if err != nil {
		return nil, err
	}
	if content.Sealed == "" {
		return nil, fmt.Errorf("key file %s: %w", l.path(f), errRetired)
	}
	v, err := l.open(content)
	if err != nil {
		return nil, l.damaged(f)
	}
	l.opened[f] = v
	return v, nil
}

// read decodes a version's file without opening what is sealed in it.
func (l *Local) read(f file) (keyFile, error) {
	data, err := readFile(l.path(f))
	if err != nil {
		return keyFile{}, fmt.Errorf("reading key file: %w", err)
	}
	var content keyFile
	if strict.Unmarshal(data, &content) != nil || content.V != 1 || content.Public.IsZero() ||
		content.Name != f.name || content.Version != f.number {
		return keyFile{}, l.damaged(f)
	}
	return content, nil
}

// open opens what is sealed in f and compares it with what is not.
func (l *Local) open(f keyFile) (*version, error) {
	jwk, err := unseal(l.rings.files, f.Sealed, f.aad())
	if err != nil {
		return nil, err
	}
	key, err := jose.ParsePrivateKey(jwk)
	if err != nil {
		return nil, err
	}
	if !key.Public().Equal(f.Public) {
		return nil, ErrUnwrap
	}
	return &version{number: f.Version, key: key, made: f.Made}, nil
}

// damaged names the file and nothing of its content.
func (l *Local) damaged(f file) error {
	return fmt.Errorf("key file %s is damaged or from another store: restore it from a backup", l.path(f))
}

func (l *Local) path(f file) string { return filepath.Join(l.dir, f.String()) }

// add writes key as the newest version, or returns an error that is fs.ErrExist
// when another process has just taken its number.
func (l *Local) add(name string, key jose.PrivateKey) error {
	numbers, err := l.numbers(name)
	if err != nil {
		return err
	}
	f := keyFile{V: 1, Name: name, Version: 1, Made: l.Now().UTC().Truncate(time.Microsecond), Public: key.Public()}
	if len(numbers) > 0 {
		f.Version = numbers[0] + 1
	}
	f.Sealed = seal(l.rings.files, key.JWK(), f.aad())
	data, err := strict.Marshal(f)
	if err != nil {
		return fmt.Errorf("writing key file: %w", err)
	}
	return publish(l.path(file{name, f.Version}), data)
}

// destroyRetired takes the private part out of the files of retired versions.
// Their public part stays on record: it is what tells whose an old signature is.
func (l *Local) destroyRetired(name string) error {
	numbers, err := l.numbers(name)
	if err != nil || len(numbers) < 2 {
		return err
	}
	successor, err := l.read(file{name, numbers[0]})
	if err != nil {
		return err
	}
	for _, n := range numbers[1:] {
		f, err := l.read(file{name, n})
		if err != nil {
			return err
		}
		if f.Sealed != "" && l.retired(successor.Made) {
			if err := l.destroy(f); err != nil {
				return err
			}
		}
		successor = f
	}
	return nil
}

// destroy rewrites one file without its private part.
func (l *Local) destroy(f keyFile) error {
	f.Sealed = ""
	data, err := strict.Marshal(f)
	if err != nil {
		return fmt.Errorf("writing key file: %w", err)
	}
	place := file{f.Name, f.Version}
	if err := replace(l.path(place), data); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.opened, place)
	return nil
}
