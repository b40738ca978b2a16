package hubtest_test

import (
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
)

func TestAWithdrawalIsFinalInTheDatabaseToo(t *testing.T) {
	t.Parallel()
	h, p := full(t)
	const undo = `UPDATE consent_state SET withdrawn_at = NULL, withdrawn_by = NULL, withdrawal = NULL, withdrawal_digest = NULL WHERE withdrawn_at IS NOT NULL`
	for _, by := range []partners.ID{p.From.ID, p.To.ID} {
		for statement, want := range map[string]string{
			undo: "23514",
			`UPDATE consent_state SET withdrawn_at = 'infinity' WHERE withdrawn_at IS NOT NULL`: "23514",
			`UPDATE consent_state SET withdrawn_at = now() WHERE withdrawn_at IS NULL`:          "23514", // without the signed withdrawal
			`UPDATE consent_state SET id = gen_random_uuid()`:                                   forbidden,
			`DELETE FROM consent_state`:                                                         forbidden,
			`UPDATE consent SET expires_at = 'infinity'`:                                        forbidden,
			`UPDATE consent SET sections = '{need}', withheld = '{}'`:                           forbidden,
			`DELETE FROM consent`:                                                               forbidden,
			`ALTER TABLE consent_state DISABLE TRIGGER ALL`:                                     forbidden,
			`DROP TRIGGER consent_state_final ON consent_state`:                                 forbidden,
			`ALTER TABLE consent DISABLE ROW LEVEL SECURITY`:                                    forbidden,
			`SET session_replication_role = replica`:                                            forbidden,
		} {
			if n, state := as(t, h, by, statement); state != want {
				t.Errorf("%s, as %s: touched %d rows, state %q, want %s", statement, by, n, state, want)
			}
		}
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM consent_state WHERE withdrawn_at IS NOT NULL`); n != 1 {
		t.Errorf("%d consents are withdrawn, want 1", n)
	}
}
