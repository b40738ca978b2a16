package audit

import (
	"fmt"
	"maps"
	"slices"

	"handover/audit/proof"
)

// Ledger says which rows of the database stand for which entries of the log, so that both can
// be held against each other. Each room declares its own; the log knows no domain.
type Ledger struct {
	Rows  []Rows
	Alone []string // acts of which no row tells but their entry: readings, refusals
	Pairs []Pair
}

// Rows declares one table whose rows name the entry that made them so, in log_entry.
type Rows struct {
	Table string
	Key   string // SQL, over the row r: what names a row to who looks into it; nothing personal
	Join  string // SQL: what else the conditions below look at, as LEFT JOIN packet p ON p.seq = r.packet
	// Before is what holds of a row, in SQL, that nothing has been done with yet, and that may
	// name no entry: a pushed request that nobody has answered.
	Before string
	// Moves: log_entry goes on to the entry of each later act, so it has to be the newest one
	// that is about the row.
	Moves bool
	Kinds []Kind
}

// Kind says what a row is like that names an entry of one of the acts, and what each such
// entry must find.
type Kind struct {
	Acts   []string
	Stands string // SQL over r: what must hold of the row, whether the entry can still be read or not
	Agrees string // SQL over r and said, the entry's body as jsonb
	Is     Say    // what of the entry names the row
	By     Say    // as Is, to look for the row of an entry with, where that is not how they are compared
	Says   []Say
	Every  Every
	Gone   string // of Every Gone: why the row may be missing, in words
}

// name is what of the entry names the row.
func (k Kind) name() Say {
	if k.By.Row != "" {
		return k.By
	}
	return k.Is
}

// Say is a member of an entry that a row must repeat.
type Say struct {
	Member string // of the entry's JSON, as consent or key.kid
	Row    string // SQL over r
	Older  bool   // entries from before the member existed do not have it
}

// Every says what must be there for each entry of an act. One table is the act's home; in the
// others it is NotHome.
type Every int

// What must be there for each entry.
const (
	NotHome  Every = iota
	Exactly        // one row that names it
	Several        // a row or more that name it
	Found          // a row of which it speaks, by Is, whatever entry that row names now
	GoneRows       // perhaps nothing: see Gone
)

// Pair is a comparison of rows, for what no single row shows. SQL selects the key of each
// place that differs and the id of the entry concerned, or NULL.
type Pair struct {
	Table string
	What  string // what is wrong with what is selected, in words
	SQL   string
}

// DigestSQL is the base64url SHA-256 of a text in SQL, as entries carry it.
func DigestSQL(text string) string {
	return `rtrim(translate(encode(sha256(convert_to(` + text + `, 'UTF8')), 'base64'), '+/', '-_'), '=')`
}

// Restates is the comparison of a table's rows r with the signed statement that each keeps: the
// columns by which the hub decides were taken out of it, and whoever changes one of them shares
// what nobody has agreed to, with every entry and every digest in place. same is what must hold,
// in SQL over r and said, the statement's claims as jsonb.
func Restates(table, key, statement, same string) Pair {
	return Pair{Table: table, What: "a row says otherwise than the signed statement that it keeps", SQL: `
		SELECT ` + key + `, r.log_entry FROM ` + table + ` r
		CROSS JOIN LATERAL (SELECT audit_payload(` + statement + `) AS said OFFSET 0) b WHERE NOT coalesce((` + same + `), false)`}
}

// EpochSQL is a time in SQL as statements have it: whole seconds since 1970. One without end is
// no error, which would hide every other difference, but another value.
func EpochSQL(time string) string { return `to_jsonb(extract(epoch FROM ` + time + `))` }

// Join makes one ledger of those of all rooms, with the log's own.
func Join(rooms ...Ledger) Ledger {
	all := ownLedger()
	for _, room := range rooms {
		all.Rows = append(all.Rows, room.Rows...)
		all.Alone = append(all.Alone, room.Alone...)
		all.Pairs = append(all.Pairs, room.Pairs...)
	}
	return all
}

