package web

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

	"handover/internal/httpd"
)

//go:embed templates
var templates embed.FS

// view is what every page is given. Title names nobody: it stays in the browser's history
// and shows on the screen's edge.
type view struct {
	Title    string
	SignedIn bool
	Body     any
}

// parse reads the templates: each page within the layout.
func (h *Handler) parse() (map[string]*template.Template, error) {
	functions := template.FuncMap{"asset": h.assets.path, "integrity": h.assets.integrity, "when": h.when, "day": h.day}
	files, err := fs.Glob(templates, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("finding templates: %w", err)
	}
	pages := map[string]*template.Template{}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "layout" {
			continue
		}
		page, err := template.New("layout.html").Funcs(functions).Option("missingkey=error").ParseFS(templates, "templates/layout.html", file)
		if err != nil {
			return nil, fmt.Errorf("reading the page %s: %w", name, err)
		}
		pages[name] = page
	}
	return pages, nil
}

// show writes a page, whole or not at all.
func (h *Handler) show(w http.ResponseWriter, status int, name string, v view) error {
	var page bytes.Buffer
	if err := h.pages[name].Execute(&page, v); err != nil {
		return fmt.Errorf("writing the page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // nobody is left to tell
	return nil
}

// mistake answers with a page that says in one sentence what is wrong and what to do.
func (h *Handler) mistake(w http.ResponseWriter, r *http.Request, err error) {
	status, text := httpd.Explain(r, err)
	_ = h.show(w, status, "problem", view{Title: "There is a problem", Body: text})
}

// when tells a time to the minute, where she is.
func (h *Handler) when(t time.Time) string { return t.In(h.zone).Format("2 January 2006, 3:04pm") }

func (h *Handler) day(t time.Time) string { return t.In(h.zone).Format("2 January 2006") }
