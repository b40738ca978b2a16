package partners_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"handover/internal/hubtest"
	"handover/partners"
)

// shown is a link as the hub answers it.
type shown struct {
	ID, Link string
	Expires  time.Time
}

// redeem uses the code of a link as the page does that is behind it.
func redeem(t *testing.T, h *hubtest.Hub, link string) (partners.Link, error) {
	t.Helper()
	address, code, ok := strings.Cut(link, "#")
	if !ok || address != hubtest.Issuer+"/join" {
		t.Fatalf("the link is %q", link)
	}
	tx, err := h.DB.Hub.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	l, _, err := h.Registry.RedeemLink(t.Context(), tx, code)
	if err == nil {
		err = tx.Commit(t.Context())
	}
	return l, err
}

// status is a person's standing in the database.
func status(t *testing.T, h *hubtest.Hub, user string) string {
	t.Helper()
	return hubtest.Value[string](t, h, `SELECT status FROM partner_user WHERE id = $1`, user)
}

func TestAPersonIsAddedByALinkThatWorksOnce(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.Agency(t, "rosewood", partners.Housing)
	admin := h.Person(t, "rosewood", partners.Administrator)
	before := h.Logged(t)
	var link shown
	answer := admin.Post(t, "/v1/people", map[string]string{"name": "Zoë of nights", "role": "caseworker"})
	answer.Into(t, http.StatusCreated, &link)
	if answer.Header.Get("Cache-Control") != "no-store" || time.Until(link.Expires) > 48*time.Hour || time.Until(link.Expires) < 47*time.Hour {
		t.Errorf("answered %v, %v", answer.Header, link.Expires)
	}
	entries := h.Entries(t, before)
	if len(entries) != 1 || entries[0].Act != "user.add" || entries[0].User != admin.ID || entries[0].Target != link.ID {
		t.Errorf("logged %+v", entries)
	}
	if body := hubtest.Value[string](t, h, `SELECT string_agg(convert_from(body, 'UTF8'), ' ') FROM audit_entry`); strings.Contains(body, "Zoë") {
		t.Error("the log names her")
	}
	l, err := redeem(t, h, link.Link)
	if err != nil || l.User.ID != link.ID || l.User.Status != partners.UserActive || l.Recovers {
		t.Errorf("redeemed: %+v, %v", l, err)
	}
	if _, err := redeem(t, h, link.Link); !errors.Is(err, partners.ErrLink) {
		t.Errorf("a second time: %v", err)
	}
	var list struct{ People []partners.User }
	admin.Get(t, "/v1/people").Into(t, http.StatusOK, &list)
	i := slices.IndexFunc(list.People, func(u partners.User) bool { return u.ID == link.ID })
	if len(list.People) != 2 || i < 0 || list.People[i].Name != "Zoë of nights" || list.People[i].Role != partners.Caseworker {
		t.Errorf("the list is %+v", list.People)
	}
}

func TestAPersonsStandingChangesAtHerNextRequest(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	h.Agency(t, "rosewood", partners.Housing)
	admin := h.Person(t, "rosewood", partners.Administrator)
	proved := h.Now().Add(-time.Minute)
	worker := h.Person(t, "rosewood", partners.Administrator)
	worker.Proved = proved
	may := func(want int) {
		t.Helper()
		if got := worker.Get(t, "/v1/people").Status; got != want {
			t.Errorf("she is answered %d, want %d", got, want)
		}
	}
	do := func(what string, body any, want int) hubtest.Answer {
		t.Helper()
		a := admin.Post(t, "/v1/people/"+worker.ID+"/"+what, body)
		if a.Status != want {
			t.Fatalf("%s: %d %s, want %d", what, a.Status, a.Body, want)
		}
		return a
	}
	may(200)
	do("role", map[string]string{"role": "auditor"}, 200)
	may(403)
	do("role", map[string]string{"role": "administrator"}, 200)
	may(200)
	do("suspend", nil, 200)
	may(401)
	do("resume", nil, 200)
	may(401) // what she proved before counts no more
	worker.Proved = time.Time{}
	may(200)
	worker.Proved = h.Now().Add(-time.Second)
	do("sign-out", nil, 204)
	may(401)
	worker.Proved = time.Time{}
	may(200)
	do("remove", nil, 200)
	may(401)
	for _, what := range []string{"suspend", "resume", "remove", "recover"} {
		if p := do(what, nil, 409).Problem(); p.Code != "standing-not-possible" || p.Status != 409 {
			t.Errorf("%s of who has left: %+v", what, p)
		}
	}
	do("sign-out", nil, 404)
	do("role", map[string]string{"role": "auditor"}, 409)
	acts := hubtest.Column[string](t, h, `SELECT convert_from(body, 'UTF8')::jsonb->>'act' FROM audit_entry
		WHERE convert_from(body, 'UTF8')::jsonb->>'target' = $1 AND convert_from(body, 'UTF8')::jsonb->>'user' = $2 ORDER BY at, id`, worker.ID, admin.ID)
	want := []string{"user.role", "user.role", "user.suspend", "user.resume", "user.signout-all", "user.remove",
		"refused", "refused", "refused", "refused", "refused", "refused"}
	if diff := cmp.Diff(want, acts); diff != "" {
		t.Errorf("logged (-want +got):\n%s", diff)
	}
}

