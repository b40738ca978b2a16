package notify_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"handover/internal/hubtest"
	"handover/notify"
	"handover/partners"
)

// TestASecretIsShownOnceAndChangedWithADayOfBoth: so does the hub's own key, with an hour.
func TestASecretIsShownOnceAndChangedWithADayOfBoth(t *testing.T) {
	t.Parallel()
	h := hub(t)
	a := h.Agency(t, "the-agency", partners.Housing)
	admin, r := administrator(t, h, a.ID), receive(t)
	w := add(t, admin, r.URL)
	rotate := func() (secret string) {
		var said struct {
			Secret string
			Until  time.Time `json:"old_until"`
		}
		admin.Post(t, "/v1/webhooks/"+w.ID+"/rotate", struct{}{}).Into(t, http.StatusOK, &said)
		if left := time.Until(said.Until); left < 23*time.Hour || left > 24*time.Hour {
			t.Errorf("the old secret counts for %v", left)
		}
		return said.Secret
	}
	check := func(when string, want int, secrets map[string]bool) {
		t.Helper()
		try(t, admin, w.ID)
		round(t, h)
		got := r.got()
		if all := strings.Fields(got[len(got)-1].Header.Get("Webhook-Signature")); len(all) != want {
			t.Errorf("%s: signed as %q, want %d signatures", when, all, want)
		}
		for secret, counts := range secrets {
			if v1, v1a := got[len(got)-1].holds(secret, key(t, h)); v1 != counts || !v1a {
				t.Errorf("%s: a secret holds: %v, want %v; the key: %v", when, v1, counts, v1a)
			}
		}
	}
	first := w.Secret
	check("at first", 2, map[string]bool{first: true})
	second := rotate()
	check("after one change", 3, map[string]bool{first: true, second: true})
	third := rotate()
	check("after another", 3, map[string]bool{first: false, second: true, third: true})
	h.Exec(t, `UPDATE webhook_secret SET ends_at = now() WHERE ends_at < 'infinity'`)
	check("a day later", 2, map[string]bool{second: false, third: true})

	if n := len(shown(t, admin, w.ID).Secrets); n != 1 {
		t.Errorf("it is said to have %d secrets", n)
	}
	for _, path := range []string{"", "/" + w.ID, "/" + w.ID + "/deliveries"} {
		if body := string(admin.Get(t, "/v1/webhooks"+path).Body); strings.Contains(body, "whsec_") || strings.Contains(body, third[6:]) {
			t.Errorf("/v1/webhooks%s shows a secret: %s", path, body)
		}
	}
	for _, row := range hubtest.Column[string](t, h, `SELECT wrapped FROM webhook_secret`) {
		if strings.Contains(row, third[6:]) {
			t.Error("the database has a secret in clear")
		}
	}
	// The hub's own key: for an hour messages are signed with both.
	before := key(t, h)
	if _, err := h.Keys().Rotate(t.Context(), "webhooks", "EdDSA"); err != nil {
		t.Fatal(err)
	}
	check("after the hub's key was changed", 3, map[string]bool{third: true})
	got := r.got()
	if _, v1a := got[len(got)-1].holds(third, before); !v1a || before == key(t, h) {
		t.Errorf("the key before holds: %v", v1a)
	}
}

// TestASecretOpensInItsRowAlone: one that is moved to another webhook signs nothing.
func TestASecretOpensInItsRowAlone(t *testing.T) {
	t.Parallel()
	h := hub(t)
	admin := administrator(t, h, h.Agency(t, "the-agency", partners.Housing).ID)
	r, s := receive(t), receive(t)
	w, v := add(t, admin, r.URL), add(t, admin, s.URL)
	h.DB.Rewrite(t, `UPDATE webhook_secret SET wrapped = (SELECT wrapped FROM webhook_secret WHERE webhook = '`+v.ID+`') WHERE webhook = '`+w.ID+`'`)
	try(t, admin, w.ID)
	try(t, admin, v.ID)
	round(t, h)
	if len(r.got()) != 0 || len(s.got()) != 1 {
		t.Errorf("%d and %d messages, want none and one", len(r.got()), len(s.got()))
	}
}

