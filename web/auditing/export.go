package auditing

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"handover/audit"
	"handover/internal/httpd"
	"handover/oauth/signin"
	"handover/web/shell"
)

// exported is the body of the page of exports.
type exported struct {
	Tabs     []tab
	From, To shell.Field
	Kept     shell.Field
	Spans    []span
	Overseer bool
}

// span is a period that is often wanted.
type span struct{ Name, From, To string }

// written is how a day is written here: 1/7/2026.
const written = "2/1/2006"

// spans are the last two quarters and this one, the last first. Days begin at midnight UTC, as
// everywhere where an export is asked for.
func spans(now time.Time) []span {
	now = now.UTC()
	begin := time.Date(now.Year(), (now.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
	quarter := func(name string, from time.Time) span {
		return span{name, from.Format(written), from.AddDate(0, 3, -1).Format(written)}
	}
	return []span{quarter("Last quarter", begin.AddDate(0, -3, 0)), quarter("The quarter before", begin.AddDate(0, -6, 0)),
		{"This quarter until today", begin.Format(written), now.Format(written)}}
}

// exportPage asks which period.
func (h *Handler) exportPage(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	q := r.URL.Query()
	return h.askSpan(w, r, s, http.StatusOK, map[string]string{"from": q.Get("from"), "to": q.Get("to")}, nil)
}

func (h *Handler) askSpan(w http.ResponseWriter, r *http.Request, s signin.Session, status int, values map[string]string, mistakes []shell.Mistake) error {
	all := spans(h.now())
	if values["from"] == "" && values["to"] == "" && len(mistakes) == 0 {
		values["from"], values["to"] = all[0].From, all[0].To
	}
	field := func(f shell.Field) shell.Field {
		f.Kind, f.Value = "text", values[f.Name]
		for _, m := range mistakes {
			if m.Field == f.Name {
				f.Error = m.Text
			}
		}
		return f
	}
	return h.pages.Show(w, r, status, "export", shell.Page{Title: "Export", Back: "/audit", Mistakes: mistakes, Body: exported{
		Tabs: tabs("/audit/export"), Spans: all, Overseer: s.Caller.Reader().Oversees,
		From: field(shell.Field{Name: "from", Label: "First day", Hint: "For example, 1/7/2026. Days begin at midnight UTC.", Max: 20, Width: "govuk-input--width-10"}),
		To:   field(shell.Field{Name: "to", Label: "Last day", Hint: "All of this day is in the file.", Max: 20, Width: "govuk-input--width-10"}),
		Kept: field(shell.Field{Name: "kept", Label: "Size of the checkpoint you kept last time (optional)", Inputmode: "numeric", Max: 19, Width: "govuk-input--width-10",
			Hint: "The number on the second line of the file on your stick. The file then proves that nothing before it was changed."}),
	}})
}

// export hands out the file, as the API does: it is written while it is sent, and that it is taken
// is logged before its first byte. It is a form's act, so that no other site can have it taken.
func (h *Handler) export(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	values := map[string]string{}
	for _, name := range []string{"from", "to", "kept"} {
		values[name] = strings.TrimSpace(form.Get(name))
	}
	q, mistakes := spanOf(values)
	if len(mistakes) > 0 {
		return h.askSpan(w, r, s, http.StatusUnprocessableEntity, values, mistakes)
	}
	sent := &begun{ResponseWriter: w}
	err = h.exporter.Serve(sent, r, s.Caller.Asker(), q)
	if err != nil && sent.yes { // a page in the midst of the file would be taken for a part of it
		httpd.Handle(func(http.ResponseWriter, *http.Request) error { return err }).ServeHTTP(w, r)
		return nil
	}
	return err
}

// spanOf reads the form.
func spanOf(values map[string]string) (q audit.ExportQuery, mistakes []shell.Mistake) {
	day := func(name string) time.Time {
		t, ok := dayOf(values[name], time.UTC)
		if !ok {
			mistakes = append(mistakes, shell.Mistake{Field: name, Text: notADay})
		}
		return t
	}
	q.From = day("from")
	q.To = day("to").AddDate(0, 0, 1)
	if len(mistakes) == 0 && !q.From.Before(q.To) {
		mistakes = append(mistakes, shell.Mistake{Field: "to", Text: "The last day must be the first day or later"})
	}
	if text := strings.ReplaceAll(values["kept"], ",", ""); text != "" {
		size, err := strconv.ParseInt(text, 10, 64)
		if err != nil || size < 0 {
			mistakes = append(mistakes, shell.Mistake{Field: "kept", Text: "Enter the size in figures, as 48211, or leave it empty"})
		}
		q.Kept = []int64{size}
	}
	return q, mistakes
}

// begun knows whether a part of the answer has left.
type begun struct {
	http.ResponseWriter
	yes bool
}

func (b *begun) Write(p []byte) (int, error) {
	b.yes = true
	return b.ResponseWriter.Write(p)
}

// Unwrap lets the deadlines of the connection be set.
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }
