package main

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"handover/audit/proof"
	"handover/client"
)

// today is a span of time around now, as an operator writes it.
func today() (from, to string) {
	now := time.Now().UTC()
	return now.AddDate(0, 0, -1).Format(time.DateOnly), now.AddDate(0, 0, 2).Format(time.DateOnly)
}

// named is r for commands that must know the hub's name, which a test's hub gets by its port.
func (r running) named() running {
	r.env = append(r.env, "HUB_ISSUER="+r.Issuer)
	return r
}

// refuses runs an operator's command that must fail, and returns what it says.
func (r running) refuses(t *testing.T, args ...string) string {
	t.Helper()
	cmd := command(r.env)
	cmd.SetArgs(args)
	cmd.SetOut(io.Discard)
	err := cmd.ExecuteContext(t.Context())
	if err == nil {
		t.Fatalf("hub %s: it was done", strings.Join(args, " "))
	}
	return err.Error()
}

// verified is an export that an auditor finds to hold.
func verified(t *testing.T, file string, key client.LogKey) client.AuditFindings {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found, err := client.VerifyAudit(bytes.NewReader(text), int64(len(text)), client.AuditTrust{LogKey: key})
	if err != nil {
		t.Fatalf("%s: %v: %+v", file, err, found.Findings)
	}
	return found
}

// The operator takes exports beside a hub that runs, and an agency takes its own over the wire;
// an auditor who trusts neither verifies them with the key that the agency pinned.
func TestExportsAreTakenBesideARunningHub(t *testing.T) {
	t.Parallel()
	r := startHub(t, slog.DiscardHandler).named()
	outreach := r.join(t, "sample-outreach", "borough-outreach")
	r.join(t, "sample-housing", "housing")
	from, to := today()
	dir := t.TempDir()
	whole, part, own := filepath.Join(dir, "whole"), filepath.Join(dir, "part"), filepath.Join(dir, "own")

	told := r.operator(t, "audit", "export", "--from", from, "--to", to, "-o", whole)
	if about, err := os.Stat(whole); err != nil || about.Mode() != 0o600 {
		t.Errorf("%v, %v", about.Mode(), err)
	}
	found := verified(t, whole, outreach.LogKey())
	if found.Export.Scope != proof.ScopeAll || found.Export.First != 0 || found.Export.Shown < 10 || !strings.Contains(told, "Next: handover audit verify") {
		t.Errorf("%s\n%+v", told, found.Export)
	}

	r.operator(t, "audit", "export", "--from", from, "--to", to, "--partner", "sample-outreach", "--kept", "1", "--kept", "3", "-o", part)
	found = verified(t, part, outreach.LogKey())
	if found.Export.Scope != proof.ScopeAgency || found.Export.For != "sample-outreach" || found.Export.Shown == 0 || found.Export.Shown >= found.Export.Size-3 {
		t.Errorf("%+v", found.Export)
	}

	f, err := os.Create(own)
	if err != nil {
		t.Fatal(err)
	}
	day := time.Now().AddDate(0, 0, -1)
	if _, err := outreach.AuditExport(t.Context(), client.AuditQuery{From: day, To: day.AddDate(0, 0, 2), Kept: []int64{2}}, f); err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	verified(t, own, outreach.LogKey())
	// That the operator took what the agency may read, the agency is told.
	if !exportsTold(t, text, proof.ScopeAgency, "", "sample-outreach") {
		t.Error("the operator's export for an agency is not in that agency's log")
	}

	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"a file that is there":       {[]string{"--from", from, "--to", to, "-o", whole}, "already"},
		"nobody's part":              {[]string{"--from", from, "--to", to, "--partner", "nobody", "-o", filepath.Join(dir, "x")}, "no partner"},
		"a size not reached":         {[]string{"--from", from, "--to", to, "--kept", "100000", "-o", filepath.Join(dir, "x")}, "fewer entries"},
		"no time":                    {[]string{"--from", to, "--to", from, "-o", filepath.Join(dir, "x")}, "from before to"},
		"no date":                    {[]string{"--from", "october", "--to", to, "-o", filepath.Join(dir, "x")}, "as a date"},
		"a folder that is not there": {[]string{"--from", from, "--to", to, "-o", filepath.Join(dir, "none", "x")}, "no such file"},
	} {
		if says := r.refuses(t, append([]string{"audit", "export"}, c.args...)...); !strings.Contains(says, c.says) {
			t.Errorf("%s: %s", name, says)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 3 {
		t.Errorf("what was refused left something behind: %v, %v", left, err)
	}
}

// exportsTold reports whether an export has the entry of another, taken by a partner for another.
func exportsTold(t *testing.T, file []byte, scope, by, of string) bool {
	t.Helper()
	in := proof.NewExportReader(bytes.NewReader(file))
	for {
		l, err := in.Next()
		if err != nil {
			return false
		}
		if l.Entry == nil || l.Entry.Erased {
			continue
		}
		e, err := proof.ParseEntry(l.Entry.Body)
		if err != nil {
			t.Fatal(err)
		}
		if e.Act == "log.export" && e.Reason == scope && e.Partner == by && e.Other == of {
			return true
		}
	}
}
