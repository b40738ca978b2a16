package profile_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"handover/client"
	"handover/client/profile"
	"handover/internal/hubtest"
	"handover/keys/jose"
)

// side is an agency at work: it sends and opens while its keys are replaced.
type side struct {
	*home
	name    string
	service string
	consent string // to the other side
	now     atomic.Pointer[client.Client]

	mu   sync.Mutex
	sent []client.Receipt
}

// work takes the profile as it is now into use, as a system does that reads it anew.
func (s *side) work(t *testing.T) {
	t.Helper()
	c, err := s.open(t).Client()
	if err != nil {
		t.Fatal(err)
	}
	s.now.Store(c)
}

// turn replaces the side's signing and encryption keys, each with an overlap of two
// seconds, so that never more than four of a use count.
func (s *side) turn(t *testing.T) {
	t.Helper()
	for _, use := range []string{client.Signing, client.Encryption} {
		if err := s.rotate(t, use, 2*time.Second); err != nil {
			t.Errorf("%s rotates its %s key: %v", s.name, use, err)
		}
	}
	s.work(t)
}

// send sends to the other side until the time is over, and opens there what it sent.
func (s *side) send(ctx context.Context, t *testing.T, to *side) {
	t.Helper()
	for n := 0; ctx.Err() == nil; n++ {
		receipt, err := s.now.Load().Send(t.Context(), client.Request{To: to.name, Consent: s.consent, Service: to.service,
			Area: hubtest.Area, Urgency: "urgent", Sections: map[string]client.Content{"need": client.Content(`{"schema":"need/1","summary":"a bed tonight"}`)}})
		if err != nil {
			t.Errorf("%s sends: %v", s.name, err)
			continue
		}
		s.mu.Lock()
		s.sent = append(s.sent, receipt)
		s.mu.Unlock()
		if n%2 == 0 { // the rest waits until all is over
			to.reads(t, receipt)
		}
	}
}

// reads opens a referral and holds its sender to what she signed. What cannot be read may
// be sealed to a key that came a moment ago: a system that runs meanwhile reads its profile
// anew, where the key was before the hub heard of it.
func (s *side) reads(t *testing.T, sent client.Receipt) {
	t.Helper()
	o := client.Opening{Referral: sent.Referral, Reason: "triage"}
	opened, err := s.now.Load().Open(t.Context(), o)
	if client.Code(err) == "section-unreadable" {
		c, fresh := s.open(t).Client()
		if fresh != nil {
			t.Fatal(fresh)
		}
		opened, err = c.Open(t.Context(), o)
	}
	switch {
	case err != nil:
		t.Errorf("%s opens %s: %v", s.name, sent.Reference, err)
	case opened.Doubt != "" || string(opened.Sections["need"]) != `{"schema":"need/1","summary":"a bed tonight"}`:
		t.Errorf("%s reads %d bytes of %s, in doubt because %q", s.name, len(opened.Sections["need"]), sent.Reference, opened.Doubt)
	}
}

func newSides(t *testing.T) (a, b *side) {
	t.Helper()
	h := hubtest.New(t)
	charity, code := h.Invited(t, "rosewood", "vawg-service")
	a = &side{name: "rosewood", home: newHomeOf(t, h, charity, code)}
	housing, code := h.Invited(t, "larkfield-housing", "housing")
	b = &side{name: "larkfield-housing", home: newHomeOf(t, h, housing, code)}
	h.Agree(t, a.agency, b.agency)
	h.Agree(t, b.agency, a.agency)
	for _, s := range []*side{a, b} {
		s.service = h.Offer(t, s.agency)
		s.work(t)
		c, err := s.now.Load().RecordConsent(t.Context(), client.Consent{How: client.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
			Bases: []client.Basis{{Article6: "a", Article9: "a"}}, Purpose: "housing", Recipients: []string{a.name, b.name},
			Sections: []string{"need"}, Method: "verbal-in-person", Notice: client.Notice{Version: "1", Digest: strings.Repeat("A", 43), Language: "en"}})
		if err != nil {
			t.Fatal(err)
		}
		s.consent = c.ID
	}
	return a, b
}

