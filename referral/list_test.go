package referral_test

import (
	"bytes"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/audit/proof"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
)

// page is an answer of the inbox, and the address of the page after it.
func page(t *testing.T, a *hubtest.Agency, path string) (found []referral.Summary, next string) {
	t.Helper()
	answer := a.Get(t, path)
	var body struct {
		Referrals []referral.Summary `json:"referrals"`
	}
	answer.Into(t, http.StatusOK, &body)
	if m := regexp.MustCompile(`^<([^>]+)>; rel="next"$`).FindStringSubmatch(answer.Header.Get("Link")); m != nil {
		next = m[1]
	}
	return body.Referrals, next
}

// listed is one page by referral.
func listed(t *testing.T, a *hubtest.Agency, path string) map[string]referral.Summary {
	t.Helper()
	byID := map[string]referral.Summary{}
	found, _ := page(t, a, path)
	for _, s := range found {
		byID[s.ID] = s
	}
	return byID
}

// everyID is the referrals of all pages from path on, in order.
func everyID(t *testing.T, a *hubtest.Agency, path string) (all []string) {
	t.Helper()
	for path != "" {
		var found []referral.Summary
		found, path = page(t, a, path)
		for _, s := range found {
			all = append(all, s.ID)
		}
	}
	return all
}

func TestPagesAreNewestFirstAndLeaveNothingOut(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p, stranger := h.Pair(t, partners.BoroughOutreach), h.Pair(t, partners.BoroughOutreach)
	var newest []string
	for i := range 7 {
		s := p.Request("need").Seal(t, func(d *hubtest.Draft) { d.Urgency = []string{"routine", "urgent"}[i%2] })
		p.From.Sent(t, s)
		newest = append([]string{s.Digest}, newest...)
	}
	stranger.Sent(t)
	urgent := []string{newest[1], newest[3], newest[5]}
	p.Step(t, p.To, packet.Decline, newest[2], newest[2])
	p.Step(t, p.To, packet.Accept, newest[4], newest[4])
	open := slices.Delete(slices.Clone(newest), 2, 3)
	for _, row := range []struct {
		by   *hubtest.Agency
		path string
		want []string
	}{
		{p.To, "/v1/inbox", open},
		{p.To, "/v1/inbox?limit=2", open},
		{p.To, "/v1/inbox?limit=3", open},
		{p.To, "/v1/inbox?state=all&limit=1", newest},
		{p.To, "/v1/inbox?state=rejected", newest[2:3]},
		{p.To, "/v1/inbox?state=accepted", newest[4:5]},
		{p.To, "/v1/inbox?urgency=urgent&limit=1", urgent},
		{p.To, "/v1/referrals?role=received&limit=4", open},
		{p.To, "/v1/referrals?role=sent&state=all", nil},
		{p.From, "/v1/referrals?role=sent&state=all&limit=3", newest},
		{p.From, "/v1/inbox?state=all", nil},
	} {
		if diff := cmp.Diff(row.want, everyID(t, row.by, row.path)); diff != "" {
			t.Errorf("%s of %s (-want +got):\n%s", row.path, row.by.ID, diff)
		}
	}
}

func TestAListThatIsAskedForWronglyIsRefused(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	for _, query := range []string{"state=open", "urgency=soon", "limit=0", "limit=101", "limit=x", "limit=-1", "after=0", "after=x",
		"after=9999999999999999999", "wait=31", "wait=-1", "wait=1s", "state=%00", "limit=1%00"} {
		if a := p.To.Get(t, "/v1/inbox?"+query); a.Status != http.StatusBadRequest || a.Problem().Code != "list-query-invalid" {
			t.Errorf("%s: %d %s, want 400 list-query-invalid", query, a.Status, a.Body)
		}
	}
	for _, role := range []string{"", "?role=both", "?role=sender"} {
		if a := p.To.Get(t, "/v1/referrals"+role); a.Problem().Code != "list-query-invalid" {
			t.Errorf("%s: %d %s, want list-query-invalid", role, a.Status, a.Body)
		}
	}
}

