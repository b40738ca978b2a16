package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"handover/client"
	"handover/client/profile"
	"handover/internal/ids"
	"handover/internal/pg"
)

// herName is a string that no program writes by accident. It stands for her name.
const herName = "Zephyrine-Quillfeather-7391"

// sightings are the ways in which the canary can be written.
func sightings() []string { return sightingsOf(herName) }

func sightingsOf(name string) []string {
	forms := []string{name, strings.ToLower(name), hex.EncodeToString([]byte(name))}
	for shift := range 3 { // base64 looks different at each of three alignments
		padded := append(make([]byte, shift), name...)
		inner := base64.StdEncoding.EncodeToString(padded)
		forms = append(forms, inner[4:len(inner)-4])
	}
	return forms
}

// TestNothingPersonalLeaves plants a canary in everything a partner can send, rightly
// and wrongly, and then looks for it in every way out: answers, the log, the metrics and
// every row of the database. Content is sealed, so it is nowhere; what was refused was
// not kept and not repeated.
func TestNothingPersonalLeaves(t *testing.T) {
	t.Parallel()
	log := &lockedBuffer{}
	told, settings := eavesdroppedWitness(t)
	r := startHub(t, slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}), settings...)
	messages := r.eavesdroppedWebhooks(t)
	answers := r.plant(t)
	r.untilTold(t)

	ways := r.waysOut(t, log, "/v1/referrals")
	ways["the answers"] = answers
	ways["what a witness is told"] = told.String()
	ways["what webhooks are told"] = messages.String()
	if !strings.Contains(told.String(), "add-checkpoint") {
		t.Error("the witness was told nothing, so the test sees too little")
	}
	ways["an export"] = r.exported(t)
	for way, text := range ways {
		for _, form := range sightings() {
			if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
				t.Errorf("her name is in %s, as %q", way, form)
			}
		}
	}
}

// waysOut is what the hub writes for others than who asked, place by place. Log and
// metrics must know the route, or the test sees too little.
func (r running) waysOut(t *testing.T, log *lockedBuffer, route string) map[string]string {
	t.Helper()
	ways := map[string]string{"the log": log.String(), "the metrics": fetch(t, r.Private+"/metrics")}
	for way, text := range ways {
		if !strings.Contains(text, route) {
			t.Fatalf("%s knows nothing of %s", way, route)
		}
	}
	for table, rows := range r.dump(t) {
		ways["the table "+table] = rows
	}
	if len(ways) < 15 {
		t.Fatalf("looked in %d places only", len(ways))
	}
	return ways
}

