package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"handover/client"
)

// What can be seen of the page before it is unfolded: the title of the window and the first
// sheet. It loads nothing, runs nothing, and takes no name for markup.
func TestTheOutsideOfThePageSaysNothing(t *testing.T) {
	page, err := pageOf(client.Slip{Title: "For you", Parts: []client.SlipPart{{Heading: "Who is named here",
		Lines: []client.SlipLine{{Points: []string{`Larkfield <script>Housing</script>, a housing team`}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	outside, inside, found := strings.Cut(page, "<main>")
	if !found || strings.Contains(outside, "Larkfield") || !strings.Contains(inside, "Larkfield &lt;script&gt;") {
		t.Errorf("the page is\n%s", page)
	}
	if shown := regexp.MustCompile(`(?s)<style>.*</style>|<[^>]*>`).ReplaceAllString(outside, ""); strings.Join(strings.Fields(shown), " ") != "For you For you" {
		t.Errorf("on its outside it says %q", shown)
	}
	for _, not := range []string{"<script", "src=", "href=", "url(", "http:", "https:", "andover", "@import"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %s", not)
		}
	}
	for _, must := range []string{"default-src 'none'", "break-after: page", "size: A4", `lang="en-GB"`, "<title>For you</title>"} {
		if !strings.Contains(page, must) {
			t.Errorf("the page has no %s", must)
		}
	}
}

// shared is an office with a referral that went to another agency on an override.
func shared(t *testing.T, told string) (o office, referral string) {
	t.Helper()
	o = newOffice(t)
	o.as(t, o.worker, "consents:override")
	change := map[string]any{"told": told}
	if told == "yes" {
		change["not_told_reason"] = ""
	}
	id := o.must(t, "override new "+o.proposal(t, change))["id"].(string)
	o.as(t, o.manager, "consents:override")
	o.must(t, "override approve --yes "+id)
	return o, o.must(t, o.send(id))["referral"].(string)
}

// textOf joins everything that a slip says.
func textOf(out string) string { return strings.Join(strings.Fields(out), " ") }

// Her worker makes it: she reads it to her, or prints it once she has said that it is safe.
func TestAWorkerTellsHerWhoOpenedHerReferral(t *testing.T) {
	t.Parallel()
	o, referral := shared(t, "yes")
	code, out, talk := o.run(t, "", "--json=false slip "+referral)
	if text := textOf(out); code != exitOK || !strings.Contains(text, "You said no. It was sent without your yes.") ||
		!strings.Contains(text, "A second person, a manager, agreed on") || !strings.Contains(text, "has opened this. It is locked: - what you need") {
		t.Errorf("%d %s\n%s", code, out, talk)
	}
	if !strings.Contains(talk, "Is it safe for her to have this?") || !strings.Contains(talk, "--no-names") {
		t.Errorf("her worker is told %s", talk)
	}
	if a := o.to.Open(t, referral, "", "need"); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	file := filepath.Join(t.TempDir(), "for-you.html")
	o.fails(t, exitUsage, "--yes", "slip "+referral+" --html -o "+file)
	o.fails(t, exitUsage, "-o FILE", "slip "+referral+" --html")
	o.asks = true
	if code, _, talk := o.run(t, "no\n", "slip "+referral+" --html -o "+file); code != exitUsage || !strings.Contains(talk, "read it to her instead") {
		t.Errorf("she cannot carry it: %d %s", code, talk)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("it was written all the same")
	}
	if code, out, talk := o.run(t, "yes\n", "slip "+referral+" --no-names --html -o "+file); code != exitOK || out != "" || strings.Contains(talk, "opened this") {
		t.Fatalf("%d %s%s", code, out, talk)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	if !strings.Contains(page, "the other team opened this to see who can help:") || strings.Contains(page, "Larkfield") || strings.Contains(page, "larkfield") {
		t.Errorf("the page says\n%s", page)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	if code, _, talk := o.run(t, "", "slip "+referral+" --yes -o "+file); code != exitError || !strings.Contains(talk, "exists") {
		t.Errorf("another file was written over: %d %s", code, talk)
	}
}

// A slip that would be the first to tell her of an override is for a manager to decide.
func TestNoSlipTellsHerByAccidentWhatSheWasNotTold(t *testing.T) {
	t.Parallel()
	o, referral := shared(t, "no")
	code, out, talk := o.run(t, "", "slip "+referral)
	if code != exitUsage || out != "" || !strings.Contains(talk, "--tell-her") || !strings.Contains(talk, "in danger") {
		t.Errorf("%d %s%s", code, out, talk)
	}
	if code, out, talk = o.run(t, "", "slip --tell-her "+referral); code != exitOK || !strings.Contains(out, "without your yes") {
		t.Errorf("%d %s%s", code, out, talk)
	}
}

// What the hub shows and cannot prove is not told to her, and its absence is.
func TestASlipThatCouldNotBeCheckedSaysSo(t *testing.T) {
	t.Parallel()
	o, referral := shared(t, "yes")
	if a := o.to.Open(t, referral, "", "need"); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	o.hub.Exec(t, `ALTER TABLE audit_entry DISABLE TRIGGER USER; UPDATE audit_entry SET salt = sha256(salt) WHERE act = 'section.open'`)
	code, out, talk := o.run(t, "", "--json=false slip "+referral)
	if text := textOf(out); code != exitFalse || strings.Contains(text, "opened this to") || !strings.Contains(text, "We could not check if anybody at") ||
		!strings.Contains(text, "WHAT COULD NOT BE CHECKED") {
		t.Errorf("%d %s%s", code, out, talk)
	}
	if !strings.Contains(talk, "could not be checked") {
		t.Errorf("her worker is told %s", talk)
	}
	o.fails(t, exitNotFound, "referral-not-found", "slip "+strings.Repeat("A", 43))
}
