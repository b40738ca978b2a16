package audit

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit/proof"
	"handover/internal/pg"
)

// insufficientPrivilege is PostgreSQL's code for what a role was not granted.
const insufficientPrivilege = "42501"

func refusedWith(err error, code string) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && refused.Code == code
}

func TestARoleCanDoOnlyItsOwnPart(t *testing.T) {
	r := newRig(t)
	r.logMany(3)
	r.log()
	hub, log := r.db.Hub, r.db.Log
	for _, row := range []struct {
		name string
		pool *pgxpool.Pool
		sql  string
	}{
		{"the hub changes an entry", hub, `UPDATE audit_entry SET act = 'x'`},
		{"the hub erases an entry", hub, `UPDATE audit_entry SET salt = NULL, body = NULL`},
		{"the hub deletes entries", hub, `DELETE FROM audit_entry`},
		{"the hub empties the log", hub, `TRUNCATE audit_entry CASCADE`},
		{"the hub reads the queue", hub, `SELECT * FROM audit_pending`},
		{"the hub takes from the queue", hub, `DELETE FROM audit_pending`},
		{"the hub gives places", hub, `INSERT INTO audit_leaf VALUES (3, gen_random_uuid(), 4)`},
		{"the hub changes places", hub, `UPDATE audit_leaf SET idx = idx + 1`},
		{"the hub deletes places", hub, `DELETE FROM audit_leaf`},
		{"the hub writes tiles", hub, `INSERT INTO audit_tile VALUES (0, 9, repeat('x', 32)::bytea)`},
		{"the hub changes tiles", hub, `UPDATE audit_tile SET data = data || data`},
		{"the hub deletes tiles", hub, `DELETE FROM audit_tile`},
		{"the hub writes checkpoints", hub, `INSERT INTO audit_checkpoint VALUES (9, 'x')`},
		{"the hub changes checkpoints", hub, `UPDATE audit_checkpoint SET note = 'x'`},
		{"the hub deletes checkpoints", hub, `DELETE FROM audit_checkpoint`},
		{"the hub forgets refusals", hub, `DELETE FROM audit_anonymous`},
		{"the hub switches triggers off", hub, `ALTER TABLE audit_entry DISABLE TRIGGER USER`},
		{"the sequencer changes an entry", log, `UPDATE audit_entry SET act = 'x'`},
		{"the sequencer erases an entry", log, `UPDATE audit_entry SET salt = NULL, body = NULL`},
		{"the sequencer deletes entries", log, `DELETE FROM audit_entry`},
		{"the sequencer changes places", log, `UPDATE audit_leaf SET idx = idx + 1`},
		{"the sequencer deletes places", log, `DELETE FROM audit_leaf`},
		{"the sequencer deletes tiles", log, `DELETE FROM audit_tile`},
		{"the sequencer changes checkpoints", log, `UPDATE audit_checkpoint SET note = 'x'`},
		{"the sequencer deletes checkpoints", log, `DELETE FROM audit_checkpoint`},
		{"the sequencer empties the tree", log, `TRUNCATE audit_tile`},
	} {
		_, err := row.pool.Exec(t.Context(), row.sql)
		if !refusedWith(err, insufficientPrivilege) {
			t.Errorf("%s: %v, want insufficient privilege", row.name, err)
		}
	}
	r.mustSequence()
}

func TestTriggersRefuseWhatNobodyMayDo(t *testing.T) {
	r := newRig(t)
	r.logMany(3)
	r.log()
	for _, row := range []struct {
		name string
		pool *pgxpool.Pool
		sql  string
	}{
		{"change an entry", r.db.Owner, `UPDATE audit_entry SET act = 'x'`},
		{"change an entry while erasing it", r.db.Owner, `UPDATE audit_entry SET salt = NULL, body = NULL, partner = 'x'`},
		{"erase an entry and go on naming her", r.db.Owner, `UPDATE audit_entry SET salt = NULL, body = NULL, subject = 'x'`},
		{"change whose an entry is while erasing it", r.db.Owner, `UPDATE audit_entry SET salt = NULL, body = NULL, referral = NULL`},
		{"stop naming her without erasing", r.db.Owner, `UPDATE audit_entry SET subject = NULL`},
		{"change a leaf while erasing the entry", r.db.Owner, `UPDATE audit_entry SET salt = NULL, body = NULL, leaf = decode(repeat('01', 33), 'hex')`},
		{"delete entries", r.db.Owner, `DELETE FROM audit_entry`},
		{"empty the entries", r.db.Owner, `TRUNCATE audit_entry CASCADE`},
		{"change the queue", r.db.Owner, `UPDATE audit_pending SET entry = entry`},
		{"empty the queue", r.db.Owner, `TRUNCATE audit_pending`},
		{"change places", r.db.Owner, `UPDATE audit_leaf SET size = size + 1`},
		{"delete places", r.db.Owner, `DELETE FROM audit_leaf`},
		{"empty the places", r.db.Owner, `TRUNCATE audit_leaf`},
		{"delete tiles", r.db.Owner, `DELETE FROM audit_tile`},
		{"empty the tiles", r.db.Owner, `TRUNCATE audit_tile`},
		{"change checkpoints", r.db.Owner, `UPDATE audit_checkpoint SET note = 'x'`},
		{"delete checkpoints", r.db.Owner, `DELETE FROM audit_checkpoint`},
		{"empty the checkpoints", r.db.Owner, `TRUNCATE audit_checkpoint`},
		{"shrink a tile", r.db.Log, `UPDATE audit_tile SET data = substr(data, 1, 32)`},
		{"change a tile", r.db.Log, `UPDATE audit_tile SET data = set_byte(data, 0, get_byte(data, 0) # 1)`},
		{"change a tile while it grows", r.db.Log, `UPDATE audit_tile SET data = set_byte(data, 0, get_byte(data, 0) # 1) || data`},
		{"leave a tile as it is", r.db.Log, `UPDATE audit_tile SET data = data`},
		{"move a tile", r.db.Log, `UPDATE audit_tile SET n = 7, data = data || data`},
	} {
		if _, err := row.pool.Exec(t.Context(), row.sql); !pg.Violates(err, "audit_append_only") {
			t.Errorf("%s: %v, want audit_append_only", row.name, err)
		}
	}
	r.mustSequence()
}

