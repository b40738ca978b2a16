package inbox

import (
	"net/http"
	"strconv"

	"handover/oauth/signin"
	"handover/web/shell"
)

// mostStreams is how many pages of one session may listen: somebody has a few lists open, and
// not a thousand.
const mostStreams = 4

// enter takes a place among those of a session who listen, if there is one.
func (s *streams) enter(session string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[session] >= mostStreams {
		return false
	}
	s.open[session]++
	return true
}

func (s *streams) leave(session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[session]--; s.open[session] == 0 {
		delete(s.open, session)
	}
}

// What the page's script is told.
const (
	saysNew    = "new"    // so many referrals have come since the page was made
	saysChange = "change" // something else on her agency's lists has
	saysEnd    = "end"    // she is signed out, or has listened in too many places
)

// live tells a page that is open that something has come since it was made, and how much: no
// more. Whether she may know is asked anew for each word, and a while after each silence.
func (h *Handler) live(r *http.Request, session signin.Session, stream *shell.Stream) {
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil || after < 0 || !h.enter(session.ID) {
		stream.Say(saysEnd, "")
		return
	}
	defer h.leave(session.ID)
	news, leave := h.Feed.Subscribe(session.Caller.Partner())
	defer leave()
	told, begun := 0, false
	for {
		changed := false
		select {
		case <-stream.Ends:
			return
		case <-news:
			changed = true
		case <-stream.Pulse:
			if !stream.Beat() {
				return
			}
		}
		still, err := stream.Still()
		if err == nil && !still {
			stream.Say(saysEnd, "")
			return
		}
		if err != nil || !changed {
			continue // what could not be asked is asked again
		}
		n, err := h.Referrals.Arrived(r.Context(), session.Caller, after)
		if err != nil {
			continue
		}
		said := true
		switch {
		case n > told:
			said = stream.Say(saysNew, strconv.Itoa(n))
		case begun: // the first signal says only that she listens
			said = stream.Say(saysChange, "")
		}
		if told, begun = n, true; !said {
			return
		}
	}
}