func TestAListNeedsTheScopeOfItsSide(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	p.Sent(t)
	for _, row := range []struct {
		path  string
		scope partners.Scope
		want  int
	}{
		{"/v1/inbox", partners.ReferralsReceive, 200}, {"/v1/inbox", partners.ReferralsSend, 403},
		{"/v1/referrals?role=received", partners.ReferralsReceive, 200}, {"/v1/referrals?role=received", partners.ReferralsSend, 403},
		{"/v1/referrals?role=sent", partners.ReferralsSend, 200}, {"/v1/referrals?role=sent", partners.ReferralsReceive, 403},
		{"/v1/referrals?role=received", partners.AuditRead, 403}, {"/v1/referrals?role=sent", partners.ServicesWrite, 403},
	} {
		a := p.To.Do(t, hubtest.Call{Method: "GET", Path: row.path, Scopes: []partners.Scope{row.scope}})
		if a.Status != row.want {
			t.Errorf("%s with %s: %d, want %d", row.path, row.scope, a.Status, row.want)
		}
	}
}

// TestListingsAtOnceDeliverEachPacketOnce lists while packets wait, from many
// goroutines: each has one log entry of its delivery.
func TestListingsAtOnceDeliverEachPacketOnce(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	const referrals = 10
	for range referrals {
		s := p.Sent(t, "need")
		p.Step(t, p.From, packet.Message, s.Digest, s.Digest) // a second packet to deliver
	}
	p.To.Token(t)
	list := func(int) int { return len(everyID(t, p.To, "/v1/inbox")) }
	// Each has read what waits, and none has written that it is delivered.
	for _, found := range hubtest.Convoy(t, h, posters, posters, list, `LOCK TABLE audit_pending IN SHARE MODE`) {
		if found != referrals {
			t.Errorf("a list shows %d referrals, want %d", found, referrals)
		}
	}
	everyID(t, p.To, "/v1/inbox")
	delivered := map[string]int{}
	for _, e := range h.Entries(t, 0) {
		if e.Act == "packet.deliver" {
			delivered[e.Envelope]++
		}
	}
	if len(delivered) != 2*referrals {
		t.Errorf("%d packets were delivered, want %d", len(delivered), 2*referrals)
	}
	for envelope, n := range delivered {
		if n != 1 {
			t.Errorf("%s was delivered %d times", envelope, n)
		}
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM delivery WHERE state = 'stored'`); n != 0 {
		t.Errorf("%d packets still wait", n)
	}
}

// TestAListDeliversOnlyWhatItShows lists while referrals arrive: what is logged as
// delivered by a listing is on the page that the listing gave.
func TestAListDeliversOnlyWhatItShows(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	sender, receiver := p.From.Caller(t), p.To.Caller(t)
	const arrivals = 60
	packets := make([]packet.Unverified, arrivals)
	for i := range packets {
		u, err := packet.Read(p.Request("need").Seal(t).Body)
		do(t, err)
		packets[i] = u
	}
	sent := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < arrivals && err == nil; i++ {
			_, err = h.Referrals.Receive(t.Context(), sender, packets[i], "")
		}
		sent <- err
	}()
	shown := map[string]bool{}
	for done := false; !done; {
		select {
		case err := <-sent:
			do(t, err)
			done = true
		default:
		}
		logged := h.Logged(t)
		found, err := h.Referrals.List(t.Context(), receiver, referral.RecipientSide, referral.Filter{Limit: 100})
		do(t, err)
		for _, s := range found {
			shown[s.ID] = true
		}
		for _, e := range h.Entries(t, 0)[logged:] {
			if e.Act == "packet.deliver" && !shown[e.Referral] {
				t.Errorf("%s was delivered by a list that did not show it", e.Referral)
			}
		}
	}
	if len(shown) != arrivals {
		t.Errorf("%d referrals were shown, want %d", len(shown), arrivals)
	}
}

func TestAListIsLogged(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := p.Sent(t)
	logged := h.Logged(t)
	p.To.Get(t, "/v1/inbox")
	got := h.Entries(t, logged)
	for i := range got {
		got[i].ID, got[i].V, got[i].Time = "", 0, time.Time{}
	}
	slices.SortFunc(got, func(a, b proof.Entry) int { return len(b.Act) - len(a.Act) })
	want := []proof.Entry{
		{Act: "packet.deliver", Partner: string(p.To.ID), Client: p.To.Client, Other: string(p.From.ID), Referral: s.Digest, Event: "request", Envelope: s.Digest},
		{Act: "referral.list", Partner: string(p.To.ID), Client: p.To.Client},
	}
	slices.SortFunc(want, func(a, b proof.Entry) int { return len(b.Act) - len(a.Act) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +logged):\n%s", diff)
	}
}

// TestAPollWaitsForWhatItsListWouldShow asks what a long poll asks before it sleeps.
// Were it to count what another list shows, that would stay undelivered, and no poll
// would ever sleep again.
func TestAPollWaitsForWhatItsListWouldShow(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	inbox, sent := referral.RecipientSide, referral.SenderSide
	waits := func(t *testing.T, by *hubtest.Agency, side referral.Side, f referral.Filter) bool {
		t.Helper()
		waits, err := h.Referrals.Undelivered(t.Context(), by.Caller(t), side, f)
		do(t, err)
		return waits
	}
	none := func(when string) {
		t.Helper()
		for _, by := range []*hubtest.Agency{p.From, p.To} {
			for _, side := range []referral.Side{inbox, sent} {
				if waits(t, by, side, referral.Filter{State: "all"}) {
					t.Errorf("%s, something waits for the %s list of %s", when, side, by.ID)
				}
			}
		}
	}
	none("before anything was sent")
	s := p.Sent(t)
	for _, row := range []struct {
		by   *hubtest.Agency
		side referral.Side
		f    referral.Filter
		want bool
	}{
		{p.To, inbox, referral.Filter{}, true},
		{p.To, inbox, referral.Filter{State: "requested"}, true},
		{p.To, inbox, referral.Filter{State: "accepted"}, false},
		{p.To, inbox, referral.Filter{Urgency: "routine"}, true},
		{p.To, inbox, referral.Filter{Urgency: "urgent"}, false},
		{p.To, sent, referral.Filter{State: "all"}, false},
		{p.From, inbox, referral.Filter{State: "all"}, false},
		{p.From, sent, referral.Filter{State: "all"}, false},
	} {
		if got := waits(t, row.by, row.side, row.f); got != row.want {
			t.Errorf("for the %s list %+v of %s: %v, want %v", row.side, row.f, row.by.ID, got, row.want)
		}
	}
	p.To.Get(t, "/v1/inbox")
	none("after it was listed")
	p.Step(t, p.To, packet.Decline, s.Digest, s.Digest)
	if waits(t, p.From, inbox, referral.Filter{State: "all"}) || waits(t, p.From, sent, referral.Filter{}) || !waits(t, p.From, sent, referral.Filter{State: "all"}) {
		t.Error("the answer to what was sent waits elsewhere than in the list of all that was sent")
	}
	p.From.Get(t, "/v1/referrals?role=sent&state=all")
	none("after the answer was listed")
}

func TestALongPollIsWokenByAnArrival(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	request := p.Request().Seal(t)
	arrived := make(chan hubtest.Answer, 1)
	p.To.Token(t)
	go func() { arrived <- p.To.Get(t, "/v1/inbox?wait=30") }()
	p.From.Sent(t, request)
	if a := <-arrived; a.Status != http.StatusOK || !bytes.Contains(a.Body, []byte(request.Digest)) {
		t.Errorf("the poll ended with %d %s, want the arrival", a.Status, a.Body)
	}
}
