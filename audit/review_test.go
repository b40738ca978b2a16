package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/audit/proof"
)

// reviewed returns what the log itself has by look at, without times, ids and words.
func (r *rig) reviewed(by Reader) (items []Item) {
	r.t.Helper()
	found, err := r.store.review(r.t.Context(), by, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, i := range found {
		if len(i.IDs) == 0 || i.Words == "" || i.Since.IsZero() {
			r.t.Errorf("an item is not whole: %+v", i)
		}
		items = append(items, Item{Kind: i.Kind, Partner: i.Partner, User: i.User, Count: i.Count, Rules: i.Rules})
	}
	return items
}

// times logs n entries that begin at a time, so far apart.
func (r *rig) times(n int, from time.Time, apart time.Duration, e proof.Entry) {
	r.t.Helper()
	for i := range n {
		e.Time = from.Add(time.Duration(i) * apart)
		if e.Act != "refused" {
			e.Referral = fmt.Sprintf("%s-%s-%d", e.User, from.Format(time.DateOnly), i)
		}
		r.logEntry(e)
	}
}

func TestWhoIsRefusedAgainAndAgainIsListed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	refused := func(partner, user, client, rule string) proof.Entry {
		return proof.Entry{Act: "refused", Partner: partner, User: user, Client: client, Outcome: rule}
	}
	r.times(5, ago(50*time.Hour), 15*time.Minute, refused("agency-1", "five-in-an-hour", "", "firewall"))
	r.times(3, ago(40*time.Hour), 5*time.Minute, refused("agency-1", "under-two-rules", "", "firewall"))
	r.times(3, ago(39*time.Hour+30*time.Minute), 5*time.Minute, refused("agency-1", "under-two-rules", "", "not-covered"))
	r.times(4, ago(30*time.Hour), 5*time.Minute, refused("agency-1", "four-in-an-hour", "", "firewall"))
	r.times(9, ago(30*time.Hour), 16*time.Minute, refused("agency-1", "five-in-longer", "", "firewall"))
	r.times(5, ago(9*24*time.Hour), time.Minute, refused("agency-1", "long-ago", "", "firewall"))
	r.times(4, ago(3*time.Hour), time.Minute, refused("agency-1", "", "agency-1.sys", "firewall"))
	r.times(4, ago(3*time.Hour), time.Minute, refused("agency-2", "", "agency-2.sys", "firewall"))
	r.times(3, ago(130*time.Minute), time.Minute, refused("agency-2", "", "agency-2.sys", "firewall"))
	r.times(20, ago(2*time.Hour), time.Minute, refused("", "", "", "unauthenticated")) // strangers
	r.oversees("oversight-example", "active")

	first := []Item{{Kind: kindRefusals, Partner: "agency-1", User: "five-in-an-hour", Count: 5, Rules: []string{"firewall"}},
		{Kind: kindRefusals, Partner: "agency-1", User: "under-two-rules", Count: 6, Rules: []string{"firewall", "not-covered"}}}
	second := []Item{{Kind: kindRefusals, Partner: "agency-2", User: "agency-2.sys", Count: 7, Rules: []string{"firewall"}}}
	for _, row := range []struct {
		by   Reader
		want []Item
	}{
		{Reader{By: proof.Entry{Partner: "agency-1"}}, first},
		{Reader{By: proof.Entry{Partner: "agency-2"}}, second},
		{Reader{By: proof.Entry{Partner: "agency-3"}}, nil},
		{Reader{By: proof.Entry{Partner: "agency-1"}, Oversees: true}, first}, // by mistake
		{Reader{By: proof.Entry{Partner: "oversight-example"}}, nil},
		{Reader{By: proof.Entry{Partner: "oversight-example"}, Oversees: true}, append(first, second...)},
	} {
		if diff := cmp.Diff(row.want, r.reviewed(row.by)); diff != "" {
			t.Errorf("%+v: %s", row.by, diff)
		}
	}
}

// Usual at agency-1 is four referrals a day, at agency-2 eleven, at agency-3 one: there ten are
// not many.
func TestWhoOpensUnusuallyManyIsListed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	noon := time.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour) // of yesterday
	opened := func(partner, user string) proof.Entry {
		return proof.Entry{Act: "section.open", Partner: partner, User: user}
	}
	for d := range 6 {
		r.times(4, noon.Add(-time.Duration(d*24)*time.Hour), time.Minute, opened("agency-1", "steady"))
		r.times(11, noon.Add(-time.Duration(d*24)*time.Hour), time.Minute, opened("agency-2", "quick"))
		r.times(1, noon.Add(-time.Duration(d*24)*time.Hour), time.Minute, opened("agency-3", "slow"))
	}
	r.times(13, noon, time.Minute, opened("agency-1", "curious"))
	r.times(12, noon, time.Minute, opened("agency-1", "busy"))
	r.times(13, noon.Add(-8*24*time.Hour), time.Minute, opened("agency-1", "long-ago"))
	r.times(34, noon, time.Minute, opened("agency-2", "curious"))
	r.times(33, noon, time.Minute, opened("agency-2", "busy"))
	r.times(10, noon, time.Minute, opened("agency-3", "beginner"))
	again := opened("agency-1", "rereads")
	for range 40 {
		again.Time, again.Referral = noon, "the-same"
		r.logEntry(again)
	}
	r.oversees("oversight-example", "active")

	first := Item{Kind: kindOpenings, Partner: "agency-1", User: "curious", Count: 13}
	second := Item{Kind: kindOpenings, Partner: "agency-2", User: "curious", Count: 34}
	for _, row := range []struct {
		by   Reader
		want []Item
	}{
		{Reader{By: proof.Entry{Partner: "agency-1"}}, []Item{first}},
		{Reader{By: proof.Entry{Partner: "agency-2"}}, []Item{second}},
		{Reader{By: proof.Entry{Partner: "agency-3"}}, nil},
		{Reader{By: proof.Entry{Partner: "agency-2"}, Oversees: true}, []Item{second}}, // by mistake
		{Reader{By: proof.Entry{Partner: "oversight-example"}, Oversees: true}, []Item{first, second}},
	} {
		got := r.reviewed(row.by)
		slices.SortFunc(got, func(a, b Item) int { return strings.Compare(a.Partner, b.Partner) })
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%+v: %s", row.by, diff)
		}
	}
}
