package referral

import "sync"

// Waiting wakes the long polls of a partner when something arrives for it on this
// hub. What arrives on another hub is found by the poll's own slow look.
type Waiting struct {
	mu    sync.Mutex
	chans map[string]chan struct{}
}

// NewWaiting returns a Waiting without anyone in it.
func NewWaiting() *Waiting { return &Waiting{chans: map[string]chan struct{}{}} }

// For returns a channel that is closed at the next arrival for the partner.
func (w *Waiting) For(partner string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	ch, ok := w.chans[partner]
	if !ok {
		ch = make(chan struct{})
		w.chans[partner] = ch
	}
	return ch
}

// Wake wakes everyone who waits for the partner.
func (w *Waiting) Wake(partner string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ch, ok := w.chans[partner]; ok {
		close(ch)
		delete(w.chans, partner)
	}
}
