package proof

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// successionTitle begins the text of a succession. A checkpoint begins with its origin,
// so neither can be passed off as the other.
const successionTitle = "handover log key succession v1"

// Succession says that one key of a log is followed by another: the checkpoints of trees
// up to Size are From's, those of larger trees To's.
type Succession struct {
	Size     int64
	From, To LogKey
}

// Text is the text of s, to be signed as a C2SP signed note by both keys: title, origin,
// size and the two keys, a line each. Both sign, so that whoever has pinned either key can
// tell which checkpoints are the other's.
func (s Succession) Text() string {
	return fmt.Sprintf("%s\n%s\n%d\n%s\n%s\n", successionTitle, s.From.Origin(), s.Size, s.From.text, s.To.text)
}

// OpenSuccession reads a succession and verifies both its signatures. Whether one of its
// keys is to be trusted, LogKey.Followed decides.
func OpenSuccession(signed []byte) (Succession, error) {
	if len(signed) > maxNote {
		return Succession{}, fmt.Errorf("succession: %w", ErrMalformed)
	}
	lines := strings.Split(string(signed), "\n")
	if len(lines) < 6 || lines[0] != successionTitle || lines[5] != "" {
		return Succession{}, fmt.Errorf("succession: %w", ErrMalformed)
	}
	var s Succession
	var err error
	if s.Size, err = parseNumber(lines[2]); err != nil {
		return Succession{}, err
	}
	if s.From, err = ParseLogKey(lines[3]); err != nil {
		return Succession{}, err
	}
	if s.To, err = ParseLogKey(lines[4]); err != nil {
		return Succession{}, err
	}
	if s.From.Origin() != lines[1] || s.To.Origin() != lines[1] || s.From.text == s.To.text {
		return Succession{}, fmt.Errorf("succession between logs: %w", ErrMalformed)
	}
	for _, k := range []LogKey{s.From, s.To} {
		n, err := note.Open(signed, note.VerifierList(k.verifier))
		if err != nil {
			return Succession{}, noteError(err)
		}
		if n.Text != s.Text() {
			return Succession{}, fmt.Errorf("succession: %w", ErrMalformed)
		}
	}
	return s, nil
}

// reign is the span of trees whose checkpoints one key signs.
type reign struct {
	text       string
	verifier   note.Verifier
	from, upTo int64 // the size is above from and at most upTo
}

// Followed returns k with the keys that came before and after it by the log's successions,
// oldest first: it then opens every checkpoint of the log, each by the key whose turn it
// was. It returns ErrSignature unless each succession joins the one before it and k is one
// of the keys, so that nothing is trusted but what k, or a key that k vouches for, has
// signed: a hub cannot bring in a key without the private part of the one before.
func (k LogKey) Followed(successions []string) (LogKey, error) {
	if k.verifier == nil || len(successions) == 0 {
		k.reigns, k.successions = nil, nil
		return k, nil
	}
	var reigns []reign
	var last Succession
	known := false
	for i, text := range successions {
		s, err := OpenSuccession([]byte(text))
		if err != nil {
			return LogKey{}, err
		}
		if i > 0 && (s.From.text != last.To.text || s.Size < last.Size) || s.From.Origin() != k.Origin() {
			return LogKey{}, fmt.Errorf("successions that do not join: %w", ErrSignature)
		}
		known = known || s.From.text == k.text || s.To.text == k.text
		reigns = append(reigns, reign{s.From.text, s.From.verifier, last.Size, s.Size})
		last = s
	}
	if !known {
		return LogKey{}, fmt.Errorf("successions of other keys: %w", ErrSignature)
	}
	reigns[0].from = -1
	k.successions = slices.Clone(successions)
	k.reigns = append(reigns, reign{last.To.text, last.To.verifier, last.Size, math.MaxInt64})
	return k, nil
}

// Successions are the statements by which k was followed.
func (k LogKey) Successions() []string { return slices.Clone(k.successions) }

// Knows reports whether other is k, or one of the keys before and after it.
func (k LogKey) Knows(other LogKey) bool {
	return k.text == other.text || slices.ContainsFunc(k.reigns, func(r reign) bool { return r.text == other.text })
}

// speaks reports whether the checkpoint of a tree of that size is the key's to sign.
func (r reign) speaks(size int64) bool {
	return size > r.from && size <= r.upTo
}

// verifiers are the keys that may have signed a checkpoint of k's log.
func (k LogKey) verifiers() []note.Verifier {
	if len(k.reigns) == 0 {
		return []note.Verifier{k.verifier}
	}
	var all []note.Verifier
	for _, r := range k.reigns {
		all = append(all, r.verifier)
	}
	return all
}

// spoke reports whether one of the verified signatures is of a key whose turn it was. Among
// them may be witnesses': the key's name counts, not only the four bytes of its hash, which
// somebody who makes keys until they fit can have for a witness too.
func (k LogKey) spoke(sigs []note.Signature, size int64) bool {
	reigns := k.reigns
	if len(reigns) == 0 {
		reigns = []reign{{k.text, k.verifier, -1, math.MaxInt64}}
	}
	for _, sig := range sigs {
		for _, r := range reigns {
			if sig.Name == r.verifier.Name() && sig.Hash == r.verifier.KeyHash() && r.speaks(size) {
				return true
			}
		}
	}
	return false
}
