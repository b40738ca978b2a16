package referral_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
)

// carried is the call that posts a packet.
func carried(s hubtest.Sealed) hubtest.Call {
	path := "/v1/referrals"
	if s.Claims.Referral != "" {
		path += "/" + s.Claims.Referral + "/events"
	}
	return hubtest.Call{Method: http.MethodPost, Path: path, Type: packet.MediaType, Body: s.Body}
}

// by names a person as who acts.
func by(user string) func(*hubtest.Draft) { return func(d *hubtest.Draft) { d.Act = user } }

// heldBy is what the administrator is told that the user holds, newest first.
func heldBy(t *testing.T, admin *hubtest.Person, user string) []referral.Held {
	t.Helper()
	var page struct {
		Referrals []referral.Held
		More      bool
	}
	admin.Get(t, "/v1/people/"+user+"/referrals").Into(t, http.StatusOK, &page)
	if page.More {
		t.Error("there are more")
	}
	return page.Referrals
}

func TestWhatAPersonSendsNamesHer(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.Housing)
	worker, colleague := h.Person(t, p.From.ID, partners.Caseworker), h.Person(t, p.From.ID, partners.Caseworker)
	there := p.Sent(t)
	note := func(act string) hubtest.Sealed {
		return p.From.Event(p.To, packet.Message, there.Digest, there.Digest).With(p.Consent, "note").Seal(t, by(act))
	}
	for name, s := range map[string]hubtest.Sealed{
		"a request of nobody":            p.Request().Seal(t),
		"a request of a colleague":       p.Request().Seal(t, by(colleague.ID)),
		"a request of her in other form": p.Request().Seal(t, by("user-"+worker.ID)),
		"a step of nobody":               note(""),
		"a step of a colleague":          note(colleague.ID),
	} {
		content, logged := h.Content(t), h.Logged(t)
		if a := worker.Do(t, carried(s)); a.Status != http.StatusForbidden || a.Problem().Code != "act-mismatch" || a.Problem().Party != "sender" {
			t.Errorf("%s: %d %s, want 403 act-mismatch", name, a.Status, a.Body)
		}
		if diff := cmp.Diff(content, h.Content(t)); diff != "" {
			t.Errorf("%s left something behind:\n%s", name, diff)
		}
		if e := h.Entries(t, logged); len(e) != 1 || e[0].Act != "refused" || e[0].Outcome != "act-mismatch" || e[0].User != worker.ID || e[0].Envelope != s.Digest {
			t.Errorf("%s: logged %+v", name, e)
		}
	}
	logged := h.Logged(t)
	for _, s := range []hubtest.Sealed{p.Request().Seal(t, by(worker.ID)), note(worker.ID)} {
		if a := worker.Do(t, carried(s)); a.Status != http.StatusCreated {
			t.Fatalf("her own: %d %s", a.Status, a.Body)
		}
		if got := hubtest.Value[string](t, h, `SELECT actor FROM packet WHERE digest = $1`, s.Digest); got != worker.ID {
			t.Errorf("the packet's actor is %q", got)
		}
	}
	for _, e := range h.Entries(t, logged) {
		if e.User != worker.ID {
			t.Errorf("logged %+v", e)
		}
	}
	// A system names whom it will: the packet says it, and the log does not vouch for it.
	logged = h.Logged(t)
	mine, nobodys := p.Request().Seal(t, by("nurse-7")), p.Request().Seal(t)
	p.From.Sent(t, mine)
	p.From.Sent(t, nobodys)
	for _, e := range h.Entries(t, logged) {
		if e.User != "" {
			t.Errorf("the log takes the system's word: %+v", e)
		}
	}
	got := hubtest.Column[string](t, h, `SELECT coalesce(actor, 'NULL') FROM packet WHERE digest IN ($1, $2) ORDER BY seq`, mine.Digest, nobodys.Digest)
	if diff := cmp.Diff([]string{"nurse-7", "NULL"}, got); diff != "" {
		t.Errorf("actors (-want +got):\n%s", diff)
	}
}

func TestAnOpeningNamesThePersonWhoOpened(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.Housing)
	worker, s := h.Person(t, p.To.ID, partners.Caseworker), p.Sent(t)
	logged := h.Logged(t)
	opening := map[string]any{"sections": []string{"need"}, "reason": "triage"}
	if a := worker.Post(t, "/v1/referrals/"+s.Digest+"/open", opening); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	p.To.Open(t, s.Digest, "", "safe-contact")
	if e := h.Entries(t, logged); len(e) != 2 || e[0].User != worker.ID || e[1].User != "" {
		t.Errorf("logged %+v", e)
	}
	got := hubtest.Column[string](t, h, `SELECT name || ' ' || coalesce(actor::text, 'NULL') FROM release ORDER BY name`)
	if diff := cmp.Diff([]string{"need " + worker.ID, "safe-contact NULL"}, got); diff != "" {
		t.Errorf("releases (-want +got):\n%s", diff)
	}
}

