package referral_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
)

// tabPage is one page of a tab, by referral.
func tabPage(t *testing.T, h *hubtest.Hub, c partners.Caller, q referral.InboxQuery) (page referral.InboxPage, found []string) {
	t.Helper()
	page, err := h.Referrals.Summaries(t.Context(), c, q)
	do(t, err)
	for _, m := range page.Rows {
		found = append(found, m.ID)
	}
	return page, found
}

// TestEachTabShowsWhatIsOnIt makes one referral for each tab, and asks for all tabs, with and
// without filters.
func TestEachTabShowsWhatIsOnIt(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p, another := h.Pair(t, partners.BoroughOutreach), h.Pair(t, partners.BoroughOutreach)
	worker, colleague := h.Person(t, p.To.ID, partners.Caseworker).Caller(t), h.Person(t, p.To.ID, partners.Manager).Caller(t)
	sender := h.Person(t, p.From.ID, partners.Caseworker).Caller(t)
	send := func(urgency string) string {
		s := p.Request("need").Seal(t, func(d *hubtest.Draft) { d.Urgency = urgency })
		p.From.Sent(t, s)
		return s.Digest
	}
	fresh, mine, hers, asked, late, later, done := send("routine"), send("urgent"), send("routine"), send("urgent"), send("emergency"), send("routine"), send("routine")
	h.Exec(t, `UPDATE referral SET consent_ends = now() + interval '30 days'`)
	h.Exec(t, `UPDATE referral SET consent_ends = now() + interval '6 days' WHERE id = $1`, mine)
	h.Exec(t, `UPDATE referral SET consent_ends = now() - interval '1 day' WHERE id = $1`, hers)
	another.Sent(t)
	do(t, h.Referrals.Claim(t.Context(), worker, mine))
	do(t, h.Referrals.Claim(t.Context(), colleague, hers))
	do(t, h.Referrals.Claim(t.Context(), sender, hers))
	head := p.Step(t, p.To, packet.Receive, asked, asked).Digest
	p.Step(t, p.To, packet.Ask, asked, head)
	p.Step(t, p.To, packet.Decline, done, done)
	p.To.Get(t, "/v1/inbox") // which delivers them, so that opening is due next
	h.Exec(t, `UPDATE referral SET due_at = now() - interval '2 hours' WHERE id = $1`, late)
	h.Exec(t, `UPDATE referral SET due_at = now() - interval '1 hour' WHERE id = $1`, later)
	counts := map[referral.Tab]int{"new": 3, "mine": 1, "waiting": 1, "overdue": 2, "ending": 2, "open": 6}
	outside := map[referral.Tab]int{"asked": 1, "sent": 6, "sent-mine": 1}
	for _, row := range []struct {
		by     partners.Caller
		q      referral.InboxQuery
		want   []string
		counts map[referral.Tab]int
	}{
		{worker, referral.InboxQuery{Tab: referral.TabNew}, []string{later, late, fresh}, counts},
		{worker, referral.InboxQuery{Tab: referral.TabMine}, []string{mine}, counts},
		{colleague, referral.InboxQuery{Tab: referral.TabMine}, []string{hers}, counts},
		{worker, referral.InboxQuery{Tab: referral.TabWaiting}, []string{asked}, counts},
		{worker, referral.InboxQuery{Tab: referral.TabOverdue}, []string{late, later}, counts},
		{worker, referral.InboxQuery{Tab: referral.TabEnding}, []string{hers, mine}, counts},
		{worker, referral.InboxQuery{Tab: referral.TabOpen}, []string{later, late, asked, hers, mine, fresh}, counts},
		{worker, referral.InboxQuery{Tab: referral.TabOpen, Urgency: "urgent"}, []string{asked, mine}, counts},
		{worker, referral.InboxQuery{Tab: referral.TabOpen, Holder: colleague.User()}, []string{hers}, counts},
		{worker, referral.InboxQuery{Tab: referral.TabOpen, Holder: referral.Nobody}, []string{later, late, asked, fresh}, counts},
		{worker, referral.InboxQuery{Tab: referral.TabOverdue, Urgency: "emergency", Other: string(p.From.ID)}, []string{late}, counts},
		{worker, referral.InboxQuery{Tab: referral.TabOpen, Other: string(another.From.ID)}, nil, counts},
		{sender, referral.InboxQuery{Tab: referral.TabAsked}, []string{asked}, outside},
		{sender, referral.InboxQuery{Tab: referral.TabSent, Other: string(p.To.ID)}, []string{later, late, asked, hers, mine, fresh}, outside},
		{sender, referral.InboxQuery{Tab: referral.TabSentMine}, []string{hers}, outside},
		{sender, referral.InboxQuery{Tab: referral.TabSentAll}, []string{done, later, late, asked, hers, mine, fresh}, outside},
		{worker, referral.InboxQuery{Tab: referral.TabSent}, nil, map[referral.Tab]int{"asked": 0, "sent": 0, "sent-mine": 0}},
		{worker, referral.InboxQuery{Reference: ids.Reference(done)}, []string{done}, nil},
		{sender, referral.InboxQuery{Reference: strings.ToLower(ids.Reference(late))}, []string{late}, nil},
		{h.Person(t, another.To.ID, partners.Caseworker).Caller(t), referral.InboxQuery{Reference: ids.Reference(late)}, nil, nil},
	} {
		page, found := tabPage(t, h, row.by, row.q)
		if diff := cmp.Diff(row.want, found); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", row.q, diff)
		}
		if diff := cmp.Diff(row.counts, page.Counts); diff != "" {
			t.Errorf("%+v counts (-want +got):\n%s", row.q, diff)
		}
		if page.Next != "" {
			t.Errorf("%+v has a page after it", row.q)
		}
	}
}

