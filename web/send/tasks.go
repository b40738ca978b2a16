package send

import (
	"net/http"
	"slices"
	"strings"

	"handover/internal/codes"
	"handover/oauth/signin"
	"handover/referral/packet/schema"
	"handover/web/consents"
	"handover/web/shell"
)

// seenKey lists the questions that have been answered, or passed with nothing to say.
const seenKey = "seen"

// Standings of a task.
const (
	notYet   = "Not started"
	begun    = "In progress"
	done     = "Completed"
	free     = "Optional"
	blocked  = "Cannot start yet"
	nowhere  = "Cannot go to them"
	leftOut  = "Left out"
	overCard = "Without her agreement"
)

// task is one thing to do.
type task struct {
	Name, Path, Standing string
	Hint                 string
	Done                 bool
}

// Tag is the colour of the standing, "" for none.
func (t task) Tag() string {
	switch t.Standing {
	case notYet:
		return "govuk-tag--blue"
	case begun:
		return "govuk-tag--light-blue"
	case leftOut, overCard:
		return "govuk-tag--orange"
	}
	return ""
}

// tasksView is the task list of a referral.
type tasksView struct {
	First, More, Last []task
	Never             []neverRow // what may not go to them, and why
	Who               string
	Delete            string
}

// neverRow is a section that may not go to who receives this, with the reason.
type neverRow struct{ Name, Why string }

// required are the sections that are asked about on the way through.
func required() []string { return []string{safeContact, "need"} }

// next is the path of the first thing that has to be done before it can be sent.
func (h *Handler) next(d work) string {
	switch {
	case d.a.one(serviceKey) == "" || d.to.ID == "" || len(d.may) == 0: // or the agreement has ended since
		if d.a.one(purposeKey) == "" || d.a.one(areaKey) == "" {
			return d.path("find")
		}
		return d.path("choose")
	case d.a.one(urgencyKey) == "":
		return d.path("urgency")
	}
	for _, section := range required() {
		if slug := h.ahead(d, section); slug != "" {
			return d.about(section + "/" + slug)
		}
	}
	if d.a.one(consentKey) == "" && d.a.one(overrideKey) == "" {
		return d.path("consent")
	}
	return d.path("check")
}

// ahead is the first question of a section that must be answered and is not, or "". A section
// that cannot go is not asked about.
func (h *Handler) ahead(d work, section string) string {
	if !slices.Contains(d.may, section) {
		return ""
	}
	for _, q := range questionsOf(section, d.a, d.police) {
		if q.Core && (!slices.Contains(d.a[seenKey], q.key()) || len(h.mistakes(d, q, 0)) > 0) {
			return q.Slug
		}
	}
	return ""
}

// key is the question's name among those that were seen.
func (q question) key() string { return q.Section + "/" + q.Slug }

// standing is how far a section is.
func (h *Handler) standing(d work, section string) string {
	must := slices.Contains(required(), section)
	switch {
	case !slices.Contains(d.may, section):
		return nowhere
	case !d.a.under(section) && must:
		return notYet
	case !d.a.under(section):
		return free
	case must && h.ahead(d, section) != "":
		return begun
	case len(schema.Misfits(section, h.section(d.a, section, d.police))) > 0:
		return begun
	}
	return done
}

func (h *Handler) tasks(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	d, err := h.open(r, s.Caller)
	if err != nil {
		return err
	}
	said := r.URL.Query().Get("done")
	if next := h.next(d); said == "consent" && next == d.path("check") {
		shell.See(w, next+"?done=consent") // she was asked on the way through: on it goes
		return nil
	}
	v := tasksView{First: h.firstTasks(d), Delete: d.path("delete"), Who: d.to.Name}
	rest := []string{"risk"}
	for _, c := range codes.Sections() {
		if c.Code != "risk" && !slices.Contains(required(), c.Code) {
			rest = append(rest, c.Code)
		}
	}
	for _, section := range rest {
		if standing := h.standing(d, section); standing != nowhere {
			v.More = append(v.More, task{Name: title(section), Path: d.about(section), Standing: standing, Done: standing == done})
		}
	}
	v.Last, v.Never = h.lastTasks(d), d.never()
	page := shell.Page{Title: "Your referral", Back: "/send", Body: v, Done: map[string]string{
		"consent": "What she said about sharing is recorded.", "removed": "That part is taken out of the referral."}[said]}
	return h.pages.Show(w, r, http.StatusOK, "tasks", page)
}

// title is the heading of a section, as its schema has it.
func title(section string) string {
	d, _ := schema.Newest(section)
	return d.Title
}

func (h *Handler) firstTasks(d work) []task {
	who := task{Name: "Who it goes to", Path: d.path("find"), Standing: notYet}
	if d.to.ID != "" {
		who.Standing, who.Hint, who.Done = done, d.to.Name, true
	}
	soon := task{Name: "How soon she must be answered", Path: d.path("urgency"), Standing: notYet}
	if u := urgencyOf(d.a.one(urgencyKey)); u.Code != "" {
		soon.Standing, soon.Hint, soon.Done = done, u.Label, true
	}
	all := []task{who, soon}
	for _, section := range required() {
		t := task{Name: title(section), Standing: h.standing(d, section), Path: d.about(section)}
		if slug := h.ahead(d, section); slug != "" {
			t.Path = d.about(section + "/" + slug)
		}
		if t.Standing == nowhere {
			t.Path = ""
			if d.to.ID == "" {
				t.Standing = blocked
			}
		}
		t.Done = t.Standing == done
		all = append(all, t)
	}
	return all
}

func (h *Handler) lastTasks(d work) []task {
	agreed := task{Name: "Has she agreed to this?", Standing: blocked}
	check := task{Name: "Check and send", Standing: blocked}
	switch {
	case d.a.one(overrideKey) != "":
		agreed.Standing, agreed.Path, agreed.Done = overCard, d.asks(), true
	case d.a.one(consentKey) != "":
		agreed.Standing, agreed.Path, agreed.Done = done, d.asks(), true
	case len(d.sections()) > 0:
		agreed.Standing, agreed.Path = notYet, d.path("consent")
		if answered, _ := consents.Progress(d.Draft); answered > 0 {
			agreed.Standing = begun
		}
	}
	if h.next(d) == d.path("check") {
		check.Standing, check.Path = notYet, d.path("check")
	}
	return []task{agreed, check}
}

// never lists what cannot go to who receives this, each with the reason: that no rule lets it,
// or that no agreement does.
func (d work) never() (rows []neverRow) {
	purpose := d.a.one(purposeKey)
	for _, rule := range d.rules {
		if slices.Contains(d.may, rule.Section) {
			continue
		}
		why := rule.Why
		if slices.Contains(rule.Purposes, "*") || slices.Contains(rule.Purposes, purpose) {
			why = "the agreement between your agencies does not cover it"
		}
		rows = append(rows, neverRow{title(rule.Section), capital(strings.TrimSuffix(why, ".")) + "."})
	}
	return rows
}

// aboutSection is what a section is for, as its schema has it.
func aboutSection(section string) string {
	d, _ := schema.Newest(section)
	return d.Description
}
