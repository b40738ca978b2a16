package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"unicode/utf8"

	"handover/internal/strict"
)

const (
	rootSize      = 32        // bytes of a root key
	saltSize      = 16        // bytes of a passphrase's salt
	rounds        = 1_000_000 // of PBKDF2-HMAC-SHA-256, about a third of a second
	maxRounds     = 20_000_000
	minPassphrase = 16
	storeFile     = "store.json"
)

// RootKey is what the keys of a Local are sealed under: a file or a passphrase.
// It prints nothing of either.
type RootKey struct {
	path  string
	words func() string // in a closure, into which package fmt cannot look from another struct
}

// RootFile takes the root key from a file that only its owner can read: 32 random
// bytes as 43 characters of base64url. OpenLocal makes the file for a new store.
func RootFile(path string) RootKey { return RootKey{path: path} }

// Passphrase derives the root key from words of at least 16 characters, by a
// million rounds of PBKDF2 over a salt that lies in the store.
func Passphrase(words string) RootKey { return RootKey{words: func() string { return words }} }

// Format prints that there is a root key, whatever the verb.
func (RootKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "root key") }

// LogValue is what Format prints, for slog.
func (RootKey) LogValue() slog.Value { return slog.StringValue("root key") }

// The refusals of OpenLocal.
var (
	ErrRoot       = errors.New("the root key or passphrase is not the one that this store was made with")
	ErrPassphrase = errors.New("a passphrase has at least 16 characters")
)

// storeHeader is store.json: how the root key is had, and a sealed word that shows
// at once whether it is the right one, rather than at the first signature.
type storeHeader struct {
	V      int    `json:"v"`
	Root   string `json:"root"` // "file" or "passphrase"
	Salt   string `json:"salt,omitempty"`
	Rounds int    `json:"rounds,omitempty"`
	Check  string `json:"check"`
}

// open derives the rings of the store in dir, which it makes when there is none.
func open(dir string, root RootKey) (*rings, error) {
	if root.path == "" && (root.words == nil || utf8.RuneCountInString(root.words()) < minPassphrase) {
		return nil, ErrPassphrase
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	// The keys are looked for first: another process that makes the store at this
	// moment writes store.json before its first key.
	keys, err := files(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, storeFile)
	h, err := readHeader(path)
	if !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return nil, err
		}
		return h.open(root)
	}
	if len(keys) > 0 {
		return nil, fmt.Errorf("%s is missing beside the keys that need it: restore it from a backup", path)
	}
	ring, err := create(path, root)
	if !errors.Is(err, fs.ErrExist) {
		return ring, err
	}
	// Another process was first: its store is ours.
	if h, err = readHeader(path); err != nil {
		return nil, err
	}
	return h.open(root)
}

// create writes store.json for a new store, and the root file unless it is there.
func create(path string, root RootKey) (*rings, error) {
	h := storeHeader{V: 1, Root: "file"}
	if root.path == "" {
		salt := make([]byte, saltSize)
		_, _ = rand.Read(salt) // never fails
		h.Root, h.Salt, h.Rounds = "passphrase", base64.RawURLEncoding.EncodeToString(salt), rounds
	} else if err := makeRoot(root.path); err != nil {
		return nil, err
	}
	ring, err := h.derive(root)
	if err != nil {
		return nil, err
	}
	h.Check = seal(ring.files, []byte(checkWord), h.aad())
	data, err := strict.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	return ring, publish(path, data)
}

const checkWord = "handover key store"

// aad is what the check is bound to.
func (h storeHeader) aad() []byte {
	return fmt.Appendf(nil, "handover store v%d\n%s\n%s\n%d", h.V, h.Root, h.Salt, h.Rounds)
}

func readHeader(path string) (storeHeader, error) {
	data, err := readFile(path)
	if err != nil {
		return storeHeader{}, err
	}
	var h storeHeader
	if strict.Unmarshal(data, &h) != nil || h.V != 1 || h.Check == "" {
		return storeHeader{}, fmt.Errorf("%s is damaged: restore it from a backup", path)
	}
	return h, nil
}

// open derives the rings of an existing store and tries them.
func (h storeHeader) open(root RootKey) (*rings, error) {
	ring, err := h.derive(root)
	if err != nil {
		return nil, err
	}
	word, err := unseal(ring.files, h.Check, h.aad())
	if err != nil || string(word) != checkWord {
		return nil, ErrRoot
	}
	return ring, nil
}

// derive makes the rings from the root key.
func (h storeHeader) derive(root RootKey) (*rings, error) {
	secret, err := h.secret(root)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	files, err := ring(secret, "handover local v1 key files")
	if err != nil {
		return nil, err
	}
	wraps, err := ring(secret, "handover local v1 wraps")
	if err != nil {
		return nil, err
	}
	return &rings{files: files, wraps: wraps}, nil
}

// secret is the root key's 32 bytes.
func (h storeHeader) secret(root RootKey) ([]byte, error) {
	switch {
	case h.Root == "file" && root.path != "":
		return readRoot(root.path)
	case h.Root == "passphrase" && root.path == "":
		salt, err := base64.RawURLEncoding.DecodeString(h.Salt)
		if err != nil || len(salt) != saltSize || h.Rounds < 1 || h.Rounds > maxRounds {
			return nil, ErrRoot
		}
		return pbkdf2.Key(sha256.New, root.words(), salt, h.Rounds, rootSize)
	}
	return nil, fmt.Errorf("%w: it was made with a %s", ErrRoot, h.kind())
}

func (h storeHeader) kind() string {
	if h.Root == "passphrase" {
		return "passphrase"
	}
	return "root key file"
}

// ring derives one AES-256-GCM key (RFC 5869).
func ring(secret []byte, purpose string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("deriving key: %w", err)
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("deriving key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("deriving key: %w", err)
	}
	return aead, nil
}

// makeRoot writes a new root key unless the file is there.
func makeRoot(path string) error {
	secret := make([]byte, rootSize)
	_, _ = rand.Read(secret) // never fails
	text := append(base64.RawURLEncoding.AppendEncode(nil, secret), '\n')
	defer clear(text)
	defer clear(secret)
	err := publish(path, text)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// readRoot reads the root key file, and refuses one that others could have read:
// a key that was readable is to be replaced, not to be trusted.
func readRoot(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("root key file %s is missing: without it the keys of this store cannot be opened", path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading root key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading root key file: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("root key file %s can be used by others than its owner: run chmod 600 on it", path)
	}
	// One buffer, overwritten at once: what reads a file whole or makes a string of it
	// leaves copies of the key behind for as long as the process lives.
	text := make([]byte, 1<<10)
	defer clear(text)
	n, err := io.ReadFull(f, text)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading root key file: %w", err)
	}
	secret, err := decodeRoot(bytes.TrimSuffix(text[:n], []byte{'\n'}))
	if err != nil {
		return nil, fmt.Errorf("root key file %s does not hold 32 bytes of base64url: restore it from a backup", path)
	}
	return secret, nil
}

// decodeRoot decodes a root key in its one spelling.
func decodeRoot(text []byte) ([]byte, error) {
	if len(text) != base64.RawURLEncoding.EncodedLen(rootSize) || bytes.ContainsAny(text, "\r\n") {
		return nil, ErrRoot
	}
	secret := make([]byte, rootSize)
	if n, err := base64.RawURLEncoding.Strict().Decode(secret, text); err != nil || n != rootSize {
		clear(secret)
		return nil, ErrRoot
	}
	return secret, nil
}