func TestWhatSheHeldIsShownWhenSheLeaves(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.Housing)
	admin, admin2 := h.Person(t, p.To.ID, partners.Administrator), h.Person(t, p.From.ID, partners.Administrator)
	worker, colleague := h.Person(t, p.To.ID, partners.Caseworker), h.Person(t, p.To.ID, partners.Caseworker)
	sender := h.Person(t, p.From.ID, partners.Caseworker)
	step := func(who *hubtest.Person, e packet.Event, referral, prev string) string {
		t.Helper()
		s := p.To.Event(p.From, e, referral, prev).Seal(t, by(who.ID))
		if a := who.Do(t, carried(s)); a.Status != http.StatusCreated {
			t.Fatalf("%s: %d %s", e, a.Status, a.Body)
		}
		return s.Digest
	}
	open := func(who *hubtest.Person, id string) {
		t.Helper()
		if a := who.Post(t, "/v1/referrals/"+id+"/open", map[string]any{"sections": []string{"need"}, "reason": "triage"}); a.Status != http.StatusOK {
			t.Fatalf("open: %d %s", a.Status, a.Body)
		}
	}
	request := func() string {
		t.Helper()
		s := p.Request().Seal(t, by(sender.ID))
		if a := sender.Do(t, carried(s)); a.Status != http.StatusCreated {
			t.Fatalf("request: %d %s", a.Status, a.Body)
		}
		return s.Digest
	}
	untouched, openedByHer, hers, taken, done, openedThenColleague, openedOverHers := request(), request(), request(), request(), request(), request(), request()
	open(worker, openedByHer)
	step(worker, packet.Accept, hers, hers)
	step(colleague, packet.Start, taken, step(worker, packet.Accept, taken, taken))
	step(worker, packet.Decline, done, done)
	open(worker, openedThenColleague)
	open(colleague, openedThenColleague)
	step(worker, packet.Receive, openedOverHers, openedOverHers)
	open(colleague, openedOverHers)

	got := map[string]string{}
	for _, r := range heldBy(t, admin, worker.ID) {
		got[r.ID] = r.State + " " + r.Role + " " + r.Urgency
		if r.Reference == "" || r.Since.IsZero() {
			t.Errorf("%+v", r)
		}
	}
	want := map[string]string{openedByHer: "requested received routine", hers: "accepted received routine", openedOverHers: "received received routine"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("held (-want +got):\n%s\nuntouched %s, taken %s, done %s, opened by a colleague since %s", diff, untouched, taken, done, openedThenColleague)
	}
	if n := len(heldBy(t, admin2, sender.ID)); n != 6 { // all but the declined one
		t.Errorf("the sender's worker holds %d, want 6", n)
	}
	// What the other agency's people hold is not asked for here, nor told from nobody.
	one, other := admin.Get(t, "/v1/people/"+sender.ID+"/referrals"), admin.Get(t, "/v1/people/"+uuid.NewString()+"/referrals")
	if one.Status != 404 || one.Problem().Code != "user-not-found" || other.Status != 404 || one.Problem().Title != other.Problem().Title {
		t.Errorf("%s\n%s", one.Body, other.Body)
	}
	if a := worker.Get(t, "/v1/people/"+worker.ID+"/referrals"); a.Status != 403 {
		t.Errorf("a caseworker: %d", a.Status)
	}
	if a := admin.Get(t, "/v1/people/"+worker.ID+"/referrals?after=x"); a.Status != 400 {
		t.Errorf("a cursor that is none: %d", a.Status)
	}
}

func TestWhatSheHeldComesInPages(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.Housing)
	admin, worker := h.Person(t, p.From.ID, partners.Administrator), h.Person(t, p.From.ID, partners.Caseworker)
	first := p.Request().Seal(t, by(worker.ID))
	worker.Do(t, carried(first))
	// 200 more, behind the hub's back.
	h.Exec(t, `WITH r AS (
			INSERT INTO referral (id, sender, recipient, subject, purpose, urgency, service, area, state, head, created_at, changed_at)
			SELECT lpad(n::text, 43, 'x'), sender, recipient, subject, purpose, urgency, service, area, state, head, now(), now()
			FROM referral, generate_series(1, 200) n RETURNING seq)
		INSERT INTO packet (referral, issuer, audience, jti, event, digest, envelope, state, expires_at, stored_at, log_entry, actor)
		SELECT r.seq, issuer, audience, gen_random_uuid(), event, digest, envelope, p.state, expires_at, stored_at, log_entry, actor FROM r, packet p`)
	var page struct {
		Referrals []referral.Held
		More      bool
	}
	seen := map[string]bool{}
	path := "/v1/people/" + worker.ID + "/referrals"
	for _, want := range []int{200, 1} {
		page.Referrals = nil
		a := admin.Get(t, path)
		a.Into(t, http.StatusOK, &page)
		for _, r := range page.Referrals {
			seen[r.ID] = true
		}
		if len(page.Referrals) != want || page.More != (want == 200) {
			t.Fatalf("%d, more %v", len(page.Referrals), page.More)
		}
		if m := regexp.MustCompile(`^<([^>]+)>; rel="next"$`).FindStringSubmatch(a.Header.Get("Link")); m != nil {
			path = m[1]
		}
	}
	if len(seen) != 201 {
		t.Errorf("%d referrals, want 201", len(seen))
	}
}
