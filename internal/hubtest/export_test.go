package hubtest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"handover/audit"
	"handover/audit/proof"
	"handover/client"
	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral"
)

// exportPath asks for everything around now.
func exportPath(more ...string) string {
	now := time.Now().UTC()
	q := url.Values{"from": {now.Add(-time.Hour).Format(time.RFC3339)}, "to": {now.Add(time.Hour).Format(time.RFC3339)}, "kept": more}
	return "/v1/log/export?" + q.Encode()
}

// taken takes an export over the wire.
func taken(t *testing.T, a *hubtest.Agency) hubtest.Export {
	t.Helper()
	answer := a.Get(t, exportPath())
	if answer.Status != http.StatusOK || answer.Header.Get("Content-Type") != proof.ExportMediaType {
		t.Fatalf("an export for %s: %d %s", a.ID, answer.Status, answer.Body)
	}
	return hubtest.ReadExport(t, answer.Body)
}

// ofAll takes an export as the operator does.
func ofAll(t *testing.T, h *hubtest.Hub) hubtest.Export {
	t.Helper()
	var file bytes.Buffer
	now := time.Now()
	q := audit.ExportQuery{From: now.Add(-time.Hour), To: now.Add(time.Hour), Scope: proof.ScopeAll}
	if _, err := h.Exporter.Write(t.Context(), audit.Snapshots{Pool: h.DB.Owner}, q, func() (io.Writer, error) { return &file, nil }); err != nil {
		t.Fatal(err)
	}
	return hubtest.ReadExport(t, file.Bytes())
}

