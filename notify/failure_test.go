package notify_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/internal/hubtest"
	"handover/partners"
)

// newest is the newest delivery of a webhook.
func newest(t *testing.T, admin *hubtest.Person, id string) (status, outcome string, attempts int) {
	t.Helper()
	d := deliveries(t, admin, id)[0]
	return d.Status, d.Outcome, d.Attempts
}

// try has a test sent.
func try(t *testing.T, admin *hubtest.Person, id string) (message string) {
	t.Helper()
	var said struct{ ID string }
	admin.Post(t, "/v1/webhooks/"+id+"/test", struct{}{}).Into(t, http.StatusAccepted, &said)
	return said.ID
}

// due has every webhook be done with its rest.
func due(t *testing.T, h *hubtest.Hub) {
	t.Helper()
	h.Exec(t, `UPDATE webhook SET rest_until = now(), turn = NULL`)
	h.Exec(t, `UPDATE webhook_delivery SET next_at = now() WHERE state = 'waiting'`)
}

// TestWhatIsNotTakenIsTriedAgain: with every way in which a receiver can fail.
func TestWhatIsNotTakenIsTriedAgain(t *testing.T) {
	t.Parallel()
	h := hub(t)
	a := h.Agency(t, "the-agency", partners.Housing)
	admin, elsewhere := administrator(t, h, a.ID), receive(t)
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"an error", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "500"},
		{"a refusal", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, "401"},
		{"a redirect", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(http.StatusPermanentRedirect)
		}, "308"},
		{"a redirect into a network", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://169.254.169.254/latest/meta-data/")
			w.WriteHeader(http.StatusFound)
		}, "302"},
		{"no answer", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "timeout"},
		{"a connection that breaks", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "connection"},
		{"headers without end", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 64<<10))
		}, "connection"},
	} {
		r := receive(t)
		r.answers(c.answer)
		w := add(t, admin, r.URL)
		id := try(t, admin, w.ID)
		round(t, h)
		if status, outcome, n := newest(t, admin, w.ID); status != "waiting" || outcome != c.want || n != 1 || shown(t, admin, w.ID).Failing.IsZero() {
			t.Errorf("%s: %s after %d attempts, %s, want waiting after 1, %s", c.name, status, n, outcome, c.want)
		}
		round(t, h)
		if n := len(r.got()); n != 1 {
			t.Errorf("%s: tried %d times at once", c.name, n)
		}
		r.status(http.StatusOK)
		due(t, h)
		round(t, h)
		status, outcome, n := newest(t, admin, w.ID)
		if got := r.got(); status != "delivered" || outcome != "200" || n != 2 || len(got) != 2 || got[0].id() != id || got[1].id() != id || got[0].Body != got[1].Body {
			t.Errorf("%s: then %s, %s after %d attempts", c.name, status, outcome, n)
		}
		if !shown(t, admin, w.ID).Failing.IsZero() {
			t.Errorf("%s: still failing", c.name)
		}
		admin.Post(t, "/v1/webhooks/"+w.ID+"/remove", struct{}{})
	}
	if len(elsewhere.got()) != 0 {
		t.Error("a redirect was followed")
	}
}

