package hubtest_test

import (
	"testing"

	"handover/partners"
)

// TestTheServingRoleCannotDoTheOperatorsWork: a partner's standing and an invitation
// are changed by enrolling and by nothing else.
func TestTheServingRoleCannotDoTheOperatorsWork(t *testing.T) {
	t.Parallel()
	h, p := full(t)
	suspended, used := h.Agency(t, "suspended", partners.Housing), p.To
	invited, _ := h.Invited(t, "invited", partners.Housing)
	if err := h.Operator.Suspend(t.Context(), suspended.ID); err != nil {
		t.Fatal(err)
	}
	for _, by := range []partners.ID{"", p.From.ID, suspended.ID} {
		for _, statement := range []string{
			`UPDATE partner SET status = 'active' WHERE id = 'suspended'`,
			`UPDATE partner SET status = 'suspended' WHERE id = '` + string(p.To.ID) + `'`,
			`UPDATE partner SET status = 'suspended' WHERE id = '` + string(invited.ID) + `'`,
			`UPDATE partner SET category = 'oversight'`,
			`UPDATE invitation SET used_at = NULL WHERE partner = '` + string(used.ID) + `'`,
			`UPDATE invitation SET expires_at = 'infinity'`,
			`UPDATE agreement SET valid_to = 'infinity'`,
			`UPDATE agreement SET ended_at = NULL`,
			`UPDATE service SET capacity = 'open'`,
			`UPDATE partner_key SET not_after = 'infinity'`,
			`UPDATE oauth_passkey SET public_key = ''`,
			`UPDATE oauth_passkey SET user_id = gen_random_uuid()`,
			`UPDATE oauth_session SET user_id = gen_random_uuid()`,
			`UPDATE oauth_session SET expires_at = 'infinity'`,
			`UPDATE oauth_provider SET issuer = 'https://evil.example'`,
			`UPDATE oauth_provider SET log_entry = log_entry`,
			`UPDATE oauth_provider_user SET user_id = gen_random_uuid()`,
			`DELETE FROM oauth_passkey`,
			`DELETE FROM oauth_notice`,
			`INSERT INTO oauth_provider SELECT * FROM oauth_provider`,
			`UPDATE partner_client SET scopes = scopes || '{hub:admin}'`,
			`UPDATE partner_client SET active = false WHERE partner = '` + string(p.To.ID) + `'`,
			`UPDATE partner_key SET not_after = now() WHERE partner = '` + string(p.To.ID) + `'`,
			`INSERT INTO partner SELECT 'intruder', name, category, areas, 'active', since, log_entry FROM partner LIMIT 1`,
			`INSERT INTO agreement SELECT gen_random_uuid(), sender, recipient, purposes, sections, valid_from, valid_to, NULL, log_entry FROM agreement`,
			`INSERT INTO invitation SELECT sha256('x'), partner, now() + interval '1 day', NULL, log_entry FROM invitation`,
		} {
			if n, state := as(t, h, by, statement); n != 0 || state != "" && state != forbidden && state != violated {
				t.Errorf("%s, as %q: touched %d rows, state %q", statement, by, n, state)
			}
		}
	}
	serving := h.Registry
	if serving.Suspend(t.Context(), p.To.ID) == nil || serving.Resume(t.Context(), suspended.ID) == nil {
		t.Error("the serving role suspends or resumes")
	}
}
