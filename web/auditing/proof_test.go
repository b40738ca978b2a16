package auditing_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/hubtest"
)

// logKey is the key of the hub's log, as somebody has pinned it.
func logKey(t *testing.T, h *hubtest.Hub) proof.LogKey {
	t.Helper()
	a := h.Browser().Get(t, "/v1/log/key")
	key, err := proof.ParseLogKey(strings.TrimSpace(string(a.Body)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestWhatAPageHandsOutVerifiesOffline takes proof, receipt and export home.
func TestWhatAPageHandsOutVerifiesOffline(t *testing.T) {
	t.Parallel()
	s := tell(t, hubtest.New(t))
	key, id := logKey(t, s.Hub), s.entryOf(t, "section.open", s.pair.To.ID)
	for who, b := range map[string]*hubtest.Browser{"our auditor": s.auditor, "oversight's": s.overseers} {
		var r proof.Receipt
		b.Get(t, "/audit/entry/"+id+"/receipt").Into(t, http.StatusOK, &r)
		said, err := r.Verify(key)
		if err != nil || said.ID != id || said.Act != "section.open" {
			t.Errorf("%s has a receipt of %+v: %v", who, said, err)
		}
		a := b.Get(t, "/audit/entry/"+id+"/proof")
		path, err := proof.ParseProof(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := base64.RawURLEncoding.DecodeString(r.Entry)
		salt, _ := base64.RawURLEncoding.DecodeString(r.Salt)
		if _, err := path.Verify(proof.Leaf([32]byte(salt), body), key); err != nil || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("%s has a proof that does not hold: %v", who, err)
		}
	}
	today := time.Now().UTC().Format(time.DateOnly)
	for who, row := range map[string]struct {
		b     *hubtest.Browser
		scope string
		sees  bool // our entries
	}{
		"our auditor": {s.auditor, proof.ScopeAgency, true}, "another agency's": {s.theirs, proof.ScopeAgency, false}, "oversight's": {s.overseers, proof.ScopeOversight, true},
	} {
		logged := s.Logged(t)
		a := row.b.Form(t, "/audit/export", url.Values{"from": {today}, "to": {today}, "kept": {"10"}})
		if a.Status != http.StatusOK || a.Header.Get("Content-Type") != proof.ExportMediaType {
			t.Fatalf("%s: %d %s", who, a.Status, text(a))
		}
		header, found := export(t, a.Body, key)
		if header.Scope != row.scope || len(header.Kept) != 1 || found[id] != row.sees {
			t.Errorf("%s has %+v, with our entry %v", who, header, found[id])
		}
		taken := s.Entries(t, logged)
		if len(taken) != 1 || taken[0].Act != "log.export" || taken[0].User == "" || taken[0].Client != "" || taken[0].Reason != row.scope {
			t.Errorf("%s: logged is %+v", who, taken)
		}
	}
	for name, form := range map[string]url.Values{
		"Enter a day like 1/7/2026":                   {"from": {"x"}, "to": {today}},
		"The last day must be the first day or later": {"from": {"2026-02-02"}, "to": {"2026-02-01"}},
		"Enter the size in figures":                   {"from": {today}, "to": {today}, "kept": {"many"}},
	} {
		logged := s.Logged(t)
		if a := s.auditor.Form(t, "/audit/export", form); a.Status != http.StatusUnprocessableEntity || !strings.Contains(text(a), "There is a problem "+name) || len(s.Entries(t, logged)) != 0 {
			t.Errorf("%s: %d %s", name, a.Status, text(a))
		}
	}
	if a := s.auditor.Form(t, "/audit/export", url.Values{"from": {today}, "to": {today}, "kept": {"99999999"}}); a.Status != http.StatusConflict || !strings.Contains(text(a), "Keep that checkpoint") {
		t.Errorf("a log that is shorter than it was: %d %s", a.Status, text(a))
	}
	foreign := s.auditor.Request(t, http.MethodPost, "/audit/export", "application/x-www-form-urlencoded", []byte("from="+today+"&to="+today))
	foreign.Header.Set("Origin", "https://elsewhere.example")
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	if a := s.auditor.Send(foreign); a.Status == http.StatusOK {
		t.Error("another site has an export taken in her name")
	}
}

// export reads a whole export whose tiles lead to a checkpoint that key has signed, and returns the
// ids of its entries, each of which the tree has.
func export(t *testing.T, file []byte, key proof.LogKey) (header proof.ExportHeader, found map[string]bool) {
	t.Helper()
	found = map[string]bool{}
	var log *proof.ExportLog
	settled := false
	r := proof.NewExportReader(bytes.NewReader(file))
	for {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return header, found
		}
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case line.Export != nil:
			header = *line.Export
			if log, err = proof.OpenExportLog(header, key, func(m proof.ExportMisfit) { t.Errorf("%+v", m) }); err != nil {
				t.Fatal(err)
			}
		case line.Tile != nil:
			log.Tile(*line.Tile)
		case line.Entry != nil:
			if !settled {
				log.Settle()
				settled = true
			}
			if said, ok := log.Entry(*line.Entry); ok {
				found[said.ID] = true
			}
		}
	}
}

// TestWhatSomebodyChangedIsSaidLoudly changes what is stored as whoever has the database can, and
// looks at each page that shows it. Of the other pages none may cry wolf.
func TestWhatSomebodyChangedIsSaidLoudly(t *testing.T) {
	t.Parallel()
	const loud, what = "Proof fails.", "What to do now"
	for _, row := range []struct {
		name, act, sql string
		pages          []string
		want           string
		quiet          []string
	}{
		{"what an opening says", "section.open", `UPDATE audit_entry SET body = convert_to(replace(convert_from(body, 'UTF8'), '"need"', '"note"'), 'UTF8') WHERE id = $1`,
			[]string{"/audit/openings", "/audit/entries?act=section.open"}, "The log has another entry at this place", []string{"/audit/refusals", "/audit/overrides"}},
		{"what an opening says, with a leaf that fits", "section.open", `UPDATE audit_entry e SET body = n.b, leaf = '\x01'::bytea || sha256('handover-audit-v1\000'::bytea || e.salt || n.b)
			FROM (SELECT id, convert_to(replace(convert_from(body, 'UTF8'), '"need"', '"note"'), 'UTF8') AS b FROM audit_entry) n WHERE n.id = e.id AND e.id = $1`,
			[]string{"/audit/openings"}, "The log has another entry at this place", nil},
		{"a refusal that is no entry any more", "refused", `UPDATE audit_entry SET body = 'gone' WHERE id = $1`,
			[]string{"/audit/refusals"}, "The log has another entry at this place", []string{"/audit/openings"}},
		{"an override without its content", "override.propose", `UPDATE audit_entry SET body = NULL, salt = NULL WHERE id = $1`,
			[]string{"/audit/overrides", "/audit/review"}, "What this entry said was deleted", []string{"/audit/openings"}},
		{"the override's list names another step", "override.propose", `UPDATE consent_override_state SET log_entry = (SELECT id FROM audit_entry WHERE partner = '' LIMIT 1) WHERE log_entry = $1`,
			[]string{"/audit/overrides", "/audit/review"}, "What the list says was changed", []string{"/audit/openings"}},
		{"the tile", "consent.record", `UPDATE audit_tile SET data = set_byte(data, 8, get_byte(data, 8) # 1) WHERE $1::uuid IS NOT NULL AND level = 0 AND n = 0`,
			[]string{"/audit/consents", "/audit/openings", "/audit/refusals", "/audit/overrides", "/audit/review"}, "No proof leads to this entry", nil},
		{"the checkpoint", "consent.record", `UPDATE audit_checkpoint SET note = set_byte(note, octet_length(note) - 20, get_byte(note, octet_length(note) - 20) # 2) WHERE $1::uuid IS NOT NULL`,
			[]string{"/audit/consents", "/audit/openings", "/audit/refusals", "/audit/overrides", "/audit/review"}, "or the log did not sign it", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := tell(t, hubtest.New(t))
			id := s.entryOf(t, row.act, map[bool]*hubtest.Agency{true: s.pair.To, false: s.pair.From}[row.act == "section.open"].ID)
			for _, path := range row.pages {
				if strings.Contains(page(t, s.auditor, path), loud) {
					t.Errorf("%s cries wolf", path)
				}
			}
			s.StopLog() // which would find it by itself, and stop
			s.DB.Rewrite(t, row.sql, id)
			for _, path := range append(row.pages, "/audit/entry/"+id) {
				for who, b := range map[string]*hubtest.Browser{"our auditor": s.auditor, "oversight's": s.overseers} {
					if path == "/audit/entry/"+id && strings.Contains(row.name, "list names") {
						continue
					}
					if said := page(t, b, path); !strings.Contains(said, loud) || !strings.Contains(said, what) || !strings.Contains(said, row.want) {
						t.Errorf("%s shows %s nothing of it: %s", path, who, said)
					}
				}
			}
			for _, path := range row.quiet {
				if strings.Contains(page(t, s.auditor, path), loud) {
					t.Errorf("%s cries wolf", path)
				}
			}
			if row.name == "the tile" || row.name == "the checkpoint" {
				has(t, "the overview", page(t, s.auditor, "/audit"), "The log does not hold", what)
			}
		})
	}
}

// TestTheOverviewTellsOfTheComparison of log and rows.
func TestTheOverviewTellsOfTheComparison(t *testing.T) {
	t.Parallel()
	s := tell(t, hubtest.New(t))
	has(t, "before any", page(t, s.auditor, "/audit"), "Not yet. It is done every night.")
	compare := func() {
		t.Helper()
		if _, err := s.Log.Reconcile(t.Context(), s.DB.Owner, hubtest.Ledger()); err != nil && !errors.Is(err, audit.ErrReconciling) {
			t.Fatal(err)
		}
	}
	compare()
	has(t, "when nothing differs", page(t, s.auditor, "/audit"), ": nothing differs.")
	s.DB.Rewrite(t, `UPDATE consent_override_state SET reason = 'coercion'`)
	compare()
	has(t, "when something does", page(t, s.auditor, "/audit"), "The log does not hold", "The last comparison found places where the database and the log differ.", "2 differences")
	s.DB.Rewrite(t, `UPDATE audit_reconciled SET at = at - interval '3 days'`)
	has(t, "when it is old", page(t, s.auditor, "/audit"), "It is done every night, and was not.")
}
