package webhooks_test

import (
	"context"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"handover/internal/hubtest"
	"handover/notify"
	"handover/partners"
)

// list is where an administrator begins.
const list = "/agency/webhooks"

// server is an agency's own system: it counts what it is told, and answers with status.
func server(t *testing.T) (address string, told, status *atomic.Int64) {
	t.Helper()
	told, status = new(atomic.Int64), new(atomic.Int64)
	status.Store(http.StatusOK)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		told.Add(1)
		w.WriteHeader(int(status.Load()))
	}))
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + "/hooks", told, status
}

// tell has everything told that is due.
func tell(t *testing.T, h *hubtest.Hub) {
	t.Helper()
	for began := time.Now(); hubtest.Value[bool](t, h, `SELECT EXISTS (SELECT FROM audit_pending)`); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("entries wait for their place")
		}
	}
	if err := h.Webhooks.Round(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
}

var (
	tags   = regexp.MustCompile(`<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
	secret = regexp.MustCompile(`whsec_[A-Za-z0-9+/]{43}=`)
)

// text is what a page says.
func text(a hubtest.Answer) string {
	return spaces.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(string(a.Body), " ")), " ")
}

// must wants a page with that status that says all of it.
func must(t *testing.T, a hubtest.Answer, status int, says ...string) hubtest.Answer {
	t.Helper()
	if a.Status != status {
		t.Fatalf("answered %d, want %d: %s", a.Status, status, text(a))
	}
	for _, s := range says {
		if !strings.Contains(text(a), s) {
			t.Errorf("the page does not say %q: %s", s, text(a))
		}
	}
	return a
}

// leads wants the answer to lead to another page, and opens that.
func leads(t *testing.T, b *hubtest.Browser, a hubtest.Answer, to string, says ...string) hubtest.Answer {
	t.Helper()
	if a.Status != http.StatusSeeOther || a.Header.Get("Location") != to {
		t.Fatalf("answered %d to %s, want 303 to %s: %s", a.Status, a.Header.Get("Location"), to, text(a))
	}
	return must(t, b.Get(t, to), http.StatusOK, says...)
}

// all are the events as the form names them.
func all() url.Values {
	v := url.Values{}
	for _, e := range notify.Events() {
		v.Add("events", string(e))
	}
	return v
}

// added is a webhook of the administrator in b, and where its page is.
func added(t *testing.T, h *hubtest.Hub, b *hubtest.Browser, address string) string {
	t.Helper()
	form := all()
	form.Set("address", address)
	must(t, b.Form(t, list+"/add", form), http.StatusOK, "Webhook added")
	return list + "/" + hubtest.Value[string](t, h, `SELECT id::text FROM webhook ORDER BY since DESC LIMIT 1`)
}

// TestAnAdministratorLooksAfterAWebhook from its beginning to its end, without JavaScript.
func TestAnAdministratorLooksAfterAWebhook(t *testing.T) {
	t.Parallel()
	h := hubtest.Reaching(t, notify.Reach{Local: true})
	h.ReconcilesAtEnd(t)
	_, b := h.Joined(t, h.Agency(t, "larkfield-housing", partners.Housing).ID, "Ada Example", partners.Administrator)
	address, told, status := server(t)
	must(t, b.Get(t, list), http.StatusOK, "Your agency has no webhook", "Add a webhook")
	form := must(t, b.Get(t, list+"/add"), http.StatusOK, "What is it to be told about?")
	if n := strings.Count(string(form.Body), " checked"); n != len(notify.Events()) {
		t.Errorf("%d events are chosen at first", n)
	}
	wrong := all()
	wrong.Set("address", "https://10.0.0.1/hook")
	must(t, b.Form(t, list+"/add", wrong), http.StatusUnprocessableEntity, "A webhook needs an address", "There is a problem")
	must(t, b.Form(t, list+"/add", url.Values{"address": {address}}), http.StatusUnprocessableEntity, "Choose at least one thing")
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM audit_entry WHERE outcome = 'webhook-address-invalid'`); n != 1 {
		t.Errorf("%d refusals are logged", n)
	}
	wrong.Set("address", address)
	first := secret.FindString(text(must(t, b.Form(t, list+"/add", wrong), http.StatusOK, "When you leave this page, nobody can see the secret again.")))
	at := list + "/" + hubtest.Value[string](t, h, `SELECT id::text FROM webhook`)

	leads(t, b, b.Form(t, at+"/test", nil), at+"?done=test", "A test was sent.")
	tell(t, h)
	page := must(t, b.Get(t, at), http.StatusOK, "A test Taken", "Tried once", "It answered 200", "Send again")
	status.Store(http.StatusInternalServerError)
	leads(t, b, b.Form(t, at+"/test", nil), at+"?done=test")
	tell(t, h)
	must(t, b.Get(t, at), http.StatusOK, "Failing", "It answered 500.", "It is tried again on")
	must(t, b.Get(t, list), http.StatusOK, "Failing", "Your system took nothing since")
	status.Store(http.StatusOK)
	again := regexp.MustCompile(list + `/[^"]*/replay`).FindString(string(page.Body))
	must(t, b.Get(t, again), http.StatusOK, "Send this message again")
	leads(t, b, b.Form(t, again, nil), at+"?done=replay", "The message is being sent again.")
	must(t, b.Form(t, again, nil), http.StatusConflict, "The delivery waits for its next attempt already.")

	must(t, b.Get(t, at+"/new-secret"), http.StatusOK, "You see the new secret once.")
	second := secret.FindString(text(must(t, b.Form(t, at+"/new-secret", nil), http.StatusOK, "The secret before counts until")))
	if first == "" || second == "" || first == second {
		t.Errorf("secrets %q and %q", first, second)
	}
	must(t, b.Get(t, at+"/pause"), http.StatusOK, "Messages wait for three and a half days.")
	leads(t, b, b.Form(t, at+"/pause", nil), at+"?done=pause", "Paused", "Let it go on", "The one before counts until")
	must(t, b.Form(t, at+"/test", nil), http.StatusConflict, "This is not possible as the webhook stands now.")
	before := told.Load()
	leads(t, b, b.Form(t, at+"/resume", nil), at+"?done=resume", "The webhook goes on.")
	tell(t, h)
	if told.Load() == before {
		t.Error("what waited was not told")
	}
	status.Store(http.StatusGone)
	leads(t, b, b.Form(t, at+"/test", nil), at+"?done=test")
	tell(t, h)
	must(t, b.Get(t, at), http.StatusOK, "The hub stopped this webhook", "Stopped by the hub")
	must(t, b.Get(t, list), http.StatusOK, "Stopped by the hub")
	must(t, b.Get(t, "/agency"), http.StatusOK, "The hub stopped a webhook", "See the webhook")
	must(t, b.Get(t, at+"/remove"), http.StatusOK, "This cannot be undone.")
	leads(t, b, b.Form(t, at+"/remove", nil), list+"?done=remove", "The webhook was removed.", "Your agency has no webhook")
	must(t, b.Get(t, at), http.StatusNotFound)
}

