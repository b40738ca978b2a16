package shell

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"handover/internal/ids"
	"handover/oauth/signin"
)

//go:embed templates/layout.html templates/parts.html
var layout embed.FS

//go:embed templates/problem.html templates/help.html templates/accessibility.html
var own embed.FS

// Page is what a page is given. Title names nobody and nothing about her: it stays in the
// browser's history and shows on the screen's edge.
type Page struct {
	Title    string
	Back     string    // where the back link leads; "" for none
	Mistakes []Mistake // what is wrong with the form, in the order of its fields
	Done     string    // what was done just now, in one sentence
	Hers     bool      // she may see it: Exit this page, and nothing of the agency's other work
	Wide     bool      // the whole width; else two thirds of it
	Body     any
}

// Mistake is one thing wrong with a form: what to do about it, and the id of the input.
type Mistake struct{ Field, Text string }

// frame is a page with what surrounds it.
type frame struct {
	Page
	SignedIn bool
	Places   []place
	Idle     int // seconds after which the session ends without a request; 0 for a stranger
}

// Pages are the pages of one room.
type Pages struct {
	shell *Shell
	pages map[string]*template.Template
}

func (s *Shell) parse() (*template.Template, error) {
	common, err := template.New("layout.html").Funcs(template.FuncMap{
		"asset": s.assets.path, "integrity": s.assets.integrity,
		"when": s.When, "day": s.Day, "clock": s.Clock, "ago": s.Ago, "reference": ids.Reference, "list": list,
	}).Option("missingkey=error").ParseFS(layout, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("reading the layout: %w", err)
	}
	return common, nil
}

// Pages reads a room's templates, templates/*.html, each within the layout. Each defines
// "main", and may define "script" for what it loads besides app.js. A template whose name begins
// with "_" is no page: what it defines can be used by all of the room.
func (s *Shell) Pages(templates fs.FS) (*Pages, error) {
	p := &Pages{shell: s, pages: map[string]*template.Template{}}
	files, err := fs.Glob(templates, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("finding templates: %w", err)
	}
	common, err := s.common.Clone()
	if err != nil {
		return nil, fmt.Errorf("copying the layout: %w", err)
	}
	if parts, _ := fs.Glob(templates, "templates/_*.html"); len(parts) > 0 {
		if common, err = common.ParseFS(templates, parts...); err != nil {
			return nil, fmt.Errorf("reading the parts of a room's pages: %w", err)
		}
	}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if strings.HasPrefix(name, "_") {
			continue
		}
		page, err := common.Clone()
		if err == nil {
			page, err = page.ParseFS(templates, file)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the page %s: %w", name, err)
		}
		p.pages[name] = page
	}
	return p, nil
}

// Show writes a page, whole or not at all.
func (p *Pages) Show(w http.ResponseWriter, r *http.Request, status int, name string, page Page) error {
	f := frame{Page: page}
	if session := visitOf(r).session; session != nil {
		f.SignedIn, f.Idle = true, int(signin.IdleLife/time.Second)
		if !page.Hers {
			f.Places = navigation(session.Caller, r.URL.Path)
		}
	}
	t, ok := p.pages[name]
	if !ok {
		return fmt.Errorf("there is no page %s", name)
	}
	var written bytes.Buffer
	defer func() { clear(written.Bytes()) }() // what was opened does not wait in freed memory, as far as this buffer is it
	if err := t.Execute(&written, f); err != nil {
		return fmt.Errorf("writing the page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(written.Bytes()) // nobody is left to tell
	return nil
}

// When tells a time to the minute, where she is.
func (s *Shell) When(t time.Time) string {
	return t.In(s.zone).Format("2 January 2006 at 3:04pm")
}

// Day tells a day, where she is.
func (s *Shell) Day(t time.Time) string { return t.In(s.zone).Format("2 January 2006") }

// Clock tells a time today or on a day near, as one would say it: 4:30pm today.
func (s *Shell) Clock(t time.Time) string {
	t, now := t.In(s.zone), s.now().In(s.zone)
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, s.zone)
	at := t.Format("3:04pm")
	switch days := t.Sub(midnight); {
	case days < -24*time.Hour || days >= 7*24*time.Hour:
		return s.When(t)
	case days < 0:
		return at + " yesterday"
	case days < 24*time.Hour:
		return at + " today"
	case days < 48*time.Hour:
		return at + " tomorrow"
	}
	return at + " on " + t.Format("Monday")
}

// Ago tells how long ago, or how long until, roughly: 5 minutes, 3 hours, 2 days.
func (s *Shell) Ago(t time.Time) string {
	d := s.now().Sub(t).Abs()
	some := func(n int, what string) string {
		if n == 1 {
			return "1 " + what
		}
		return fmt.Sprintf("%d %ss", n, what)
	}
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return some(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return some(int(d/time.Hour), "hour")
	}
	return some(int(d/(24*time.Hour)), "day")
}

// list joins words as a sentence does: a, b and c.
func list(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}
