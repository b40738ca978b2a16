package auditing_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"handover/audit/proof"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/partners"
)

// canary stands for her name and for all that is written about her.
const canary = "Zephyrine-Quillfeather-7391"

// planted is a referral of an agency whose keys the hub holds, with the canary in every text that
// it can have, opened on the hub.
func planted(t *testing.T, h *hubtest.Hub) (from, to *hubtest.Agency, subject string) {
	t.Helper()
	from, to = h.Managed(t, "larkfield", partners.BoroughOutreach), h.Managed(t, "rosewood", partners.Housing)
	worker, reader := h.Person(t, from.ID, partners.Caseworker), h.Person(t, to.ID, partners.Caseworker)
	h.Agree(t, from, to)
	service, now := h.Offer(t, to), h.Now().Unix()
	consent := uuid.Must(uuid.NewV7()).String()
	worker.Post(t, "/v1/managed/consents", map[string]any{"jti": consent, "jurisdiction": "GB-ENG", "agreement": "agreed",
		"method": "written", "purpose": "housing", "recipients": []string{"rosewood"}, "sections": []string{"need", "safe-contact"}, "onward": "none",
		"basis": []any{map[string]any{"art6": "a"}}, "gate": map[string]any{"pathway": "none"}, "circumstances": map[string]any{
			"seen_alone": "yes", "coercion": "none", "interpreter": "none", "language": "en", "capacity": "presumed"},
		"words": map[string]any{"her-words": canary}, "notice": map[string]any{"version": "1", "digest": ids.Digest("notice"), "language": "en"},
		"given_at": now, "valid_from": now, "expires_at": now + 3600}).Into(t, http.StatusCreated, new(any))
	var sent proof.Receipt
	worker.Post(t, "/v1/managed/referrals", map[string]any{"jti": uuid.Must(uuid.NewV7()).String(), "to": "rosewood", "consent": consent,
		"purpose": "housing", "urgency": "urgent", "service": service, "area": hubtest.Area,
		"sections": map[string]any{"need": map[string]any{"summary": canary}, "safe-contact": map[string]any{"channel": "via-worker",
			"worker": map[string]any{"called": canary}, "last_confirmed": "2026-11-20"}}}).Into(t, http.StatusCreated, &sent)
	reader.Post(t, "/v1/managed/referrals/"+sent.Referral+"/open", map[string]any{"sections": []string{"need", "safe-contact"}, "reason": "triage"}).
		Into(t, http.StatusOK, new(any))
	return from, to, hubtest.Value[string](t, h, `SELECT subject FROM audit_entry WHERE act = 'referral.request'`)
}

// TestNothingOfHerIsOnAnAuditPage reads every page, every entry and all that they hand out, as the
// auditors of both agencies and of oversight. Her random reference is all that is there of her.
func TestNothingOfHerIsOnAnAuditPage(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	from, to, subject := planted(t, h)
	seen := map[string]bool{}
	for _, agency := range []*hubtest.Agency{from, to, h.Agency(t, "city-oversight", partners.Oversight)} {
		_, b := h.Joined(t, agency.ID, "Ada Example", partners.Auditor)
		paths := lists()
		for _, id := range hubtest.Column[string](t, h, `SELECT id::text FROM audit_entry WHERE partner IN ('larkfield', 'rosewood') ORDER BY id`) {
			paths = append(paths, "/audit/entry/"+id, "/audit/entry/"+id+"/receipt", "/audit/entry/"+id+"/proof")
		}
		for _, path := range paths {
			a := b.Get(t, path)
			if a.Status != http.StatusOK && a.Status != http.StatusNotFound {
				t.Fatalf("%s: %d %s", path, a.Status, a.Body)
			}
			said := strings.ToLower(string(a.Body))
			for _, form := range []string{canary, "via-worker"} {
				if strings.Contains(said, strings.ToLower(form)) {
					t.Errorf("%s shows %s what is written about her: %q", path, agency.ID, form)
				}
			}
			seen[path] = seen[path] || strings.Contains(said, strings.ToLower(subject))
			title, _, _ := strings.Cut(string(a.Body), "</title>")
			if strings.Contains(title, "Example") || strings.Contains(title, subject) {
				t.Errorf("the title of %s names somebody", path)
			}
			for _, link := range slices.Concat(hrefs(a, `href="`), hrefs(a, `action="`)) {
				if strings.Contains(link, subject) || strings.Contains(link, "Example") || strings.Contains(link, "housing") || strings.Contains(link, "need") {
					t.Errorf("%s leads to %s", path, link)
				}
			}
		}
	}
	if !seen["/audit/consents"] || !seen["/audit/entries"] {
		t.Error("her reference is on no page, so the test sees too little")
	}
}
