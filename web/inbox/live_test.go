package inbox_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"handover/internal/hubtest"
	"handover/partners"
)

// line is a page that listens.
type line struct {
	status int
	words  chan string // "new 1", "change ", "end "; closed when the line is
	hangUp context.CancelFunc
}

// listen opens a line as the page of the person in b does.
func listen(t *testing.T, h *hubtest.Hub, b *hubtest.Browser, path string) line {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range b.Cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	l := line{status: answer.StatusCode, words: make(chan string, 100), hangUp: cancel}
	if l.status == http.StatusOK && (answer.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" || answer.Header.Get("X-Accel-Buffering") != "no" ||
		answer.Header.Get("Cache-Control") != "no-store") {
		t.Errorf("the line has the headers %v", answer.Header)
	}
	go func() {
		defer close(l.words)
		defer answer.Body.Close()
		event := ""
		for s := bufio.NewScanner(answer.Body); s.Scan(); {
			if name, ok := strings.CutPrefix(s.Text(), "event: "); ok {
				event = name
			}
			if data, ok := strings.CutPrefix(s.Text(), "data: "); ok {
				l.words <- event + " " + data
			}
		}
	}()
	return l
}

// says fails unless the next that the line says is this.
func (l line) says(t *testing.T, want string) {
	t.Helper()
	select {
	case got, open := <-l.words:
		if got != want || !open {
			t.Errorf("it says %q, want %q", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Errorf("it says nothing, want %q", want)
	}
}

// silent fails if the line says something soon.
func (l line) silent(t *testing.T) {
	t.Helper()
	select {
	case got := <-l.words:
		t.Errorf("it says %q, want nothing", got)
	case <-time.After(500 * time.Millisecond):
	}
}

// TestAnOpenListHearsThatSomethingHasCome and not what; that colleagues do something; and nothing
// of other agencies. Once she is signed out, it hears that and nothing more.
func TestAnOpenListHearsThatSomethingHasCome(t *testing.T) {
	t.Parallel()
	h := hubtest.Listening(t)
	p, another := h.Pair(t, partners.BoroughOutreach), h.Pair(t, partners.BoroughOutreach)
	_, ayo := h.Joined(t, p.To.ID, "Ayo Example", partners.Caseworker)
	colleague := h.Person(t, p.To.ID, partners.Manager).Caller(t)
	_, admin := h.Joined(t, p.To.ID, "Eve Example", partners.Administrator)
	h.Exec(t, `UPDATE oauth_session SET seen_at = now() - interval '10 minutes'`)
	l := listen(t, h, ayo, "/inbox/live?after=0")
	l.silent(t)
	s := p.Sent(t, "need")
	l.says(t, "new 1")
	p.Sent(t, "need")
	l.says(t, "new 2")
	another.Sent(t, "need")
	l.silent(t)
	if err := h.Referrals.Claim(t.Context(), colleague, s.Digest); err != nil {
		t.Fatal(err)
	}
	h.Log.Kick()
	l.says(t, "change ")
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM oauth_session WHERE seen_at > now() - interval '9 minutes'`); n != 0 {
		t.Error("that a page listens keeps her signed in")
	}
	if a := listen(t, h, admin, "/inbox/live?after=0"); a.status != http.StatusNotFound {
		t.Errorf("an administrator who listens is answered %d", a.status)
	}
	if a := ayo.Get(t, "/inbox/live"); a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/inbox" {
		t.Errorf("as a page it answers %d to %q", a.Status, a.Header.Get("Location"))
	}
	h.Exec(t, `DELETE FROM oauth_session`)
	p.Sent(t, "need")
	l.says(t, "end ")
	if got, open := <-l.words; open {
		t.Errorf("after the end it says %q", got)
	}
	if a := listen(t, h, ayo, "/inbox/live?after=0"); a.status != http.StatusNoContent {
		t.Errorf("signed out, who listens is answered %d", a.status)
	}
}

// TestOneSessionListensInAFewPlacesOnly: the fifth is told that it is over, and can listen when
// another has hung up.
func TestOneSessionListensInAFewPlacesOnly(t *testing.T) {
	t.Parallel()
	h := hubtest.Listening(t)
	p := h.Pair(t, partners.BoroughOutreach)
	_, ayo := h.Joined(t, p.To.ID, "Ayo Example", partners.Caseworker)
	_, bel := h.Joined(t, p.To.ID, "Bel Example", partners.Caseworker)
	var lines []line
	for range 4 {
		lines = append(lines, listen(t, h, ayo, "/inbox/live?after=0"))
	}
	listen(t, h, ayo, "/inbox/live?after=0").says(t, "end ")
	listen(t, h, ayo, "/inbox/live?after=x").says(t, "end ")
	other := listen(t, h, bel, "/inbox/live?after=0")
	lines[0].hangUp()
	for range 100 { // until the hub has let go of it
		lines[0] = listen(t, h, ayo, "/inbox/live?after=0")
		select {
		case <-lines[0].words:
			continue
		case <-time.After(200 * time.Millisecond):
		}
		break
	}
	p.Sent(t, "need")
	for _, l := range append(lines, other) {
		l.says(t, "new 1")
	}
}
