package notify_test

import (
	"log/slog"
	"testing"
	"time"

	"handover/internal/hubtest"
	"handover/notify"
	"handover/partners"
	"handover/referral/packet"
)

// heard reports whether there is something to take, waiting for it so long.
func heard(news <-chan struct{}, patience time.Duration) bool {
	select {
	case <-news:
		return true
	case <-time.After(patience):
		return false
	}
}

const (
	soon  = 10 * time.Second       // it has to come
	quiet = 400 * time.Millisecond // many looks of the feed
)

// TestWhoeverAStepConcernsIsWoken sends, answers, claims and reads a referral while both
// sides and a third agency listen. Claiming it is nothing to the other side; reading wakes nobody:
// a page that is woken reads.
func TestWhoeverAStepConcernsIsWoken(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p, third := h.Pair(t, partners.BoroughOutreach), h.Agency(t, "the-third", partners.BoroughOutreach)
	feed := notify.NewFeed(h.DB.Hub, slog.New(slog.DiscardHandler))
	feed.Pause = 20 * time.Millisecond
	go func() { _ = feed.Run(t.Context()) }()
	from, endFrom := feed.Subscribe(p.From.ID)
	to, endTo := feed.Subscribe(p.To.ID)
	other, endOther := feed.Subscribe(third.ID)
	defer endOther()
	for _, news := range []<-chan struct{}{from, to, other} {
		if !heard(news, soon) {
			t.Fatal("who begins to listen is not told to look")
		}
	}
	expect := func(what string, sender, recipient bool) {
		t.Helper()
		for name, side := range map[string]struct {
			news <-chan struct{}
			want bool
		}{"the sender": {from, sender}, "the recipient": {to, recipient}, "a third agency": {other, false}} {
			patience := quiet
			if side.want {
				patience = soon
			}
			if got := heard(side.news, patience); got != side.want {
				t.Errorf("%s: %s is woken: %v, want %v", what, name, got, side.want)
			}
		}
	}
	s := p.Sent(t, "need")
	expect("a request", true, true)
	worker := h.Person(t, p.To.ID, partners.Caseworker).Caller(t)
	if err := h.Referrals.Claim(t.Context(), worker, s.Digest); err != nil {
		t.Fatal(err)
	}
	h.Log.Kick()
	expect("a claim", false, true)
	p.To.Get(t, "/v1/inbox")
	p.To.Get(t, "/v1/referrals/"+s.Digest)
	p.To.Open(t, s.Digest, "", "need")
	expect("reading", false, false)
	head := s.Digest
	for range 5 { // at once: one signal, or a few
		head = p.Step(t, p.From, packet.Message, s.Digest, head).Digest
	}
	expect("five messages", true, true)
	for heard(from, quiet) || heard(to, quiet) {
		continue // the rest of the few
	}
	endFrom()
	endTo()
	endTo()
	p.Step(t, p.From, packet.Message, s.Digest, head)
	expect("after both have left", false, false)
	// Nobody but the third listened meanwhile; whoever comes back is told to look.
	back, end := feed.Subscribe(p.To.ID)
	defer end()
	p.Sent(t, "need")
	if !heard(back, soon) {
		t.Error("what comes after she is back does not wake her")
	}
}

func TestAFeedThatNobodyListensToAsksNothing(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	feed := notify.NewFeed(h.DB.Hub, slog.New(slog.DiscardHandler))
	feed.Pause = time.Millisecond
	go func() { _ = feed.Run(t.Context()) }()
	news, end := feed.Subscribe(p.To.ID)
	if !heard(news, soon) {
		t.Fatal("who begins to listen is not told to look")
	}
	end()
	time.Sleep(20 * time.Millisecond)
	before := h.DB.Hub.Stat().AcquireCount()
	time.Sleep(100 * time.Millisecond)
	if n := h.DB.Hub.Stat().AcquireCount() - before; n > 1 { // the look that was under way
		t.Errorf("it has asked the database %d times for nobody", n)
	}
}