// TestAHugeAnswerIsNotRead: whoever answers without end holds up no hub.
func TestAHugeAnswerIsNotRead(t *testing.T) {
	t.Parallel()
	h := hub(t)
	a := h.Agency(t, "the-agency", partners.Housing)
	admin, r := administrator(t, h, a.ID), receive(t)
	sent := 0
	r.answers(func(w http.ResponseWriter, q *http.Request) {
		for chunk := bytes.Repeat([]byte("x"), 64<<10); q.Context().Err() == nil; sent += len(chunk) {
			if _, err := w.Write(chunk); err != nil || sent > 1<<30 {
				return
			}
		}
	})
	w := add(t, admin, r.URL)
	try(t, admin, w.ID)
	began := time.Now()
	round(t, h)
	if status, outcome, _ := newest(t, admin, w.ID); status != "delivered" || outcome != "200" {
		t.Errorf("%s %s", status, outcome)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestOneThatWantsNoMoreIsDisabled: a receiver's 410 is taken at its word, and the agency's log says so.
func TestOneThatWantsNoMoreIsDisabled(t *testing.T) {
	t.Parallel()
	h := hub(t)
	a := h.Agency(t, "the-agency", partners.Housing)
	admin, r := administrator(t, h, a.ID), receive(t)
	r.status(http.StatusGone)
	w := add(t, admin, r.URL)
	try(t, admin, w.ID)
	try(t, admin, w.ID)
	round(t, h)
	if s := shown(t, admin, w.ID).State; s != "disabled" || len(r.got()) != 1 {
		t.Errorf("it is %s after %d messages", s, len(r.got()))
	}
	disabled(t, h, a, w.ID, "gone")

	// What has waited meanwhile is told once it goes on.
	r.status(http.StatusOK)
	if s := admin.Post(t, "/v1/webhooks/"+w.ID+"/test", struct{}{}); s.Problem().Code != "webhook-state" || s.Problem().State != "disabled" {
		t.Errorf("a test of a disabled webhook: %d %s", s.Status, s.Body)
	}
	admin.Post(t, "/v1/webhooks/"+w.ID+"/resume", struct{}{}).Into(t, http.StatusOK, &struct{}{})
	round(t, h)
	if n := len(r.got()); n != 3 || !shown(t, admin, w.ID).Failing.IsZero() {
		t.Errorf("%d messages", n)
	}
}

// TestOneThatNobodyAnswersIsDisabledAfterThreeDays: and not before.
func TestOneThatNobodyAnswersIsDisabledAfterThreeDays(t *testing.T) {
	t.Parallel()
	h := hub(t)
	a := h.Agency(t, "the-agency", partners.Housing)
	admin, r := administrator(t, h, a.ID), receive(t)
	r.status(http.StatusBadGateway)
	w := add(t, admin, r.URL)
	try(t, admin, w.ID)
	round(t, h)
	for ago, want := range map[string]string{"71 hours": "active", "73 hours": "disabled"} {
		h.Exec(t, `UPDATE webhook SET failing_since = now() - $1::interval, state = 'active'`, ago)
		if err := h.Webhooks.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := shown(t, admin, w.ID).State; string(s) != want {
			t.Errorf("it is %s after %s, want %s", s, ago, want)
		}
	}
	h.Exec(t, `UPDATE webhook SET state = 'disabled', log_entry = (SELECT id FROM audit_entry WHERE act = 'webhook.disable')`)
	disabled(t, h, a, w.ID, "unreachable")
}

// disabled looks for the entry by which an agency is told.
func disabled(t *testing.T, h *hubtest.Hub, a *hubtest.Agency, id, why string) {
	t.Helper()
	for _, e := range h.Entries(t, 0) {
		if e.Act == "webhook.disable" {
			if e.Partner != "" || e.Other != string(a.ID) || e.Target != id || e.Reason != why {
				t.Errorf("logged %+v", e)
			}
			return
		}
	}
	t.Error("nothing was logged")
}

// TestAMessageIsGivenUpAfterItsLastAttempt, and can be sent again.
func TestAMessageIsGivenUpAfterItsLastAttempt(t *testing.T) {
	t.Parallel()
	h := hub(t)
	a := h.Agency(t, "the-agency", partners.Housing)
	admin, r := administrator(t, h, a.ID), receive(t)
	r.status(http.StatusServiceUnavailable)
	w := add(t, admin, r.URL)
	id := try(t, admin, w.ID)
	round(t, h)
	replay := func() hubtest.Answer {
		return admin.Post(t, "/v1/webhooks/"+w.ID+"/deliveries/"+id+"/replay", struct{}{})
	}
	if a := replay(); a.Problem().Code != "delivery-waits" {
		t.Errorf("replayed while it waits: %d %s", a.Status, a.Body)
	}
	for range 15 {
		due(t, h)
		round(t, h)
	}
	if status, outcome, n := newest(t, admin, w.ID); status != "failed" || outcome != "503" || n != 12 || len(r.got()) != 12 {
		t.Errorf("%s, %s after %d attempts", status, outcome, n)
	}
	r.status(http.StatusOK)
	due(t, h)
	replay().Into(t, http.StatusAccepted, &struct{}{})
	round(t, h)
	replay().Into(t, http.StatusAccepted, &struct{}{})
	round(t, h)
	got := r.got()
	if status, _, _ := newest(t, admin, w.ID); status != "delivered" || len(got) != 14 || got[12].id() != id || got[13].id() != id {
		t.Errorf("%s, %d messages", status, len(got))
	}
}

// TestWhatIsPausedWaitsAWhile: what is old by then is not told any more, and at last forgotten.
func TestWhatIsPausedWaitsAWhile(t *testing.T) {
	t.Parallel()
	h := hub(t)
	a := h.Agency(t, "the-agency", partners.Housing)
	admin, r := administrator(t, h, a.ID), receive(t)
	w := add(t, admin, r.URL)
	old, fresh := try(t, admin, w.ID), try(t, admin, w.ID)
	admin.Post(t, "/v1/webhooks/"+w.ID+"/pause", struct{}{}).Into(t, http.StatusOK, &struct{}{})
	round(t, h)
	h.Exec(t, `UPDATE webhook_delivery SET made_at = now() - interval '85 hours', next_at = now() - interval '85 hours' WHERE entry = $1`, old)
	if err := h.Webhooks.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(r.got()) != 0 {
		t.Error("a paused webhook was told")
	}
	admin.Post(t, "/v1/webhooks/"+w.ID+"/resume", struct{}{}).Into(t, http.StatusOK, &struct{}{})
	round(t, h)
	if got := r.got(); len(got) != 1 || got[0].id() != fresh {
		t.Errorf("told %d", len(got))
	}
	h.Exec(t, `UPDATE webhook_delivery SET made_at = now() - interval '31 days'`)
	if err := h.Webhooks.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all := deliveries(t, admin, w.ID); len(all) != 0 {
		t.Errorf("kept %+v", all)
	}
}

// TestAHubThatDiesInItsTurnLosesNothing: the receiver has the message, and the hub dies before it notes that.
func TestAHubThatDiesInItsTurnLosesNothing(t *testing.T) {
	t.Parallel()
	h := hub(t)
	a := h.Agency(t, "the-agency", partners.Housing)
	admin, r := administrator(t, h, a.ID), receive(t)
	w := add(t, admin, r.URL)
	id := try(t, admin, w.ID)
	settle(t, h)
	victim := h.Another(t)
	came, died := make(chan struct{}), make(chan struct{})
	r.answers(func(http.ResponseWriter, *http.Request) { close(came); <-died })
	ended := make(chan error)
	go func() { ended <- victim.Webhooks.Round(t.Context()) }()
	<-came
	victim.DB.Hub.Close() // it notes nothing any more
	close(died)
	if err := <-ended; err != nil { // it was through with looking for more before it died
		t.Fatal(err)
	}
	if status, _, n := newest(t, admin, w.ID); status != "waiting" || n != 0 {
		t.Fatalf("%s after %d attempts: it was noted", status, n)
	}
	r.status(http.StatusOK)
	round(t, h)
	if n := len(r.got()); n != 1 {
		t.Errorf("%d messages while the turn is another's", n)
	}
	h.Exec(t, `UPDATE webhook SET rest_until = now() WHERE turn IS NOT NULL`) // the turn's time is over
	round(t, h)
	got := r.got()
	if status, _, n := newest(t, admin, w.ID); status != "delivered" || n != 1 || len(got) != 2 || got[0].id() != id || got[1].id() != id || got[0].Body != got[1].Body {
		t.Errorf("%s after %d attempts, %d messages", status, n, len(got))
	}
}

// TestTwoHubsShareTheWork: every message once, and to each webhook in the order of the log.
func TestTwoHubsShareTheWork(t *testing.T) {
	t.Parallel()
	h := hub(t)
	other := h.Another(t)
	const webhooks, messages = 6, 20
	var admins []*hubtest.Person
	var receivers []*receiver
	var all []made
	for _, id := range []partners.ID{"one", "two"} {
		admin := administrator(t, h, h.Agency(t, id, partners.Housing).ID)
		for range webhooks / 2 {
			r := receive(t)
			admins, receivers, all = append(admins, admin), append(receivers, r), append(all, add(t, admin, r.URL))
		}
	}
	want := make([][]string, webhooks)
	for range messages {
		for i := range all {
			want[i] = append(want[i], try(t, admins[i], all[i].ID))
		}
		if len(want[0])%5 == 0 { // both work while more comes
			var both sync.WaitGroup
			for _, hub := range []*hubtest.Hub{h, other} {
				both.Go(func() {
					if err := hub.Webhooks.Round(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
		}
	}
	settle(t, h)
	for range 10 { // a hub that finds the other reading leaves it to that one
		round(t, h)
		round(t, other)
	}
	for i, r := range receivers {
		var got []string
		for _, m := range r.got() {
			got = append(got, m.id())
		}
		order := hubtest.Column[string](t, h, `SELECT entry::text FROM webhook_delivery WHERE webhook = $1 ORDER BY place`, all[i].ID)
		slices.Sort(want[i])
		if diff := cmp.Diff(order, got); diff != "" {
			t.Errorf("webhook %d was told (-in the log +told):\n%s", i, diff)
		}
		if diff := cmp.Diff(want[i], slices.Sorted(slices.Values(got))); diff != "" {
			t.Errorf("webhook %d was told (-asked for +told):\n%s", i, diff)
		}
	}
}
