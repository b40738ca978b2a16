package client_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/audit/proof"
	"handover/client"
)

// shows has the hub answer with entries: by default two of its log, the newest first.
func (h *fakeHub) shows(change func(m map[string]any, w http.ResponseWriter), entries ...client.Receipt) (asked *url.Values) {
	asked = &url.Values{}
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v1/log/entries" {
			return false
		}
		*asked = r.URL.Query()
		page := []any{}
		for i, e := range entries {
			page = append(page, map[string]any{"index": int(h.log.size) - 1 - i, "entry": e.Entry, "salt": e.Salt})
		}
		m := map[string]any{"entries": page, "checkpoint": string(h.log.checkpoint(h.log.size))}
		if change != nil {
			change(m, w)
		}
		answer(w, http.StatusOK, m)
		return true
	}
	return asked
}

// logged are two entries of a log, the newest first.
func logged(h *fakeHub) (newer, older client.Receipt) {
	e := proof.Entry{Act: "section.open", Partner: "camden-outreach", Other: "solace-example",
		Consent: "01980000-0000-7000-8000-000000000000", Time: time.Date(2026, 10, 3, 9, 0, 0, 0, time.UTC)}
	older = h.log.add(e)
	e.Partner, e.Other = "solace-example", ""
	return h.log.add(e), older
}

func TestEntriesOfTheLogAreAskedForAndRead(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	newer, older := logged(p.hub)
	asked := p.hub.shows(func(_ map[string]any, w http.ResponseWriter) {
		w.Header().Set("Link", `</v1/log/entries?act=section.open&after=01990000-0000-7000-8000-000000000001>; rel="next"`)
	}, newer, older)
	day := time.Date(2026, 10, 3, 0, 0, 0, 0, time.UTC)
	page, err := p.from.LogEntries(t.Context(), client.LogQuery{Act: "section.open", Partner: "solace-example", From: day, To: day.Add(24 * time.Hour),
		Consent: "01980000-0000-7000-8000-000000000000", Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"act": {"section.open"}, "partner": {"solace-example"}, "from": {"2026-10-03T00:00:00Z"}, "to": {"2026-10-04T00:00:00Z"},
		"consent": {"01980000-0000-7000-8000-000000000000"}, "limit": {"2"}}
	if diff := cmp.Diff(want, *asked); diff != "" {
		t.Error(diff)
	}
	if len(page.Entries) != 2 || page.Next != "01990000-0000-7000-8000-000000000001" || page.Checkpoint.Size != p.hub.log.size {
		t.Fatalf("read %+v", page)
	}
	if e := page.Entries[1]; e.Other != "solace-example" || e.Label() != "opened sections" || e.Index != p.hub.log.size-2 {
		t.Errorf("read %+v", e)
	}
	p.hub.shows(func(m map[string]any, _ http.ResponseWriter) {
		m["entries"] = []any{map[string]any{"index": 1, "erased": true, "id": "01990000-0000-7000-8000-000000000001"}}
	})
	page, err = p.from.LogEntries(t.Context(), client.LogQuery{Subject: client.NewSubject()})
	if err != nil || len(page.Entries) != 1 || !page.Entries[0].Erased || page.Entries[0].ID == "" {
		t.Errorf("of an erased entry: %+v, %v", page, err)
	}
	p.hub.shows(func(m map[string]any, _ http.ResponseWriter) { m["checkpoint"] = "" })
	if page, err := p.from.LogEntries(t.Context(), client.LogQuery{}); err != nil || len(page.Entries) != 0 {
		t.Errorf("of an empty log: %+v, %v", page, err)
	}
}

// A hub that shows something else than it was asked for, or out of order, is not believed:
// what was asked for could hide behind it.
func TestEntriesThatWereNotAskedForAreNotTaken(t *testing.T) {
	t.Parallel()
	of := func(m map[string]any, i int) map[string]any { return m["entries"].([]any)[i].(map[string]any) }
	for name, row := range map[string]struct {
		q    client.LogQuery
		lie  func(m map[string]any, w http.ResponseWriter)
		want error
	}{
		"of another act":      {q: client.LogQuery{Act: "refused"}},
		"of another partner":  {q: client.LogQuery{Partner: "camden-outreach"}},
		"of another consent":  {q: client.LogQuery{Consent: "01980000-0000-7000-8000-000000000009"}},
		"of another outcome":  {q: client.LogQuery{Outcome: "firewall"}},
		"of another referral": {q: client.LogQuery{Referral: "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ"}},
		"of a later time":     {q: client.LogQuery{To: time.Date(2026, 10, 3, 9, 0, 0, 0, time.UTC)}},
		"of an earlier time":  {q: client.LogQuery{From: time.Date(2026, 10, 3, 9, 0, 1, 0, time.UTC)}},
		"of a page before":    {q: client.LogQuery{After: "01990000-0000-7000-8000-000000000002"}},
		"twice the same":      {lie: func(m map[string]any, _ http.ResponseWriter) { of(m, 1)["entry"] = of(m, 0)["entry"] }},
		"with another salt":   {lie: func(m map[string]any, _ http.ResponseWriter) { of(m, 1)["salt"] = "AAAA" }},
		"in another form":     {lie: func(m map[string]any, _ http.ResponseWriter) { of(m, 1)["entry"] = "e30" }},
		"beyond the log":      {lie: func(m map[string]any, _ http.ResponseWriter) { of(m, 0)["index"] = 10_000 }},
		"before the log":      {lie: func(m map[string]any, _ http.ResponseWriter) { of(m, 0)["index"] = -1 }},
		"without end": {q: client.LogQuery{After: "ffffffff-ffff-7fff-bfff-ffffffffffff"}, lie: func(_ map[string]any, w http.ResponseWriter) {
			w.Header().Set("Link", `</v1/log/entries?after=ffffffff-ffff-7fff-bfff-ffffffffffff>; rel="next"`)
		}},
		"under nobody's checkpoint": {lie: func(m map[string]any, _ http.ResponseWriter) { m["checkpoint"] = "" }, want: client.ErrProof},
		"under another log's checkpoint": {lie: func(m map[string]any, _ http.ResponseWriter) {
			other := newLog(t, "hub.example/v1/log")
			other.add(proof.Entry{Act: "referral.list"})
			m["checkpoint"] = string(other.checkpoint(1))
		}, want: client.ErrProof},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			newer, older := logged(p.hub)
			p.hub.shows(row.lie, newer, older)
			if row.want == nil {
				row.want = client.ErrAnswer
			}
			if page, err := p.from.LogEntries(t.Context(), row.q); !errors.Is(err, row.want) {
				t.Errorf("%+v, %v, want %v", page, err, row.want)
			}
		})
	}
}
