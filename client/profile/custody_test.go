package profile_test

import (
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"handover/client"
	"handover/client/profile"
	"handover/internal/hubtest"
)

// sender is an agency that refers to another without a pause.
type sender struct {
	*home
	to      *hubtest.Agency
	client  *client.Client
	service string
	consent string

	mu   sync.Mutex
	sent []client.Receipt
}

func newSender(t *testing.T, h *hubtest.Hub, to *hubtest.Agency) *sender {
	t.Helper()
	agency, code := h.Invited(t, "harbour", "vawg-service")
	s := &sender{home: newHomeOf(t, h, agency, code), to: to, service: h.Offer(t, to)}
	h.Agree(t, agency, to)
	var err error
	if s.client, err = s.open(t).Client(); err != nil {
		t.Fatal(err)
	}
	c, err := s.client.RecordConsent(t.Context(), client.Consent{How: client.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
		Bases: []client.Basis{{Article6: "a", Article9: "a"}}, Purpose: "housing", Recipients: []string{string(to.ID)}, Sections: []string{"need"},
		Method: "written", Notice: client.Notice{Version: "1", Digest: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", Language: "en"}})
	if err != nil {
		t.Fatal(err)
	}
	s.consent = c.ID
	return s
}

// during sends from several places at once while act is done, and for some packets before
// and after it.
func (s *sender) during(t *testing.T, act func()) {
	t.Helper()
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					s.send(t)
				}
			}
		})
	}
	for s.count() < 6 {
		time.Sleep(time.Millisecond)
	}
	act()
	for n := s.count(); s.count() < n+6; {
		time.Sleep(time.Millisecond)
	}
	close(stop)
	all.Wait()
}

func (s *sender) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sent)
}

func (s *sender) first() client.Receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent[0]
}

