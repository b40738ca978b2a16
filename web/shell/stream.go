package shell

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"handover/internal/httpd"
	"handover/oauth/signin"
	"handover/partners"
)

const (
	streamLife  = 10 * time.Minute // after which the browser comes again, perhaps to another hub
	streamPulse = 20 * time.Second // between signs of life: what stands between must not cut an idle line
	streamWrite = 10 * time.Second // for what is written to be taken
)

// Stream is what a page listens to (WHATWG HTML §9.2). It carries words for the page's script
// and nothing about anybody.
type Stream struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	now   func() time.Time
	Ends  <-chan struct{}      // the browser has left, the hub stops, or it has lasted long enough
	Pulse <-chan time.Time     // when it is time for a sign of life
	Still func() (bool, error) // whether she is still signed in and may still listen, asked anew each time
}

// Listen is Allow for a stream. That a page listens is no use of the session: left open in a
// room where nobody is, it is still signed out in time, and told so. Who opens the address as a
// page is led to the page that listens.
func (s *Shell) Listen(page string, do func(*http.Request, signin.Session, *Stream), scopes ...partners.Scope) http.Handler {
	may := func(session signin.Session) bool { return slices.ContainsFunc(scopes, session.Caller.Has) }
	return s.Open(func(w http.ResponseWriter, r *http.Request) error {
		session, err := s.signIn.Still(r)
		switch {
		case errors.Is(err, signin.ErrSignedOut) && !listens(r):
			See(w, SignInPath+"?next="+url.QueryEscape(page))
			return nil
		case errors.Is(err, signin.ErrSignedOut):
			w.WriteHeader(http.StatusNoContent) // the browser does not come again
			return nil
		case err != nil:
			return err
		case !may(session):
			return session.Refused(partners.ErrNotThere)
		case !listens(r):
			See(w, page)
			return nil
		}
		ctx, back, err := httpd.Wait(w, r)
		if err != nil {
			return err
		}
		defer back()
		ctx, cancel := context.WithTimeout(ctx, streamLife)
		defer cancel()
		pulse := time.NewTicker(streamPulse)
		defer pulse.Stop()
		stream := &Stream{w: w, rc: http.NewResponseController(w), now: s.now, Ends: ctx.Done(), Pulse: pulse.C, Still: func() (bool, error) {
			again, err := s.signIn.Still(r)
			if errors.Is(err, signin.ErrSignedOut) {
				return false, nil
			}
			return err == nil && again.ID == session.ID && may(again), err
		}}
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		w.Header().Set("X-Accel-Buffering", "no")
		w.WriteHeader(http.StatusOK)
		if stream.write("retry: 5000\n\n") {
			do(r, session, stream)
		}
		return nil // there is no page to show a mistake on, and the browser comes again
	})
}

// listens reports whether a request is an EventSource's.
func listens(r *http.Request) bool { return r.Header.Get("Accept") == "text/event-stream" }

// Say sends an event, and reports whether it could. Neither the name nor the data may have a
// line break.
func (s *Stream) Say(event, data string) bool {
	return s.write("event: " + event + "\ndata: " + data + "\n\n")
}

// Beat sends a sign of life, and reports whether it could.
func (s *Stream) Beat() bool { return s.write(":\n\n") }

func (s *Stream) write(text string) bool {
	_ = s.rc.SetWriteDeadline(s.now().Add(streamWrite)) // not every writer has deadlines
	_, err := s.w.Write([]byte(text))
	if err == nil {
		err = s.rc.Flush()
	}
	return err == nil
}