// TestOnlyHerAgencysAdministratorFindsAWebhook: to everybody else it is not there, by whatever page; and nobody
// changes one who has not proved a moment ago that it is she.
func TestOnlyHerAgencysAdministratorFindsAWebhook(t *testing.T) {
	t.Parallel()
	h := hubtest.Reaching(t, notify.Reach{Local: true})
	a, other := h.Agency(t, "larkfield-housing", partners.Housing), h.Agency(t, "rosewood", partners.VAWGService)
	ada, b := h.Joined(t, a.ID, "Ada Example", partners.Administrator)
	address, told, _ := server(t)
	at := added(t, h, b, address)
	leads(t, b, b.Form(t, at+"/test", nil), at+"?done=test")
	tell(t, h)
	replay := regexp.MustCompile(list + `/[^"]*/replay`).FindString(string(b.Get(t, at).Body))
	acts := []string{at + "/test", at + "/new-secret", at + "/pause", at + "/resume", at + "/remove", replay}
	browsers := map[string]*hubtest.Browser{"nobody": h.Browser()}
	_, browsers["another agency's administrator"] = h.Joined(t, other.ID, "Bea Example", partners.Administrator)
	for _, role := range []partners.Role{partners.Caseworker, partners.Manager, partners.Auditor} {
		_, browsers[string(role)] = h.Joined(t, a.ID, "Ayo Example", role)
	}
	before := h.Content(t)["webhook"]
	for who, by := range browsers {
		for _, path := range append([]string{at}, acts...) {
			answers := []hubtest.Answer{by.Get(t, path)}
			if path != at {
				answers = append(answers, by.Form(t, path, nil))
			}
			for _, got := range answers {
				if who == "nobody" && (got.Status != http.StatusSeeOther || !strings.HasPrefix(got.Header.Get("Location"), "/sign-in")) {
					t.Errorf("%s at %s: %d", who, path, got.Status)
				}
				if who != "nobody" && (got.Status != http.StatusNotFound || !strings.Contains(text(got), partners.ErrNotThere.Text) || strings.Contains(text(got), address)) {
					t.Errorf("%s at %s: %d %s", who, path, got.Status, text(got))
				}
			}
		}
		if got := by.Get(t, list); strings.Contains(text(got), "localhost") {
			t.Errorf("%s reads the list: %s", who, text(got))
		}
	}
	h.Exec(t, `UPDATE oauth_session SET proved_at = now() - interval '16 minutes' WHERE user_id = $1`, ada.ID)
	for _, path := range append(slices.Clone(acts), list+"/add") {
		for _, got := range []hubtest.Answer{b.Get(t, path), b.Form(t, path, nil)} {
			if want := "/step-up?next=" + url.QueryEscape(path); got.Status != http.StatusSeeOther || got.Header.Get("Location") != want {
				t.Errorf("%s an hour later: %d to %s, want %s", path, got.Status, got.Header.Get("Location"), want)
			}
		}
	}
	must(t, b.Get(t, at), http.StatusOK, "Works")
	if after := h.Content(t)["webhook"]; after != before || told.Load() != 1 {
		t.Errorf("something was changed, or told: %d", told.Load())
	}
}