// kinds are the kinds of statements in an export.
func kinds(x hubtest.Export) []string {
	found := map[string]bool{}
	for _, s := range x.Statements {
		found[s.Kind] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// story is a hub on which one of everything has happened that somebody signs, between two
// agencies, and beside it a referral between two others.
type story struct {
	*hubtest.Hub
	pair, others       hubtest.Pair
	police, overseeing *hubtest.Agency
}

func created(t *testing.T, what string, a hubtest.Answer) {
	t.Helper()
	if a.Status/100 != 2 {
		t.Fatalf("%s: %d %s", what, a.Status, a.Body)
	}
}

func tellStory(t *testing.T) story {
	t.Helper()
	h := hubtest.New(t)
	s := story{Hub: h, pair: h.Pair(t, partners.BoroughOutreach), others: h.Pair(t, partners.Housing),
		police: h.Agency(t, "sample-police", partners.Police), overseeing: h.Agency(t, "sample-oversight", partners.Oversight)}
	s.others.Sent(t, "need")
	from, to := s.pair.From, s.pair.To
	sent := s.pair.Sent(t, "need", "safe-contact")
	created(t, "opening", to.Open(t, sent.Digest, "", "need"))
	worker, manager := h.Person(t, from.ID, partners.Caseworker), h.Person(t, from.ID, partners.Manager)

	doubted := from.ConsentAsked(t, pressed(), hubtest.Subject(), s.pair.Named())
	created(t, "recording what is in doubt", from.PostConsent(t, doubted))
	created(t, "deciding it", manager.Says(t, "/v1/consents/"+doubted.ID+"/review", from.Decision(t, manager.ID, doubted.ID, doubted.Digest, record.Approved)))

	override := from.Override(t, worker.ID, to, hubtest.Subject())
	created(t, "proposing", worker.Propose(t, override))
	created(t, "approving", from.Decide(t, manager, override, record.Approved))
	created(t, "reviewing", manager.Says(t, "/v1/overrides/"+override.ID+"/review", from.Review(t, manager.ID, override, time.Now().Add(time.Minute).Unix())))

	never, digest := from.Never(t, []string{hubtest.Subject()}, string(s.others.To.ID))
	created(t, "lifting", from.Lift(t, never, digest))

	officer := h.Person(t, s.police.ID, partners.Caseworker)
	asked := s.police.Inquiry(t, officer.ID, from)
	created(t, "asking", officer.Asks(t, asked))
	created(t, "opening what the police ask", manager.Opens(t, asked.ID))
	created(t, "refusing", manager.Answers(t, asked.ID, from.Answer(t, manager.ID, asked, record.Refused)))

	agree(t, h, from, to)

	created(t, "withdrawing", from.Withdraw(t, s.pair.Consent))
	if err := h.Aftermath.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.answerRecall(t, to)
	return s
}

// pressed is how somebody was asked whom a manager has to look after.
func pressed() record.Circumstances {
	how := hubtest.Asked()
	how.Coercion = "suspected"
	return how
}

// answerRecall says, as who holds something, that it was deleted.
func (s story) answerRecall(t *testing.T, by *hubtest.Agency) {
	t.Helper()
	var page struct {
		Recalls []referral.Recall `json:"recalls"`
		More    bool              `json:"more"`
	}
	by.Get(t, "/v1/recalls?state=open").Into(t, http.StatusOK, &page)
	if len(page.Recalls) != 1 {
		t.Fatalf("%s is asked %+v", by.ID, page.Recalls)
	}
	q := page.Recalls[0]
	c := record.RecallClaims{Hub: hubtest.Issuer, Issuer: string(by.ID), ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: time.Now().Unix(),
		Consent: q.Consent, Digest: q.Digest, Answer: record.Deleted}
	created(t, "answering", by.Do(t, hubtest.Call{Method: http.MethodPost, Path: "/v1/recalls/" + q.ID + "/answer", Type: "application/jose",
		Body: []byte(hubtest.SignAs(t, record.RecallType, c, by.Signing.Signer()))}))
}

func TestAnExportHoldsWhatItsReaderMaySee(t *testing.T) {
	t.Parallel()
	s := tellStory(t)
	whole := ofAll(t, s.Hub)
	holds(t, "the operator's", whole)
	every := []string{"agreement", "agreement-answer", "agreement-end", "consent", "decision", "envelope", "lift", "never", "override", "police-decision", "police-request", "recall", "review", "withdrawal"}
	if got := kinds(whole); !slices.Equal(got, every) {
		t.Errorf("the operator's export has the kinds %v", got)
	}
	for name, c := range map[string]struct {
		by    *hubtest.Agency
		kinds []string
	}{
		"who recorded it all": {s.pair.From, without(every, "recall")}, // its entry is the holder's
		"who received":        {s.pair.To, []string{"agreement", "agreement-answer", "agreement-end", "consent", "decision", "envelope", "override", "recall", "review", "withdrawal"}},
		"another sender":      {s.others.From, []string{"consent", "envelope"}},
		"another recipient":   {s.others.To, []string{"consent", "envelope"}},
		"the police":          {s.police, []string{"police-request"}}, // that it was refused is not theirs to know yet
		"oversight":           {s.overseeing, nil},
	} {
		x := taken(t, c.by)
		holds(t, name, x)
		if got := kinds(x); !slices.Equal(got, c.kinds) {
			t.Errorf("%s has statements of the kinds %v", name, got)
		}
		if c.kinds == nil {
			continue
		}
		if x.Header.Scope != proof.ScopeAgency || x.Header.For != string(c.by.ID) {
			t.Errorf("%s has an export for %q of scope %s", name, x.Header.For, x.Header.Scope)
		}
		digests := map[string]bool{}
		for _, s := range x.Statements {
			digests[s.Digest] = true
		}
		for _, e := range x.Said(t) { // what is another's is what stored a statement that she may read
			if e.Partner != string(c.by.ID) && e.Other != string(c.by.ID) && !digests[e.Digest] && !digests[e.Envelope] {
				t.Errorf("%s has an entry of %s and %q: %s", name, e.Partner, e.Other, e.Act)
			}
		}
		foreign := string(s.others.From.ID)
		if c.by == s.others.From || c.by == s.others.To {
			foreign = string(s.pair.From.ID)
		}
		if strings.Contains(plain(t, x), foreign) {
			t.Errorf("%s has something of %s", name, foreign)
		}
	}
}

// holds has an auditor verify an export, offline.
func holds(t *testing.T, whose string, x hubtest.Export) {
	t.Helper()
	found, err := client.VerifyAudit(bytes.NewReader(x.File), int64(len(x.File)), client.AuditTrust{})
	if err != nil {
		t.Errorf("the export of %s: %v", whose, err)
	}
	for _, c := range found.Checks {
		if !c.Holds {
			t.Errorf("the export of %s: %s: %s", whose, c.About, c.Text)
		}
	}
}

func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one })
}

