package partners_test

import (
	"errors"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
)

func TestTheOperatorEmploysThePeopleThatAnAgencyBeginsWith(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	for name, row := range map[string]struct {
		partner partners.ID
		name    string
		role    partners.Role
		want    error
	}{
		"no name":        {a.ID, "", partners.Manager, partners.ErrPersonInvalid},
		"two lines":      {a.ID, "Ada\nSample", partners.Manager, partners.ErrPersonInvalid},
		"turned around":  {a.ID, "Ada\u202eelpmaS", partners.Manager, partners.ErrPersonInvalid},
		"too long":       {a.ID, strings.Repeat("a", 81), partners.Manager, partners.ErrPersonInvalid},
		"space around":   {a.ID, " Ada", partners.Manager, partners.ErrPersonInvalid},
		"no such role":   {a.ID, "Ada Sample", "root", partners.ErrPersonInvalid},
		"no such agency": {"nobody-here", "Ada Sample", partners.Manager, partners.ErrNotThere},
	} {
		if _, _, err := h.Operator.Employ(t.Context(), row.partner, row.name, row.role); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
	}
	u, code, err := h.Operator.Employ(t.Context(), a.ID, "Ada Sample", partners.Administrator)
	if err != nil {
		t.Fatal(err)
	}
	entries := h.Entries(t, 0)
	if e := entries[len(entries)-1]; e.Act != "user.add" || e.Target != u.ID || e.Other != string(a.ID) || e.Partner != "" {
		t.Errorf("logged %+v", e)
	}
	if l, err := h.Registry.Link(t.Context(), code); err != nil || l.User.ID != u.ID || l.User.Name != "Ada Sample" || l.Recovers {
		t.Errorf("the link is of %+v, %v", l, err)
	}
	again, err := h.Operator.Reissue(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Registry.Link(t.Context(), code); !errors.Is(err, partners.ErrLink) {
		t.Errorf("the link before the newest one: %v", err)
	}
	if l, err := h.Registry.Link(t.Context(), again); err != nil || l.User.ID != u.ID {
		t.Errorf("the newest link: %+v, %v", l, err)
	}
	for _, status := range []string{"suspended", "removed"} {
		h.Exec(t, `UPDATE partner_user SET status = $2 WHERE id = $1`, u.ID, status)
		if _, err := h.Operator.Reissue(t.Context(), u.ID); !errors.Is(err, partners.ErrUserNotThere) {
			t.Errorf("a link for somebody %s: %v", status, err)
		}
	}
	if found, err := h.Operator.Employed(t.Context(), a.ID); err != nil || len(found) != 0 {
		t.Errorf("employed: %+v, %v", found, err)
	}
	if _, _, err := h.Registry.Employ(t.Context(), a.ID, "Ada Sample", partners.Administrator); err == nil {
		t.Error("the serving role employs")
	}
}

func TestANameIsOneLineOfPrintableText(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Ayo Example": "Ayo Example", "  Ayo\t Example\n": "Ayo Example", "": "A colleague", "\u200b\u202e": "A colleague",
		"Siân Ó’Neill": "Siân Ó’Neill", "a\x00b": "a b", "\xff": "A colleague", strings.Repeat("é", 90): strings.Repeat("é", 80),
	} {
		if got := partners.CleanName(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}
