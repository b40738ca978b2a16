package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// eavesdroppedWebhooks gives every agency of the hub that comes from now on a webhook, all at
// one server, and returns what that is told.
func (r running) eavesdroppedWebhooks(t *testing.T) *lockedBuffer {
	t.Helper()
	told := &lockedBuffer{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		_ = q.Header.Write(told)
		_, _ = told.Write(append(body, '\n'))
	}))
	t.Cleanup(server.Close)
	address := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	pool := r.owner(t)
	_, err := pool.Exec(t.Context(), `
		CREATE FUNCTION hooked() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO webhook (id, partner, url, events, state, since, rest_until, log_entry)
				VALUES (gen_random_uuid(), NEW.id, '`+address+`', '{referral.received,referral.moved,referral.asked,consent.withdrawn,recall.asked}', 'active', now(), now(), NEW.log_entry);
			RETURN NULL; END $$;
		CREATE TRIGGER hooked AFTER INSERT ON partner FOR EACH ROW EXECUTE FUNCTION hooked()`)
	if err != nil {
		t.Fatal(err)
	}
	return told
}

// untilTold waits until every webhook has been told all that awaits its agency, and some was.
func (r running) untilTold(t *testing.T) {
	t.Helper()
	pool := r.owner(t)
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		var done bool
		err := pool.QueryRow(t.Context(), `SELECT (SELECT max(idx) FROM audit_leaf) < (SELECT next FROM webhook_cursor) AND
			count(*) > 1 AND bool_and(state = 'delivered') FROM webhook_delivery`).Scan(&done)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			break
		}
		if time.Since(began) > 30*time.Second {
			t.Fatal("webhooks are not told what awaits them")
		}
	}
	metrics := fetch(t, r.Private+"/metrics")
	for _, want := range []string{`hub_webhook_attempts_total{outcome="delivered"} `, `hub_webhook_attempts_total{outcome="forbidden"} 0`, "\nhub_webhook_due ", "\nhub_webhook_lag_seconds ", "\nhub_webhook_unread_entries "} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s among the metrics", want)
		}
	}
}