// plain is an export with everything in it that is base64url read.
func plain(t *testing.T, x hubtest.Export) string {
	t.Helper()
	var all strings.Builder
	all.Write(x.File)
	for _, e := range x.Said(t) {
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	for _, s := range x.Statements {
		claims, err := base64.RawURLEncoding.DecodeString(strings.Split(s.Text, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		all.Write(claims)
	}
	return all.String()
}

func TestOversightHasAllEntriesAndNoStatement(t *testing.T) {
	t.Parallel()
	s := tellStory(t)
	whole := ofAll(t, s.Hub)
	x := taken(t, s.overseeing)
	if x.Header.Scope != proof.ScopeOversight || len(x.Statements) != 0 {
		t.Errorf("scope %s, %d statements", x.Header.Scope, len(x.Statements))
	}
	for _, x := range []hubtest.Export{whole, x} {
		for i, e := range x.Entries {
			if e.Index != x.Header.First+int64(i) {
				t.Fatalf("%s: the entry after %d is %d", x.Header.Scope, i, e.Index)
			}
		}
		if int64(len(x.Entries)) != x.Header.End-x.Header.First || x.HubKeys != 0 && x.HubKeys != 1 {
			t.Errorf("%s: %d entries from %d to %d", x.Header.Scope, len(x.Entries), x.Header.First, x.Header.End)
		}
	}
	if len(x.Partners) != 6 {
		t.Errorf("the keys of %d partners", len(x.Partners))
	}
	for _, p := range x.Partners {
		if len(p.Keys) == 0 || len(p.History) == 0 {
			t.Errorf("%s: %d keys, %d changes", p.ID, len(p.Keys), len(p.History))
		}
	}
}

// What is sealed, and how she was asked, is in no export, not even in the operator's.
func TestNothingSealedIsInAnExport(t *testing.T) {
	t.Parallel()
	s := tellStory(t)
	files := map[string]string{"the operator's": string(ofAll(t, s.Hub).File)}
	for _, a := range []*hubtest.Agency{s.pair.From, s.pair.To, s.police, s.overseeing} {
		files[string(a.ID)] = string(taken(t, a).File)
	}
	kept := hubtest.Column[string](t, s.Hub, `
		SELECT sealed FROM section UNION ALL SELECT sealed FROM section_copy UNION ALL SELECT circumstances FROM consent_private
		UNION ALL SELECT v FROM consent_private, jsonb_each_text(sealed) e(k, v)
		UNION ALL SELECT v FROM consent_override_private, jsonb_each_text(sealed) e(k, v)
		UNION ALL SELECT sealed FROM police_text UNION ALL SELECT sealed FROM police_reason`)
	if len(kept) < 12 {
		t.Fatalf("only %d sealed texts are there to look for", len(kept))
	}
	for name, file := range files {
		for _, text := range kept {
			if strings.Contains(file, text) || strings.Contains(file, strings.Trim(text, "{}")) {
				t.Errorf("%s export holds what is sealed: %.40s…", name, text)
			}
		}
	}
}

func TestAnExportIsAskedForInOneForm(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "sample-agency", partners.Housing)
	for _, c := range []struct {
		query  string
		status int
		code   string
	}{
		{"from=2026-10-01&to=2026-11-01", 200, ""},
		{"from=2026-10-01T00:00:00Z&to=2026-11-01T01:00:00%2B01:00&kept=0", 200, ""},
		{"from=2026-10-01&to=2026-11-01&kept=999999", 409, "log-shorter-than-kept"},
		{"from=2026-11-01&to=2026-10-01", 400, "export-query-invalid"},
		{"from=2026-10-01&to=2026-10-01", 400, "export-query-invalid"},
		{"from=yesterday&to=2026-10-01", 400, "export-query-invalid"},
		{"to=2026-10-01", 400, "export-query-invalid"},
		{"from=2026-10-01&from=2026-10-01&to=2026-11-01", 400, "export-query-invalid"},
		{"from=2026-10-01&to=2026-11-01&kept=-1", 400, "export-query-invalid"},
		{"from=2026-10-01&to=2026-11-01&kept=x", 400, "export-query-invalid"},
		{"from=2026-10-01&to=2026-11-01&partner=other", 400, "export-query-invalid"},
		{"from=2026-10-01&to=2026-11-01" + strings.Repeat("&kept=1", 17) + "&kept=%zz", 400, "export-query-invalid"},
	} {
		answer := a.Get(t, "/v1/log/export?"+c.query)
		if answer.Status != c.status || c.code != "" && answer.Problem().Code != c.code {
			t.Errorf("%s: %d %s", c.query, answer.Status, answer.Body)
		}
	}
	before := h.Logged(t)
	if answer := a.Get(t, "/v1/log/export?from=2026-10-01&to=2026-11-01"); answer.Status != 200 {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	told := h.Entries(t, before)
	if len(told) != 1 || told[0].Act != "log.export" || told[0].Partner != "sample-agency" || told[0].Client == "" ||
		told[0].Target != "2026-10-01T00:00:00Z/2026-11-01T00:00:00Z" || told[0].Reason != proof.ScopeAgency {
		t.Errorf("logged %+v", told)
	}
}
