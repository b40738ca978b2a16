package auditing_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/partners"
)

// TestWhoSeesTheAuditorsPages goes through every page as everybody: an auditor sees what her
// agency may see, oversight what all may, and to anybody else there is no such page.
func TestWhoSeesTheAuditorsPages(t *testing.T) {
	t.Parallel()
	s := tell(t, hubtest.New(t))
	const nothing = "There is nothing here that you may see"
	opened, recorded := s.entryOf(t, "section.open", s.pair.To.ID), s.entryOf(t, "consent.record", s.pair.From.ID)
	proposed := s.entryOf(t, "override.propose", s.pair.From.ID)
	var entries []string
	for _, id := range []string{opened, recorded, proposed} {
		entries = append(entries, "/audit/entry/"+id, "/audit/entry/"+id+"/proof", "/audit/entry/"+id+"/receipt")
	}
	ours := []string{opened, recorded, proposed, s.sent.Digest, s.pair.Consent.ID, s.pair.Consent.Subject, s.override.ID, s.override.Subject, s.worker.ID, "Ayo Example"}
	for _, path := range lists() {
		page(t, s.auditor, path)
		page(t, s.overseers, path)
		seen := string(s.theirs.Get(t, path).Body)
		for _, ours := range ours {
			if strings.Contains(seen, ours) {
				t.Errorf("another agency's auditor finds %s on %s", ours, path)
			}
		}
	}
	for _, path := range entries {
		for who, b := range map[string]*hubtest.Browser{"our auditor": s.auditor, "oversight's": s.overseers} {
			if a := b.Get(t, path); a.Status != http.StatusOK {
				t.Errorf("%s is answered %d to %s: %s", who, a.Status, path, text(a))
			}
		}
		if a := s.theirs.Get(t, path); a.Status != http.StatusNotFound || !strings.Contains(text(a), nothing) || strings.Contains(text(a), "Entry of the log") {
			t.Errorf("another agency's auditor is answered %d to %s", a.Status, path)
		}
	}
	for _, path := range []string{"/audit/entry/01980000-0000-7000-8000-000000000000", "/audit/entry/x", "/audit/entry/x/proof"} {
		if a := s.auditor.Get(t, path); a.Status != http.StatusNotFound || !strings.Contains(text(a), nothing) {
			t.Errorf("%s is answered %d: %s", path, a.Status, text(a))
		}
	}
	all := append(lists(), entries...)
	for _, role := range []partners.Role{partners.Caseworker, partners.Manager, partners.Administrator} {
		_, b := s.Joined(t, s.pair.From.ID, "Dora Example", role)
		for _, path := range all {
			if a := b.Get(t, path); a.Status != http.StatusNotFound || !strings.Contains(text(a), nothing) {
				t.Errorf("a %s is answered %d to %s", role, a.Status, path)
			}
		}
		if a := b.Form(t, "/audit/export", map[string][]string{"from": {"2026-01-01"}, "to": {"2030-01-01"}}); a.Status != http.StatusNotFound {
			t.Errorf("a %s takes an export: %d", role, a.Status)
		}
		if strings.Contains(page(t, b, "/account"), "Audit ") {
			t.Errorf("the navigation of a %s leads to the auditors' pages", role)
		}
	}
	for _, path := range all {
		if a := s.Browser().Get(t, path); a.Status != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/sign-in?") {
			t.Errorf("somebody signed out is answered %d to %s", a.Status, path)
		}
	}
}

