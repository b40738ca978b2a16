package notify_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/packet"
)

// stream is one that a system listens to.
type stream struct {
	lines <-chan string // closed when it has ended
	leave func()
}

// listen opens a stream as the agency's system.
func listen(t *testing.T, h *hubtest.Hub, a *hubtest.Agency, scopes ...partners.Scope) stream {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	token := a.Token(t, scopes...)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL()+"/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Authorization", "DPoP "+token)
	h.Prove(r, token, a.DPoP)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Fatalf("answered %s, %s", answer.Status, answer.Header.Get("Content-Type"))
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		defer answer.Body.Close()
		for read := bufio.NewScanner(answer.Body); read.Scan(); {
			lines <- read.Text()
		}
	}()
	t.Cleanup(leave)
	return stream{lines, leave}
}

// awaits reports whether an event comes in that time, after those that are on their way.
func (s stream) awaits(t *testing.T, patience time.Duration) bool {
	t.Helper()
	for after := time.After(patience); ; {
		select {
		case <-after:
			return false
		case line, open := <-s.lines:
			if !open {
				return false
			}
			if !strings.HasPrefix(line, "event: ") && !strings.HasPrefix(line, "retry: ") && line != "" && line != ":" && line != "data: {}" {
				t.Errorf("the stream says %q", line)
			}
			if line == "event: awaits" {
				return true
			}
		}
	}
}

// quiet waits until nothing comes any more.
func (s stream) quiet(t *testing.T) {
	t.Helper()
	for s.awaits(t, 400*time.Millisecond) {
		continue
	}
}

// TestASystemThatCannotBeReachedIsTold: by a stream that it holds open, from whichever side.
func TestASystemThatCannotBeReachedIsTold(t *testing.T) {
	t.Parallel()
	h := hubtest.Listening(t)
	p, third := h.Pair(t, partners.BoroughOutreach), h.Agency(t, "the-third", partners.Housing)
	from, to, other := listen(t, h, p.From), listen(t, h, p.To, partners.ReferralsReceive), listen(t, h, third)
	for _, s := range []stream{from, to, other} {
		if !s.awaits(t, 20*time.Second) {
			t.Fatal("who begins to listen is not told to look")
		}
		s.quiet(t)
	}
	sent := p.Sent(t)
	if !to.awaits(t, 20*time.Second) {
		t.Error("the recipient is not told of a request")
	}
	from.quiet(t)
	received := p.Step(t, p.To, packet.Receive, sent.Digest, sent.Digest)
	if !from.awaits(t, 20*time.Second) {
		t.Error("the sender is not told of a step")
	}
	if other.awaits(t, 400*time.Millisecond) {
		t.Error("a third agency is told something")
	}
	// One that is suspended hears nothing more, whatever its token is.
	to.quiet(t)
	h.Exec(t, `UPDATE partner_client SET active = false WHERE id = $1`, p.To.Client)
	for began := time.Now(); ; {
		line, open := <-to.lines
		if !open {
			break
		}
		if line == "event: awaits" || time.Since(began) > 20*time.Second {
			t.Fatalf("the stream goes on: %q", line)
		}
	}
	from.quiet(t)
	p.Step(t, p.From, packet.Message, sent.Digest, received.Digest)
	if !from.awaits(t, 20*time.Second) {
		t.Error("the sender is not told any more")
	}
	from.leave()
}

// TestAStreamIsForWhomSomethingCanAwait: others are refused, and so is who asks for another form.
func TestAStreamIsForWhomSomethingCanAwait(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "the-agency", partners.Housing)
	get := hubtest.Call{Method: http.MethodGet, Path: "/v1/stream"}
	if got := a.Do(t, get); got.Problem().Code != "stream-accept" {
		t.Errorf("without the header: %d %s", got.Status, got.Body)
	}
	for _, role := range []partners.Role{partners.Administrator, partners.Auditor} {
		if got := h.Person(t, a.ID, role).Get(t, "/v1/stream"); got.Problem().Code != "insufficient-scope" {
			t.Errorf("%s: %d %s", role, got.Status, got.Body)
		}
	}
}
