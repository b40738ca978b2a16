package hubtest_test

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/audit/proof"
	"handover/internal/hubtest"
	"handover/partners"
)

// listed returns the acts of the entries on one page, oldest first, without the questions
// themselves, or the code of the refusal.
func listed(t *testing.T, a hubtest.Answer) []string {
	t.Helper()
	if a.Status != http.StatusOK {
		return []string{a.Problem().Code}
	}
	var page struct {
		Entries []struct {
			Index  int64  `json:"index"`
			Entry  string `json:"entry"`
			Salt   string `json:"salt"`
			Erased bool   `json:"erased"`
		} `json:"entries"`
		Checkpoint string `json:"checkpoint"`
	}
	a.Into(t, http.StatusOK, &page)
	acts := []string{}
	for _, e := range slices.Backward(page.Entries) {
		body, err := base64.RawURLEncoding.DecodeString(e.Entry)
		if err != nil {
			t.Fatal(err)
		}
		said, err := proof.ParseEntry(body)
		if err != nil {
			t.Fatal(err)
		}
		if said.Act != "log.read" {
			acts = append(acts, said.Act)
		}
	}
	return acts
}

// TestWhoIsShownWhichEntries asks for what was done about one woman, in the name of each
// who could.
func TestWhoIsShownWhichEntries(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p, others := h.Pair(t, partners.Housing), h.Pair(t, partners.Housing)
	overseer := h.Agency(t, "city-oversight", partners.Oversight)
	sent := p.Sent(t, "need")
	p.To.Open(t, sent.Digest, "", "need").Into(t, http.StatusOK, new(any))
	others.Sent(t, "need")
	person := func(of *hubtest.Agency, role partners.Role) func(string) hubtest.Answer {
		who := h.Person(t, of.ID, role)
		return func(query string) hubtest.Answer {
			return who.Do(t, hubtest.Call{Method: http.MethodGet, Path: "/v1/log/entries" + query})
		}
	}
	system := func(of *hubtest.Agency, scopes ...partners.Scope) func(string) hubtest.Answer {
		return func(query string) hubtest.Answer {
			return of.Do(t, hubtest.Call{Method: http.MethodGet, Path: "/v1/log/entries" + query, Scopes: scopes})
		}
	}
	subject, referral, basis := "?subject="+p.Consent.Subject, "?referral="+sent.Digest, "?consent="+p.Consent.ID
	everything := []string{"consent.record", "referral.request", "section.open"}
	steps := []string{"referral.request", "section.open"} // the recipient is not named in the record's entry
	refused := []string{"insufficient-scope"}
	for _, row := range []struct {
		name  string
		ask   func(string) hubtest.Answer
		query string
		want  []string
	}{
		{"her agency's auditor, by subject", person(p.From, partners.Auditor), subject, everything},
		{"her agency's auditor, by referral", person(p.From, partners.Auditor), referral, steps},
		{"her agency's auditor, by consent", person(p.From, partners.Auditor), basis, everything},
		{"her agency's auditor, of the other agency", person(p.From, partners.Auditor), subject + "&partner=" + string(p.To.ID), steps},
		{"her worker, by subject", person(p.From, partners.Caseworker), subject, everything},
		{"her worker, by consent", person(p.From, partners.Caseworker), basis, everything},
		{"her worker, without a filter", person(p.From, partners.Caseworker), "", refused},
		{"her worker, by what was done", person(p.From, partners.Caseworker), "?act=section.open", refused},
		{"the recipient's worker, by subject", person(p.To, partners.Caseworker), subject, steps},
		{"the recipient's auditor, by consent", person(p.To, partners.Auditor), basis, steps},
		{"an administrator, by subject", person(p.From, partners.Administrator), subject, refused},
		{"the recipient's system, that receives", system(p.To, partners.ReferralsReceive), referral, steps},
		{"the recipient's system, that offers", system(p.To, partners.ServicesWrite), referral, refused},
		{"another agency's system, by subject", system(others.From), subject, []string{}},
		{"another agency's system, by referral", system(others.From), referral, []string{}},
		{"another agency's auditor, by partner", person(others.From, partners.Auditor), "?partner=" + string(p.From.ID), []string{}},
		{"oversight's auditor, by subject", person(overseer, partners.Auditor), subject, everything},
		{"oversight's auditor, by what was done", person(overseer, partners.Auditor), "?act=section.open", []string{"section.open"}},
		{"oversight's auditor, by partner", person(overseer, partners.Auditor), "?act=referral.request&partner=" + string(others.To.ID), []string{"referral.request"}},
		{"oversight's worker, by subject", person(overseer, partners.Caseworker), subject, []string{}},
		{"oversight's system, that may not audit", system(overseer, partners.ReferralsReceive), subject, []string{}},
	} {
		if diff := cmp.Diff(row.want, listed(t, row.ask(row.query))); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}

	suspended := h.Agency(t, "late-oversight", partners.Oversight)
	auditor := person(suspended, partners.Auditor)
	if err := h.Operator.Suspend(t.Context(), suspended.ID); err != nil {
		t.Fatal(err)
	}
	if a := auditor(subject); a.Status != http.StatusUnauthorized {
		t.Errorf("a suspended partner: %d %s", a.Status, a.Body)
	}
}

// Each question is in the log with who asked, and the refused one too.
func TestWhoAsksTheLogIsInTheLog(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.Housing)
	worker := h.Person(t, p.From.ID, partners.Caseworker)
	for query, want := range map[string]proof.Entry{
		"":                              {Act: "refused", Outcome: "insufficient-scope"},
		"?agency=x":                     {Act: "refused", Outcome: "log-filter-invalid"},
		"?subject=" + p.Consent.Subject: {Act: "log.read", Reason: "subject", Subject: p.Consent.Subject},
	} {
		logged := h.Logged(t)
		worker.Do(t, hubtest.Call{Method: http.MethodGet, Path: "/v1/log/entries" + query})
		e := h.Entries(t, logged)
		if len(e) != 1 {
			t.Fatalf("%q: %d entries", query, len(e))
		}
		want.Partner, want.User, want.Client = string(p.From.ID), worker.ID, e[0].Client
		want.V, want.ID, want.Time = e[0].V, e[0].ID, e[0].Time
		if diff := cmp.Diff(want, e[0]); diff != "" || !strings.HasPrefix(e[0].Client, string(p.From.ID)) {
			t.Errorf("%q: %s", query, diff)
		}
	}
}
