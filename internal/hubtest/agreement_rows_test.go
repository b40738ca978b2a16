package hubtest_test

import (
	"net/http"
	"slices"
	"testing"

	"handover/audit"
	"handover/internal/hubtest"
	"handover/partners"
)

// proposed is the id of an agreement that the first agency of the pair proposes to the second.
func proposed(t *testing.T, h *hubtest.Hub, p hubtest.Pair) string {
	t.Helper()
	administrator := h.Person(t, p.From.ID, partners.Administrator)
	of := p.From.Terms(t, administrator.ID, p.To)
	if a := administrator.Proposes(t, of); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return of.ID
}

// agree has both administrators sign an agreement, and then a version in its place, which one
// ends.
func agree(t *testing.T, h *hubtest.Hub, from, to *hubtest.Agency) {
	t.Helper()
	proposer, signer := h.Person(t, from.ID, partners.Administrator), h.Person(t, to.ID, partners.Administrator)
	first := from.Terms(t, proposer.ID, to)
	next := from.Terms(t, proposer.ID, to, hubtest.After(first))
	for i, do := range []func() hubtest.Answer{
		func() hubtest.Answer { return proposer.Proposes(t, first) }, func() hubtest.Answer { return signer.Signs(t, to, first) },
		func() hubtest.Answer { return proposer.Proposes(t, next) }, func() hubtest.Answer { return signer.Signs(t, to, next) },
		func() hubtest.Answer { return proposer.Ends(t, from, next) },
	} {
		if a := do(); a.Status != 201 {
			t.Fatalf("step %d: %d %s", i, a.Status, a.Body)
		}
	}
}