// Both agencies, and the hub, replace their keys every second while each sends to the
// other: no packet becomes unreadable, whether it is opened at once or waits through all the rotations, and
// no signature is refused or doubted that was valid when it was made. ROTATION says for
// how long, as 60s.
func TestKeysTurnOverUnderLoad(t *testing.T) {
	t.Parallel()
	lasting := 6 * time.Second
	if set := os.Getenv("ROTATION"); set != "" {
		var err error
		if lasting, err = time.ParseDuration(set); err != nil {
			t.Fatal(err)
		}
	}
	a, b := newSides(t)
	ctx, cancel := context.WithTimeout(t.Context(), lasting)
	defer cancel()
	var working sync.WaitGroup
	var turns atomic.Int32
	for _, pair := range [][2]*side{{a, b}, {b, a}} {
		for range 3 {
			working.Go(func() { pair[0].send(ctx, t, pair[1]) })
		}
		working.Go(func() {
			for {
				select {
				case <-time.After(time.Second): // and not a ticker: what was late is not made up for in haste
					pair[0].turn(t)
					turns.Add(1)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	working.Go(func() {
		for ctx.Err() == nil { // the hub's own key of access tokens too
			if _, err := a.hub.Keys().Rotate(t.Context(), "access-token", jose.ES256); err != nil {
				t.Errorf("the hub rotates its key: %v", err)
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	})
	working.Wait()
	for _, pair := range [][2]*side{{a, b}, {b, a}} {
		for _, receipt := range pair[0].sent {
			pair[1].reads(t, receipt)
		}
	}
	t.Logf("%d rotations of both keys, %d and %d packets, all read and none in doubt", turns.Load(), len(a.sent), len(b.sent))
	if turns.Load() < 4 || len(a.sent) == 0 || len(b.sent) == 0 {
		t.Error("that was no load")
	}
}

// A packet that waited in the outbox while its recipient replaced her key is refused, and
// nothing of it is stored; sealed anew it is the same packet, which arrives once.
func TestAPacketIsSealedAnewForTheCurrentKey(t *testing.T) {
	t.Parallel()
	a, b := newSides(t)
	c := a.now.Load()
	sealed, err := c.Seal(t.Context(), client.Request{To: b.name, Consent: a.consent, Service: b.service, Area: hubtest.Area,
		Urgency: "urgent", Sections: map[string]client.Content{"need": client.Content(`{"schema":"need/1","summary":"a bed tonight"}`)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.rotate(t, client.Encryption, 0); err != nil {
		t.Fatal(err)
	}
	b.work(t)
	if _, err := c.Post(t.Context(), sealed); client.Code(err) != "recipient-key-retired" {
		t.Fatalf("posted to the old key: %v", err)
	}
	fresh, err := c.Reseal(t.Context(), sealed)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := client.ReadLetter(sealed)
	after, _ := client.ReadLetter(fresh)
	if before.ID != after.ID || before.To != after.To || before.Envelope == after.Envelope || !before.Expires.Equal(after.Expires) {
		t.Errorf("%+v became %+v", before, after)
	}
	receipt, err := c.Post(t.Context(), fresh)
	if err != nil {
		t.Fatal(err)
	}
	b.reads(t, receipt)
	if _, err := c.Post(t.Context(), sealed); client.Code(err) != "packet-conflict" {
		t.Errorf("the old bytes after the new ones: %v", err)
	}
	if _, err := b.now.Load().Reseal(t.Context(), fresh); err == nil {
		t.Error("another agency's packet was sealed anew")
	}
}

// Send does so by itself, with or without copies in the packet.
func TestSendFollowsAKeyThatIsReplacedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, noCopies := range map[string]bool{"with copies": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newSides(t)
			var turned atomic.Bool
			a.line.before = func(path string) {
				if path == "/v1/referrals" && turned.CompareAndSwap(false, true) {
					_ = b.rotate(t, client.Encryption, 0)
					b.work(t)
				}
			}
			receipt, err := a.now.Load().Send(t.Context(), client.Request{To: b.name, Consent: a.consent, Service: b.service, Area: hubtest.Area,
				Urgency: "urgent", NoCopies: noCopies, Sections: map[string]client.Content{"need": client.Content(`{"schema":"need/1","summary":"a bed tonight"}`)}})
			if err != nil || !turned.Load() {
				t.Fatalf("sent while the key was replaced (%t): %v", turned.Load(), err)
			}
			b.reads(t, receipt)
		})
	}
}

// A copy that does not open now is no reason to take the packet for lost: the key may be in
// a backup.
func TestACopyThatDoesNotOpenIsNotMissing(t *testing.T) {
	t.Parallel()
	a, b := newSides(t)
	c := a.now.Load()
	seal := func(noCopies bool) []byte {
		t.Helper()
		sealed, err := c.Seal(t.Context(), client.Request{To: b.name, Consent: a.consent, Service: b.service, Area: hubtest.Area, Urgency: "urgent",
			NoCopies: noCopies, Sections: map[string]client.Content{"need": client.Content(`{"schema":"need/1","summary":"a bed tonight"}`)}})
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	with, without := seal(false), seal(true)
	if _, err := c.Reseal(t.Context(), without); !errors.Is(err, client.ErrNoCopy) {
		t.Errorf("without copies: %v", err)
	}
	if err := a.rotate(t, client.Encryption, time.Hour); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(a.dir, "profile.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var settings profile.Settings
	if err := json.Unmarshal(data, &settings); err != nil {
		t.Fatal(err)
	}
	settings.Keys.Encryption = settings.Keys.Encryption[:1] // the one before is in the backup
	if data, err = json.Marshal(settings); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	poor, err := a.open(t).Client()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := poor.Reseal(t.Context(), with); client.Code(err) != "section-unreadable" || errors.Is(err, client.ErrNoCopy) {
		t.Errorf("without the key: %v", err)
	}
}
