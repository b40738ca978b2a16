package audit

import (
	"cmp"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"handover/audit/proof"
)

// found are the columns by which an entry is found, as the database holds them.
func (r *rig) found(id EntryID) (referral, consent, subject string) {
	r.t.Helper()
	err := r.db.Owner.QueryRow(r.t.Context(), `SELECT coalesce(referral, '-'), coalesce(consent, '-'), coalesce(subject, '-')
		FROM audit_entry WHERE id = $1`, id).Scan(&referral, &consent, &subject)
	if err != nil {
		r.t.Fatal(err)
	}
	return referral, consent, subject
}

// Whoever writes an entry, and whenever it was written, it is found by what its body says.
func TestAnEntryIsFoundByWhatItSays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	want := map[EntryID]proof.Entry{}
	about := []proof.Entry{
		{Act: "referral.request", Referral: "r1", Consent: "c1", Subject: "s1"},
		{Act: "section.open", Referral: "r2", Override: "o2"},
		{Act: "consent.record", Consent: "c3", Subject: "s3"},
		{Act: "override.propose", Override: "o4", Subject: "s4"},
		{Act: "user.signin"},
	}
	for i := range about {
		about[i].Time = testEntry().Time
		want[r.logEntry(about[i])] = about[i]
	}
	b := &pgx.Batch{}
	direct, err := r.Entries(b, about)
	if err != nil {
		t.Fatal(err)
	}
	direct.Place(b)
	if err := r.db.Hub.SendBatch(t.Context(), b).Close(); err != nil {
		t.Fatal(err)
	}
	for i, id := range direct.IDs() {
		want[id] = about[i]
	}
	check := func(when string) {
		t.Helper()
		for id, e := range want {
			referral, consent, subject := r.found(id)
			if referral != cmp.Or(e.Referral, "-") || consent != cmp.Or(e.Consent, e.Override, "-") || subject != cmp.Or(e.Subject, "-") {
				t.Errorf("%s, %s is found by %q, %q, %q", when, e.Act, referral, consent, subject)
			}
		}
	}
	check("written")

	migration, err := os.ReadFile("../internal/pg/migrations/00024_log_query.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, fill, _ := strings.Cut(string(migration), "ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_only_erased;")
	fill, _, ok := strings.Cut(fill, "ALTER TABLE audit_entry ENABLE TRIGGER audit_entry_only_erased;")
	if !ok {
		t.Fatal("the migration has no part that reads the bodies")
	}
	before := `ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_only_erased; UPDATE audit_entry SET referral = NULL, consent = NULL, subject = NULL;`
	if _, err := r.db.Owner.Exec(t.Context(), before+fill+`ALTER TABLE audit_entry ENABLE TRIGGER audit_entry_only_erased;`); err != nil {
		t.Fatal(err)
	}
	check("read from the bodies")
}

func TestAnErasedEntryNamesHerNoMore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := testEntry()
	e.Subject = "AAAAAAAAAAAAAAAAAAAAAA"
	id := r.logEntry(e)
	if _, err := r.db.Owner.Exec(t.Context(), `UPDATE audit_entry SET salt = NULL, body = NULL, subject = NULL WHERE id = $1`, id); err != nil {
		t.Fatal(err)
	}
	if referral, consent, subject := r.found(id); referral != e.Referral || consent != e.Consent || subject != "-" {
		t.Errorf("what is left is %q, %q, %q", referral, consent, subject)
	}
	r.mustSequence()
}
