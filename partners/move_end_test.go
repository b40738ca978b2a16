package partners_test

import (
	"net/http"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
)

// A code does nothing any more once another was made, or once whoever made it has left or
// was signed out: it is worth everything that the agency can open.
func TestACodeEndsWithItsMakerAndWithTheNext(t *testing.T) {
	t.Parallel()
	m := newMoving(t)
	first := m.code(t)
	second := m.code(t)
	a := m.fresh(t)
	m.refused(t, "the first of two codes", 401, "invitation-invalid", func() hubtest.Answer { return m.take(t, a, first, possession(t, a.ID, a.Signing)) })
	m.taken(t, second)

	for name, change := range map[string]string{
		"signed out": `UPDATE partner_user SET signed_out_at = clock_timestamp()`,
		"suspended":  `UPDATE partner_user SET status = 'suspended'`,
		"demoted":    `UPDATE partner_user SET role = 'manager'`,
	} {
		m := newMoving(t)
		code, a := m.code(t), m.fresh(t)
		m.hub.Exec(t, change+` WHERE id = $1`, m.admin.ID)
		m.refused(t, "of a maker who was "+name, 401, "invitation-invalid", func() hubtest.Answer { return m.take(t, a, code, possession(t, a.ID, a.Signing)) })
	}
}

// Nothing is destroyed on the word of a system that was handed nothing.
func TestWhatWasNotHandedOverIsNotDestroyed(t *testing.T) {
	t.Parallel()
	m := newMoving(t)
	a := m.taken(t, m.code(t))
	m.refused(t, "the end before the keys", 422, "custody-move-invalid", func() hubtest.Answer { return a.Do(t, confirm()) })
	held := func() int {
		return hubtest.Value[int](t, m.hub, `SELECT count(*)::int FROM managed_key WHERE partner = $1`, string(m.agency.ID))
	}
	if held() != 1 {
		t.Fatalf("the hub holds %d keys", held())
	}
	a.Get(t, "/v1/custody/keys").Into(t, http.StatusOK, new(struct{ Keys []partners.Handing }))
	if b := a.Do(t, confirm()); b.Status >= 300 || held() != 0 {
		t.Errorf("the end after the keys: %d %s, and %d keys are left", b.Status, b.Body, held())
	}
}
