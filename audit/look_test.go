package audit

import (
	"errors"
	"testing"

	"handover/audit/proof"
	"handover/internal/fault"
)

// TestWhatIsShownSaysWhetherTheLogProvesIt changes what is stored, in one way at a time, as
// whoever has the database can, and wants each page that shows the entry to say so, and the others
// to say nothing.
func TestWhatIsShownSaysWhetherTheLogProvesIt(t *testing.T) {
	t.Parallel()
	const body, leaf = `convert_to(replace(convert_from(body, 'UTF8'), '"event":"request"', '"event":"refused"'), 'UTF8')`,
		`'\x01'::bytea || sha256('handover-audit-v1\000'::bytea || salt || n.body)`
	for _, row := range []struct {
		name, sql    string
		want, others Standing
		said         bool // what it said can still be read
		holds, edge  bool
	}{
		{"nothing", `SELECT WHERE $1::uuid IS NOT NULL`, Proved, Proved, true, true, true},
		{"what it says", `UPDATE audit_entry SET body = ` + body + ` WHERE id = $1`, Changed, Proved, true, true, true},
		{"what it says, with a leaf that fits", `UPDATE audit_entry e SET body = n.body, leaf = ` + leaf + ` FROM (SELECT id AS n, ` + body + ` AS body FROM audit_entry) n WHERE n.n = e.id AND e.id = $1`, Changed, Proved, true, true, true},
		{"its salt", `UPDATE audit_entry SET salt = set_byte(salt, 3, get_byte(salt, 3) # 1) WHERE id = $1`, Changed, Proved, true, true, true},
		{"its bytes are no entry", `UPDATE audit_entry SET body = '\xff00' WHERE id = $1`, Changed, Proved, false, true, true},
		{"another's true words under its id", `UPDATE audit_entry e SET salt = o.salt, body = o.body, leaf = o.leaf FROM audit_entry o
			WHERE e.id = $1 AND o.id = (SELECT entry FROM audit_leaf WHERE idx = 7)`, Changed, Proved, false, true, true},
		{"its content is gone", `UPDATE audit_entry SET salt = NULL, body = NULL WHERE id = $1`, Gone, Proved, false, true, true},
		{"its place is gone", `DELETE FROM audit_leaf WHERE entry = $1`, Waiting, Proved, true, true, true},
		{"a byte of its tile", `UPDATE audit_tile SET data = set_byte(data, 1600, get_byte(data, 1600) # 1) WHERE $1::uuid IS NOT NULL AND level = 0 AND n = 0`, Unproved, Proved, true, true, true},
		{"its tile is gone", `DELETE FROM audit_tile WHERE $1::uuid IS NOT NULL AND level = 0 AND n = 0`, Unproved, Proved, true, true, true},
		{"the edge", `UPDATE audit_tile SET data = set_byte(data, 40, get_byte(data, 40) # 1) WHERE $1::uuid IS NOT NULL AND level = 0 AND n = 1`, Unproved, Unproved, true, true, false},
		{"the checkpoint's signature", `UPDATE audit_checkpoint SET note = set_byte(note, octet_length(note) - 20, get_byte(note, octet_length(note) - 20) # 2)
			WHERE $1::uuid IS NOT NULL AND size = 300`, Unproved, Unproved, true, false, false},
		{"an earlier checkpoint in its place", `UPDATE audit_checkpoint SET note = (SELECT note FROM audit_checkpoint WHERE size = 40) WHERE $1::uuid IS NOT NULL AND size = 300`, Unproved, Unproved, true, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			ids := r.logMany(40)
			ids = append(ids, r.logMany(260)...)
			it, other := ids[50], ids[290]
			r.owner(row.sql, it)
			by := Reader{By: proof.Entry{Partner: testEntry().Partner}, All: true}

			found, under, err := r.LookAt(t.Context(), by, []EntryID{it, other})
			if err != nil || found[it].Stands != row.want || found[other].Stands != row.others || under.Holds != row.holds {
				t.Errorf("in a list: %v and %v under %v, %v", found[it].Stands, found[other].Stands, under.Holds, err)
			}
			one, _, err := r.ReadOne(t.Context(), by, it)
			if err != nil || one.Stands != row.want || (one.Said.ID == it.String()) != row.said {
				t.Errorf("by itself: %v, %v", one.Stands, err)
			}
			h, err := r.Health(t.Context())
			if err != nil || h.Under.Holds != row.holds || h.Edge != row.edge || row.holds && h.Under.Newest.IsZero() {
				t.Errorf("the whole: %+v, %v", h, err)
			}
			page, err := r.Read(t.Context(), by, Filter{Limit: 300})
			for _, e := range page.Entries {
				if e.ID == it && e.Stands != row.want || e.ID == other && e.Stands != row.others {
					t.Errorf("on a page entry %d is %v", e.Index, e.Stands)
				}
			}
			if shown := len(page.Entries); err != nil || shown < 298 {
				t.Errorf("a page has %d entries, %v", shown, err)
			}
		})
	}
}

// TestOneEntryIsShownToWhomItConcerns: of another's entry is said what is said of none, on a page
// as over the wire, and what is shown is logged with what it is about.
func TestOneEntryIsShownToWhomItConcerns(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := testEntry()
	id := r.logEntry(e)
	r.oversees("oversight-example", "active")
	r.mustSequence()
	refusal := fault.New(fault.Forbidden, "no", fault.Sender, "No.")
	for _, row := range []struct {
		by   Reader
		want error
	}{
		{Reader{By: proof.Entry{Partner: e.Partner}, All: true}, nil},
		{Reader{By: proof.Entry{Partner: e.Other}, All: true}, nil},
		{Reader{By: proof.Entry{Partner: "oversight-example"}, All: true, Oversees: true}, nil},
		{Reader{By: proof.Entry{Partner: "oversight-example"}, All: true}, ErrNoEntry},
		{Reader{By: proof.Entry{Partner: "housing-example"}, All: true}, ErrNoEntry},
		{Reader{By: proof.Entry{Partner: "housing-example"}, All: true, Oversees: true}, ErrNoEntry},
		{Reader{By: proof.Entry{Partner: e.Partner}, About: true, Refusal: refusal}, refusal},
	} {
		if _, _, err := r.ReadOne(t.Context(), row.by, id); !errors.Is(err, row.want) {
			t.Errorf("%+v reads it: %v", row.by, err)
		}
		text, err := r.ProofFor(t.Context(), row.by, id)
		if !errors.Is(err, row.want) {
			t.Errorf("%+v is given its proof: %v", row.by, err)
		}
		if _, failed := proof.ParseProof(text); (failed == nil) != (row.want == nil) {
			t.Errorf("%+v is given %q", row.by, text)
		}
		found, _, err := r.LookAt(t.Context(), row.by, []EntryID{id})
		if row.want == nil && len(found) != 1 || row.want != nil && len(found) != 0 {
			t.Errorf("%+v sees it in a list: %v, %v", row.by, found, err)
		}
	}
	if n := r.one(`SELECT count(*) FROM audit_entry WHERE act = 'log.read' AND referral = $1 AND consent = $2 AND convert_from(body, 'UTF8') LIKE '%"target":"' || $3 || '"%'`,
		e.Referral, e.Consent, id.String()); n != 3 {
		t.Errorf("%d readings of it are logged, not 3", n)
	}
}