// TestAgreementsAreHeldAgainstWhatBothSigned changes, as the database's superuser, what packets
// pass by: each change is found with its place.
func TestAgreementsAreHeldAgainstWhatBothSigned(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	agree(t, h, p.From, p.To)
	proposer, signer := h.Person(t, p.From.ID, partners.Administrator), h.Person(t, p.To.ID, partners.Administrator)
	for _, answer := range []func(hubtest.Proposal) hubtest.Answer{
		func(of hubtest.Proposal) hubtest.Answer { return signer.Refuses(t, p.To, of) },
		func(of hubtest.Proposal) hubtest.Answer { return proposer.Ends(t, p.From, of) },
		func(of hubtest.Proposal) hubtest.Answer { return signer.Signs(t, p.To, of) },
	} {
		of := p.From.Terms(t, proposer.ID, p.To)
		if a := proposer.Proposes(t, of); a.Status != http.StatusCreated {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if a := answer(of); a.Status != http.StatusCreated {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	h.Reconciles(t)
	h.DB.Rewrite(t, `CREATE SCHEMA saved`)
	signed, current := "a row says otherwise than the signed statement that it ", ` WHERE terms IS NOT NULL AND ended_at IS NULL`
	for _, c := range []change{
		{"a signed direction widened", `UPDATE agreement SET sections = sections || '{health}'` + current, []string{"otherwise than both signed", "table agreement,"}},
		{"a signed direction without end", `UPDATE agreement SET valid_to = 'infinity'` + current, []string{"otherwise than both signed", "table agreement,"}},
		{"a signed direction taken for the operator's", `UPDATE agreement SET terms = NULL` + current, []string{"a row says otherwise than its entry of target", "table agreement,"}},
		{"a direction gone", `DELETE FROM agreement` + current + ` AND sender = 'sender-1'`, []string{"or there is none that both signed", "table agreement,"}},
		{"an end undone", `UPDATE agreement SET ended_at = NULL WHERE terms IS NOT NULL`, []string{"a direction goes on that has ended", "table agreement,"}},
		{"a proposal for longer", `UPDATE signed_agreement SET valid_to = valid_to + interval '1 day'`, []string{signed, "table signed_agreement,"}},
		{"a proposal to be looked at later", `UPDATE signed_agreement SET review_at = review_at + interval '1 day'`, []string{signed, "table signed_agreement,"}},
		{"a proposal of another version", `UPDATE signed_agreement SET version = 7, supersedes = id WHERE version = 2`, []string{signed, "table signed_agreement,"}},
		{"another proposal under its entry", `UPDATE signed_agreement SET token = token || 'x'`, []string{"a row says otherwise than its entry of digest", "table signed_agreement,"}},
		{"a way widened", `UPDATE signed_agreement_way SET sections = sections || '{health}'`, []string{"a way says otherwise", "table signed_agreement_way,"}},
		{"a way gone", `DELETE FROM signed_agreement_way`, []string{"a way of the signed proposal is gone", "table signed_agreement_way,"}},
		{"a refusal made a signature", `UPDATE signed_agreement_step SET step = 'signed' WHERE step = 'refused'`, []string{signed, "table signed_agreement_step,"}},
		{"a refusal forgotten", `DELETE FROM signed_agreement_step WHERE step = 'refused'`, []string{"no row shows what an entry says was done", "table signed_agreement_step"}},
		{"an end forgotten", `DELETE FROM signed_agreement_step WHERE step = 'ended'`, []string{"no row shows what an entry says was done", "table signed_agreement_step"}},
		{"somebody else's end", `UPDATE signed_agreement_step SET partner = 'receiver-1' WHERE step = 'ended'`, []string{"a row says otherwise than its entry of partner", "table signed_agreement_step,"}},
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

// TestTheServingRolePutsNothingInForceThatIsNotSigned tries, in the session of either agency,
// what the store never does: the database refuses it too.
func TestTheServingRolePutsNothingInForceThatIsNotSigned(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	proposer, signer := h.Person(t, p.From.ID, partners.Administrator), h.Person(t, p.To.ID, partners.Administrator)
	inForce, open := p.From.Terms(t, proposer.ID, p.To), p.To.Terms(t, signer.ID, p.From)
	for _, a := range []hubtest.Answer{proposer.Proposes(t, inForce), signer.Proposes(t, open), signer.Signs(t, p.To, inForce)} {
		if a.Status != http.StatusCreated {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	const insert = `INSERT INTO agreement (id, sender, recipient, purposes, sections, valid_from, valid_to, log_entry, terms)
		SELECT gen_random_uuid(), w.sender, w.recipient, w.purposes, `
	for by, statements := range map[partners.ID][]string{
		p.From.ID: {
			insert + `w.sections, a.valid_from, a.valid_to, a.log_entry, a.id FROM signed_agreement a JOIN signed_agreement_way w ON w.agreement = a.id`, // it signed nothing
			`INSERT INTO signed_agreement_step SELECT id, proposer, other, 'answer', 'signed', proposer, now(), digest, token, log_entry FROM signed_agreement WHERE id = '` + open.ID + `'`,
			`UPDATE agreement SET ended_at = NULL`, `UPDATE agreement SET ended_at = now() WHERE terms IS NULL`, `UPDATE agreement SET terms = NULL`,
			`UPDATE agreement SET log_entry = log_entry`,
			`UPDATE signed_agreement SET valid_to = 'infinity'`, `UPDATE signed_agreement_way SET sections = '{health}'`, `DELETE FROM signed_agreement_step`,
		},
		p.To.ID: {
			insert + `'{health}', a.valid_from, a.valid_to, a.log_entry, a.id FROM signed_agreement a JOIN signed_agreement_way w ON w.agreement = a.id`,
			insert + `w.sections, a.valid_from, 'infinity', a.log_entry, a.id FROM signed_agreement a JOIN signed_agreement_way w ON w.agreement = a.id`,
			insert + `w.sections, a.valid_from, a.valid_to, a.log_entry, NULL FROM signed_agreement a JOIN signed_agreement_way w ON w.agreement = a.id`,
			insert + `w.sections, a.valid_from, a.valid_to, a.log_entry, a.id FROM signed_agreement a JOIN signed_agreement_way w ON w.agreement = a.id WHERE a.id = '` + open.ID + `'`,
			`INSERT INTO signed_agreement_step SELECT id, proposer, other, 'answer', 'signed', proposer, now(), digest, token, log_entry FROM signed_agreement WHERE id = '` + open.ID + `'`,
		},
	} {
		for _, statement := range statements {
			if n, state := as(t, h, by, statement); state != forbidden && state != violated {
				t.Errorf("%s, as %s: touched %d rows, state %q", statement, by, n, state)
			}
		}
	}
}
