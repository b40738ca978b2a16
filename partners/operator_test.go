package partners_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"handover/internal/hubtest"
	"handover/partners"
)

func TestAnOperatorsMistakeChangesNothing(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.Agency(t, "rosewood", partners.Housing)
	h.Agency(t, "harbour", partners.VAWGService)
	ended := partners.Agreement{Sender: "harbour", Recipient: "rosewood", Purposes: []string{"housing"}, Sections: []string{"need"}, From: h.Now(), To: h.Now().Add(time.Hour)}
	id, err := h.Operator.Agree(t.Context(), ended)
	if err == nil {
		err = h.Operator.EndAgreement(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
	add := func(change func(*partners.Partner)) func() error {
		p := partners.Partner{ID: "new-one", Name: "A name", Category: partners.Housing, Areas: []string{hubtest.Area}}
		change(&p)
		return func() error { return h.Operator.Add(t.Context(), p) }
	}
	agree := func(change func(*partners.Agreement)) func() error {
		a := partners.Agreement{Sender: "harbour", Recipient: "rosewood", Purposes: []string{"housing"}, Sections: []string{"need"},
			From: h.Now(), To: h.Now().Add(time.Hour)}
		change(&a)
		return func() error {
			_, err := h.Operator.Agree(t.Context(), a)
			return err
		}
	}
	for name, row := range map[string]struct {
		try  func() error
		want error
	}{
		"an id with a capital":     {add(func(p *partners.Partner) { p.ID = "Rosewood-2" }), partners.ErrPartnerInvalid},
		"an id of two letters":     {add(func(p *partners.Partner) { p.ID = "ab" }), partners.ErrPartnerInvalid},
		"an id over 40 letters":    {add(func(p *partners.Partner) { p.ID = partners.ID(strings.Repeat("a", 41)) }), partners.ErrPartnerInvalid},
		"an id that ends in -":     {add(func(p *partners.Partner) { p.ID = "rose-" }), partners.ErrPartnerInvalid},
		"an id with --":            {add(func(p *partners.Partner) { p.ID = "rose--wood" }), partners.ErrPartnerInvalid},
		"an id with a newline":     {add(func(p *partners.Partner) { p.ID = "rosewood\n" }), partners.ErrPartnerInvalid},
		"an id that is a category": {add(func(p *partners.Partner) { p.ID = "category:police" }), partners.ErrPartnerInvalid},
		"no name":                  {add(func(p *partners.Partner) { p.Name = "" }), partners.ErrPartnerInvalid},
		"a long name":              {add(func(p *partners.Partner) { p.Name = strings.Repeat("a", 121) }), partners.ErrPartnerInvalid},
		"an unknown category":      {add(func(p *partners.Partner) { p.Category = "army" }), partners.ErrPartnerInvalid},
		"no area":                  {add(func(p *partners.Partner) { p.Areas = nil }), partners.ErrPartnerInvalid},
		"an area that is none":     {add(func(p *partners.Partner) { p.Areas = []string{"London"} }), partners.ErrPartnerInvalid},
		"an id that is taken":      {add(func(p *partners.Partner) { p.ID = "rosewood" }), partners.ErrPartnerExists},
		"with itself":              {agree(func(a *partners.Agreement) { a.Recipient = "harbour" }), partners.ErrAgreementInvalid},
		"with nobody":              {agree(func(a *partners.Agreement) { a.Recipient = "nobody" }), partners.ErrNotThere},
		"by nobody":                {agree(func(a *partners.Agreement) { a.Sender = "nobody" }), partners.ErrNotThere},
		"without a purpose":        {agree(func(a *partners.Agreement) { a.Purposes = nil }), partners.ErrAgreementInvalid},
		"without a section":        {agree(func(a *partners.Agreement) { a.Sections = nil }), partners.ErrAgreementInvalid},
		"for an unknown purpose":   {agree(func(a *partners.Agreement) { a.Purposes = []string{"housing", "*"} }), partners.ErrAgreementInvalid},
		"of an unknown section":    {agree(func(a *partners.Agreement) { a.Sections = []string{"*"} }), partners.ErrAgreementInvalid},
		"that ends as it begins":   {agree(func(a *partners.Agreement) { a.To = a.From }), partners.ErrAgreementInvalid},
		"to suspend nobody":        {func() error { return h.Operator.Suspend(t.Context(), "nobody") }, partners.ErrNotThere},
		"to resume an active one":  {func() error { return h.Operator.Resume(t.Context(), "rosewood") }, partners.ErrNotThere},
		"to end what has ended":    {func() error { return h.Operator.EndAgreement(t.Context(), id) }, partners.ErrNotThere},
		"to end no agreement":      {func() error { return h.Operator.EndAgreement(t.Context(), uuid.NewString()) }, partners.ErrNotThere},
		"to invite nobody": {func() error {
			_, err := h.Operator.Invite(t.Context(), "nobody", time.Hour)
			return err
		}, partners.ErrNotThere},
	} {
		content, logged := h.Content(t), h.Logged(t)
		if err := row.try(); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
		if diff := cmp.Diff(content, h.Content(t)); diff != "" || h.Logged(t) != logged {
			t.Errorf("%s left something behind, or an entry:\n%s", name, diff)
		}
	}
}

func TestWhatAnOperatorDoesIsLoggedOnce(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	h.Agency(t, "harbour", partners.VAWGService)
	var agreement string
	for _, row := range []struct {
		act, target, other string
		do                 func() error
	}{
		{"partner.add", "rosewood", "", func() error {
			return h.Operator.Add(t.Context(), partners.Partner{ID: "rosewood", Name: "Rosewood", Category: partners.Housing, Areas: []string{hubtest.Area}})
		}},
		{"partner.invite", "rosewood", "", func() error {
			_, err := h.Operator.Invite(t.Context(), "rosewood", time.Hour)
			return err
		}},
		{"partner.suspend", "rosewood", "", func() error { return h.Operator.Suspend(t.Context(), "rosewood") }},
		{"partner.resume", "rosewood", "", func() error { return h.Operator.Resume(t.Context(), "rosewood") }},
		{"service.offer", "rosewood", "", func() error {
			_, err := h.Operator.Offer(t.Context(), partners.Service{Partner: "rosewood", Name: "S", Purposes: []string{"housing"}, Areas: []string{hubtest.Area}, Capacity: "open"})
			return err
		}},
		{"agreement.add", "*", "rosewood", func() (err error) {
			agreement, err = h.Operator.Agree(t.Context(), partners.Agreement{Sender: "harbour", Recipient: "rosewood", Purposes: []string{"housing"}, Sections: []string{"need"}, From: h.Now(), To: h.Now().Add(time.Hour)})
			return err
		}},
		{"agreement.end", "*", "", func() error { return h.Operator.EndAgreement(t.Context(), agreement) }},
	} {
		logged := h.Logged(t)
		if err := row.do(); err != nil {
			t.Fatal(row.act, err)
		}
		if row.target == "*" {
			row.target = agreement
		}
		e := h.Entries(t, logged)
		if len(e) != 1 || e[0].Act != row.act || e[0].Target != row.target || e[0].Other != row.other {
			t.Errorf("%s is logged as %+v", row.act, e)
		}
	}
}

// TestAPartnerWithoutKeysDoesNotBecomeActiveByBeingResumed: it could be chosen as a
// recipient, and nothing could be sealed to it.
func TestAPartnerWithoutKeysDoesNotBecomeActiveByBeingResumed(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.Invited(t, "rosewood", partners.Housing)
	h.Agency(t, "harbour", partners.Housing)
	for _, id := range []partners.ID{"rosewood", "harbour"} {
		if err := errors.Join(h.Operator.Suspend(t.Context(), id), h.Operator.Resume(t.Context(), id)); err != nil {
			t.Fatal(err)
		}
	}
	got := hubtest.Column[string](t, h, `SELECT id || ' ' || status FROM partner ORDER BY id`)
	if diff := cmp.Diff([]string{"harbour active", "rosewood invited"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheDirectoryShowsWhoTakesPartAndWhatTheyOffer(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	reader := h.Agency(t, "reader", partners.LegalAdvice)
	for _, id := range []partners.ID{"active-one", "suspended-one"} {
		a := h.Agency(t, id, partners.Housing)
		h.Offer(t, a, func(s *partners.Service) { s.Name, s.Purposes = "Beds of "+string(id), []string{"housing"} })
	}
	invited, _ := h.Invited(t, "invited-one", partners.Housing)
	h.Offer(t, invited)
	h.Offer(t, reader, func(s *partners.Service) { s.Name, s.Areas, s.Capacity = "Advice", []string{"E09000001"}, "paused" })
	if err := h.Operator.Suspend(t.Context(), "suspended-one"); err != nil {
		t.Fatal(err)
	}
	names := func(path, list, member string) (all []string) {
		var answer map[string][]map[string]any
		reader.Get(t, path).Into(t, http.StatusOK, &answer)
		for _, item := range answer[list] {
			all = append(all, item[member].(string))
		}
		return all
	}
	for _, row := range []struct {
		path, list, member string
		want               []string
	}{
		{"/v1/partners", "partners", "id", []string{"active-one", "reader"}},
		{"/v1/services", "services", "name", []string{"Beds of active-one", "Advice"}},
		{"/v1/services?need=housing", "services", "name", []string{"Beds of active-one", "Advice"}},
		{"/v1/services?need=nrm", "services", "name", []string{"Advice"}},
		{"/v1/services?area=E09000007", "services", "name", []string{"Beds of active-one"}},
		{"/v1/services?need=nrm&area=E09000007", "services", "name", nil},
	} {
		if diff := cmp.Diff(row.want, names(row.path, row.list, row.member)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.path, diff)
		}
	}
	for path, status := range map[string]int{"/v1/partners/active-one": 200, "/v1/partners/suspended-one": 404, "/v1/partners/invited-one": 404,
		"/v1/partners/nobody": 404, "/v1/partners/suspended-one/jwks.json": 200, // old signatures want judging
		"/v1/partners/invited-one/jwks.json": 404, "/v1/services?need=shelter": 400, "/v1/services?area=London": 400} {
		if a := reader.Get(t, path); a.Status != status {
			t.Errorf("%s: %d %s, want %d", path, a.Status, a.Body, status)
		}
	}
}
