package partners_test

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"handover/internal/hubtest"
	"handover/partners"
)

// terms are what is said of a service, with changes.
func terms(change map[string]any) map[string]any {
	said := map[string]any{"name": "Beds for women", "purposes": []string{"housing"}, "areas": []string{hubtest.Area}, "status": "active",
		"women_only": true, "accepts_no_recourse": true, "self_referral": false}
	maps.Copy(said, change)
	return said
}

// added adds a service as the person, and returns it.
func added(t *testing.T, p *hubtest.Person, change map[string]any) (s partners.Service) {
	t.Helper()
	said := terms(map[string]any{"capacity": "open"})
	maps.Copy(said, change)
	p.Post(t, "/v1/services", said).Into(t, http.StatusCreated, &s)
	return s
}

// TestAnAgencySaysItselfWhatItOffersAndReferralsFollow: each change counts for the next
// referral, and has its entry, which names no service.
func TestAnAgencySaysItselfWhatItOffersAndReferralsFollow(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	p := h.Pair(t, partners.Housing)
	manager := h.Person(t, p.To.ID, partners.Manager)
	logged := h.Logged(t)
	s := added(t, manager, nil)
	p.Service = s.ID
	if s.Partner != p.To.ID || !s.WomenOnly || !s.AcceptsNoRecourse || s.SelfReferral || time.Since(s.CapacityAt) > time.Minute {
		t.Errorf("added %+v", s)
	}
	for _, row := range []struct {
		path string
		body map[string]any
		act  string
		why  string
		code string // of the referral that follows; "" is accepted
	}{
		{"/capacity", map[string]any{"capacity": "paused"}, "service.capacity", "paused", "service-unavailable-for-referral"},
		{"/capacity", map[string]any{"capacity": "waiting-list", "wait": "over-three-months"}, "service.capacity", "waiting-list", ""},
		{"", terms(map[string]any{"status": "temporarily closed"}), "service.change", "temporarily closed", "service-unavailable-for-referral"},
		{"", terms(map[string]any{"purposes": []string{"benefits"}}), "service.change", "active", "service-unavailable-for-referral"},
		{"", terms(map[string]any{"areas": []string{"E09000001"}}), "service.change", "active", "service-unavailable-for-referral"},
		{"", terms(nil), "service.change", "active", ""},
		{"/capacity", map[string]any{"capacity": "open"}, "service.capacity", "open", ""},
		{"", terms(map[string]any{"status": "defunct"}), "service.change", "defunct", "service-unavailable-for-referral"},
	} {
		before := h.Logged(t)
		var got partners.Service
		manager.Post(t, "/v1/services/"+s.ID+row.path, row.body).Into(t, http.StatusOK, &got)
		e := h.Entries(t, before)
		if len(e) != 1 || e[0].Act != row.act || e[0].Reason != row.why || e[0].Target != s.ID || e[0].User != manager.ID || e[0].Partner != string(p.To.ID) {
			t.Errorf("%s %v is logged as %+v", row.path, row.body, e)
		}
		if want := map[string]string{"/capacity": got.Capacity, "": got.Status}[row.path]; want != row.why {
			t.Errorf("%s %v leaves %+v", row.path, row.body, got)
		}
		if a := p.From.Send(t, p.Request().Seal(t)); a.Problem().Code != row.code {
			t.Errorf("after %s %v a referral is answered %d %s, want %q", row.path, row.body, a.Status, a.Body, row.code)
		}
	}
	for path, body := range map[string]map[string]any{"": terms(nil), "/capacity": {"capacity": "open"}} {
		if a := manager.Post(t, "/v1/services/"+s.ID+path, body); a.Problem().Code != "service-ended" {
			t.Errorf("after its end %s is answered %d %s", path, a.Status, a.Body)
		}
	}
	if bodies := hubtest.Value[string](t, h, `SELECT string_agg(convert_from(body, 'UTF8'), ' ') FROM audit_entry`); len(h.Entries(t, logged)) < 9 || strings.Contains(bodies, "Beds") {
		t.Error("the log has a name")
	}
}

