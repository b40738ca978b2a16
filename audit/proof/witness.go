package proof

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// algCosignature is the type of a witness's key: Ed25519 for cosignature/v1 (C2SP
// tlog-cosignature). A log's key has another type, so neither is read as the other.
const algCosignature = 4

// Witness is somebody who has seen a log grow and puts a cosignature under its
// checkpoints: "at this time, the largest tree I have seen of this log, and every one
// that I saw before is its beginning".
type Witness struct {
	Name string // within one policy; it means nothing elsewhere
	Key  string // "name+hash+base64", of type 0x04
	URL  string // submission prefix (C2SP tlog-witness); "" when only verified

	verifier note.Verifier
	public   [ed25519.PublicKeySize]byte
}

// ParseWitness reads the verifier key of a witness, as `hub witness new-key` prints it.
// There is one spelling of a key.
func ParseWitness(vkey string) (Witness, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	_, encoded, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algCosignature {
		return Witness{}, fmt.Errorf("witness key: %w", ErrMalformed)
	}
	v, err := cosign.NewVerifierForCosignatureV1(vkey)
	if err != nil {
		return Witness{}, fmt.Errorf("witness key: %w", ErrMalformed)
	}
	// The library does not compare the key's hash with the key.
	if fmt.Sprintf("%s+%08x+%s", name, v.KeyHash(), base64.StdEncoding.EncodeToString(raw)) != vkey {
		return Witness{}, fmt.Errorf("witness key: %w", ErrMalformed)
	}
	return Witness{Name: name, Key: vkey, verifier: v, public: [ed25519.PublicKeySize]byte(raw[1:])}, nil
}

// WitnessKey returns the verifier key of a witness called name, which ParseWitness reads.
func WitnessKey(name string, public ed25519.PublicKey) (string, error) {
	plain, err := note.NewEd25519VerifierKey(name, public)
	if err != nil {
		return "", fmt.Errorf("naming a witness: %w", err)
	}
	vkey, err := cosign.VKeyToCosignatureV1(plain)
	if err != nil {
		return "", fmt.Errorf("naming a witness: %w", err)
	}
	return vkey, nil
}

// Cosignature is one witness's word about one checkpoint.
type Cosignature struct {
	Line string    // of the note, with its line end
	Time time.Time // at which it was given, by the witness's clock
}

// Cosigned returns w's cosignature out of a witness's answer about a checkpoint of log.
// What else the answer holds is ignored, as C2SP tlog-witness asks; a line that is w's
// and does not verify is ErrSignature.
func (w Witness) Cosigned(checkpoint, answer []byte, log LogKey) (Cosignature, error) {
	if w.verifier == nil || len(checkpoint)+len(answer) > maxNote {
		return Cosignature{}, ErrSignature
	}
	if _, err := OpenCheckpoint(checkpoint, log.Alone()); err != nil {
		return Cosignature{}, err
	}
	if log.owns(w) {
		return Cosignature{}, fmt.Errorf("the log's own key as a witness: %w", ErrSignature)
	}
	n, err := note.Open(bytes.Join([][]byte{checkpoint, answer}, nil), note.VerifierList(w.verifier))
	if err != nil {
		return Cosignature{}, noteError(err)
	}
	at, err := timeOf(n.Sigs[0])
	if err != nil {
		return Cosignature{}, err
	}
	return Cosignature{Line: fmt.Sprintf("— %s %s\n", n.Sigs[0].Name, n.Sigs[0].Base64), Time: at}, nil
}

// Cosign puts cosignatures of the policy's witnesses, by the witness's Name, under a checkpoint, in the order in
// which the policy has the witnesses: the same cosignatures make the same bytes.
func (p Policy) Cosign(checkpoint []byte, by map[string]Cosignature) []byte {
	signed := bytes.Clone(checkpoint)
	for _, w := range p.witnesses {
		signed = append(signed, by[w.Name].Line...)
	}
	return signed
}

// lastTime is the last second that RFC 3339 can write.
const lastTime = 253402300799

// timeOf is the time in a cosignature that was verified. Zero is no time: a cosignature
// without one does not say what was the largest tree when.
func timeOf(s note.Signature) (time.Time, error) {
	if !oneSpelling(s) {
		return time.Time{}, fmt.Errorf("cosignature: %w", ErrMalformed)
	}
	at, err := cosign.CoSigV1Timestamp(s)
	if err != nil || at.Unix() <= 0 || at.Unix() > lastTime {
		return time.Time{}, fmt.Errorf("time of a cosignature: %w", ErrMalformed)
	}
	return at.UTC(), nil
}

// oneSpelling reports whether a signature is in strict base64. The library of notes
// also reads it with loose last bits, so that a signature would have several spellings.
func oneSpelling(s note.Signature) bool {
	raw, err := base64.StdEncoding.Strict().DecodeString(s.Base64)
	return err == nil && base64.StdEncoding.EncodeToString(raw) == s.Base64
}

// Witnessed returns k for whoever demands p as well: OpenCheckpoint under it, and so
// every proof and receipt, then needs the policy's quorum besides the log's own
// signature, which alone shows nothing against who holds the log's key: he can write
// another history and sign it, but not get it cosigned by who has seen the first one.
// The zero Policy demands nothing.
func (k LogKey) Witnessed(p Policy) LogKey {
	k.policy = nil
	if p.quorum != "" {
		k.policy = &p
	}
	return k
}

// Policy is the policy that k demands, or the zero Policy.
func (k LogKey) Policy() Policy {
	if k.policy == nil {
		return Policy{}
	}
	return *k.policy
}

// Alone returns k without the demand for witnesses.
func (k LogKey) Alone() LogKey {
	k.policy = nil
	return k
}

// owns reports whether a witness's key is one of the log's own, in which case it
// witnesses nothing.
func (k LogKey) owns(w Witness) bool {
	for _, text := range k.texts() {
		if publicOf(text) == w.public {
			return true
		}
	}
	return false
}

// texts are the verifier keys of the log.
func (k LogKey) texts() []string {
	if len(k.reigns) == 0 {
		return []string{k.text}
	}
	var all []string
	for _, r := range k.reigns {
		all = append(all, r.text)
	}
	return all
}

// publicOf is the Ed25519 key in the text of a log's key, which was parsed before.
func publicOf(vkey string) (public [ed25519.PublicKeySize]byte) {
	_, rest, _ := strings.Cut(vkey, "+")
	_, encoded, _ := strings.Cut(rest, "+")
	if raw, err := base64.StdEncoding.DecodeString(encoded); err == nil && len(raw) == 1+len(public) {
		copy(public[:], raw[1:])
	}
	return public
}
