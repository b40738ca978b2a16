package oauth

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"handover/internal/pg"
	"handover/partners"
)

// How many copies come at the same moment, and how often that is tried.
const (
	racers = 32
	races  = 100
)

// race sends the requests at the same moment, every other one to another hub on the same
// database, and returns how many were answered with 200.
func race(t *testing.T, hubs []http.Handler, requests []*http.Request) (won int, answers []*httptest.ResponseRecorder) {
	t.Helper()
	answers = make([]*httptest.ResponseRecorder, len(requests))
	start := make(chan struct{})
	var all sync.WaitGroup
	for i, r := range requests {
		answers[i] = httptest.NewRecorder()
		all.Go(func() {
			<-start
			hubs[i%len(hubs)].ServeHTTP(answers[i], r)
		})
	}
	close(start)
	all.Wait()
	for _, w := range answers {
		if w.Code == http.StatusOK {
			won++
		} else if w.Code != http.StatusBadRequest && w.Code != http.StatusUnauthorized {
			t.Errorf("a loser is told %d %s", w.Code, w.Body)
		}
	}
	return won, answers
}

// copies makes the request anew for every racer; its assertion and proof are shared only
// where the test says so.
func copies(t *testing.T, one func() *ask) []*http.Request {
	t.Helper()
	requests := make([]*http.Request, racers)
	for i := range requests {
		requests[i] = one().request(t)
	}
	return requests
}

// TestWhatCountsOnceCountsOnceHoweverManyCome redeems one code, one assertion and one
// proof 32 times at the same moment, on two hubs with connections of their own, a hundred
// times. fosite by itself let one code be redeemed 9 times out of 16.
func TestWhatCountsOnceCountsOnceHoweverManyCome(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	user := h.person(a, partners.Caseworker)
	hubs := []http.Handler{h.router, h.another()}
	for round := range races {
		code := h.code(a, user, nil)
		if won, _ := race(t, hubs, copies(t, func() *ask { return h.redeeming(a, code) })); won != 1 {
			t.Fatalf("round %d: one code was redeemed %d times", round, won)
		}
		assertion := h.ask(a).assertion
		if won, _ := race(t, hubs, copies(t, func() *ask {
			k := h.ask(a)
			k.assertion = assertion
			return k
		})); won != 1 {
			t.Fatalf("round %d: one assertion counted %d times", round, won)
		}
		proof := h.ask(a).proof
		won, answers := race(t, hubs, copies(t, func() *ask {
			k := h.ask(a)
			k.proof = proof
			return k
		}))
		if won != 1 {
			t.Fatalf("round %d: one proof counted %d times at the token endpoint", round, won)
		}
		token := ""
		for _, w := range answers {
			token += answerOf(t, w).Token
		}
		call := h.call(a, token)
		requests := make([]*http.Request, racers)
		for i := range requests {
			requests[i] = call.request(t)
		}
		if won, _ := race(t, hubs, requests); won != 1 {
			t.Fatalf("round %d: one proof counted %d times at the API", round, won)
		}
	}
}

// TestOneYesIsOneCode: she presses the button twice, or in two windows.
func TestOneYesIsOneCode(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	c := h.caller(h.person(a, partners.Caseworker))
	for range 10 {
		uri := h.pushed(a, url.Values{})
		codes := make(chan string, racers)
		for range racers {
			go func() {
				location, _ := h.server.Permit(t.Context(), c, a.client, uri)
				codes <- location
			}()
		}
		given := 0
		for range racers {
			if <-codes != "" {
				given++
			}
		}
		if given != 1 {
			t.Fatalf("%d codes for one yes", given)
		}
	}
}

// another is a second hub on the same database, with keys it shares and memory it does
// not.
func (h *hub) another() http.Handler {
	h.t.Helper()
	pool, err := pg.Open(h.t.Context(), h.db.URL, pg.RoleHub, 8)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(pool.Close)
	c := h.config
	c.Partners, c.Store = partners.NewStore(pool, nil), NewStore(pool)
	return h.assemble(c)
}