func TestTheDatabaseRefusesAnEntryThatIsNotWellFormed(t *testing.T) {
	r := newRig(t)
	for _, row := range []struct {
		name       string
		change     func(*sealed)
		constraint string
	}{
		{"another body", func(s *sealed) { s.body = append(s.body, ' ') }, "audit_entry_commitment"},
		{"another salt", func(s *sealed) { s.salt[0] ^= 1 }, "audit_entry_commitment"},
		{"another leaf", func(s *sealed) { s.leaf[9] ^= 1 }, "audit_entry_commitment"},
		{"another version", func(s *sealed) { s.leaf[0] = 2 }, "audit_entry_commitment"},
		{"a leaf cut short", func(s *sealed) { s.leaf = s.leaf[:32] }, "audit_entry_commitment"},
		{"a leaf with a tail", func(s *sealed) { s.leaf = append(s.leaf, 0) }, "audit_entry_commitment"},
		{"no body", func(s *sealed) { s.body = nil }, "audit_entry_body"},
		{"a body too long", func(s *sealed) {
			s.body = make([]byte, 16385)
			s.leaf = proof.Leaf(s.salt, s.body)
		}, "audit_entry_body"},
	} {
		s, err := seal(testEntry())
		if err != nil {
			t.Fatal(err)
		}
		row.change(&s)
		if _, err := r.db.Hub.Exec(t.Context(), appendSQL, s.args()...); !pg.Violates(err, row.constraint) {
			t.Errorf("%s: %v, want %s", row.name, err, row.constraint)
		}
	}
	for _, salt := range [][]byte{nil, make([]byte, 31), make([]byte, 33)} {
		s, err := seal(testEntry())
		if err != nil {
			t.Fatal(err)
		}
		args := s.args()
		args[6] = salt
		if _, err := r.db.Hub.Exec(t.Context(), appendSQL, args...); !pg.Violates(err, "audit_entry_salt") {
			t.Errorf("a salt of %d bytes: %v, want audit_entry_salt", len(salt), err)
		}
	}
	for _, act := range []string{"open section", "Refused", "", strings.Repeat("a", 65)} {
		s, err := seal(testEntry())
		if err != nil {
			t.Fatal(err)
		}
		s.e.Act = act
		if _, err = r.db.Hub.Exec(t.Context(), appendSQL, s.args()...); !pg.Violates(err, "audit_entry_act") {
			t.Errorf("act %q: %v, want audit_entry_act", act, err)
		}
	}
	if n := r.one(`SELECT count(*) FROM audit_entry`) + r.one(`SELECT count(*) FROM audit_pending`); n != 0 {
		t.Errorf("%d rows are left of refused entries", n)
	}
}

func TestAPartnerSeesTheEntriesThatNameItAndNoOthers(t *testing.T) {
	r := newRig(t)
	of := func(partner, other string) EntryID {
		e := testEntry()
		e.Partner, e.Other = partner, other
		return r.logEntry(e)
	}
	mine, about, theirs, nobodys := of("camden-outreach", ""), of("solace-example", "camden-outreach"), of("solace-example", "met-example"), of("", "")
	for _, row := range []struct {
		partner string
		want    map[EntryID]bool
	}{
		{"camden-outreach", map[EntryID]bool{mine: true, about: true}},
		{"solace-example", map[EntryID]bool{about: true, theirs: true}},
		{"met-example", map[EntryID]bool{theirs: true}},
		{"stranger", nil},
		{"", nil},
	} {
		for _, id := range []EntryID{mine, about, theirs, nobodys} {
			visible, err := r.store.visible(t.Context(), row.partner, id)
			if err != nil {
				t.Fatal(err)
			}
			if visible != row.want[id] {
				t.Errorf("%q sees entry %s: %v", row.partner, id, visible)
			}
		}
		var n int
		err := pg.As(t.Context(), r.db.Hub, row.partner, func(tx pgx.Tx) error {
			return tx.QueryRow(t.Context(), `SELECT count(*) FROM audit_entry`).Scan(&n)
		})
		if err != nil || n != len(row.want) {
			t.Errorf("%q sees %d entries, want %d, %v", row.partner, n, len(row.want), err)
		}
	}
	var n int // a connection that is bound to nobody
	if err := r.db.Hub.QueryRow(t.Context(), `SELECT count(*) FROM audit_entry`).Scan(&n); err != nil || n != 0 {
		t.Errorf("an unbound connection sees %d entries, %v", n, err)
	}
}

func TestAnEntryIsNeverWithoutItsPlaceInTheQueue(t *testing.T) {
	r := newRig(t)
	_, err := r.db.Hub.Exec(t.Context(), `INSERT INTO audit_pending VALUES (gen_random_uuid())`)
	if !pg.Violates(err, "audit_pending_entry") {
		t.Errorf("a place in the queue without an entry: %v, want audit_pending_entry", err)
	}
	r.log()
	if n := r.one(`SELECT count(*) FROM audit_entry e JOIN audit_pending p ON p.entry = e.id`); n != 1 {
		t.Errorf("%d entries wait, want 1", n)
	}
}