// TestWhatAnAgencyMayNotSayOfAService has a row for each way; nothing is left behind.
func TestWhatAnAgencyMayNotSayOfAService(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	own, other := h.Agency(t, "rosewood", partners.Housing), h.Agency(t, "harbour", partners.Housing)
	manager, admin := h.Person(t, own.ID, partners.Manager), h.Person(t, own.ID, partners.Administrator)
	stale := h.Person(t, own.ID, partners.Manager)
	stale.Proved = h.Now().Add(-time.Hour)
	theirs := added(t, h.Person(t, other.ID, partners.Manager), nil)
	mine := added(t, admin, nil)
	open := map[string]any{"capacity": "open"}
	with := func(member string, v any) map[string]any {
		return terms(map[string]any{"capacity": "open", member: v})
	}
	for name, row := range map[string]struct {
		by   *hubtest.Person
		path string
		body map[string]any
		code string
	}{
		"no name":                     {manager, "", with("name", ""), "service-invalid"},
		"a name that is too long":     {manager, "", with("name", strings.Repeat("a", 81)), "service-invalid"},
		"a name that is not printed":  {manager, "", with("name", "Beds\u202e"), "service-invalid"},
		"an address":                  {manager, "", with("name", "Refuge, 4 Elm Row, NW1 6XE"), "service-invalid"},
		"an address in small letters": {manager, "", with("name", "refuge e84qn"), "service-invalid"},
		"a member for an address":     {manager, "", with("address", "4 Elm Row"), "malformed-json"},
		"another's name":              {manager, "", with("partner", "harbour"), "malformed-json"},
		"no purpose":                  {manager, "", with("purposes", []string{}), "service-invalid"},
		"an unknown purpose":          {manager, "", with("purposes", []string{"shelter"}), "service-invalid"},
		"a purpose twice":             {manager, "", with("purposes", []string{"housing", "housing"}), "service-invalid"},
		"no area":                     {manager, "", with("areas", []string{}), "service-invalid"},
		"an unknown area":             {manager, "", with("areas", []string{"London"}), "service-invalid"},
		"an unknown status":           {manager, "", with("status", "inactive"), "service-invalid"},
		"an unknown capacity":         {manager, "", with("capacity", "full"), "capacity-invalid"},
		"a list without its length":   {manager, "", with("capacity", "waiting-list"), "capacity-invalid"},
		"a wait for what is open":     {manager, "", with("wait", "under-one-month"), "capacity-invalid"},
		"an unknown wait":             {manager, "/" + mine.ID + "/capacity", map[string]any{"capacity": "waiting-list", "wait": "weeks"}, "capacity-invalid"},
		"another agency's service":    {manager, "/" + theirs.ID, terms(nil), "service-not-found"},
		"another agency's capacity":   {manager, "/" + theirs.ID + "/capacity", open, "service-not-found"},
		"a service of nobody":         {manager, "/" + uuid.NewString() + "/capacity", open, "service-not-found"},
		"what is no id":               {manager, "/x/capacity", open, "service-not-found"},
		"a caseworker":                {h.Person(t, own.ID, partners.Caseworker), "/" + mine.ID + "/capacity", open, "insufficient-scope"},
		"an auditor":                  {h.Person(t, own.ID, partners.Auditor), "", with("name", "X"), "insufficient-scope"},
		"a proof of an hour ago":      {stale, "", with("name", "X"), "step-up-required"},
		"and to change":               {stale, "/" + mine.ID, terms(nil), "step-up-required"},
	} {
		before := h.Content(t)
		a := row.by.Post(t, "/v1/services"+row.path, row.body)
		if a.Problem().Code != row.code {
			t.Errorf("%s: %d %s, want %s", name, a.Status, a.Body, row.code)
		}
		if after := h.Content(t); !maps.Equal(before, after) {
			t.Errorf("%s left something behind", name)
		}
	}
	if a := stale.Post(t, "/v1/services/"+mine.ID+"/capacity", map[string]any{"capacity": "paused"}); a.Status != http.StatusOK {
		t.Errorf("capacity wants a proof: %d %s", a.Status, a.Body)
	}
	if a := own.PostJSON(t, "/v1/services/"+mine.ID+"/capacity", open); a.Status != http.StatusOK {
		t.Errorf("the agency's system: %d %s", a.Status, a.Body)
	}
}

// TestWhoSendsTheSameServiceTwiceHasAddedItOnce.
func TestWhoSendsTheSameServiceTwiceHasAddedItOnce(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	a := h.Agency(t, "rosewood", partners.Housing)
	manager := h.Person(t, a.ID, partners.Manager).Caller(t)
	o := partners.Service{ID: uuid.NewString(), Name: "Beds", Purposes: []string{"housing"}, Areas: []string{hubtest.Area}, Status: "active", Capacity: "open"}
	if _, err := h.Registry.AddService(t.Context(), manager, o); err != nil {
		t.Fatal(err)
	}
	logged := h.Logged(t)
	if _, err := h.Registry.AddService(t.Context(), manager, o); !errors.Is(err, partners.ErrAlready) {
		t.Errorf("a second time: %v", err)
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM service`); n != 1 || h.Logged(t) != logged {
		t.Errorf("%d services", n)
	}
}

// TestWhatHasEndedStaysSoInTheDatabaseToo.
func TestWhatHasEndedStaysSoInTheDatabaseToo(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "rosewood", partners.Housing)
	id := h.Offer(t, a)
	h.Exec(t, `UPDATE service SET status = 'defunct' WHERE id = $1`, id)
	for _, statement := range []string{`UPDATE service SET status = 'active'`, `UPDATE service SET capacity = 'paused'`} {
		if _, err := h.DB.Owner.Exec(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "service_final") && !strings.Contains(err.Error(), "does not go on") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// TestTheOperatorOffersNoMoreThanAnAgencyMay.
func TestTheOperatorOffersNoMoreThanAnAgencyMay(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "rosewood", partners.Housing)
	offer := func(change func(*partners.Service)) error {
		o := partners.Service{Partner: a.ID, Name: "Beds", Purposes: []string{"housing"}, Areas: []string{hubtest.Area}, Capacity: "open"}
		change(&o)
		_, err := h.Operator.Offer(t.Context(), o)
		return err
	}
	for name, row := range map[string]struct {
		change func(*partners.Service)
		want   error
	}{
		"an address":         {func(o *partners.Service) { o.Name = "NW1 6XE" }, partners.ErrServiceInvalid},
		"no area":            {func(o *partners.Service) { o.Areas = nil }, partners.ErrServiceInvalid},
		"an unknown state":   {func(o *partners.Service) { o.Capacity = "full" }, partners.ErrCapacity},
		"a wait for nothing": {func(o *partners.Service) { o.Wait = "under-one-month" }, partners.ErrCapacity},
		"nobody's":           {func(o *partners.Service) { o.Partner = "nobody" }, partners.ErrNotThere},
		"a list":             {func(o *partners.Service) { o.Capacity = "waiting-list" }, nil},
	} {
		if err := offer(row.change); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
	}
}
