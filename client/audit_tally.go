package client

import "fmt"

// namedFirst is how many failures of one kind are named; the rest are counted.
const namedFirst = 5

// auditKind is one kind of check of an export.
type auditKind int

// The kinds, in the order in which they are reported.
const (
	checkedFile auditKind = iota
	checkedCheckpoint
	checkedWitnesses
	checkedKept
	checkedTiles
	checkedEntries
	checkedRange
	checkedTimes
	checkedKeys
	checkedStatements
	checkedSignatures
	checkedSteps
	checkedSent
	checkedReleased
	checkedOverrides
	checkedEnded
	checkedPolice
	checkedAgreements
	checkedKinds // how many there are
)

// kindWords is what is said of a kind when it holds.
type kindWords struct{ about, good string }

func (c auditKind) words() kindWords {
	return [checkedKinds]kindWords{
		checkedFile:       {"file", "%d lines, whole and as the hub's log key signed them"},
		checkedCheckpoint: {"checkpoint", "%d checked: it is signed by the log's key"},
		checkedWitnesses:  {"witnesses", "%d checkpoint checked: as many witnesses have signed it as your policy asks for, so the hub showed them this log and no other"},
		checkedKept:       {"kept checkpoint", "%d checked: the log begins with all that it covers, and nothing of that was changed since you kept it"},
		checkedTiles:      {"tiles", "%d checked: each tile of the tree leads to the root that the checkpoint has"},
		checkedEntries:    {"entries", "%d checked: each is, byte for byte, what the log has at its place"},
		checkedRange:      {"range", "%d places checked: each has its entry, or is said to be erased or not yours to read"},
		checkedTimes:      {"times", "%d checked: each entry stands where its time belongs"},
		checkedKeys:       {"keys", "%d holders checked: the keys of each are those that the log proves, from the first to the last"},
		checkedStatements: {"statements", "%d checked: each signed statement is the one that its entry names, and the entry says what it says"},
		checkedSignatures: {"signatures", "%d checked: each is by whom the statement names, with a key that counted then and has not been revoked"},
		checkedSteps:      {"steps", "%d checked: each step of a referral follows the one before, and leads where the log says"},
		checkedSent:       {"sharing", "%d checked: each packet with sections rests on her consent, or on an override, that was in the log before and covered it"},
		checkedReleased:   {"opening", "%d checked: each opening rests on her consent, or on an override, that was in the log before, covered it and had not ended"},
		checkedOverrides:  {"second person", "%d checked: each decision is by another person than who put it forward"},
		checkedEnded:      {"withdrawals", "%d checked: what the hub did of itself, and what was answered about what is still held, follows a withdrawal"},
		checkedPolice:     {"police", "%d checked: each decision answers what was asked, and came after it"},
		checkedAgreements: {"agreements", "%d checked: each signature and each end is under exactly what was proposed, came after it, and is the only one"},
	}[c]
}

// tally counts what was checked, kind by kind: a file has too much to say each thing.
type tally struct {
	kinds [checkedKinds]struct {
		good, bad int64
		first     []string
	}
}

// ok notes that n things of the kind hold.
func (t *tally) ok(c auditKind, n int64) { t.kinds[c].good += n }

// bad notes that one thing of the kind does not hold, and where.
func (t *tally) bad(c auditKind, place, format string, args ...any) {
	k := &t.kinds[c]
	if k.bad++; len(k.first) < namedFirst {
		k.first = append(k.first, place+": "+fmt.Sprintf(format, args...))
	}
}

// weigh notes one thing of the kind: it holds when bad is "".
func (t *tally) weigh(c auditKind, place, bad string) {
	if bad != "" {
		t.bad(c, place, "%s", bad)
		return
	}
	t.ok(c, 1)
}

// findings writes what was counted: of each kind what does not hold first, by its place.
func (t *tally) findings(f *Findings) {
	for c := range checkedKinds {
		k, said := t.kinds[c], c.words()
		for _, text := range k.first {
			f.fails(said.about, "%s", text)
		}
		if more := k.bad - int64(len(k.first)); more > 0 {
			f.fails(said.about, "and %d more like these", more)
		}
		if k.good > 0 {
			f.holds(said.about, said.good, k.good)
		}
	}
}
