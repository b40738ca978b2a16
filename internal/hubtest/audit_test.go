package hubtest_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"handover/client"
	"handover/internal/hubtest"
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
