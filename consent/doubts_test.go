package consent_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/pg"
	"handover/partners"
)

// toReview returns the ids that the person is shown to look at, by their kind.
func toReview(t *testing.T, by *hubtest.Person) map[string][]string {
	t.Helper()
	var queue struct {
		Items []struct {
			Kind    string   `json:"kind"`
			Partner string   `json:"partner"`
			IDs     []string `json:"ids"`
			Count   int      `json:"count"`
		} `json:"items"`
	}
	by.Get(t, "/v1/log/review").Into(t, http.StatusOK, &queue)
	ids := map[string][]string{}
	for _, i := range queue.Items {
		if i.Count != len(i.IDs) {
			t.Errorf("%s counts %d of %d", i.Kind, i.Count, len(i.IDs))
		}
		ids[i.Kind+" of "+i.Partner] = slices.Sorted(slices.Values(i.IDs))
	}
	return ids
}

func TestWhatWaitsForASecondPersonIsToReview(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	oversight := o.hub.Agency(t, "city-oversight", partners.Oversight)
	auditor, overseer := o.hub.Person(t, o.pair.From.ID, partners.Auditor), o.hub.Person(t, oversight.ID, partners.Auditor)
	theirs := o.hub.Person(t, o.pair.To.ID, partners.Auditor)

	open, lapsed, ended := o.proposed(t, o.worker, hubtest.Emergency), o.proposed(t, o.worker, hubtest.Emergency), o.proposed(t, o.worker, hubtest.Emergency)
	due, fine := o.proposed(t, o.worker), o.proposed(t, o.worker)
	o.decided(t, due, record.Approved)
	o.decided(t, fine, record.Approved)
	o.aged(t, lapsed, record.EmergencyLife)
	o.hub.Exec(t, `UPDATE consent_override_state SET review_at = now() - interval '1 minute' WHERE id = $1`, due.ID)
	o.hub.Exec(t, `UPDATE consent_override_state SET ended_at = now() WHERE id = $1`, ended.ID)
	doubtful, gone, over, settled := o.doubtful(t), o.doubtful(t), o.doubtful(t), o.doubtful(t)
	o.pair.From.Withdraw(t, gone)
	o.hub.Exec(t, `UPDATE consent SET valid_from = now() - interval '2 days', expires_at = now() - interval '1 day' WHERE id = $1`, over.ID)
	o.reviews(t, o.manager, settled, record.Refused, "")

	of := " of " + string(o.pair.From.ID)
	want := map[string][]string{"overrides-past-review" + of: {due.ID}, "emergencies-unapproved" + of: {open.ID},
		"emergencies-lapsed" + of: {lapsed.ID}, "consents-doubtful" + of: {doubtful.ID}}
	for _, by := range []*hubtest.Person{auditor, overseer} {
		if diff := cmp.Diff(want, toReview(t, by)); diff != "" {
			t.Errorf("%s is to review:\n%s", by.Partner, diff)
		}
	}
	if got := toReview(t, theirs); len(got) != 0 {
		t.Errorf("the recipient's auditor is to review %v", got)
	}
	a := overseer.Get(t, "/v1/log/review")
	for _, secret := range []string{open.Subject, doubtful.Subject, open.Digest, o.worker.ID} {
		if strings.Contains(string(a.Body), secret) {
			t.Errorf("the queue says more than ids and counts: %s", a.Body)
		}
	}
	for _, by := range []*hubtest.Person{o.worker, o.manager, o.hub.Person(t, oversight.ID, partners.Caseworker)} {
		if a := by.Get(t, "/v1/log/review"); a.Problem().Code != "insufficient-scope" {
			t.Errorf("somebody who is %s is answered %d %s", by.Role, a.Status, a.Body)
		}
	}
}

// What the database tells of doubtful records does not rest on what Go has asked.
func TestOnlyOversightSeesTheDoubtsOfOthers(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.doubtful(t)
	oversight := o.hub.Agency(t, "city-oversight", partners.Oversight)
	for _, row := range []struct {
		partner  partners.ID
		oversees string
		want     int
	}{{o.pair.From.ID, "", 1}, {o.pair.To.ID, "all", 0}, {oversight.ID, "", 0}, {oversight.ID, "all", 1}, {"", "all", 0}} {
		var n int
		err := pg.As(t.Context(), o.hub.DB.Hub, string(row.partner), func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `SELECT set_config('hub.oversees', $1, true)`, row.oversees); err != nil {
				return err
			}
			return tx.QueryRow(t.Context(), `SELECT count(*) FROM consent_doubts()`).Scan(&n)
		})
		if err != nil || n != row.want {
			t.Errorf("%q, oversees %q, is told of %d, %v", row.partner, row.oversees, n, err)
		}
	}
}
