package audit

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/audit/proof"
)

// oversees makes a partner of the category oversight.
func (r *rig) oversees(id, status string) {
	r.t.Helper()
	_, err := r.db.Owner.Exec(r.t.Context(), `INSERT INTO partner (id, name, category, areas, status, since, log_entry)
		VALUES ($1, 'Somebody', 'oversight', '{E09000007}', $2, now(), (SELECT id FROM audit_entry LIMIT 1))`, id, status)
	if err != nil {
		r.t.Fatal(err)
	}
}

// pages returns what by is shown of f, page by page, newest first.
func (r *rig) pages(f Filter, by Reader) (all []EntryID) {
	r.t.Helper()
	for {
		page, next, under, err := r.store.entries(r.t.Context(), f, by)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(page) > f.Limit {
			r.t.Fatalf("a page has %d entries of %d", len(page), f.Limit)
		}
		c, err := proof.OpenCheckpoint(under.Note, r.signer().current)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, e := range page {
			if e.Index >= c.N {
				r.t.Fatalf("entry %d is not under the checkpoint of %d", e.Index, c.N)
			}
			all = append(all, e.ID)
		}
		if next == (EntryID{}) {
			return all
		}
		f.After = next
	}
}

// made is an entry in memory, for the model of what is shown.
type made struct {
	id EntryID
	proof.Entry
}

// shown is what the filter finds among all entries, for a partner or for everybody ("*").
func shown(all []made, f Filter, partner string) (ids []EntryID) {
	visible := slices.DeleteFunc(slices.Clone(all), func(m made) bool {
		return partner != "*" && m.Partner != partner && m.Other != partner
	})
	referrals, bases := map[string]bool{}, map[string]bool{}
	for _, m := range visible {
		if m.Subject == f.Subject && m.Act != "log.read" && m.Act != "refused" {
			referrals[m.Referral], bases[m.Consent+m.Override] = true, true
		}
	}
	delete(referrals, "")
	delete(bases, "")
	for _, m := range visible {
		is := func(asked string, got ...string) bool { return asked == "" || slices.Contains(got, asked) }
		about := is(f.Subject, m.Subject) || referrals[m.Referral] || bases[m.Consent+m.Override]
		if about && is(f.Partner, m.Partner, m.Other) && is(f.Act, m.Act) && (f.Acts == nil || slices.Contains(f.Acts, m.Act)) && is(f.User, m.User) && is(f.Outcome, m.Outcome) && is(f.Referral, m.Referral) &&
			is(f.Consent, m.Consent, m.Override) && !m.id.at().Before(f.From.Truncate(time.Millisecond)) && (f.To.IsZero() || m.id.at().Before(f.To.Truncate(time.Millisecond))) {
			ids = append(ids, m.id)
		}
	}
	slices.SortFunc(ids, func(a, b EntryID) int { return -compare(a, b) })
	return ids
}

func compare(a, b EntryID) int { return slices.Compare(a[:], b[:]) }

// anyOf returns one of the values, or sometimes "".
func anyOf(r *rand.Rand, values []string) string {
	if r.IntN(3) == 0 {
		return values[r.IntN(len(values))]
	}
	return ""
}

// TestAPageIsWhatTheFilterSays compares the pages of random filters, of every length and with
// every kind of reader, with what a plain loop finds among random entries.
func TestAPageIsWhatTheFilterSays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dice := rand.New(rand.NewPCG(1, 2))
	agencies := []string{"agency-1", "agency-2", "agency-3", "oversight-example"}
	acts := []string{"referral.request", "referral.accept", "section.open", "consent.record", "refused", "log.read"}
	outcomes, subjects, referrals := []string{"firewall", "not-covered"}, []string{"s1", "s2", "s3"}, []string{"r1", "r2", "r3", "r4"}
	bases, people := []string{"c1", "c2", "c3"}, []string{"7f0b5c1e-0000-4000-8000-000000000001", "7f0b5c1e-0000-4000-8000-000000000002"}
	start := time.Now().Add(-time.Hour).Truncate(time.Microsecond)
	var all []made
	for i := range 300 {
		e := proof.Entry{Act: acts[dice.IntN(len(acts))], Time: start.Add(time.Duration(i/2) * time.Millisecond), Partner: anyOf(dice, agencies), Other: anyOf(dice, agencies),
			Subject: anyOf(dice, subjects), Referral: anyOf(dice, referrals), Consent: anyOf(dice, bases), User: anyOf(dice, people)}
		if e.Consent == "" {
			e.Override = anyOf(dice, bases)
		}
		if e.Act == "refused" {
			e.Outcome = outcomes[dice.IntN(2)]
		}
		all = append(all, made{r.logEntry(e), e})
	}
	r.mustSequence()
	r.oversees("oversight-example", "active")

	for range 150 {
		f := Filter{Partner: anyOf(dice, agencies), Act: anyOf(dice, acts), Outcome: anyOf(dice, outcomes), Subject: anyOf(dice, subjects),
			Referral: anyOf(dice, referrals), Consent: anyOf(dice, bases), Limit: 1 + dice.IntN(60), look: 1 + dice.IntN(80)}
		switch dice.IntN(5) {
		case 0:
			f.User = anyOf(dice, people)
		case 1:
			f.Acts = acts[dice.IntN(3) : 3+dice.IntN(4)]
		}
		if dice.IntN(4) == 0 {
			f.From = start.Add(time.Duration(dice.IntN(100)) * time.Millisecond)
			f.To = f.From.Add(time.Duration(1+dice.IntN(100)) * time.Millisecond)
		}
		by := Reader{By: proof.Entry{Partner: agencies[dice.IntN(len(agencies))]}}
		who := by.By.Partner
		if by.Oversees = dice.IntN(2) == 0; by.Oversees && who == "oversight-example" {
			who = "*"
		}
		got := r.pages(f, by)
		got = slices.DeleteFunc(got, func(id EntryID) bool { return id.at().After(start.Add(time.Minute)) }) // what asking has logged
		if diff := cmp.Diff(shown(all, f, who), got); diff != "" {
			t.Fatalf("%s asks for %+v:\n%s", fmt.Sprint(who, by.Oversees), f, diff)
		}
	}
}

