package hubtest_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"handover/audit"
	"handover/audit/proof"
	"handover/client"
	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/packet"
)

// logKey is the key of the hub's log, as an auditor has pinned it.
func logKey(t *testing.T, h *hubtest.Hub) client.LogKey {
	t.Helper()
	answer, err := h.HTTP().Get(hubtest.Issuer + "/v1/log/key")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var text bytes.Buffer
	if _, err := text.ReadFrom(answer.Body); err != nil {
		t.Fatal(err)
	}
	key, err := client.ParseLogKey(strings.TrimSpace(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// audited is what an auditor finds in a file, on a machine that never saw the hub.
func audited(t *testing.T, h *hubtest.Hub, file []byte, kept ...[]byte) (client.AuditFindings, error) {
	t.Helper()
	return client.VerifyAudit(bytes.NewReader(file), int64(len(file)), client.AuditTrust{LogKey: logKey(t, h), Kept: kept})
}

// failing are the texts of what does not hold.
func failing(f client.AuditFindings) string {
	var b strings.Builder
	for _, c := range f.Checks {
		if !c.Holds {
			fmt.Fprintf(&b, "%s: %s\n", c.About, c.Text)
		}
	}
	return b.String()
}

// TestEveryExportOfAnHonestHubHolds: of a hub on which one of everything has happened that
// somebody signs, whoever takes the export.
func TestEveryExportOfAnHonestHubHolds(t *testing.T) {
	t.Parallel()
	s := tellStory(t)
	for name, x := range map[string]hubtest.Export{
		"the operator's": ofAll(t, s.Hub), "the sender's": taken(t, s.pair.From), "the recipient's": taken(t, s.pair.To),
		"the others'": taken(t, s.others.To), "the police's": taken(t, s.police), "oversight's": taken(t, s.overseeing),
	} {
		found, err := audited(t, s.Hub, x.File)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, failing(found))
		}
	}
}

// ofAllSince is the operator's export of what was logged from a moment on.
func ofAllSince(t *testing.T, h *hubtest.Hub, from time.Time, kept ...int64) []byte {
	t.Helper()
	var file bytes.Buffer
	q := audit.ExportQuery{From: from, To: from.Add(time.Hour), Scope: proof.ScopeAll, Kept: kept}
	if _, err := h.Exporter.Write(t.Context(), audit.Snapshots{Pool: h.DB.Owner}, q, func() (io.Writer, error) { return &file, nil }); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// TestAnExportOfTheLastDaysHasAllThatTheyRestOn: what came before, and decides about what was
// shared since, is in the file, so that nothing is taken on trust.
func TestAnExportOfTheLastDaysHasAllThatTheyRestOn(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.Housing)
	sent := p.Sent(t, "need", "safe-contact")
	received := p.Step(t, p.To, packet.Receive, sent.Digest, sent.Digest)
	p.From.Never(t, []string{p.Consent.Subject}, "category:police")
	p.From.Record(t, p.Consent.Subject, p.Named(), func(c *record.Claims) { c.Supersedes = p.Consent.ID })
	since := hubtest.Value[time.Time](t, h, `SELECT max(at) + interval '1 microsecond' FROM audit_entry`)
	created(t, "opening", p.To.Open(t, sent.Digest, "", "need"))
	p.Step(t, p.To, packet.Accept, sent.Digest, received.Digest)

	file := ofAllSince(t, h, since)
	x := hubtest.ReadExport(t, file)
	var grounds []string
	for _, e := range x.Said(t)[x.Header.End-x.Header.First:] {
		grounds = append(grounds, e.Act)
	}
	want := "consent.record referral.request referral.receive never.record consent.record"
	if got := strings.Join(grounds, " "); got != want {
		t.Errorf("the grounds are %s, want %s", got, want)
	}
	found, err := audited(t, h, file)
	if err != nil {
		t.Errorf("%v\n%s", err, failing(found))
	}
	for _, l := range found.Limits {
		if strings.Contains(l, "began before this file's entries") {
			t.Errorf("something is not judged: %s", l)
		}
	}
}