func TestALinkEndsWithWhatItWasFor(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.Agency(t, "rosewood", partners.Housing)
	admin, worker := h.Person(t, "rosewood", partners.Administrator), h.Person(t, "rosewood", partners.Caseworker)
	recover := func(user string) string {
		t.Helper()
		var link shown
		admin.Post(t, "/v1/people/"+user+"/recover", nil).Into(t, http.StatusOK, &link)
		return link.Link
	}
	first := recover(worker.ID)
	second := recover(worker.ID)
	if _, err := redeem(t, h, first); !errors.Is(err, partners.ErrLink) {
		t.Errorf("of two links the first: %v", err)
	}
	admin.Post(t, "/v1/people/"+worker.ID+"/suspend", nil)
	admin.Post(t, "/v1/people/"+worker.ID+"/resume", nil)
	if _, err := redeem(t, h, second); !errors.Is(err, partners.ErrLink) {
		t.Errorf("a link from before she was suspended: %v", err)
	}
	if l, err := redeem(t, h, recover(worker.ID)); err != nil || !l.Recovers {
		t.Errorf("a third link: %+v, %v", l, err)
	}
	var added shown
	admin.Post(t, "/v1/people", map[string]string{"name": "A", "role": "manager"}).Into(t, http.StatusCreated, &added)
	if l, err := redeem(t, h, recover(added.ID)); err != nil || l.Recovers || l.User.Status != partners.UserActive {
		t.Errorf("a new first link: %+v, %v", l, err)
	}
	if p := admin.Post(t, "/v1/people/"+admin.ID+"/recover", nil).Problem(); p.Code != "own-recovery" || p.Status != 403 {
		t.Errorf("an administrator recovering herself: %+v", p)
	}
}

// TestNobodyAdministersAnythingButHerOwnAgencyAndOnlyAsItsAdministrator has a row for
// each way to try.
func TestNobodyAdministersAnythingButHerOwnAgencyAndOnlyAsItsAdministrator(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	own, other := h.Agency(t, "rosewood", partners.Housing), h.Agency(t, "harbour", partners.Housing)
	worker, stranger := h.Person(t, own.ID, partners.Caseworker), h.Person(t, other.ID, partners.Administrator)
	admin, stale := h.Person(t, own.ID, partners.Administrator), h.Person(t, own.ID, partners.Administrator)
	stale.Proved = h.Now().Add(-partners.Recent - time.Minute)
	content := h.Content(t)
	for _, row := range []struct {
		name, path string
		by         *hubtest.Person
		body       any
		status     int
		code       string
	}{
		{"another agency's administrator", worker.ID + "/suspend", stranger, nil, 404, "user-not-found"},
		{"of nobody", uuid.NewString() + "/suspend", admin, nil, 404, "user-not-found"},
		{"of nobody, a role", uuid.NewString() + "/role", admin, map[string]string{"role": "manager"}, 404, "user-not-found"},
		{"of nobody, a way back", uuid.NewString() + "/recover", admin, nil, 404, "user-not-found"},
		{"of what is no id", "x/sign-out", admin, nil, 404, "user-not-found"},
		{"another's sign-out", worker.ID + "/sign-out", stranger, nil, 404, "user-not-found"},
		{"a caseworker", worker.ID + "/role", worker, map[string]string{"role": "administrator"}, 403, "insufficient-scope"},
		{"an administrator who proved it yesterday", worker.ID + "/suspend", stale, nil, 401, "step-up-required"},
		{"a role that is none", worker.ID + "/role", admin, map[string]string{"role": "director"}, 422, "person-invalid"},
		{"no role", worker.ID + "/role", admin, map[string]string{}, 422, "person-invalid"},
		{"more than is asked for", worker.ID + "/role", admin, map[string]string{"role": "manager", "status": "active"}, 400, "malformed-json"},
		{"no name", "", admin, map[string]string{"role": "manager"}, 422, "person-invalid"},
		{"a name of 81 letters", "", admin, map[string]string{"role": "manager", "name": strings.Repeat("ë", 81)}, 422, "person-invalid"},
		{"a name of two lines", "", admin, map[string]string{"role": "manager", "name": "A\nB"}, 422, "person-invalid"},
		{"a name that turns", "", admin, map[string]string{"role": "manager", "name": "A\u202eB"}, 422, "person-invalid"},
	} {
		a := row.by.Post(t, strings.TrimSuffix("/v1/people/"+row.path, "/"), row.body)
		if p := a.Problem(); a.Status != row.status || p.Code != row.code {
			t.Errorf("%s: %d %s, want %d %s", row.name, a.Status, a.Body, row.status, row.code)
		}
		if row.code == "step-up-required" && !strings.Contains(a.Header.Get("WWW-Authenticate"), "insufficient_user_authentication") {
			t.Errorf("%s is challenged with %q (RFC 9470 §3)", row.name, a.Header.Get("WWW-Authenticate"))
		}
	}
	if diff := cmp.Diff(content, h.Content(t)); diff != "" {
		t.Errorf("left something behind:\n%s", diff)
	}
	if _, err := h.Registry.AddPerson(t.Context(), own.Caller(t), "A", partners.Manager); !errors.Is(err, partners.ErrScope) {
		t.Errorf("a system adds a person: %v", err)
	}
	if err := h.Registry.SignOut(t.Context(), worker.Caller(t), admin.ID); !errors.Is(err, partners.ErrUserNotThere) {
		t.Errorf("a caseworker signs her administrator out: %v", err)
	}
	if err := h.Registry.SignOut(t.Context(), worker.Caller(t), worker.ID); err != nil {
		t.Errorf("a caseworker signs out: %v", err)
	}
}