// TestASecretIsWrappedAnew and is the same.
func TestASecretIsWrappedAnew(t *testing.T) {
	t.Parallel()
	h := hub(t)
	admin, r := administrator(t, h, h.Agency(t, "the-agency", partners.Housing).ID), receive(t)
	w := add(t, admin, r.URL)
	before := hubtest.Value[string](t, h, `SELECT wrapped FROM webhook_secret`)
	n, err := (&notify.Store{Pool: h.DB.Owner}).Rewrap(t.Context(), h.Keys())
	if after := hubtest.Value[string](t, h, `SELECT wrapped FROM webhook_secret`); err != nil || n != 1 || after == before {
		t.Errorf("%d wrapped anew, %v; the same: %v", n, err, after == before)
	}
	try(t, admin, w.ID)
	round(t, h)
	if v1, _ := r.got()[0].holds(w.Secret, key(t, h)); !v1 {
		t.Error("the secret is another")
	}
}

// TestNobodyElseManagesAWebhook: every act on one, by everybody who may not.
func TestNobodyElseManagesAWebhook(t *testing.T) {
	t.Parallel()
	h := hub(t)
	p := h.Pair(t, partners.Housing)
	admin, r := administrator(t, h, p.To.ID), receive(t)
	w := add(t, admin, r.URL)
	id := try(t, admin, w.ID)
	round(t, h)
	stale := administrator(t, h, p.To.ID)
	stale.Proved = time.Now().Add(-time.Hour)
	other := administrator(t, h, p.From.ID)
	base := "/v1/webhooks/" + w.ID
	posts := []string{base + "/test", base + "/rotate", base + "/pause", base + "/resume", base + "/remove", base + "/deliveries/" + id + "/replay"}
	reads := []string{base, base + "/deliveries"}
	before := h.Content(t)
	refused := func(who string, a hubtest.Answer, code string) {
		t.Helper()
		if a.Problem().Code != code {
			t.Errorf("%s: %d %s, want %s", who, a.Status, a.Body, code)
		}
	}
	for _, path := range append(posts, "/v1/webhooks") {
		for _, role := range []partners.Role{partners.Caseworker, partners.Manager, partners.Auditor} {
			refused(string(role)+" "+path, h.Person(t, p.To.ID, role).Post(t, path, map[string]any{"url": r.URL}), "insufficient-scope")
		}
		refused("a system "+path, p.To.PostJSON(t, path, map[string]any{"url": r.URL}), "insufficient-scope")
		refused("an administrator an hour later "+path, stale.Post(t, path, map[string]any{"url": r.URL}), "step-up-required")
	}
	for _, path := range posts {
		refused("another agency's administrator "+path, other.Post(t, path, struct{}{}), "webhook-not-found")
		refused("what is none "+path, admin.Post(t, strings.Replace(path, w.ID, "none", 1), struct{}{}), "webhook-not-found")
	}
	for _, path := range reads {
		refused("another agency's administrator "+path, other.Get(t, path), "webhook-not-found")
		refused("a system "+path, p.To.Get(t, path), "insufficient-scope")
	}
	if body := string(other.Get(t, "/v1/webhooks").Body); strings.Contains(body, w.ID) {
		t.Errorf("another agency lists %s", body)
	}
	refused("no delivery", admin.Post(t, base+"/deliveries/"+p.Consent.ID+"/replay", struct{}{}), "delivery-not-found")
	refused("resumed while it goes", admin.Post(t, base+"/resume", struct{}{}), "webhook-state")
	for table, rows := range h.Content(t) {
		if strings.HasPrefix(table, "webhook") && rows != before[table] {
			t.Errorf("%s has changed", table)
		}
	}
	round(t, h)
	if len(r.got()) != 1 {
		t.Errorf("%d messages", len(r.got()))
	}
}