// What the database shows does not rest on what Go has asked: a reader who is let through by
// mistake sees what her own partner made or is named in.
func TestOnlyOversightSeesTheEntriesOfOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := testEntry()
	theirs := r.logEntry(e)
	r.oversees("oversight-example", "active")
	r.oversees("oversight-suspended", "suspended")
	if _, err := r.db.Owner.Exec(t.Context(), `INSERT INTO partner (id, name, category, areas, status, since, log_entry)
		VALUES ('housing-example', 'Somebody', 'housing', '{E09000007}', 'active', now(), $1)`, theirs); err != nil {
		t.Fatal(err)
	}
	r.mustSequence()
	for _, row := range []struct {
		partner  string
		oversees bool
		want     bool
	}{
		{"oversight-example", true, true},
		{"oversight-example", false, false},
		{"oversight-suspended", true, false},
		{"housing-example", true, false},
		{"nobody-example", true, false},
		{"", true, false},
		{e.Partner, false, true},
		{e.Other, false, true},
	} {
		for _, f := range []Filter{{}, {Act: e.Act}, {Referral: e.Referral}, {Consent: e.Consent}, {Partner: e.Partner}} {
			f.Limit = 500
			got := r.pages(f, Reader{By: proof.Entry{Partner: row.partner}, Oversees: row.oversees, All: true})
			if slices.Contains(got, theirs) != row.want {
				t.Errorf("%q, oversees %v, is shown the entry by %+v: %v", row.partner, row.oversees, f, !row.want)
			}
		}
	}
}

// Each question is an entry: who asked, by what, and about whom; and nobody is answered whose
// question cannot be logged.
func TestEachQuestionIsLogged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := testEntry()
	e.Subject = "AAAAAAAAAAAAAAAAAAAAAA"
	r.logEntry(e)
	r.mustSequence()
	by := Reader{By: proof.Entry{Partner: e.Partner, Client: "c", User: "u"}}
	f := Filter{Subject: e.Subject, Act: e.Act, Consent: e.Consent, Limit: 1}
	if got := r.pages(f, by); len(got) != 1 {
		t.Fatalf("shown %d entries", len(got))
	}
	said := func() (said proof.Entry) {
		var body []byte
		if err := r.db.Owner.QueryRow(t.Context(), `SELECT body FROM audit_entry ORDER BY id DESC LIMIT 1`).Scan(&body); err != nil {
			t.Fatal(err)
		}
		said, err := proof.ParseEntry(body)
		if err != nil {
			t.Fatal(err)
		}
		said.V, said.ID, said.Time = 0, "", time.Time{}
		return said
	}
	want := proof.Entry{Act: "log.read", Partner: e.Partner, Client: "c", User: "u", Reason: "act subject consent", Subject: e.Subject, Consent: e.Consent}
	if diff := cmp.Diff(want, said()); diff != "" {
		t.Error(diff)
	}
	if _, err := r.db.Owner.Exec(t.Context(), `REVOKE INSERT ON audit_pending FROM handover_hub`); err != nil {
		t.Fatal(err)
	}
	if page, _, _, err := r.store.entries(t.Context(), f, by); err == nil || page != nil {
		t.Errorf("answered without a log: %v, %v", page, err)
	}
}