func TestTheLastAdministratorStays(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.Agency(t, "rosewood", partners.Housing)
	h.Person(t, h.Agency(t, "harbour", partners.Housing).ID, partners.Administrator) // another agency's counts for nothing
	last := h.Person(t, "rosewood", partners.Administrator)
	suspended := h.Person(t, "rosewood", partners.Administrator)
	last.Post(t, "/v1/people/"+suspended.ID+"/suspend", nil)
	last.Post(t, "/v1/people", map[string]string{"name": "A", "role": "administrator"}) // invited: not there yet
	for _, what := range []string{"suspend", "remove"} {
		if p := last.Post(t, "/v1/people/"+last.ID+"/"+what, nil).Problem(); p.Code != "last-administrator" || p.Status != 409 {
			t.Errorf("%s: %+v", what, p)
		}
	}
	for _, role := range partners.Roles() { // her own she does not change at all
		if p := last.Post(t, "/v1/people/"+last.ID+"/role", map[string]partners.Role{"role": role}).Problem(); p.Code != "own-role" || p.Status != 409 {
			t.Errorf("%s of her own doing: %+v", role, p)
		}
	}
	if status(t, h, last.ID) != "active" {
		t.Error("she is gone")
	}
	if a := last.Post(t, "/v1/people/"+suspended.ID+"/remove", nil); a.Status != 200 {
		t.Errorf("removing one who is not active: %d %s", a.Status, a.Body)
	}
}

// TestOfTwoAdministratorsWhoRemoveEachOtherOneStays has both admitted and both waiting for
// the same rows before either is decided.
func TestOfTwoAdministratorsWhoRemoveEachOtherOneStays(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.Agency(t, "rosewood", partners.Housing)
	for _, what := range []func(c partners.Caller, user string) error{
		func(c partners.Caller, user string) error {
			_, err := h.Registry.RemovePerson(t.Context(), c, user)
			return err
		},
		func(c partners.Caller, user string) error {
			_, err := h.Registry.SetRole(t.Context(), c, user, partners.Manager)
			return err
		},
		func(c partners.Caller, _ string) error { // each gives up her own part
			_, err := h.Registry.SuspendPerson(t.Context(), c, c.User())
			return err
		},
	} {
		h.Exec(t, `UPDATE partner_user SET status = 'removed' WHERE status <> 'removed'`)
		two := []*hubtest.Person{h.Person(t, "rosewood", partners.Administrator), h.Person(t, "rosewood", partners.Administrator)}
		callers := []partners.Caller{two[0].Caller(t), two[1].Caller(t)}
		errs := hubtest.Convoy(t, h, 2, 2, func(i int) error { return what(callers[i], two[1-i].ID) },
			`SELECT FROM partner_user WHERE partner = 'rosewood' FOR UPDATE`)
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("both or neither: %v", errs)
		}
		for _, err := range errs {
			if err != nil && !errors.Is(err, partners.ErrScope) && !errors.Is(err, partners.ErrLastAdministrator) {
				t.Errorf("refused with %v", err)
			}
		}
		if n := hubtest.Value[int](t, h, `SELECT count(*) FROM partner_user WHERE role = 'administrator' AND status = 'active'`); n != 1 {
			t.Errorf("%d active administrators are left, want 1", n)
		}
	}
}