// TestPagesOfATabLeaveNothingOut goes through tabs of more than one page, in either order, and
// through one that a filter narrows to less than a page holds.
func TestPagesOfATabLeaveNothingOut(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	inboxOf(t, h, p, 2_500)
	h.Exec(t, `UPDATE referral SET due_at = now() - interval '1 hour' WHERE due_at IS NOT NULL`) // all at one moment
	c := h.Person(t, p.To.ID, partners.Caseworker).Caller(t)
	const open = `state IN ('requested', 'received', 'accepted', 'in-progress')`
	for _, row := range []struct {
		q     referral.InboxQuery
		where string
		order string
	}{
		{referral.InboxQuery{Tab: referral.TabOpen}, open, `seq DESC`},
		{referral.InboxQuery{Tab: referral.TabOverdue}, `due_at < now()`, `due_at, seq`},
		{referral.InboxQuery{Tab: referral.TabEnding}, open + ` AND consent_ends < now() + interval '7 days'`, `consent_ends, seq`},
		{referral.InboxQuery{Tab: referral.TabOpen, Urgency: "emergency"}, open + ` AND urgency = 'emergency'`, `seq DESC`},
		{referral.InboxQuery{Tab: referral.TabOverdue, Urgency: "emergency"}, `due_at < now() AND urgency = 'emergency'`, `due_at, seq`},
	} {
		want := hubtest.Column[string](t, h, `SELECT id FROM referral WHERE `+row.where+` ORDER BY `+row.order)
		var got []string
		stopped := false
		for pages := 0; pages == 0 || row.q.After != ""; pages++ {
			page, found := tabPage(t, h, c, row.q)
			got, row.q.After = append(got, found...), page.Next
			stopped = stopped || page.Stopped
			if pages > len(want)/10+10 {
				t.Fatalf("%+v: there is always one page more", row.q)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %d referrals on all pages, want %d in order", row.q, len(got), len(want))
		}
		if stopped != (row.q.Urgency != "") {
			t.Errorf("%+v: it says that it has not looked through all: %v", row.q, stopped)
		}
	}
	page, _ := tabPage(t, h, c, referral.InboxQuery{Tab: referral.TabOpen})
	if page.Counts[referral.TabOpen] != referral.CountMost+1 {
		t.Errorf("it counts %d, and should stop at %d", page.Counts[referral.TabOpen], referral.CountMost+1)
	}
}

// TestATabDeliversWhatItShows as the API's list does.
func TestATabDeliversWhatItShows(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := p.Sent(t, "need")
	c := h.Person(t, p.To.ID, partners.Caseworker).Caller(t)
	if n, err := h.Referrals.Arrived(t.Context(), c, 0); err != nil || n != 1 {
		t.Errorf("%d have arrived, %v; want 1", n, err)
	}
	logged := h.Logged(t)
	page, _ := tabPage(t, h, c, referral.InboxQuery{Tab: referral.TabNew})
	if m := page.Rows[0]; m.Transport != "delivered" || m.DueFor != "opened" {
		t.Errorf("it is shown as %s, with %s due", m.Transport, m.DueFor)
	}
	var acts []string
	for _, e := range h.Entries(t, logged) {
		acts = append(acts, e.Act)
	}
	slices.Sort(acts)
	if diff := cmp.Diff([]string{"packet.deliver", "referral.list"}, acts); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	for after, want := range map[int64]int{0: 1, page.Newest: 0} {
		if n, err := h.Referrals.Arrived(t.Context(), c, after); err != nil || n != want {
			t.Errorf("after %d, %d have arrived, %v; want %d", after, n, err, want)
		}
	}
	if m := standing(t, h, p.To, s.Digest); m.Transport != "delivered" {
		t.Errorf("it is %s", m.Transport)
	}
}

func TestATabThatIsAskedForWronglyIsRefused(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	c := h.Person(t, p.To.ID, partners.Caseworker).Caller(t)
	for _, q := range []referral.InboxQuery{{}, {Tab: "all"}, {Tab: "open", Urgency: "soon"}, {Tab: "open", Holder: "x"}, {Tab: "open", Other: "A B"},
		{Tab: "open", After: "x"}, {Tab: "open", After: "0"}, {Tab: "open", After: "-1"}, {Tab: "open", After: "1.x"}, {Tab: "open", After: "x.1"},
		{Tab: "overdue", After: "9223372036854775807.1"}, {Tab: "overdue", After: "1.1.1"}, {Reference: "R-XXXX"}} {
		if _, err := h.Referrals.Summaries(t.Context(), c, q); codeOf(err) != "list-query-invalid" {
			t.Errorf("%+v: %v", q, err)
		}
	}
	for _, role := range []partners.Role{partners.Administrator, partners.Auditor} {
		other := h.Person(t, p.To.ID, role).Caller(t)
		for _, q := range []referral.InboxQuery{{Tab: referral.TabOpen}, {Tab: referral.TabSent}, {Reference: "R-7K3F-9Q2M"}} {
			if _, err := h.Referrals.Summaries(t.Context(), other, q); codeOf(err) != "insufficient-scope" {
				t.Errorf("%s asks %+v: %v", role, q, err)
			}
		}
		if _, err := h.Referrals.Arrived(t.Context(), other, 0); codeOf(err) != "insufficient-scope" {
			t.Errorf("%s counts what has arrived: %v", role, err)
		}
	}
}

// inboxOf fills the inbox of the pair's recipient up to so many referrals: of ten, six are open,
// two of which wait for the sender; half of what is open somebody has, a fifth is late, and the
// consent of two fifths ends. It returns three people, who have what somebody has.
func inboxOf(t *testing.T, h *hubtest.Hub, p hubtest.Pair, upTo int) (workers []*hubtest.Person) {
	t.Helper()
	var holders []string
	for range 3 {
		w := h.Person(t, p.To.ID, partners.Caseworker)
		workers, holders = append(workers, w), append(holders, w.ID)
	}
	h.Exec(t, `
		WITH e AS (SELECT id FROM audit_entry LIMIT 1), n AS (
			SELECT n, (ARRAY['requested', 'received', 'accepted', 'in-progress', 'requested', 'received', 'rejected', 'completed', 'failed', 'cancelled'])[1 + n % 10] AS state,
			       n % 10 < 6 AND n / 10 % 2 = 0 AS taken
			FROM generate_series((SELECT count(*) FROM referral)::int + 1, $3::int) n), r AS (
			INSERT INTO referral (id, sender, recipient, subject, purpose, urgency, service, area, state, head, created_at, changed_at,
			                      asked, due_for, due_at, consent_ends, taken)
			SELECT lpad(n::text, 43, 'A'), $1, $2, 'x', 'housing', CASE WHEN n % 700 = 0 THEN 'emergency' WHEN n % 3 = 0 THEN 'urgent' ELSE 'routine' END,
			       'x', 'x', state, lpad(n::text, 43, 'A'), now(), now(), state = 'received',
			       CASE state WHEN 'requested' THEN 'opened' WHEN 'accepted' THEN 'first-contact' END,
			       CASE WHEN state IN ('requested', 'accepted') THEN now() + (n / 10 % 5 - 1) * interval '1 day' END,
			       now() + (n % 5) * interval '6 days' + n * interval '1 second', taken
			FROM n ORDER BY n RETURNING seq, id, taken), p AS (
			INSERT INTO packet (referral, issuer, audience, jti, event, digest, envelope, state, expires_at, stored_at, log_entry)
			SELECT r.seq, $1, $2, gen_random_uuid(), 'request', r.id, 'x', 'requested', now() + interval '1 day', now(), e.id FROM r, e ORDER BY r.seq
			RETURNING seq, referral), d AS (
			INSERT INTO delivery (packet, referral, issuer, audience, state, delivered_at, log_entry)
			SELECT p.seq, p.referral, $1, $2, 'delivered', now(), e.id FROM p, e)
		INSERT INTO referral_holding (referral, partner, side, holder, given_by, since, log_entry)
		SELECT r.seq, $2, 'recipient', ($4::uuid[])[1 + r.seq % 3], ($4::uuid[])[1], now(), e.id FROM r, e WHERE r.taken`,
		string(p.From.ID), string(p.To.ID), upTo, holders)
	h.Exec(t, `VACUUM (ANALYZE)`)
	return workers
}

// TestATabCostsTheSameHoweverManyReferralsThereAre counts the pages that each statement of each
// tab reads, at a hundred referrals of one agency and at a hundred thousand.
func TestATabCostsTheSameHoweverManyReferralsThereAre(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	watched := &spy{}
	cfg, err := pgxpool.ParseConfig(h.DB.URL)
	do(t, err)
	cfg.ConnConfig.RuntimeParams["role"] = pg.RoleHub
	cfg.ConnConfig.Tracer = watched
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	do(t, err)
	defer pool.Close()
	store := referral.NewStore(pool, h.Registry, h.Log, hubtest.Issuer)
	sender := h.Person(t, p.From.ID, partners.Caseworker).Caller(t)
	small := h.Pair(t, partners.BoroughOutreach) // of which there is little among all the others'
	for range 3 {
		small.Sent(t)
	}
	little := map[referral.Side]partners.Caller{referral.RecipientSide: h.Person(t, small.To.ID, partners.Caseworker).Caller(t),
		referral.SenderSide: h.Person(t, small.From.ID, partners.Caseworker).Caller(t)}

	cost := map[int]map[string]int{}
	for _, size := range []int{100, 100_000} {
		worker := inboxOf(t, h, p, size)[0].Caller(t)
		cost[size] = map[string]int{}
		asks := map[string]referral.InboxQuery{"reference": {Reference: ids.Reference(strings.Repeat("A", 43))},
			"narrowed": {Tab: referral.TabOpen, Urgency: "emergency", Other: string(p.From.ID)}, "held by nobody": {Tab: referral.TabOpen, Holder: referral.Nobody}}
		for _, tab := range append(referral.InboxTabs(), referral.SentTabs()...) {
			asks[string(tab)] = referral.InboxQuery{Tab: tab}
		}
		for name, q := range asks {
			by, side := worker, referral.RecipientSide
			if slices.Contains(referral.SentTabs(), q.Tab) {
				by, side = sender, referral.SenderSide
			}
			cost[size][name] = watched.costs(t, h, store, by, q)
			cost[size][name+", a small agency"] = watched.costs(t, h, store, little[side], q)
		}
		said, err := watched.reads(func() error {
			_, err := store.Arrived(t.Context(), worker, int64(size)-50)
			return err
		})
		do(t, err)
		cost[size]["arrived"] = buffers(t, h, p.To.ID, said[0], "force_generic_plan")
	}
	for _, name := range slices.Sorted(maps.Keys(cost[100_000])) {
		few, many := cost[100][name], cost[100_000][name]
		t.Logf("%-32s %5d buffers at 100 referrals, %5d at 100,000", name, few, many)
		if many > mostOfATab {
			t.Errorf("%s: %d buffers at 100,000 referrals, %d at 100", name, many, few)
		}
	}
}

// costs is how many pages the statements of one list read together.
func (s *spy) costs(t *testing.T, h *hubtest.Hub, store *referral.Store, by partners.Caller, q referral.InboxQuery) (all int) {
	t.Helper()
	said, err := s.reads(func() error {
		_, err := store.Summaries(t.Context(), by, q)
		return err
	})
	do(t, err)
	for _, one := range said {
		n := buffers(t, h, by.Partner(), one, "force_generic_plan")
		if all += n; n > mostOfATab {
			t.Errorf("%d buffers: %s", n, one.sql)
		}
	}
	return all
}

// mostOfATab is more than all statements of a tab need together: twenty referrals, six counts
// to a hundred, and, where filters are asked, five hundred to be looked through.
const mostOfATab = 1_500