// ownLedger declares the log's own rows and acts.
func ownLedger() Ledger {
	return Ledger{
		Rows: []Rows{
			{Table: "audit_succession", Key: "r.position::text", Kinds: []Kind{{
				Acts: []string{proof.Successor}, Is: Say{Member: "digest", Row: DigestSQL("r.note")}, Every: Exactly}}},
			{Table: "audit_reconciled", Key: "r.at::text", Kinds: []Kind{{
				Acts: []string{proof.Reconciled}, Is: Say{Member: "count", Row: "nullif(r.differences, 0)"}, Every: Exactly}}},
		},
		Alone: []string{proof.Refused, "hub.rotate", "log.read", "log.export", proof.WitnessShort, proof.WitnessAgain, proof.WitnessRefused},
	}
}

// Check returns what the ledger leaves out or says twice: an act without a home, a table
// without a declaration. tables are all that have a column log_entry.
func (g Ledger) Check(tables []string) (faults []string) {
	homes, declared := map[string]int{}, map[string]int{}
	for _, act := range g.Alone {
		homes[act]++
	}
	for _, r := range g.Rows {
		declared[r.Table]++
		for _, k := range r.Kinds {
			for _, act := range k.Acts {
				if k.Every != NotHome {
					homes[act]++
				}
				if _, known := proof.ActOf(act); !known {
					faults = append(faults, fmt.Sprintf("table %s names the act %q, which is not on the list", r.Table, act))
				}
			}
			if (k.Every == GoneRows) != (k.Gone != "") || k.Every == Found && k.name().Row == "" {
				faults = append(faults, fmt.Sprintf("table %s: of %v is not said what must be there", r.Table, k.Acts))
			}
		}
	}
	for _, a := range proof.Acts() {
		if homes[a.Name] != 1 {
			faults = append(faults, fmt.Sprintf("the act %q has %d homes in the ledger instead of one", a.Name, homes[a.Name]))
		}
		delete(homes, a.Name)
	}
	for act := range maps.Keys(homes) {
		faults = append(faults, fmt.Sprintf("the ledger has the act %q, which is not on the list", act))
	}
	for _, t := range tables {
		if declared[t] != 1 {
			faults = append(faults, fmt.Sprintf("table %s is declared %d times in the ledger instead of once", t, declared[t]))
		}
	}
	slices.Sort(faults)
	return faults
}

// Difference is one place where log and rows do not agree. It has ids and numbers, and nothing
// of any person.
type Difference struct {
	What  string `json:"what"`            // in words
	Table string `json:"table,omitempty"` // of the row, if it is one
	Key   string `json:"key,omitempty"`   // which row
	Entry string `json:"entry,omitempty"` // id of the entry
	Index *int64 `json:"index,omitempty"` // its place in the log, where it has one
}

func (d Difference) String() string {
	s := d.What
	if d.Table != "" {
		s += ": table " + d.Table
		if d.Key != "" {
			s += ", row " + d.Key
		}
	}
	if d.Entry != "" {
		s += ": entry " + d.Entry
	}
	if d.Index != nil {
		s += fmt.Sprintf(", index %d", *d.Index)
	}
	return s
}

// Report is what one comparison has found.
type Report struct {
	Entries     int64        `json:"entries"` // that have a place
	Waiting     int64        `json:"waiting"` // that wait for theirs
	Rows        int64        `json:"rows"`    // that name an entry
	Checkpoints int64        `json:"checkpoints"`
	Found       int64        `json:"found"`       // differences, also those beyond the ones listed
	Differences []Difference `json:"differences"` // at most mostDifferences
}

// mostDifferences bounds what is listed, and a table that is wholly wrong says so once in a
// while and not a million times.
const mostDifferences = 1000

func (r *Report) add(d Difference) {
	r.Found++
	if len(r.Differences) < mostDifferences {
		r.Differences = append(r.Differences, d)
	}
}

// more counts n differences that are not listed.
func (r *Report) more(n int64) { r.Found += n }
