package proof

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// proofHeader is the first line of a C2SP tlog-proof.
const proofHeader = "c2sp.org/tlog-proof@v1"

const (
	maxHashes = 64       // a path in a tree of 2^63 leaves has at most 63 hashes
	maxExtra  = 16 << 10 // bytes of extra data
	maxProof  = maxNote + 2*maxExtra + maxHashes*45
)

// Inclusion is the content of a C2SP tlog-proof: that a leaf stands at Index in
// the tree of Checkpoint. As a value it proves nothing yet; Receipt.Verify and
// Inclusion.Verify do the checking.
type Inclusion struct {
	Extra      []byte           // opaque and not authenticated; this log writes none
	Index      int64            // of the leaf, from 0
	Hashes     tlog.RecordProof // from the leaf's sibling up (RFC 6962 §2.1.1)
	Checkpoint []byte           // the signed note, verbatim
}

// FormatProof writes p as the text of `c2sp.org/tlog-proof@v1`:
//
//	c2sp.org/tlog-proof@v1
//	extra BASE64                (only when there is any)
//	index N
//	BASE64 of each hash
//	                            (empty line)
//	the checkpoint, verbatim
func FormatProof(p Inclusion) []byte {
	b := make([]byte, 0, 64+45*len(p.Hashes)+2*len(p.Extra)+len(p.Checkpoint))
	b = append(b, proofHeader+"\n"...)
	if len(p.Extra) > 0 {
		b = append(b, "extra "...)
		b = base64.StdEncoding.AppendEncode(b, p.Extra)
		b = append(b, '\n')
	}
	b = append(b, "index "...)
	b = strconv.AppendInt(b, p.Index, 10)
	b = append(b, '\n')
	b = appendHashes(b, p.Hashes)
	b = append(b, '\n')
	return append(b, p.Checkpoint...)
}

func appendHashes(b []byte, hashes []tlog.Hash) []byte {
	for i := range hashes {
		b = base64.StdEncoding.AppendEncode(b, hashes[i][:])
		b = append(b, '\n')
	}
	return b
}

// ParseProof reads a tlog-proof. It refuses every text that FormatProof would not
// have written, so a proof has one spelling. Nothing is verified yet.
func ParseProof(text []byte) (Inclusion, error) {
	if len(text) > maxProof {
		return Inclusion{}, fmt.Errorf("proof too long: %w", ErrMalformed)
	}
	head, checkpoint, found := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(checkpoint) == 0 || lines[0] != proofHeader {
		return Inclusion{}, fmt.Errorf("proof: %w", ErrMalformed)
	}
	p := Inclusion{Checkpoint: checkpoint}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		extra, err := base64.StdEncoding.Strict().DecodeString(lines[0][len("extra "):])
		if err != nil || len(extra) == 0 || len(extra) > maxExtra {
			return Inclusion{}, fmt.Errorf("extra data of a proof: %w", ErrMalformed)
		}
		p.Extra, lines = extra, lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return Inclusion{}, fmt.Errorf("proof without index: %w", ErrMalformed)
	}
	index, err := parseNumber(lines[0][len("index "):])
	if err != nil {
		return Inclusion{}, err
	}
	p.Index = index
	if p.Hashes, err = parseHashes(lines[1:]); err != nil {
		return Inclusion{}, err
	}
	// The base64 reader skips line breaks; writing it again leaves no second spelling.
	if !bytes.Equal(FormatProof(p), text) {
		return Inclusion{}, fmt.Errorf("proof is not canonical: %w", ErrMalformed)
	}
	return p, nil
}

func parseHashes(lines []string) ([]tlog.Hash, error) {
	if len(lines) > maxHashes {
		return nil, fmt.Errorf("too many hashes: %w", ErrMalformed)
	}
	hashes := make([]tlog.Hash, 0, len(lines))
	for _, line := range lines {
		h, err := parseHash(line)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, h)
	}
	return hashes, nil
}

// Verify checks that leaf, the data Leaf returns, stands at p.Index in the tree of
// p.Checkpoint and that key signed that checkpoint. It returns the tree.
func (p Inclusion) Verify(leaf []byte, key LogKey) (tlog.Tree, error) {
	tree, err := OpenCheckpoint(p.Checkpoint, key)
	if err != nil {
		return tlog.Tree{}, err
	}
	if err := p.Leads(leaf, tree); err != nil {
		return tlog.Tree{}, err
	}
	return tree, nil
}

// Leads is Verify for a tree whose checkpoint was opened before (OpenCheckpoint), so that many
// entries under one checkpoint cost one signature. p.Checkpoint is not looked at.
func (p Inclusion) Leads(leaf []byte, tree tlog.Tree) error {
	if err := tlog.CheckRecord(p.Hashes, tree.N, tree.Hash, p.Index, tlog.RecordHash(leaf)); err != nil {
		return ErrProof
	}
	return nil
}

// FormatConsistency writes a consistency proof from a tree of size old to the
// newer checkpoint, in the form of the body of C2SP tlog-witness's add-checkpoint,
// so that it can be handed to a witness as it is:
//
//	old N
//	BASE64 of each hash
//	                            (empty line)
//	the newer checkpoint, verbatim
func FormatConsistency(old int64, hashes tlog.TreeProof, newer []byte) []byte {
	b := make([]byte, 0, 32+45*len(hashes)+len(newer))
	b = append(b, "old "...)
	b = strconv.AppendInt(b, old, 10)
	b = append(b, '\n')
	b = appendHashes(b, hashes)
	b = append(b, '\n')
	return append(b, newer...)
}

// ParseConsistency reads what FormatConsistency writes and nothing else. Nothing
// is verified yet; VerifyConsistency does that.
func ParseConsistency(text []byte) (old int64, hashes tlog.TreeProof, newer []byte, err error) {
	if len(text) > maxProof {
		return 0, nil, nil, fmt.Errorf("proof too long: %w", ErrMalformed)
	}
	head, newer, found := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(newer) == 0 || !strings.HasPrefix(lines[0], "old ") {
		return 0, nil, nil, fmt.Errorf("consistency proof: %w", ErrMalformed)
	}
	if old, err = parseNumber(lines[0][len("old "):]); err != nil {
		return 0, nil, nil, err
	}
	if hashes, err = parseHashes(lines[1:]); err != nil {
		return 0, nil, nil, err
	}
	if !bytes.Equal(FormatConsistency(old, hashes, newer), text) {
		return 0, nil, nil, fmt.Errorf("consistency proof is not canonical: %w", ErrMalformed)
	}
	return old, hashes, newer, nil
}
