package hubtest_test

import (
	"net/http"
	"regexp"
	"slices"
	"testing"

	"handover/audit"
	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/packet"
)

// restatedRows are what is decided by that a signed statement says too.
func restatedRows(t *testing.T) *hubtest.Hub {
	t.Helper()
	h := hubtest.New(t)
	p := h.Pair(t, partners.SocialCare)
	worker, manager := h.Person(t, p.From.ID, partners.Caseworker), h.Person(t, p.From.ID, partners.Manager)
	done := func(a hubtest.Answer) {
		t.Helper()
		if a.Status >= http.StatusMultipleChoices {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	sent := p.Sent(t, "need", "safe-contact")
	p.Step(t, p.To, packet.Receive, sent.Digest, sent.Digest)
	done(p.To.Open(t, sent.Digest, "", "need"))
	pressed := hubtest.Asked()
	pressed.Coercion = "suspected"
	for _, decision := range []string{"", record.Approved} {
		c := p.From.ConsentAsked(t, pressed, hubtest.Subject(), p.Named())
		done(p.From.PostConsent(t, c))
		if decision != "" {
			done(manager.Says(t, "/v1/consents/"+c.ID+"/review", p.From.Decision(t, manager.ID, c.ID, c.Digest, decision)))
		}
	}
	p.From.Record(t, p.Consent.Subject, p.Named(), func(c *record.Claims) { c.Supersedes = p.Consent.ID })
	done(p.From.Withdraw(t, p.From.Record(t, hubtest.Subject(), p.Named())))
	for _, decision := range []string{record.Approved, record.Refused, ""} {
		o := p.From.Override(t, worker.ID, p.To, hubtest.Subject(), hubtest.Emergency)
		done(worker.Propose(t, o))
		if decision != "" {
			done(p.From.Decide(t, manager, o, decision))
		}
		if decision == record.Approved {
			done(manager.Says(t, "/v1/overrides/"+o.ID+"/review", p.From.Review(t, manager.ID, o, 0)))
		}
	}
	p.From.Never(t, []string{hubtest.Subject(), hubtest.Subject()}, "category:police")
	force := h.Agency(t, "sample-force", partners.Police)
	officer := h.Person(t, force.ID, partners.Caseworker)
	q := force.Inquiry(t, officer.ID, p.From)
	done(officer.Asks(t, q))
	done(manager.Opens(t, q.ID))
	done(manager.Answers(t, q.ID, p.From.Answer(t, manager.ID, q, record.Refused)))
	return h
}

// TestWhatIsDecidedByIsHeldAgainstWhatWasSigned changes, as the database's superuser, what the
// hub decides by and nothing that an entry or a digest has: every row keeps its entry.
func TestWhatIsDecidedByIsHeldAgainstWhatWasSigned(t *testing.T) {
	t.Parallel()
	h := restatedRows(t)
	h.Reconciles(t)
	h.DB.Rewrite(t, `CREATE SCHEMA saved`)
	signed := "a row says otherwise than the signed statement that it "
	for _, c := range []change{
		{"a record for more sections", `UPDATE consent SET sections = sections || '{health}'`, []string{signed, "table consent, row ID"}},
		{"a record for another agency", `UPDATE consent SET recipients = recipients || '{sample-force}'`, []string{signed, "table consent,"}},
		{"a record that withholds nothing", `UPDATE consent SET withheld = '{x}'`, []string{signed, "table consent,"}},
		{"a record for longer", `UPDATE consent SET expires_at = expires_at + interval '1 year'`, []string{signed, "table consent,"}},
		{"a record without end", `UPDATE consent SET expires_at = 'infinity'`, []string{signed, "table consent,"}},
		{"an agreement without end", `UPDATE agreement SET valid_to = 'infinity'`, []string{"a row says otherwise than its entry of digest", "table agreement,"}},
		{"an entry of no time", `UPDATE audit_entry SET at = 'infinity' WHERE act = 'consent.withdraw'`, []string{"the columns of an entry say something else", "index"}},
		{"a record for another purpose", `UPDATE consent SET purpose = 'protect-from-harm'`, []string{signed, "table consent,"}},
		{"a record that is of another chain", `UPDATE consent SET chain = id, place = 0 WHERE place > 0`, []string{signed, "table consent,"}},
		{"a record whose later one is forgotten", `UPDATE consent_state SET successors = 0 WHERE successors > 0`, []string{"how many records came later", "table consent_state,"}},
		{"a doubtful record that a manager never saw", `UPDATE consent_state SET review = 'stands' WHERE review = 'awaited'`, []string{"a record stands otherwise", "table consent_state,"}},
		{"a doubtful record that needs nobody", `UPDATE consent_state SET review = 'not-needed' WHERE review = 'awaited'`, []string{"a manager has to say first", "table consent_state,"}},
		{"how she was asked, made better", `UPDATE consent_private SET circumstances = 'e30'`, []string{"how she was asked", "table consent_private,"}},
		{"a withdrawal that nothing follows", `WITH gone AS (DELETE FROM consent_aftermath) SELECT`, []string{"nothing is set to follow", "table consent_aftermath,"}},
		{"an override for another agency", `UPDATE consent_override SET recipient = 'sample-force'`, []string{signed, "table consent_override,"}},
		{"an override that was refused", `UPDATE consent_override_state SET decision = 'approved' WHERE decision = 'refused'`, []string{"an override stands otherwise", "table consent_override_state,"}},
		{"an override that was ended", `UPDATE consent_override_state SET ended_at = NULL`, []string{"an override stands otherwise", "table consent_override_state,"}},
		{"an emergency with a longer day", `UPDATE consent_override_state SET recorded_at = recorded_at + interval '1 day'`, []string{signed, "table consent_override_state,"}},
		{"a never without one of its lines", `DELETE FROM consent_never_line WHERE subject = (SELECT min(subject) FROM consent_never_line)`, []string{"the lines of a never", "table consent_never_line,"}},
		{"a never that does not stand", `DELETE FROM consent_never_state`, []string{"the lines of a never", "table consent_never_line,"}},
		{"a no that the police see at once", `UPDATE police_decision SET shown_at = now(), respond_by = now()`, []string{"before its time", "table police_decision,"}},
		{"an earlier day to answer by", `UPDATE police_request SET respond_by = respond_by - interval '1 hour'`, []string{signed, "table police_request,"}},
		{"an agency of another kind", `UPDATE partner SET category = 'legal-advice' WHERE category = 'police'`, []string{"an agency is of another kind", "table partner, row sample-force"}},
		{"another key under a key's id", `UPDATE partner_key SET jwk = (SELECT jwk FROM partner_key o WHERE o.use = 'signing' AND o.partner = 'sample-force') WHERE use = 'signing'`,
			[]string{"a key is not the one that its id names", "table partner_key,"}},
		{"a revoked key made to be brought anew", `DELETE FROM partner_key WHERE use = 'signing'`, []string{"a key that was added is gone", "table partner_key,"}},
		{"a referral to somebody else", `UPDATE referral SET recipient = 'sample-force'`, []string{"the signed request that it began with", "table referral,"}},
		{"a packet that is not delivered", `WITH gone AS (DELETE FROM delivery WHERE state = 'stored') SELECT`, []string{"a packet is not shown", "table delivery,"}},
		{"a section shown to somebody else", `UPDATE section SET audience = 'sample-force'`, []string{"a section is not the one", "table section, row 1 need"}},
		{"a section gone", `DELETE FROM section WHERE name = 'safe-contact'`, []string{"a section that was sent is gone", "table section, row 1 safe-contact"}},
		{"an entry that is found by nobody", `UPDATE audit_entry SET subject = NULL WHERE act = 'consent.record'`, []string{"the columns of an entry say something else", "index"}},
		{"an entry erased", `UPDATE audit_entry SET salt = NULL, body = NULL, subject = NULL WHERE act = 'consent.withdraw'`, []string{"an entry was erased", "index"}},
		{"an entry that says no time", `UPDATE audit_entry SET body = convert_to(replace(convert_from(body, 'UTF8'), '"until":"', '"until":"x'), 'UTF8') WHERE act = 'key.added'`,
			[]string{"a row says otherwise than its entry", "table partner_key,"}},
		{"a statement that is none", `UPDATE consent SET token = 'a.!!.b'`, []string{signed, "table consent,"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			undo := changed(t, h, c.sql)
			r, err := h.Log.Reconcile(t.Context(), h.DB.Owner, hubtest.Ledger())
			undo()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(r.Differences, func(d audit.Difference) bool { return says(d, c.want) }) {
				t.Errorf("none of %d differences says %q:\n%v", r.Found, c.want, r.Differences)
			}
		})
	}
	h.Reconciles(t)
}

// changed runs a statement that changes one table as the database's superuser, and returns what
// puts that table back.
func changed(t *testing.T, h *hubtest.Hub, sql string) (undo func()) {
	t.Helper()
	table := firstTable.FindStringSubmatch(sql)[1]
	h.DB.Rewrite(t, `CREATE TABLE saved.`+table+` AS TABLE `+table)
	h.DB.Rewrite(t, sql)
	return func() {
		if table == "audit_entry" { // the comparison has added one
			h.DB.Rewrite(t, `UPDATE audit_entry e SET at = s.at, subject = s.subject, salt = s.salt, body = s.body FROM saved.audit_entry s WHERE s.id = e.id`)
		} else {
			h.DB.Rewrite(t, `WITH gone AS (DELETE FROM `+table+`) SELECT`)
			h.DB.Rewrite(t, filling(t, h, table))
		}
		h.DB.Rewrite(t, `DROP TABLE saved.`+table)
	}
}

// filling fills a table from what was saved of it, but for the columns that are made of others.
func filling(t *testing.T, h *hubtest.Hub, table string) string {
	t.Helper()
	columns := hubtest.Value[string](t, h, `SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
		WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`, table)
	return `INSERT INTO ` + table + ` (` + columns + `) OVERRIDING SYSTEM VALUE SELECT ` + columns + ` FROM saved.` + table
}

var firstTable = regexp.MustCompile(`(?:UPDATE|DELETE FROM) (\w+)`)
