package hubtest_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/hubtest"
	"handover/partners"
)

// TestEveryTableAndEveryActHasItsPlaceInTheLedger walks the schema: what names an entry is held
// against the log, and what the log can say is held against a table, or said to stand alone.
func TestEveryTableAndEveryActHasItsPlaceInTheLedger(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	rows, err := h.DB.Owner.Query(t.Context(), `
		SELECT table_name::text FROM information_schema.columns WHERE column_name = 'log_entry' AND table_schema = 'public'`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 30 {
		t.Fatalf("%d tables name entries: %v", len(tables), err)
	}
	for _, fault := range hubtest.Ledger().Check(tables) {
		t.Error(fault)
	}
	if faults := hubtest.Ledger().Check(append(tables, "of_tomorrow")); len(faults) != 1 || !strings.Contains(faults[0], "of_tomorrow") {
		t.Errorf("a table that nobody declared is reported as %q", faults)
	}
	less := hubtest.Ledger()
	less.Alone = less.Alone[1:]
	if faults := less.Check(tables); len(faults) != 1 || !strings.Contains(faults[0], proof.Refused) {
		t.Errorf("an act without a home is reported as %q", faults)
	}
}

// change is one thing that somebody with the whole database does to it, and what is then to be
// said, with the place.
type change struct {
	name string
	sql  string
	want []string // in one line: the words, the table, the place
}

// changes are made after a referral was sent, collected and opened, and its consent withdrawn.
func changes() []change {
	return []change{
		{"a row without its entry", `UPDATE packet SET log_entry = gen_random_uuid() WHERE event = 'request'`,
			[]string{"a row names an entry that the log does not have", "table packet, row 1"}},
		{"a row with another's entry", `UPDATE consent SET log_entry = (SELECT log_entry FROM consent o WHERE o.id <> consent.id LIMIT 1) WHERE id = (SELECT id FROM consent_state WHERE withdrawn_at IS NULL)`,
			[]string{"a row says otherwise than its entry of consent", "table consent, row ID"}},
		{"and that entry is claimed twice", `UPDATE consent SET log_entry = (SELECT log_entry FROM consent o WHERE o.id <> consent.id LIMIT 1) WHERE id = (SELECT id FROM consent_state WHERE withdrawn_at IS NULL)`,
			[]string{"two rows name one entry", "table consent, row ID and ID", "index"}},
		{"a row with an entry of another act", `UPDATE release SET log_entry = (SELECT log_entry FROM packet LIMIT 1)`,
			[]string{"a row names an entry of another act", "table release, row 1 need"}},
		{"an entry without its row", `DELETE FROM release`,
			[]string{"no row shows what an entry says was done", "table release", "index"}},
		{"one section of a release gone", `DELETE FROM release WHERE name = 'safe-contact'`,
			[]string{"the rows of a release are other sections than its entry says", "table release", "index"}},
		{"a row without an entry, made behind the log's back",
			`INSERT INTO release (packet, name, reader, at, log_entry, actor) SELECT packet, 'risk', reader, at, log_entry, actor FROM release LIMIT 1`,
			[]string{"a row says otherwise than its entry", "table release, row 1 risk"}},
		{"a withdrawal undone", `UPDATE consent_state SET withdrawn_at = NULL, withdrawn_by = NULL, withdrawal = NULL, withdrawal_digest = NULL WHERE withdrawn_at IS NOT NULL`,
			[]string{"a row says otherwise than the last entry about it", "table consent_state, row ID", "index"}},
		{"a withdrawal undone, with the entry from before", `UPDATE consent_state SET withdrawn_at = NULL, withdrawn_by = NULL, withdrawal = NULL, withdrawal_digest = NULL,
			log_entry = (SELECT log_entry FROM consent c WHERE c.id = consent_state.id) WHERE withdrawn_at IS NOT NULL`,
			[]string{"no row shows what an entry says was done", "table consent_state", "index"}},
		{"an agreement widened", `UPDATE agreement SET sections = sections || '{health}'::text[] WHERE sender = 'sender-1'`,
			[]string{"a row says otherwise than its entry of digest", "table agreement, row ID"}},
		{"an ended key that counts again", `UPDATE partner_key SET not_after = not_after + interval '1 year' WHERE partner = 'sender-1' AND use = 'signing'`,
			[]string{"a row says otherwise than its entry", "table partner_key, row sender-1"}},
		{"a person made a manager", `UPDATE partner_user SET role = 'manager'`,
			[]string{"a row says otherwise than its entry", "table partner_user, row ID"}},
		{"an envelope changed", `UPDATE packet SET envelope = envelope || 'A' WHERE event = 'request'`,
			[]string{"a row says otherwise than its entry of envelope", "table packet, row 1"}},
		{"a delivery that is denied", `UPDATE delivery SET state = 'stored', delivered_at = NULL, opened_at = NULL, log_entry = NULL`,
			[]string{"a packet is said not to have been opened of which something was released", "table delivery, row 1"}},
		{"a delivery that is put back", `UPDATE delivery SET state = 'stored', delivered_at = NULL, log_entry = NULL WHERE state = 'delivered'`,
			[]string{"no row shows what an entry says was done", "table delivery", "index"}},
		{"a referral put back", `UPDATE referral SET state = 'accepted'`,
			[]string{"a referral stands otherwise than its newest packet says", "table referral"}},
	}
}

// rewritten are the tables that changes are made in.
const rewritten = "packet, consent, consent_state, release, agreement, partner_key, partner_user, delivery, referral"

// TestWhatIsChangedBehindTheLogsBackIsFoundWithItsPlace changes one thing at a time as the
// database's superuser, past every trigger and foreign key.
func TestWhatIsChangedBehindTheLogsBackIsFoundWithItsPlace(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	h.Person(t, p.To.ID, partners.Caseworker)
	opened := p.Sent(t, "need", "safe-contact")
	p.Sent(t, "need")
	if a := p.To.Get(t, "/v1/referrals?role=received"); a.Status != http.StatusOK {
		t.Fatalf("listing: %d %s", a.Status, a.Body)
	}
	if a := p.To.Open(t, opened.Digest, "", "need", "safe-contact"); a.Status != http.StatusOK {
		t.Fatalf("opening: %d %s", a.Status, a.Body)
	}
	p.From.Record(t, hubtest.Subject(), p.Named())
	if a := p.From.Withdraw(t, p.Consent); a.Status != http.StatusCreated {
		t.Fatalf("withdrawing: %d %s", a.Status, a.Body)
	}
	h.Reconciles(t) // nothing differs before
	h.DB.Rewrite(t, `CREATE SCHEMA saved`)
	for table := range strings.SplitSeq(rewritten, ", ") {
		h.DB.Rewrite(t, `CREATE TABLE saved.`+table+` AS TABLE `+table)
	}
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			h.DB.Rewrite(t, c.sql)
			r, err := h.Log.Reconcile(t.Context(), h.DB.Owner, hubtest.Ledger())
			for table := range strings.SplitSeq(rewritten, ", ") {
				h.DB.Rewrite(t, `WITH gone AS (DELETE FROM `+table+`) SELECT`)
				h.DB.Rewrite(t, filling(t, h, table))
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Found == 0 || !slices.ContainsFunc(r.Differences, func(d audit.Difference) bool { return says(d, c.want) }) {
				t.Errorf("none of %d differences says %q:\n%v", r.Found, c.want, r.Differences)
			}
		})
	}
	h.Reconciles(t) // and nothing afterwards
}

var anID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// says reports whether a difference, with ID for each id, says all of it.
func says(d audit.Difference, all []string) bool {
	line := anID.ReplaceAllString(d.String(), "ID")
	return !slices.ContainsFunc(all, func(part string) bool { return !strings.Contains(line, part) })
}
