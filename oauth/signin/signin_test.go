package signin_test

import (
	"net/http"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
)

// scene is a hub with one agency that takes part.
func scene(t *testing.T) (*hubtest.Hub, *hubtest.Agency) {
	t.Helper()
	h := hubtest.New(t)
	return h, h.Agency(t, "larkfield-housing", partners.Housing)
}

func TestAPersonJoinsSignsOutAndSignsInAgain(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	u, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	if !b.SignedIn(t) {
		t.Fatal("she is not signed in after joining")
	}
	if a := b.Form(t, "/sign-out", nil); a.Status != http.StatusSeeOther || b.SignedIn(t) {
		t.Fatalf("signing out: %d, signed in: %v", a.Status, b.SignedIn(t))
	}
	if a := b.SignIn(t); a.Status != http.StatusOK || !b.SignedIn(t) {
		t.Fatalf("signing in: %d %s", a.Status, a.Body)
	}
	var acts []string
	for _, e := range h.Entries(t, 0) {
		if e.User == u.ID {
			acts = append(acts, e.Act)
			if e.Partner != string(a.ID) {
				t.Errorf("%s is logged of %q", e.Act, e.Partner)
			}
		}
	}
	want := []string{"user.enrol", "passkey.add", "user.signin", "user.signout", "user.signin"}
	if len(acts) != len(want) {
		t.Fatalf("logged %q, want %q", acts, want)
	}
}