// TestWhatThePagesSay reads each page as who would use it.
func TestWhatThePagesSay(t *testing.T) {
	t.Parallel()
	s := tell(t, hubtest.New(t))
	from, to := "Agency "+string(s.pair.From.ID), "Agency "+string(s.pair.To.ID)
	has(t, "the overview", page(t, s.auditor, "/audit"), "Emergencies that wait for approval: 1", "Consents in doubt: 1", "Refused again and again: 1",
		"by this hub:", "and it holds", "This hub has none", "You see what your agency did")
	has(t, "openings", page(t, s.auditor, "/audit/openings"), "Opened sections "+to+", its system", "Why To see who should take it", "Sections need", "Proof checked for 1 entry")
	has(t, "refusals", page(t, s.auditor, "/audit/refusals"), "Was refused Ayo Example, "+from, "The rule insufficient-scope", "Proof checked for 6 entries")
	has(t, "consents", page(t, s.auditor, "/audit/consents"), "Recorded what she agreed to", s.pair.Consent.ID, "Her reference "+s.pair.Consent.Subject)
	has(t, "overrides", page(t, s.auditor, "/audit/overrides"), from+" to "+to, "Emergency: shared on it now, waits for a manager", "1 in all. Emergencies: 1. Refused: 0.",
		"Newest step Proposed to share without her agreement Ayo Example", "Proof checked for 1 entry")
	has(t, "those approved late", page(t, s.auditor, "/audit/overrides?late=approval"), "No override was approved late.")
	has(t, "those past review", page(t, s.auditor, "/audit/overrides?late=review"), "No override is past its review.")
	has(t, "what is to be looked at", page(t, s.auditor, "/audit/review"), "What to look at", "How it is settled", "Entries behind this", "Refused by insufficient-scope",
		from+", Ayo Example", "Proof checked for 8 entries")
	has(t, "an entry", page(t, s.auditor, "/audit/entry/"+s.entryOf(t, "section.open", s.pair.To.ID)), "Opened sections "+to, "Act section.open", "Id of the referral "+s.sent.Digest,
		"The envelope of a step of the referral Signed by "+from, "Its digest is the one in the entry.", "The consent record Signed by", "The entry rests on it.", "urgency routine", "Proof checked")
	has(t, "an entry, to oversight", page(t, s.overseers, "/audit/entry/"+s.entryOf(t, "section.open", s.pair.To.ID)), "Opened sections "+to, "sees entries, and not the statements")
	has(t, "refusals, to oversight", page(t, s.overseers, "/audit/refusals"), "Was refused Person "+s.worker.ID+", "+from, "You see every agency.")
	has(t, "nothing", page(t, s.theirs, "/audit/review"), "There is nothing to look at.")
	has(t, "no override", page(t, s.theirs, "/audit/overrides"), "There is no override.")
	has(t, "no refusal", page(t, s.theirs, "/audit/refusals?person="+s.worker.ID), "Nothing was refused here that fits.")
	if strings.Contains(page(t, s.overseers, "/audit/refusals"), "Ayo Example") {
		t.Error("oversight is told the name of another agency's worker")
	}
	has(t, "who looked at one entry", page(t, s.auditor, "/audit/entries?act=log.read"), "Ada Example, "+from, "To read one entry", "The entry that was read")
}

// TestTheListIsNarrowed asks by each thing that can be asked by, and by what cannot.
func TestTheListIsNarrowed(t *testing.T) {
	t.Parallel()
	s := tell(t, hubtest.New(t))
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	today := s.Now().In(zone).Format(time.DateOnly)
	for query, row := range map[string]struct {
		has, hasNot string
	}{
		"from=" + today + "&to=" + today:           {"Was refused", "There is no entry"},
		"act=section.open":                         {"Opened sections", "Was refused"},
		"partner=" + string(s.pair.To.ID):          {"Opened sections", "Was refused"},
		"person=" + s.worker.ID:                    {"Was refused", "Opened sections"},
		"referral=" + s.sent.Digest:                {"Sent a referral", "Was refused"},
		"referral=" + ids.Reference(s.sent.Digest): {"Sent a referral", "Was refused"},
		"referral=" + strings.ToLower(strings.ReplaceAll(ids.Reference(s.sent.Digest), "-", "")): {"Sent a referral", "Was refused"},
		"consent=" + s.override.ID:               {"Proposed to share without her agreement", "Was refused"},
		"from=2020-01-01&to=2020-01-31":          {"There is no entry here that fits.", "Was refused"},
		"from=1/1/2020":                          {"Was refused", "There is no entry"},
		"act=refused&person=" + s.worker.ID:      {"Proof checked for 6 entries", "Opened sections"},
		"act=section.open&person=" + s.worker.ID: {"There is no entry here that fits.", "Whole entry"},
	} {
		a := s.auditor.Get(t, "/audit/entries?"+query)
		cards := text(a)[strings.Index(text(a), "Show entries"):]
		if a.Status != http.StatusOK || !strings.Contains(cards, row.has) || strings.Contains(cards, row.hasNot) {
			t.Errorf("%s: %d\n%s", query, a.Status, cards)
		}
	}
	for query, mistake := range map[string]string{
		"act=nothing":                   "Choose what was done from the list",
		"partner=Agency%20Example":      "Choose an agency from the list",
		"person=Ayo%20Example":          "Enter the person’s id as an entry shows it",
		"referral=Mary":                 "Enter the referral’s reference",
		"referral=R-0000-0000":          "No entry that you may see is about a referral with this reference",
		"consent=1":                     "Enter the id of the consent record",
		"from=yesterday":                "Enter a day like 1/7/2026",
		"to=2026-02-30":                 "Enter a day like 1/7/2026",
		"from=2026-03-02&to=2026-03-01": "The last day must be the first day or later",
		"after=1":                       "The link to older entries is not whole",
	} {
		logged := s.Logged(t)
		a := s.auditor.Get(t, "/audit/entries?"+query)
		if a.Status != http.StatusUnprocessableEntity || !strings.Contains(text(a), "There is a problem "+mistake) || strings.Contains(text(a), "Whole entry") {
			t.Errorf("%s: %d %s", query, a.Status, text(a))
		}
		if n := len(s.Entries(t, logged)); n != 0 {
			t.Errorf("%s: %d entries are logged of what was not answered", query, n)
		}
	}
	if a := s.theirs.Get(t, "/audit/entries?referral="+ids.Reference(s.sent.Digest)); a.Status != http.StatusUnprocessableEntity || !strings.Contains(text(a), "No entry that you may see") {
		t.Errorf("another agency's auditor learns that a reference is one: %d", a.Status)
	}
	if a := s.auditor.Get(t, "/audit/openings?act=refused"); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("a list gives entries of another: %d", a.Status)
	}
}

