package referral

import "sync"

// waiting wakes the long polls of a partner when something arrives for it on this
// hub. What arrives on another hub is found by the poll's own slow look.
type waiting struct {
	mu    sync.Mutex
	chans map[string]chan struct{}
}

func newWaiting() *waiting { return &waiting{chans: map[string]chan struct{}{}} }

// forNext returns a channel that is closed at the next arrival for the partner.
func (w *waiting) forNext(partner string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	ch, ok := w.chans[partner]
	if !ok {
		ch = make(chan struct{})
		w.chans[partner] = ch
	}
	return ch
}

// wake wakes everyone who waits for the partner.
func (w *waiting) wake(partner string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ch, ok := w.chans[partner]; ok {
		close(ch)
		delete(w.chans, partner)
	}
}
