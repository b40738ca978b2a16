package shell

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"handover/oauth/signin"
)

// at is a shell whose clock stands there.
func at(t *testing.T, now time.Time) *Shell {
	t.Helper()
	s, err := New(&signin.Handler{}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTimesAreToldAsOneWouldSayThem(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 10, 24, 22, 30, 0, 0, time.UTC) // 11:30pm in London; the clocks go back that night
	s := at(t, now)
	for ahead, want := range map[time.Duration]string{
		0: "11:30pm today", 10 * time.Minute: "11:40pm today", 31 * time.Minute: "12:01am tomorrow", 26 * time.Hour: "12:30am on Monday",
		-24 * time.Hour: "11:30pm yesterday", -48 * time.Hour: "22 October 2026 at 11:30pm", 10 * 24 * time.Hour: "3 November 2026 at 10:30pm",
	} {
		if got := s.Clock(now.Add(ahead)); got != want {
			t.Errorf("%v from now is %q, want %q", ahead, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "less than a minute", time.Minute: "1 minute", 59 * time.Minute: "59 minutes", time.Hour: "1 hour", 47 * time.Hour: "47 hours", 50 * time.Hour: "2 days", -3 * time.Hour: "3 hours",
	} {
		if got := s.Ago(now.Add(-d)); got != want {
			t.Errorf("%v ago is %q, want %q", d, got, want)
		}
	}
}

// TestAFieldEscapesWhatWasTyped, names its error and hint, and leads the error summary to it.
func TestAFieldEscapesWhatWasTyped(t *testing.T) {
	t.Parallel()
	s := at(t, time.Now())
	pages, err := s.Pages(fstest.MapFS{"templates/one.html": {Data: []byte(`{{define "main"}}{{range .Body}}{{template "field" .}}{{end}}{{end}}`)}})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/one", nil)
	err = pages.Show(w, r, http.StatusUnprocessableEntity, "one", Page{Title: "One", Mistakes: []Mistake{{"a", "Say a"}}, Body: []Field{
		{Kind: "text", Name: "a", Label: "A", Hint: "Not her name.", Error: "Say a", Value: `"><script>x</script>`},
		{Kind: "radios", Name: "b", Label: "B", Choices: []Choice{{Value: "1", Label: "One"}, {Value: "2", Label: "Two", Checked: true}}},
		{Kind: "textarea", Name: "c", Label: "C", Value: "</textarea><b>", Max: 200},
	}})
	if err != nil {
		t.Fatal(err)
	}
	page := w.Body.String()
	for _, want := range []string{`<title>Error: One – Handover</title>`, `<a href="#a">Say a</a>`, `aria-describedby="a-hint a-error"`, `id="a-hint"`, `id="b-2" name="b" type="radio" value="2" checked`, `maxlength="200"`, `autocomplete="off"`} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is missing in\n%s", want, page)
		}
	}
	for _, no := range []string{"<script>x", "</textarea><b>", "data-idle"} {
		if strings.Contains(page, no) {
			t.Errorf("the page has %s", no)
		}
	}
}

// TestAPageThatCannotBeWrittenIsNoHalfPage.
func TestAPageThatCannotBeWrittenIsNoHalfPage(t *testing.T) {
	t.Parallel()
	s := at(t, time.Now())
	pages, err := s.Pages(fstest.MapFS{"templates/one.html": {Data: []byte(`{{define "main"}}begun {{.Body.Missing}}{{end}}`)}})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := pages.Show(w, httptest.NewRequest(http.MethodGet, "/", nil), 200, "one", Page{Body: struct{}{}}); err == nil || w.Body.Len() > 0 {
		t.Errorf("%v, and %q was sent", err, w.Body)
	}
	if err := pages.Show(w, httptest.NewRequest(http.MethodGet, "/", nil), 200, "two", Page{}); err == nil {
		t.Error("a page that there is not was shown")
	}
}