// TestNoNameReachesAnAddress: the form takes what somebody types by mistake, and sends nobody on to
// an address that has it. Eight letters can have the form of a reference.
func TestNoNameReachesAnAddress(t *testing.T) {
	t.Parallel()
	s := tell(t, hubtest.New(t))
	for field, typed := range map[string]string{"referral": "Margaret", "person": "Ayo Example", "from": "Margaret", "partner": "Margaret Example"} {
		if a := s.auditor.Form(t, "/audit/entries", url.Values{field: {typed}}); a.Status != http.StatusUnprocessableEntity || a.Header.Get("Location") != "" {
			t.Errorf("%s in %s is answered %d, and leads to %s", typed, field, a.Status, a.Header.Get("Location"))
		}
	}
	for _, typed := range []string{ids.Reference(s.sent.Digest), s.sent.Digest} {
		a := s.auditor.Form(t, "/audit/entries", url.Values{"referral": {typed}, "act": {"section.open"}})
		if want := "/audit/entries?act=section.open&referral=" + s.sent.Digest; a.Status != http.StatusSeeOther || a.Header.Get("Location") != want {
			t.Errorf("%s is answered %d, and leads to %s", typed, a.Status, a.Header.Get("Location"))
		}
	}
}

// TestTooManyToLookAt: a page has the fifty oldest, and says how many come after them.
func TestTooManyToLookAt(t *testing.T) {
	t.Parallel()
	s := tell(t, hubtest.New(t))
	b := &pgx.Batch{}
	for range 60 {
		who := uuid.NewString()
		for range 5 {
			e := proof.Entry{Act: proof.Refused, Time: s.Now(), Partner: string(s.others.From.ID), User: who, Outcome: "not-covered"}
			if _, err := audit.Queue(b, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.DB.Hub.SendBatch(t.Context(), b).Close(); err != nil {
		t.Fatal(err)
	}
	s.pair.From.Record(t, hubtest.Subject(), s.pair.Named()) // whose receipt waits for all before it
	said := page(t, s.theirs, "/audit/review")
	has(t, "what is to be looked at", said, "There are 10 more.", "Proof checked for 250 entries")
	if n := strings.Count(said, "Refused again and again: 5"); n != 50 {
		t.Errorf("%d are shown", n)
	}
	has(t, "the overview", page(t, s.theirs, "/audit"), "Refused again and again: 60")
}

// TestOlderEntriesFollow goes back page by page, and meets each entry once.
func TestOlderEntriesFollow(t *testing.T) {
	t.Parallel()
	s := tell(t, hubtest.New(t))
	for range 55 {
		s.worker.Do(t, hubtest.Call{Method: http.MethodGet, Path: "/v1/log/entries"})
	}
	s.pair.From.Record(t, hubtest.Subject(), s.pair.Named()) // whose receipt waits for all before it
	seen := map[string]bool{}
	pages, path := 0, "/audit/refusals"
	for path != "" {
		a := s.auditor.Get(t, path)
		pages++
		for _, id := range hrefs(a, `href="/audit/entry/`) {
			if seen[id] {
				t.Errorf("entry %s is on two pages", id)
			}
			seen[id] = true
		}
		path = ""
		for _, next := range hrefs(a, `pagination__link" href="`) {
			path = strings.ReplaceAll(next, "&amp;", "&")
		}
	}
	if len(seen) != 61 || pages != 3 {
		t.Errorf("%d refusals on %d pages", len(seen), pages)
	}
}

// hrefs are what stands behind each begin, up to the quotation mark.
func hrefs(a hubtest.Answer, begin string) (all []string) {
	for _, part := range strings.Split(string(a.Body), begin)[1:] {
		all = append(all, part[:strings.Index(part, `"`)])
	}
	return all
}
