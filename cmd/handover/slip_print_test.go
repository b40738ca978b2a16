package main

import (
	"bytes"
	"compress/zlib"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"handover/client"
)

// printed prints a page as a browser does that puts address, date and title at the edges, and
// returns how many letters each sheet has.
func printed(t *testing.T, page string) (letters []int) {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("Chromium was not found: run deploy/dev/tools.sh, as make test does")
	}
	dir := t.TempDir()
	html, pdf := filepath.Join(dir, "page.html"), filepath.Join(dir, "page.pdf")
	if err := os.WriteFile(html, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
		"--user-data-dir="+filepath.Join(dir, "browser"), "--print-to-pdf="+pdf, html).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(pdf)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	objects := map[string][]byte{}
	var sheets []string // the objects that draw them
	for _, o := range regexp.MustCompile(`(?s)(\d+) 0 obj(.*?)endobj`).FindAllSubmatch(data, -1) {
		objects[string(o[1])] = o[2]
		if content := regexp.MustCompile(`/Contents (\d+) 0 R`).FindSubmatch(o[2]); content != nil {
			sheets = append(sheets, string(content[1]))
		}
	}
	for _, sheet := range sheets {
		_, packed, _ := bytes.Cut(objects[sheet], []byte("stream\n"))
		unpacked, err := zlib.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		drawn, err := io.ReadAll(unpacked)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, shown := range regexp.MustCompile(`<([0-9A-F]+)> Tj`).FindAllSubmatch(drawn, -1) {
			n += len(shown[1]) / 4 // two bytes a letter, in hexadecimal
		}
		letters = append(letters, n)
	}
	return letters
}

// The first sheet is what is outside once the paper is folded: it has the seven letters of the
// title, with the space, and not even what a browser puts at the edges.
func TestNothingButTheTitleIsPrintedOnTheOutside(t *testing.T) {
	t.Parallel()
	slip := client.Slip{Title: "For you"}
	for range 60 {
		slip.Parts = append(slip.Parts, client.SlipPart{Heading: "Who is named here", Lines: []client.SlipLine{{Text: "Larkfield Housing, a housing team"}}})
	}
	page, err := pageOf(slip)
	if err != nil {
		t.Fatal(err)
	}
	letters := printed(t, page)
	if len(letters) < 3 || letters[0] != len("For you") || letters[1] < 100 {
		t.Errorf("the sheets have %v letters", letters)
	}
}