func (s *sender) send(t *testing.T) {
	receipt, err := s.client.Send(t.Context(), client.Request{To: string(s.to.ID), Consent: s.consent, Service: s.service,
		Area: hubtest.Area, Urgency: "urgent", Sections: map[string]client.Content{"need": client.Content(bed)}})
	if err != nil {
		t.Errorf("sending: %v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, receipt)
}

const bed = `{"schema":"need/1","summary":"a bed tonight"}`

// opens has somebody of an agency whose keys the hub holds open a referral.
func opens(t *testing.T, worker *hubtest.Person, referral string) hubtest.Answer {
	t.Helper()
	return worker.Post(t, "/v1/managed/referrals/"+referral+"/open", map[string]any{"sections": []string{"need"}, "reason": "triage"})
}

func (s *sender) openedBy(t *testing.T, worker *hubtest.Person, sent client.Receipt) {
	t.Helper()
	var got struct {
		Sections map[string]struct{ Summary string } `json:"sections"`
	}
	if opens(t, worker, sent.Referral).Into(t, http.StatusOK, &got); got.Sections["need"].Summary != "a bed tonight" {
		t.Errorf("%s opens as %+v", sent.Reference, got)
	}
}

// take has the agency's administrator begin, and a new profile take the keys over.
func take(t *testing.T, h *hubtest.Hub, admin *hubtest.Person) *home {
	t.Helper()
	var begun client.TakingCode
	admin.Post(t, "/v1/custody/takings", nil).Into(t, http.StatusCreated, &begun)
	o := &home{dir: filepath.Join(t.TempDir(), "taken"), hub: h, line: &line{to: h.HTTP().Transport}, admin: admin}
	p, err := profile.Create(t.Context(), o.dir, o.options())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Take(t.Context(), hubtest.Issuer, begun.Code); err != nil {
		t.Fatalf("taking: %v", err)
	}
	return o
}

// TestKeysMoveOutOfTheHubsHandsUnderLoad: nothing that was sent before, during or after is
// unreadable, nobody who knew the agency is asked to trust anew, and the hub keeps nothing.
func TestKeysMoveOutOfTheHubsHandsUnderLoad(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	managed := h.Managed(t, "rosewood", "housing")
	worker, admin := h.Person(t, managed.ID, "caseworker"), h.Person(t, managed.ID, "administrator")
	s := newSender(t, h, managed)
	var taken *home
	s.during(t, func() {
		s.openedBy(t, worker, s.first())
		taken = take(t, h, admin)
	})
	if a := opens(t, worker, s.sent[1].Referral); a.Problem().Code != "not-managed" {
		t.Errorf("afterwards the hub opens: %d %s", a.Status, a.Body)
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM managed_key`); n != 0 {
		t.Errorf("the hub keeps %d keys", n)
	}
	c, err := taken.open(t).Client()
	if err != nil {
		t.Fatal(err)
	}
	for _, sent := range s.sent {
		opened, err := c.Open(t.Context(), client.Opening{Referral: sent.Referral, Reason: "triage"})
		if err != nil || string(opened.Sections["need"]) != bed || opened.Doubt != "" {
			t.Errorf("%s opens as %d bytes, %q, %v", sent.Reference, len(opened.Sections["need"]), opened.Doubt, err)
		}
	}
	settled(t, s, client.HeldByPartner)
	acts := []string{"custody.begin", "custody.take", "custody.handover", "custody.moved"}
	found := hubtest.Column[string](t, h, `SELECT act FROM audit_entry WHERE act LIKE 'custody.%' ORDER BY at, id`)
	if !slices.Equal(found, acts) {
		t.Errorf("the log says %v, want %v", found, acts)
	}
}

// settled checks what who knew the agency before is told of it now.
func settled(t *testing.T, s *sender, custody string) {
	t.Helper()
	keys, err := s.client.Keys(t.Context(), string(s.to.ID))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(keys, func(k client.Key) bool { return k.Use == client.Signing })
	if keys[i].Custody != custody || !keys[i].ValidAt(time.Now()) {
		t.Errorf("it signs with %+v", keys[i])
	}
	history, err := s.client.KeyHistory(t.Context(), string(s.to.ID))
	if err == nil {
		err = history.Unconfirmed()
	}
	if err != nil {
		t.Errorf("the history of its keys: %v", err)
	}
}

// TestKeysMoveToTheHubUnderLoadAndBack: the same in the other direction, and home again.
func TestKeysMoveToTheHubUnderLoadAndBack(t *testing.T) {
	t.Parallel()
	o := newHome(t)
	worker := o.hub.Person(t, o.agency.ID, "caseworker")
	s := newSender(t, o.hub, o.agency)
	if err := o.rotate(t, client.Encryption, time.Hour); err != nil { // so that there is an older key too
		t.Fatal(err)
	}
	if err := o.hub.Operator.Expect(t.Context(), o.hub.Keys(), o.agency.ID); err != nil {
		t.Fatal(err)
	}
	s.during(t, func() {
		p := o.open(t)
		by, err := p.PersonClient(t.Context())
		if err == nil {
			err = p.Give(t.Context(), by)
		}
		if err != nil {
			t.Errorf("giving: %v", err)
		}
	})
	for _, sent := range s.sent {
		s.openedBy(t, worker, sent)
	}
	settled(t, s, client.HeldByHub)
	if n := hubtest.Value[int](t, o.hub, `SELECT count(*) FROM managed_key`); n != 3 {
		t.Errorf("the hub holds %d keys, want two that were handed over and its own", n)
	}
	if n := hubtest.Value[int](t, o.hub, `SELECT count(*) FROM custody_move WHERE wrapped IS NOT NULL`); n != 0 {
		t.Errorf("%d moves keep a key", n)
	}
	taken := take(t, o.hub, o.admin)
	c, err := taken.open(t).Client()
	if err != nil {
		t.Fatal(err)
	}
	for _, sent := range []client.Receipt{s.sent[0], s.sent[len(s.sent)-1]} {
		if opened, err := c.Open(t.Context(), client.Opening{Referral: sent.Referral, Reason: "triage"}); err != nil || string(opened.Sections["need"]) != bed {
			t.Errorf("%s: %v", sent.Reference, err)
		}
	}
	settled(t, s, client.HeldByPartner)
}
