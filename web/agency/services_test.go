package agency_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"handover/internal/hubtest"
	"handover/partners"
)

// beds is what a manager says of a service.
func beds(change url.Values) url.Values {
	said := url.Values{"name": {"Beds for women"}, "purposes": {"housing", "emergency-accommodation"}, "areas": {hubtest.Area}, "facts": {"women-only", "no-recourse"}, "now": {"open"}}
	for name, values := range change {
		said[name] = values
	}
	return said
}

// TestAManagerAddsAServiceAndSaysHowManyItCanTake: the form, the check, the list; then two taps.
func TestAManagerAddsAServiceAndSaysHowManyItCanTake(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	a := h.Managed(t, "larkfield-housing", partners.Housing)
	_, manager := h.Joined(t, a.ID, "Ayo Example", partners.Manager)
	led(t, manager.Get(t, "/agency"), "/agency/services")
	const path = "/agency/services/add"
	check := manager.Form(t, path, form(shown(t, manager, path), beds(url.Values{"other": {"e08000025"}})))
	has(t, string(check.Body), "Check the service", "Beds for women", "Camden", "E08000025", "For women only", "Taking referrals now")
	sent := form(string(check.Body), nil)
	led(t, manager.Form(t, path, sent), "/agency/services?done=add")
	led(t, manager.Form(t, path, sent), "/agency/services?done=add") // twice is once
	list := shown(t, manager, "/agency/services?done=add")
	has(t, list, "The service was added", "Beds for women", "Taking referrals now")
	if strings.Contains(list, "govuk-back-link") || strings.Contains(list, "/agency/people") {
		t.Error("a manager is shown the way to what is not hers")
	}
	found, err := h.Registry.Services(t.Context(), "housing", "E08000025")
	if err != nil || len(found) != 1 || found[0].ID != sent.Get("id") || !found[0].WomenOnly || !found[0].AcceptsNoRecourse || found[0].SelfReferral {
		t.Fatalf("others see %+v, %v", found, err)
	}
	at := "/agency/services/" + found[0].ID
	has(t, shown(t, manager, at+"/capacity"), "Still so: Taking referrals now", "Taking referrals, with a wait of 1 to 3 months", "Not taking referrals for now")
	for _, now := range []string{"waiting-list one-to-three-months", "paused", "paused", "open"} {
		led(t, manager.Form(t, at+"/capacity", url.Values{"now": {now}}), "/agency/services?done=capacity")
		if e := last(t, h); e.Act != "service.capacity" || e.Target != found[0].ID {
			t.Errorf("logged %+v", e)
		}
	}
	page := shown(t, manager, at+"/change")
	changed := manager.Form(t, at+"/change", form(page, beds(url.Values{"name": {"Rooms for women"}, "status": {"temporarily closed"}})))
	has(t, string(changed.Body), "Check what you changed", "Rooms for women", "Closed for a time")
	led(t, manager.Form(t, at+"/change", form(string(changed.Body), nil)), "/agency/services?done=change")
	has(t, shown(t, manager, "/agency/services"), "Rooms for women", "Closed for a time")
	ended := manager.Form(t, at+"/change", form(page, beds(url.Values{"status": {"defunct"}})))
	has(t, string(ended.Body), "It ends for good", "End the service")
	led(t, manager.Form(t, at+"/change", form(string(ended.Body), nil)), "/agency/services?done=change")
	if got := manager.Get(t, at+"/change"); got.Status != http.StatusConflict {
		t.Errorf("what has ended can be changed: %d", got.Status)
	}
	if said := bodies(t, h); strings.Contains(said, "women") {
		t.Error("the log has a service's name")
	}
}

// TestWhatIsWrongWithAServiceIsAskedAgain, with what was chosen kept.
func TestWhatIsWrongWithAServiceIsAskedAgain(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Managed(t, "larkfield-housing", partners.Housing)
	_, manager := h.Joined(t, a.ID, "Ayo Example", partners.Manager)
	for name, row := range map[string]struct {
		change url.Values
		text   string
	}{
		"no name":         {url.Values{"name": {" "}}, "Enter a name"},
		"an address":      {url.Values{"name": {"Refuge at 4 Elm Row NW1 6XE"}}, "Take the postcode out"},
		"no purpose":      {url.Values{"purposes": nil}, "Choose what it is for"},
		"another purpose": {url.Values{"purposes": {"shelter"}}, "Choose what it is for"},
		"no area":         {url.Values{"areas": nil}, "Choose where"},
		"no such area":    {url.Values{"other": {"Camden"}}, "Enter codes of English authorities"},
		"no capacity":     {url.Values{"now": nil}, "Choose how many"},
		"half a capacity": {url.Values{"now": {"waiting-list"}}, "Choose how many"},
		"and at last":     {url.Values{"now": {"full"}, "sure": {"yes"}}, "Choose how many"},
	} {
		got := manager.Form(t, "/agency/services/add", beds(row.change))
		if got.Status != http.StatusUnprocessableEntity || !strings.Contains(string(got.Body), row.text) || !strings.Contains(string(got.Body), `value="women-only" checked`) {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM service`); n != 0 {
		t.Errorf("%d services", n)
	}
}

// TestAnotherAgencysServiceIsNotThere.
func TestAnotherAgencysServiceIsNotThere(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a, other := h.Managed(t, "larkfield-housing", partners.Housing), h.Managed(t, "rosewood", partners.Housing)
	_, manager := h.Joined(t, a.ID, "Ayo Example", partners.Manager)
	theirs := h.Offer(t, other, func(s *partners.Service) { s.Name = "Quarry House" })
	content := h.Content(t)["service"]
	var none string
	for _, id := range []string{uuid.NewString(), "x", theirs} {
		for _, path := range []string{"/change", "/capacity"} {
			at := "/agency/services/" + id + path
			got := manager.Get(t, at)
			if got.Status != http.StatusNotFound || none != "" && string(got.Body) != none {
				t.Errorf("%s: %d %s", at, got.Status, got.Body)
			}
			none = string(got.Body)
			if got := manager.Form(t, at, beds(url.Values{"now": {"paused"}, "sure": {"yes"}, "status": {"active"}})); got.Status != http.StatusNotFound {
				t.Errorf("POST %s: %d %s", at, got.Status, got.Body)
			}
		}
	}
	if strings.Contains(shown(t, manager, "/agency/services"), "Quarry") || h.Content(t)["service"] != content {
		t.Error("another agency's service is shown, or was changed")
	}
}

// TestAnOldWordAboutCapacityIsDoubted.
func TestAnOldWordAboutCapacityIsDoubted(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Managed(t, "larkfield-housing", partners.Housing)
	id := h.Offer(t, a)
	_, admin := h.Joined(t, a.ID, "Ada Example", partners.Administrator)
	if page := shown(t, admin, "/agency"); strings.Contains(page, "two weeks") {
		t.Error("a word of today is doubted")
	}
	h.Exec(t, `UPDATE service SET capacity_at = $1`, time.Now().AddDate(0, 0, -15))
	has(t, shown(t, admin, "/agency"), "nobody has said how many can be taken: 1 service.")
	has(t, shown(t, admin, "/agency/services"), "Is it still so?")
	led(t, admin.Form(t, "/agency/services/"+id+"/capacity", url.Values{"now": {"open"}}), "/agency/services?done=capacity")
	if page := shown(t, admin, "/agency/services"); strings.Contains(page, "Is it still so?") {
		t.Error("a word of today is doubted")
	}
}
