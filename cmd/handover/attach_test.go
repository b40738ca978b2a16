package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/referral/packet/attachment"
)

// breaking is a line to the hub that is cut for good after some PUTs, as when the machine
// loses its power.
type breaking struct {
	whole http.RoundTripper
	puts  int // so far
	most  int // then it is cut; 0 never is
}

func (b *breaking) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut {
		b.puts++
	}
	if b.most != 0 && b.puts > b.most {
		return nil, &url.Error{Op: r.Method, URL: r.URL.String(), Err: errors.New("no route to host")}
	}
	return b.whole.RoundTrip(r)
}

// correspondents are rosewood and larkfield-housing, between which everything may pass,
// with what rosewood's send line needs.
func correspondents(t *testing.T) (from, to *desk, flags string) {
	t.Helper()
	from = newDesk(t)
	_, code := from.hub.Invited(t, "larkfield-housing", "housing")
	to = &desk{hub: from.hub, env: map[string]string{"HANDOVER_HOME": filepath.Join(t.TempDir(), "side"), "HANDOVER_CODE": code}}
	to.must(t, "keys new")
	to.must(t, "enrol --hub "+hubtest.Issuer)
	recipient := &hubtest.Agency{ID: "larkfield-housing"}
	from.hub.Agree(t, &hubtest.Agency{ID: "rosewood"}, recipient)
	return from, to, " --to larkfield-housing --area " + hubtest.Area + " --urgency urgent --service " + from.hub.Offer(t, recipient) + " --consent " + consented(t, from)
}

const need = `{"need": {"summary": "a bed tonight"}}`

// An upload that was cut goes on where it was; what arrives is what was sent, in a file
// that nobody else reads and that takes no other's place.
func TestAnAttachmentSurvivesACut(t *testing.T) {
	t.Parallel()
	from, to, flags := correspondents(t)
	plain := make([]byte, 4*attachment.ChunkSize+100)
	_, _ = rand.Read(plain)
	scan := filepath.Join(t.TempDir(), "scan.pdf")
	if err := os.WriteFile(scan, plain, 0o600); err != nil {
		t.Fatal(err)
	}
	line := &breaking{whole: from.hub.HTTP().Transport, most: 3}
	from.line = line
	code, _, talk := from.run(t, need, "send - --attach "+scan+":need"+flags)
	if code != exitError || !strings.Contains(talk, "kept in the outbox") {
		t.Fatalf("cut: %d\n%s", code, talk)
	}
	line.most, line.puts = 0, 0
	code, out, talk := from.run(t, "", "resend")
	var sent struct{ Receipts []struct{ Reference string } }
	if err := json.Unmarshal([]byte(out), &sent); err != nil || code != exitOK || len(sent.Receipts) != 1 {
		t.Fatalf("resend: %d\n%s%s", code, out, talk)
	}
	if line.puts != 2 {
		t.Errorf("%d chunks were put after the cut, of which 2 were missing", line.puts)
	}
	if left, _ := filepath.Glob(filepath.Join(from.env["HANDOVER_HOME"], "outbox", "*")); len(left) != 0 {
		t.Errorf("the outbox still holds %v", left)
	}
	for name, d := range map[string]*desk{"the recipient": to, "the sender": from} {
		folder := t.TempDir()
		open := "open " + sent.Receipts[0].Reference + " --reason triage --to " + folder
		code, out, talk := d.run(t, "", open)
		if code != exitOK || strings.Contains(out, `"k"`) || strings.Contains(out, `"oct"`) || !strings.Contains(out, "a bed tonight") {
			t.Fatalf("%s: %d\n%s%s", name, code, out, talk)
		}
		file := filepath.Join(folder, sent.Receipts[0].Reference+"-attachment-1.pdf")
		got, err := os.ReadFile(file)
		info, e := os.Stat(file)
		if errors.Join(err, e) != nil || !bytes.Equal(got, plain) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has %d bytes, %v", name, len(got), errors.Join(err, e))
		}
		if err := os.WriteFile(file, []byte("hers"), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, talk := d.run(t, "", open); code != exitError || !strings.Contains(talk, "exists") {
			t.Errorf("%s, over a file: %d %s", name, code, talk)
		}
		if got, _ := os.ReadFile(file); string(got) != "hers" {
			t.Errorf("%s: a file was written over", name)
		}
	}
}

// What the hub refuses leaves nothing behind, and what is wrong here is said before
// anything is sent.
func TestAttachmentsThatAreRefused(t *testing.T) {
	t.Parallel()
	from, _, flags := correspondents(t)
	folder := t.TempDir()
	for name, size := range map[string]int64{"small": 10, "empty": 0, "large": attachment.Limit + 1} {
		f, err := os.Create(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for attach, want := range map[string]struct {
		code int
		text string
	}{
		"small":        {exitUsage, "FILE:CLASS"},
		"small:":       {exitUsage, "FILE:CLASS"},
		"small:photos": {exitUsage, "FILE:CLASS"},
		"missing:need": {exitError, "no such file"},
		"empty:need":   {exitUsage, "attachment-size"},
		"large:need":   {exitUsage, "attachment-size"},
		"small:health": {exitRefused, "firewall"},
		"small:risk":   {exitRefused, "not-covered"},
	} {
		line := &breaking{whole: from.hub.HTTP().Transport}
		from.line = line
		code, _, talk := from.run(t, need, "send - --attach "+filepath.Join(folder, attach)+flags)
		if code != want.code || !strings.Contains(talk, want.text) || want.code != exitRefused && line.puts != 0 {
			t.Errorf("--attach %s: %d after %d chunks\n%s", attach, code, line.puts, talk)
		}
		if left, _ := filepath.Glob(filepath.Join(from.env["HANDOVER_HOME"], "outbox", "*")); len(left) != 0 {
			t.Errorf("--attach %s leaves %v in the outbox", attach, left)
		}
	}
	code, _, talk := from.run(t, need, "send -"+strings.Repeat(" --attach "+filepath.Join(folder, "small:need"), 10)+flags)
	if code != exitUsage || !strings.Contains(talk, "nine") {
		t.Errorf("ten: %d %s", code, talk)
	}
}
