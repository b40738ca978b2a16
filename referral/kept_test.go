package referral_test

import (
	"testing"

	"handover/internal/hubtest"
	"handover/internal/pg"
	"handover/partners"
)

// TestAPacketGoesAfterAllThatBelongsToIt: sections and delivery have no foreign key to
// their packet, so a trigger keeps it, from the owner of the database too.
func TestAPacketGoesAfterAllThatBelongsToIt(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.Pair(t, partners.BoroughOutreach).Sent(t)
	for _, sql := range []string{`DELETE FROM packet`, `UPDATE packet SET seq = DEFAULT`, `TRUNCATE packet CASCADE`,
		`WITH gone AS (DELETE FROM delivery) SELECT`, `DELETE FROM packet`} {
		_, err := h.DB.Owner.Exec(t.Context(), sql)
		if sql[:4] == "WITH" {
			do(t, err) // its sections still keep it
		} else if !pg.Violates(err, "packet_kept") {
			t.Errorf("%s: %v, want a violation of packet_kept", sql, err)
		}
	}
	h.Exec(t, `DELETE FROM section_copy`)
	h.Exec(t, `DELETE FROM section`)
	h.Exec(t, `DELETE FROM packet`)
}
