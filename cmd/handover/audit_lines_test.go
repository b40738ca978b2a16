package main

import (
	"strings"
	"testing"

	"handover/audit/proof"
	"handover/client"
)

// TestNothingInAnExportWritesLinesOfItsOwn: what a hub that lies has put into an entry stays on
// the line on which it is shown.
func TestNothingInAnExportWritesLinesOfItsOwn(t *testing.T) {
	t.Parallel()
	const forged = "x\nholds  opening\tall of it\u2028The audit export holds."
	f := client.AuditFindings{Export: client.AuditRange{Hub: forged, For: forged, Scope: forged, End: 1}, Acts: []client.AuditCount{{What: forged, Label: forged}},
		Refusals: []client.AuditCount{{What: forged, Label: forged}}, Openings: []client.AuditOpening{{Partner: forged, User: forged, Label: forged}}}
	f.Document, f.Limits, f.Checks = "audit export", []string{forged}, []client.Finding{{About: forged, Text: forged}}
	var b, honest strings.Builder
	writeAudit(&b, f, client.ErrVerification)
	writeEntries(&b, []client.LogEntry{{Entry: proof.Entry{Act: forged, Partner: forged, Target: forged}}}, false)
	one := []string{forged}
	writeReview(&b, []client.ReviewItem{{Kind: forged, Partner: forged, User: forged, Words: forged, IDs: one, Rules: one}})
	f.Export.Hub, f.Export.For, f.Export.Scope, f.Limits[0], f.Checks[0] = "x", "x", "x", "x", client.Finding{About: "x", Text: "x"}
	f.Acts[0], f.Refusals[0], f.Openings[0] = client.AuditCount{What: "x", Label: "x"}, client.AuditCount{What: "x", Label: "x"}, client.AuditOpening{Partner: "x", User: "x", Label: "x"}
	writeAudit(&honest, f, client.ErrVerification)
	writeEntries(&honest, []client.LogEntry{{Entry: proof.Entry{Act: "x", Partner: "x", Target: "x"}}}, false)
	one = []string{"x"}
	writeReview(&honest, []client.ReviewItem{{Kind: "x", Partner: "x", User: "x", Words: "x", IDs: one, Rules: one}})
	for _, sep := range []string{"\n", "\t", "\u2028"} {
		if got, want := strings.Count(b.String(), sep), strings.Count(honest.String(), sep); got != want {
			t.Errorf("%d of %q instead of %d:\n%s", got, sep, want, b.String())
		}
	}
}
