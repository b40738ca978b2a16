package send

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"handover/oauth/signin"
	"handover/partners"
	"handover/web/shell"
)

// asked is the question that a request is about, with the item of its list.
func asked(r *http.Request, d work) (q question, item int, err error) {
	vars := mux.Vars(r)
	q, ok := questionOf(vars["section"], vars["question"])
	if !ok || !q.applies(d.a, d.police) || !slices.Contains(d.may, q.Section) {
		return question{}, 0, partners.ErrNotThere
	}
	if q.List == "" {
		return q, 0, nil
	}
	have := d.a.items(q.Section + "." + q.List)
	item = have
	if n, err := strconv.Atoi(r.URL.Query().Get("item")); err == nil && n >= 0 && n < have {
		item = n
	}
	return q, item, nil
}

// item is one of a list, as the page of its question shows it.
type item struct{ Text, Path string }

func (h *Handler) questionPage(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	d, err := h.open(r, s.Caller)
	if err != nil {
		return err
	}
	q, n, err := asked(r, d)
	if err != nil {
		return err
	}
	return h.showQuestion(w, r, d, q, n, http.StatusOK, nil)
}

func (h *Handler) showQuestion(w http.ResponseWriter, r *http.Request, d work, q question, n, status int, mistakes []shell.Mistake) error {
	v := formView{Path: d.about(q.key()), Tasks: d.path(""), Intro: q.Intro, Fields: h.fields(d, q, n, mistakes)}
	if len(q.Members) > 1 || q.List != "" {
		v.Title = q.Title
	} else {
		v.Intro = "" // it stands with the one question
	}
	if d.police {
		v.Limit = "This goes to the police. Write only what they need to protect her or others from harm."
	}
	if q.List != "" {
		v.Again, v.List = true, h.listed(d, q)
		if n < len(v.List) {
			v.Path += "?item=" + strconv.Itoa(n)
			v.List, v.Item = nil, true // this page changes one of them
		}
	}
	return h.pages.Show(w, r, status, "question", shell.Page{Title: q.Title, Back: h.before(d, q), Mistakes: mistakes, Body: v})
}

// listed are the items of the list that a question asks for.
func (h *Handler) listed(d work, q question) (all []item) {
	for i := range d.a.items(q.Section + "." + q.List) {
		var texts []string
		for _, m := range q.Members {
			if said := d.a[q.path(m, i)]; len(said) > 0 {
				texts = append(texts, h.shapes[q.Section].at(q.member(m)).shown(q.member(m), said)...)
			}
		}
		all = append(all, item{strings.Join(texts, ", "), d.about(q.key()) + "?item=" + strconv.Itoa(i)})
	}
	return all
}

// before is where Back leads from a question.
func (h *Handler) before(d work, q question) string {
	if !q.Core {
		return d.about(q.Section)
	}
	back := d.path("urgency")
	for _, section := range required() {
		if !slices.Contains(d.may, section) {
			continue
		}
		for _, earlier := range questionsOf(section, d.a, d.police) {
			switch {
			case earlier.key() == q.key():
				return back
			case earlier.Core:
				back = d.about(earlier.key())
			}
		}
	}
	return back
}

// question keeps what was answered, and leads to what is asked next.
func (h *Handler) question(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	d, err := h.open(r, s.Caller)
	if err != nil {
		return err
	}
	q, n, err := asked(r, d)
	if err != nil {
		return err
	}
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	if form.Get("remove") != "" && q.List != "" {
		d.a.drop(q.Section+"."+q.List, n)
		return h.keepAnd(w, r, s.Caller, d, form, d.about(q.Section))
	}
	for _, m := range q.Members {
		path := q.path(m, n)
		d.a.take(path, form)
		d.a.say(path, h.shapes[q.Section].at(q.member(m)).kept(d.a[path], h.inLondon())...)
	}
	if q.asksHow() {
		if err := h.reached(r.Context(), s.Caller, d); err != nil {
			return err
		}
	}
	if mistakes := h.mistakes(d, q, n); len(mistakes) > 0 && form.Get("later") == "" {
		return h.showQuestion(w, r, d, q, n, http.StatusUnprocessableEntity, mistakes)
	}
	if !slices.Contains(d.a[seenKey], q.key()) {
		d.a[seenKey] = append(d.a[seenKey], q.key())
	}
	return h.keepAnd(w, r, s.Caller, d, form, h.after(d, q, form.Get("another") != ""))
}

