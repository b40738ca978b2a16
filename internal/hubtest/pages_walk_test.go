package hubtest_test

import (
	"slices"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
)

// TestPagesShowEachRoleOnlyItsOwn walks every page as every role. Who has not the right to one
// is told that there is nothing, which is logged as her refusal; who has it is not.
func TestPagesShowEachRoleOnlyItsOwn(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Managed(t, "larkfield-housing", partners.Housing)
	for _, role := range partners.Roles() {
		_, b := h.Joined(t, a.ID, "Ayo Example", role)
		for _, r := range routes() {
			scopes := slices.DeleteFunc(slices.Clone(r.who), func(w string) bool { return w == "page" })
			if r.who[0] != "page" || slices.Contains(scopes, "anybody") || r.path == "/sign-out" || strings.HasPrefix(r.path, "/account") {
				continue
			}
			may := len(scopes) == 0 || slices.ContainsFunc(role.Scopes(), func(s partners.Scope) bool { return slices.Contains(scopes, string(s)) })
			before := hubtest.Value[int](t, h, `SELECT count(*) FROM audit_entry WHERE act = 'refused' AND outcome = 'not-found'`)
			c := r.call(nothing())
			if r.method == "POST" {
				c.Type, c.Body = "application/x-www-form-urlencoded", nil
			}
			got := b.Send(b.Request(t, c.Method, c.Path, c.Type, c.Body))
			refused := got.Status == 404 && strings.Contains(string(got.Body), partners.ErrNotThere.Text)
			if !may && (!refused || hubtest.Value[int](t, h, `SELECT count(*) FROM audit_entry WHERE act = 'refused' AND outcome = 'not-found'`) != before+1) {
				t.Errorf("%s as %s: %d, want 404 and an entry of it", r, role, got.Status)
			}
			if may && (got.Status >= 500 || refused && !strings.Contains(r.path, "{")) {
				t.Errorf("%s as %s: %d %s", r, role, got.Status, got.Body)
			}
		}
	}
}
