package proof

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// maxNote bounds a checkpoint with all its cosignatures, in bytes. A note of the
// log alone has about 200.
const maxNote = 64 << 10

// LogKey is the public key of one log together with the log's name (its origin).
// The zero LogKey verifies nothing.
type LogKey struct {
	text     string
	verifier note.Verifier

	// Of it and the keys before and after it; nil when it is the only one.
	reigns      []reign
	successions []string

	policy *Policy // whose cosignatures are needed as well; nil for nobody's
}

// ParseLogKey reads a verifier key of the C2SP signed-note form
// "origin+hash+base64". Only Ed25519 keys exist in it.
func ParseLogKey(vkey string) (LogKey, error) {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return LogKey{}, fmt.Errorf("log key: %w", ErrMalformed)
	}
	return LogKey{text: vkey, verifier: v}, nil
}

// String returns the key in the form ParseLogKey reads.
func (k LogKey) String() string { return k.text }

// Origin returns the log's name, or "" for the zero key.
func (k LogKey) Origin() string {
	if k.verifier == nil {
		return ""
	}
	return k.verifier.Name()
}

// FormatCheckpoint returns the text of a C2SP tlog-checkpoint, to be signed as a
// note: origin, size and root on three lines.
func FormatCheckpoint(origin string, tree tlog.Tree) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, tree.N, tree.Hash)
}

// OpenCheckpoint returns the tree that a signed checkpoint describes. It refuses a
// checkpoint that key (or the key in its line whose turn it was, see Followed) did not sign, one of another origin (a log's key speaks for
// that log only, C2SP tlog-checkpoint), and extension lines, which this log never
// signs. Cosignatures are needed when key has a policy (see Witnessed), and checked if they are of its
// witnesses; other signatures are ignored.
func OpenCheckpoint(signed []byte, key LogKey) (tlog.Tree, error) {
	if key.verifier == nil || len(signed) > maxNote {
		return tlog.Tree{}, ErrSignature
	}
	sigs, text, err := key.open(signed)
	if err != nil {
		return tlog.Tree{}, err
	}
	origin, tree, err := parseCheckpoint(text)
	if err != nil {
		return tlog.Tree{}, err
	}
	if origin != key.Origin() {
		return tlog.Tree{}, fmt.Errorf("checkpoint of another log: %w", ErrSignature)
	}
	if !key.spoke(sigs, tree.N) {
		return tlog.Tree{}, fmt.Errorf("checkpoint by a key of the log whose turn it was not: %w", ErrSignature)
	}
	if key.policy != nil {
		if err := key.policy.check(key, sigs); err != nil {
			return tlog.Tree{}, err
		}
	}
	return tree, nil
}

// open verifies the signatures under a note that are the log's or its witnesses', and
// returns them with the note's text.
func (k LogKey) open(signed []byte) ([]note.Signature, string, error) {
	verifiers := k.verifiers()
	if k.policy != nil {
		verifiers = append(verifiers, k.policy.verifiers(k)...)
	}
	n, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		return nil, "", noteError(err)
	}
	// One signature has one spelling here, so a receipt cannot be changed without notice.
	for _, s := range n.Sigs {
		if !oneSpelling(s) {
			return nil, "", fmt.Errorf("checkpoint signature: %w", ErrMalformed)
		}
	}
	return n.Sigs, n.Text, nil
}

// noteError sorts the library's refusals: a bad or missing signature is
// ErrSignature, everything else ErrMalformed.
func noteError(err error) error {
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	if errors.As(err, &unverified) || errors.As(err, &invalid) {
		return ErrSignature
	}
	return fmt.Errorf("checkpoint: %w", ErrMalformed)
}

// parseCheckpoint reads the three lines of a checkpoint's text.
func parseCheckpoint(text string) (string, tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] == "" || lines[3] != "" {
		return "", tlog.Tree{}, fmt.Errorf("checkpoint: %w", ErrMalformed)
	}
	size, err := parseNumber(lines[1])
	if err != nil {
		return "", tlog.Tree{}, err
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return "", tlog.Tree{}, err
	}
	return lines[0], tlog.Tree{N: size, Hash: root}, nil
}

// parseNumber reads a non-negative decimal of one spelling: no sign, no leading
// zeros.
func parseNumber(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("number: %w", ErrMalformed)
	}
	return n, nil
}

// parseHash reads a base64 SHA-256 of one spelling.
func parseHash(s string) (tlog.Hash, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != tlog.HashSize || len(s) != base64.StdEncoding.EncodedLen(tlog.HashSize) {
		return tlog.Hash{}, fmt.Errorf("hash: %w", ErrMalformed)
	}
	return tlog.Hash(b), nil
}

// VerifyConsistency checks that the tree of the newer checkpoint begins with the
// whole tree of the older one (RFC 6962 §2.1.2): that nothing the log once
// confirmed was changed, moved or removed. Both checkpoints must be signed by key.
// Whoever keeps one old checkpoint catches, with this, a log that was rewritten
// and signed again with its real key.
func VerifyConsistency(older, newer []byte, hashes tlog.TreeProof, key LogKey) error {
	o, err := OpenCheckpoint(older, key)
	if err != nil {
		return err
	}
	n, err := OpenCheckpoint(newer, key)
	if err != nil {
		return err
	}
	return CheckConsistency(o, n, hashes)
}

// CheckConsistency is VerifyConsistency for trees whose checkpoints were opened before.
func CheckConsistency(older, newer tlog.Tree, hashes tlog.TreeProof) error {
	if older.N == 0 {
		// Every tree begins with the empty one, whose root is SHA-256("").
		empty, err := tlog.TreeHash(0, nil)
		if err != nil || older.Hash != empty || len(hashes) != 0 || newer.N == 0 && newer.Hash != empty {
			return ErrProof
		}
		return nil
	}
	if err := tlog.CheckTree(hashes, newer.N, newer.Hash, older.N, older.Hash); err != nil {
		return ErrProof
	}
	return nil
}