// exported is all that an auditor is handed, with what is base64url in it read.
func (r running) exported(t *testing.T) string {
	t.Helper()
	from, to := today()
	file := filepath.Join(t.TempDir(), "export")
	r.named().operator(t, "audit", "export", "--from", from, "--to", to, "-o", file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := string(text)
	for _, word := range strings.FieldsFunc(all, func(c rune) bool { return strings.ContainsRune(`":,.{}[]\`, c) }) {
		if plain, err := base64.RawURLEncoding.DecodeString(word); err == nil && len(plain) > 40 {
			all += "\n" + string(plain)
		}
	}
	if !strings.Contains(all, `"act":"section.open"`) || !strings.Contains(all, `"basis"`) {
		t.Fatal("the export has no opening in it, or no envelope")
	}
	return all
}

// plant sends the canary in every place a request has, and returns all that was
// answered.
func (r running) plant(t *testing.T) string {
	t.Helper()
	outreach, housing := r.join(t, "canary-outreach", "borough-outreach"), r.join(t, "canary-housing", "housing")
	r.operator(t, "agreement", "add", "canary-outreach", "canary-housing", "--purpose", "housing", "--section", "need,note", "--both-ways")
	service := r.operator(t, "service", "add", "canary-housing", "Homes", "--purpose", "housing", "--area", "E09000007")
	ctx := t.Context()
	consent, err := outreach.RecordConsent(ctx, client.Consent{How: client.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
		Bases: []client.Basis{{Article6: "a", Article9: "a"}}, Purpose: "housing", Method: "verbal-in-person",
		Recipients: []string{"canary-housing", "canary-outreach"}, Sections: []string{"need", "note"},
		Words:  map[string]string{"her-words": herName + " said yes", "circumstances": herName + " came alone"},
		Notice: client.Notice{Version: "1", Digest: ids.Digest("notice"), Language: "en"}})
	if err != nil {
		t.Fatal(err)
	}
	content := func(member string) client.Content { return client.Content(fmt.Sprintf(`{%q:%q}`, member, herName)) }
	request := client.Request{To: "canary-housing", Consent: consent.ID, Service: service, Area: "E09000007",
		Purpose: "housing", Urgency: "urgent", Sections: map[string]client.Content{"need": content("summary")}}
	sent, err := outreach.Send(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := housing.Open(ctx, client.Opening{Referral: sent.Referral, Sections: []string{"need"}, Reason: "triage"}); err != nil {
		t.Fatal(err)
	}
	if _, err := housing.Step(ctx, client.Step{Referral: sent.Referral, Event: "accept", Consent: consent.ID,
		Sections: map[string]client.Content{"note": content("text")}}); err != nil {
		t.Fatal(err)
	}
	request.Sections = map[string]client.Content{"location": content("place")} // she did not agree to this one
	_, refused := outreach.Send(ctx, request)
	if refused == nil {
		t.Fatal("a section she did not agree to share was accepted")
	}
	return refused.Error() + askedOfTheLog(t, outreach) + tellHer(t, outreach, sent.Referral, consent.Subject) + r.pester(t)
}

// askedOfTheLog is what an auditor is shown, and what she is answered who asks for a name.
func askedOfTheLog(t *testing.T, c *client.Client) string {
	t.Helper()
	page, err := c.LogEntries(t.Context(), client.LogQuery{Limit: 500})
	if err != nil || len(page.Entries) < 5 {
		t.Fatalf("the log shows %d entries, %v", len(page.Entries), err)
	}
	items, err := c.LogReview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, partner := c.LogEntries(t.Context(), client.LogQuery{Partner: herName})
	_, subject := c.LogEntries(t.Context(), client.LogQuery{Subject: herName})
	if partner == nil || subject == nil {
		t.Error("the log takes a name for a reference")
	}
	shown := fmt.Sprint(items, partner, subject)
	for _, e := range page.Entries {
		shown += string(e.Bytes)
	}
	return shown
}

// pester sends the canary as a stranger and as garbage.
func (r running) pester(t *testing.T) string {
	t.Helper()
	var answers strings.Builder
	for _, k := range []struct{ method, path, body string }{
		{"GET", "/v1/inbox?state=" + herName, ""},
		{"GET", "/v1/referrals/" + herName, ""},
		{"GET", "/" + herName, ""},
		{"DELETE", "/v1/partners/" + herName, ""},
		{"GET", "/problems/" + herName, ""},
		{"GET", "/v1/log/tile/" + herName, ""},
		{"GET", "/v1/log/export?from=" + herName + "&to=" + herName + "&" + herName + "=1", ""},
		{"GET", "/v1/log/entries?subject=" + herName + "&" + herName + "=1", ""},
		{"POST", "/v1/referrals", herName},
		{"POST", "/v1/police-requests", `{"request":"` + herName + `","sealed":"` + herName + `"}`},
		{"GET", "/v1/police-requests?role=" + herName, ""},
		{"POST", "/v1/police-requests/" + herName + "/open", ""},
		{"POST", "/v1/police-requests/" + herName + "/decision", herName},
		{"POST", "/v1/nevers", herName},
		{"POST", "/v1/nevers/" + herName + "/lift", herName},
		{"POST", "/v1/enrol", `{"code":"` + herName + `","enrolment":"` + herName + `"}`},
		{"POST", "/v1/enrol", `{"` + herName + `":1}`},
		{"POST", "/sign-in/join/options", `{"code":"` + herName + `"}`},
		{"POST", "/sign-in/join", `{"code":"` + herName + `","credential":{"id":"` + herName + `"}}`},
		{"POST", "/sign-in/passkey", `{"credential":{"id":"AA","type":"` + herName + `"},"next":"` + herName + `"}`},
		{"POST", "/sign-in/passkey", `{"` + herName + `":1}`},
		{"GET", "/sign-in/provider/callback?state=" + herName + "&code=" + herName, ""},
		{"GET", "/sign-in/" + herName + "/provider", ""},
		{"POST", "/oauth/token", "grant_type=" + herName + "&client_id=" + herName},
		{"POST", "/oauth/token", "client_assertion=" + herName},
		{"POST", "/oauth/par", "client_assertion=" + herName + "&redirect_uri=" + herName + "&scope=" + herName + "&" + herName + "=1"},
		{"POST", "/oauth/revoke", "client_assertion=" + herName + "&token=" + herName},
		{"POST", "/oauth/introspect", "client_assertion=" + herName + "&token=" + herName},
		{"POST", "/oauth/register", `{"client_name":"` + herName + `"}`},
		{"POST", "/oauth/authorize", "client_id=" + herName + "&request_uri=" + herName + "&answer=" + herName},
		{"POST", "/sign-in/step-up", `{"credential":{"id":"` + herName + `"}}`},
		{"POST", "/v1/people", `{"name":"` + herName + `","role":"` + herName + `"}`},
		{"POST", "/v1/people/" + herName + "/role", `{"role":"` + herName + `"}`},
		{"POST", "/v1/keys", `{"` + herName + `":"` + herName + `"}`},
		{herName, "/v1/inbox", ""},
	} {
		request, err := http.NewRequestWithContext(t.Context(), k.method, r.Issuer+k.path, strings.NewReader(k.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		if strings.Contains(k.body, "=") {
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for _, h := range []string{"Authorization", "DPoP", "X-Request-Id", "User-Agent", "Referer", "Origin", "Cookie"} {
			request.Header.Set(h, "DPoP "+herName)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode/100 != 4 {
			t.Errorf("%s %s answered %s", k.method, k.path, answer.Status)
		}
		_ = answer.Header.Write(&answers)
		_, err = io.Copy(&answers, answer.Body)
		if err != nil || answer.Body.Close() != nil {
			t.Fatal(err)
		}
	}
	return answers.String()
}

// join enrols an agency with keys in a folder of its own.
func (r running) join(t *testing.T, id, category string) *client.Client {
	t.Helper()
	r.operator(t, "partner", "add", id, "--name", "Sample agency", "--category", category, "--area", "E09000007")
	own, err := profile.Create(t.Context(), t.TempDir(), profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.Enrol(t.Context(), r.Issuer, r.operator(t, "invite", id)); err != nil {
		t.Fatal(err)
	}
	c, err := own.Client()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// dump is every row of every table as text, as a stolen backup would hold them.
func (r running) dump(t *testing.T) map[string]string {
	t.Helper()
	pool, err := pg.Open(t.Context(), r.address, "", 2)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	rows, err := pool.Query(t.Context(), `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public'`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, table := range tables {
		rows, err := pool.Query(t.Context(), `SELECT r::text FROM `+table+` r`)
		if err != nil {
			t.Fatal(err)
		}
		text, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		all[table] = strings.Join(text, "\n")
	}
	return all
}

func fetch(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// lockedBuffer is a buffer that many may write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