// TestWhatAWebhookCanBe: addresses and events that are refused, and how many there may be.
func TestWhatAWebhookCanBe(t *testing.T) {
	t.Parallel()
	h := hub(t)
	a := h.Agency(t, "the-agency", partners.Housing)
	admin := administrator(t, h, a.ID)
	for _, c := range []struct {
		body map[string]any
		code string
	}{
		{map[string]any{"url": "https://10.0.0.1/"}, "webhook-address-invalid"},
		{map[string]any{"url": "http://hooks.agency.example/"}, "webhook-address-invalid"},
		{map[string]any{}, "webhook-address-invalid"},
		{map[string]any{"url": "https://hooks.agency.example/", "events": []string{"referral.received", "referral.received"}}, "webhook-events-invalid"},
		{map[string]any{"url": "https://hooks.agency.example/", "events": []string{"test"}}, "webhook-events-invalid"},
		{map[string]any{"url": "https://hooks.agency.example/", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "malformed-json"},
	} {
		if a := admin.Post(t, "/v1/webhooks", c.body); a.Problem().Code != c.code {
			t.Errorf("%v: %d %s, want %s", c.body, a.Status, a.Body, c.code)
		}
	}
	var last made
	for range 10 {
		last = add(t, admin, "https://hooks.agency.example/")
	}
	if a := admin.Post(t, "/v1/webhooks", map[string]any{"url": "https://hooks.agency.example/"}); a.Problem().Code != "webhooks-too-many" {
		t.Errorf("an eleventh: %d %s", a.Status, a.Body)
	}
	if a := admin.Post(t, "/v1/webhooks/"+last.ID+"/remove", struct{}{}); a.Status != http.StatusNoContent {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	add(t, admin, "https://hooks.agency.example/")
	if a := admin.Get(t, "/v1/webhooks/"+last.ID); a.Problem().Code != "webhook-not-found" {
		t.Errorf("one that was removed: %d %s", a.Status, a.Body)
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM webhook_secret WHERE webhook = $1`, last.ID); n != 0 {
		t.Errorf("it has %d secrets left", n)
	}
}

// TestASuspendedAgencyIsToldNothing until it takes part again.
func TestASuspendedAgencyIsToldNothing(t *testing.T) {
	t.Parallel()
	h := hub(t)
	a := h.Agency(t, "the-agency", partners.Housing)
	admin, r := administrator(t, h, a.ID), receive(t)
	try(t, admin, add(t, admin, r.URL).ID)
	if err := h.Operator.Suspend(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	round(t, h)
	if n := len(r.got()); n != 0 {
		t.Errorf("%d messages", n)
	}
	if err := h.Operator.Resume(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	round(t, h)
	if n := len(r.got()); n != 1 {
		t.Errorf("%d messages after it takes part again", n)
	}
}

// TestHowFarHubsAreBehind counts what they could tell, and not what nobody takes.
func TestHowFarHubsAreBehind(t *testing.T) {
	t.Parallel()
	h := hub(t)
	a := h.Agency(t, "the-agency", partners.Housing)
	admin, r := administrator(t, h, a.ID), receive(t)
	behind := func(when string, due int64) {
		t.Helper()
		lag, err := h.Webhooks.Store.Lag(t.Context())
		if err != nil || lag.Due != due || (lag.Oldest > 0) != (due > 0) {
			t.Errorf("%s: %+v, %v, want %d due", when, lag, err, due)
		}
	}
	w := add(t, admin, r.URL)
	try(t, admin, w.ID)
	settle(t, h)
	if lag, err := h.Webhooks.Store.Lag(t.Context()); err != nil || lag.Unread < 1 {
		t.Errorf("before it was read: %+v, %v", lag, err)
	}
	round(t, h)
	if lag, err := h.Webhooks.Store.Lag(t.Context()); err != nil || lag != (notify.Lag{}) {
		t.Errorf("when all is told: %+v, %v", lag, err)
	}
	h.Exec(t, `UPDATE webhook SET rest_until = now() + interval '1 hour'`) // the hubs are late
	try(t, admin, w.ID)
	round(t, h)
	behind("late", 1)
	if err := h.Operator.Suspend(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	behind("while the agency is suspended", 0)
	if err := h.Operator.Resume(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	h.Exec(t, `UPDATE webhook SET failing_since = now()`)
	behind("while its receiver fails", 0)
}