// after is where an answered question leads.
func (h *Handler) after(d work, q question, another bool) string {
	switch {
	case another && q.List != "":
		return d.about(q.key())
	case !q.Core:
		return d.about(q.Section)
	}
	return h.next(d)
}

// reached puts the one number of the first page on safe contact where it belongs, and names the
// worker through whom she is reached: who writes this, until somebody says another.
func (h *Handler) reached(ctx context.Context, c partners.Caller, d work) error {
	typed := d.a[herNumber]
	switch channel := d.a.one("safe-contact.channel"); channel {
	case "call", "text":
		return nil
	case viaWorker:
		d.a.say(workerNumber, typed...)
		d.a.say(herNumber)
		if d.a.one("safe-contact.worker.called") != "" {
			return nil
		}
		profile, err := h.Partners.Profile(ctx, c)
		if err != nil {
			return err
		}
		d.a.say("safe-contact.worker.called", profile.Name)
		d.a.say("safe-contact.worker.agency", profile.Agency)
	default:
		d.a.say(herNumber)
	}
	return nil
}

// sectionView is the page of one section: its questions, and what is answered.
type sectionView struct {
	Title, About string
	Path, Tasks  string
	Rows         []row
	Filled       bool
	Must         bool   // it is part of every referral
	Who          string // it goes to
	Police       bool
}

// row is one question with its answers.
type row struct {
	Label  string
	Texts  []string
	Change string
	What   string // is changed, for who hears the link alone
}

func (h *Handler) sectionPage(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	d, err := h.open(r, s.Caller)
	if err != nil {
		return err
	}
	section := mux.Vars(r)["section"]
	if !slices.Contains(d.may, section) {
		return partners.ErrNotThere
	}
	v := sectionView{Title: title(section), About: aboutSection(section), Path: d.about(section), Tasks: d.path(""), Rows: h.rows(d, section),
		Filled: d.a.under(section), Must: slices.Contains(required(), section), Who: d.to.Name, Police: d.police}
	return h.pages.Show(w, r, http.StatusOK, "section", shell.Page{Title: v.Title, Back: d.path(""), Body: v})
}

// rows are the questions about a section, each with what was answered.
func (h *Handler) rows(d work, section string) (rows []row) {
	for _, q := range questionsOf(section, d.a, d.police) {
		line := row{Label: q.Title, Change: d.about(q.key()), What: q.Title}
		if q.List != "" {
			for _, one := range h.listed(d, q) {
				line.Texts = append(line.Texts, one.Text)
			}
			rows = append(rows, line)
			continue
		}
		for _, m := range q.Members {
			path, s := q.path(m, 0), h.shapes[section].at(m)
			if q.asksHow() && path == herNumber && d.a.one("safe-contact.channel") == viaWorker {
				path = workerNumber
			}
			if said := d.a[path]; len(said) > 0 {
				text := strings.Join(s.shown(m, said), ", ")
				if len(q.Members) > 1 {
					text = strings.Replace(labels()[section+"."+m]+":", "?:", "?", 1) + " " + text
				}
				line.Texts = append(line.Texts, text)
			}
		}
		rows = append(rows, line)
	}
	return rows
}

// removeSection takes a section out of the referral, with all that was written in it.
func (h *Handler) removeSection(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	d, err := h.open(r, s.Caller)
	if err != nil {
		return err
	}
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	section := mux.Vars(r)["section"]
	d.a.forget(section)
	d.a.say(seenKey, slices.DeleteFunc(slices.Clone(d.a[seenKey]), func(key string) bool { return strings.HasPrefix(key, section+"/") })...)
	return h.keepAnd(w, r, s.Caller, d, form, d.path("")+"?done=removed")
}
