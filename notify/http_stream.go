package notify

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"handover/internal/fault"
	"handover/internal/httpd"
	"handover/partners"
)

// Stream serves an agency's systems that cannot be reached from outside: they hold a connection
// open, and are told that something awaits them, and not what (server-sent events, WHATWG
// HTML §9.2).
type Stream struct {
	Gate     *partners.Gate
	Feed     *Feed
	Partners *partners.Store
	Now      func() time.Time
	Pulse    time.Duration // between signs of life; 0: streamPulse
}

const (
	streamLife  = 5 * time.Minute  // after which a system comes again, with a fresh proof of its key
	streamPulse = 20 * time.Second // what stands between must not cut an idle line
	streamWrite = 10 * time.Second // for what is written to be taken
)

// ErrStream is for who has opened a stream as something else.
var ErrStream = fault.New(fault.Invalid, "stream-accept", fault.Sender,
	"This is a stream of server-sent events. Ask for it with the header Accept: text/event-stream, and keep the connection open.")

// Mount adds the route.
func (s *Stream) Mount(r *mux.Router) {
	r.Handle("/v1/stream", s.Gate.Allow("", s.serve)).Methods("GET")
}

// awaits are the rights of those whom something can await.
func awaits() []partners.Scope {
	return []partners.Scope{partners.ReferralsReceive, partners.ReferralsSend}
}

// serve tells that something awaits the caller's agency: once at first, since something may have come
// while nobody listened, and then whenever it may.
func (s *Stream) serve(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	if !slices.ContainsFunc(awaits(), c.Has) {
		return partners.ErrScope.With("scope", string(partners.ReferralsReceive))
	}
	if r.Header.Get("Accept") != "text/event-stream" {
		return ErrStream
	}
	ctx, back, err := httpd.Wait(w, r)
	if err != nil {
		return err
	}
	defer back()
	ctx, cancel := context.WithTimeout(ctx, streamLife)
	defer cancel()
	news, end := s.Feed.Subscribe(c.Partner())
	defer end()
	every := s.Pulse
	if every == 0 {
		every = streamPulse
	}
	pulse := time.NewTicker(every)
	defer pulse.Stop()

	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy passes each event on at once
	w.WriteHeader(http.StatusOK)
	text := "retry: 5000\n\n" + awaitsEvent
	for s.still(ctx, c) && s.write(w, text) {
		select {
		case <-ctx.Done():
			return nil
		case <-pulse.C:
			text = ":\n\n"
		case <-news:
			text = awaitsEvent
		}
	}
	return nil // the stream has begun: who was refused meanwhile is told when it comes again
}

// awaitsEvent says all that there is to be said.
const awaitsEvent = "event: awaits\ndata: {}\n\n"

// still asks anew whether the caller may act, each time before something is written: a system that is suspended
// hears no more. Its key is asked for when it comes again.
func (s *Stream) still(ctx context.Context, c partners.Caller) bool {
	b := partners.Bearer{Client: c.Client(), User: c.User(), Proved: c.Proved(), Granted: slices.DeleteFunc(awaits(), func(s partners.Scope) bool { return !c.Has(s) })}
	again, err := s.Partners.Admit(ctx, []partners.Bearer{b}, nil)
	return err == nil && again[0] != nil && again[0].Partner() == c.Partner() && slices.ContainsFunc(awaits(), again[0].Has)
}

func (s *Stream) write(w http.ResponseWriter, text string) bool {
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(s.Now().Add(streamWrite)) // not every writer has deadlines
	_, err := w.Write([]byte(text))
	if err == nil {
		err = rc.Flush()
	}
	return err == nil
}
