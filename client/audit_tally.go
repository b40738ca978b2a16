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
	checkedKinds // how many there are
)

// kindWords is what is said of a kind when it holds.
type kindWords struct{ about, good string }

func (c auditKind) words() kindWords {
	return [checkedKinds]kindWords{
		checkedFile:       {"file", "the file is whole, as the hub's log key signed it: %d lines"},
		checkedCheckpoint: {"checkpoint", "%d checkpoint is signed by the log's key"},
		checkedWitnesses:  {"witnesses", "%d checkpoint is signed by as many witnesses as your policy asks for: the hub showed them this log and no other"},
		checkedKept:       {"kept checkpoint", "the log begins with all that %d checkpoints cover which you kept: nothing of that was changed since"},
		checkedTiles:      {"tiles", "%d tiles of the tree lead to the root that the checkpoint has"},
		checkedEntries:    {"entries", "%d entries are, byte for byte, what the log has at their places"},
		checkedRange:      {"range", "%d entries of the range are accounted for"},
		checkedTimes:      {"times", "%d entries stand in the order of their times"},
		checkedKeys:       {"keys", "%d agencies' keys are those that the log proves, from the first to the last"},
		checkedStatements: {"statements", "%d signed statements are the ones that the entries name, and the entries say what they say"},
		checkedSignatures: {"signatures", "%d statements are signed by whom they name, with a key that counted then and was not revoked"},
		checkedSteps:      {"steps", "%d steps of referrals each follow the one before, and lead where the log says"},
		checkedSent:       {"sharing", "%d packets with sections rest on her consent, or on an override, that was in the log before and covered them"},
		checkedReleased:   {"opening", "%d openings rest on her consent, or on an override, that was in the log before, covered them and had not ended"},
		checkedOverrides:  {"overrides", "%d decisions about sharing without her agreement are each by another person than who proposed it"},
		checkedEnded:      {"withdrawals", "%d steps that the hub took of itself, and answers about what is still held, follow a withdrawal"},
		checkedPolice:     {"police", "%d decisions about requests of the police answer what was asked, and came after it"},
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
