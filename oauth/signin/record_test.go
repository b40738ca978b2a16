package signin_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"handover/internal/pg"
	"handover/partners"
)

// TestStrangersAreCountedAndKnownPeopleLogged: whoever tries shows in the log, and no
// stranger can fill it.
func TestStrangersAreCountedAndKnownPeopleLogged(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	u, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	before := h.Logged(t)
	c := assertion(t, b)
	c["id"] = "AAAAAAAAAAAAAAAAAAAAAAAA"
	signIn(t, b, c)
	signIn(t, b, change(t, assertion(t, b), "signature", func(s []byte) []byte { s[9] ^= 1; return s }))
	signIn(t, h.Browser(), assertion(t, b))
	h.Browser().Post(t, joinPath+"/options", map[string]any{"code": "guessed"})
	if n := h.Logged(t); n != before {
		t.Errorf("strangers have made %d entries", n-before)
	}
	for _, reason := range []string{"passkey-unknown", "assertion", "ceremony-none", "link-invalid"} {
		counted(t, h, reason)
	}
	stepUp := change(t, b.Device.Get(b.Options(t, stepUpPath, struct{}{}), nil), "signature", func(s []byte) []byte { s[9] ^= 1; return s })
	b.Post(t, stepUpPath, map[string]any{"credential": stepUp})
	if e := lastRefusal(t, h); e.User != u.ID || e.Partner != string(a.ID) || e.Outcome != "sign-in-refused" || e.Reason != "assertion" {
		t.Errorf("logged %+v", e)
	}
}

// TestARevokedPasskeyDoesNotComeBack, whatever a statement that goes astray says.
func TestARevokedPasskeyDoesNotComeBack(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	b.SignIn(t)
	update := func(set string) error {
		return pg.As(t.Context(), h.DB.Hub, string(a.ID), func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE oauth_passkey SET `+set)
			return err
		})
	}
	if err := update(`sign_count = 0`); !pg.Violates(err, "oauth_passkey_final") {
		t.Errorf("a counter goes back: %v", err)
	}
	if err := update(`revoked_at = now()`); err != nil {
		t.Fatal(err)
	}
	for _, set := range []string{`revoked_at = NULL`, `used_at = now()`} {
		if err := update(set); !pg.Violates(err, "oauth_passkey_final") {
			t.Errorf("%s: %v", set, err)
		}
	}
	want(t, b.SignIn(t), 401, "sign-in-refused", "a revoked passkey")
}
