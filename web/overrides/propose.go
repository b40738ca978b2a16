package overrides

import (
	"errors"
	"net/http"

	"handover/consent"
	"handover/consent/record"
	"handover/internal/fault"
	"handover/oauth/signin"
	"handover/referral/managed"
	"handover/web/shell"
)

// checkView is a proposal before it is made.
type checkView struct {
	Lines     []line
	Emergency bool
	Managers  []string
}

func (h *Handler) checkPage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	p, ok, err := h.begin(w, r, in)
	if err != nil || !ok {
		return err
	}
	if page := p.unanswered(); page != "" {
		shell.See(w, p.path(page))
		return nil
	}
	status, category := http.StatusOK, string(in.Caller.Category())
	var mistakes []shell.Mistake
	if r.Method == http.MethodPost {
		if mistakes, err = h.propose(r, in, p); err != nil {
			return err
		}
		if len(mistakes) == 0 {
			shell.See(w, "/overrides/"+p.One(idKey)+"?done=proposed&draft="+p.ID)
			return nil
		}
		status = http.StatusUnprocessableEntity
	}
	named, err := h.named(r.Context())
	if err != nil {
		return err
	}
	c := p.claims(category, h.Now().Unix())
	c.Bases[0].Controller = string(in.Caller.Partner())
	v := checkView{Lines: h.linesOf(c, named), Emergency: c.Emergency}
	v.Lines = append(v.Lines, textsOf(p.texts())...)
	for i, l := range v.Lines {
		v.Lines[i].Change, v.Lines[i].What = p.changes(i, len(v.Lines)), l.Label
	}
	if _, v.Managers, err = h.colleagues(r.Context(), in.Caller); err != nil {
		return err
	}
	return h.pages.Show(w, r, status, "check", shell.Page{Title: "Check what you propose", Back: p.path("told"), Mistakes: mistakes, Body: v})
}

// changes is the page on which a line is changed: the last three are the texts, the one before
// them the basis.
func (p proposal) changes(i, lines int) string {
	switch {
	case i >= lines-3:
		return p.path("need")
	case i == lines-4:
		return p.path("basis")
	case i == 6 || i >= 8:
		return p.path("told")
	case i == 0 || i == 2:
		return ""
	}
	return p.path("why")
}

func (p proposal) texts() map[string]string {
	return map[string]string{"necessity": p.One(needKey), "minimum": p.One(minimumKey), "at-risk": p.One(dangerKey)}
}

// propose proposes it, under an id that the draft keeps, so that two taps are one proposal. An
// override begins when it is signed, to the minute: a second tap begins anew, and finds its own
// id taken by the first.
func (h *Handler) propose(r *http.Request, in signin.Session, p proposal) ([]shell.Mistake, error) {
	category := string(in.Caller.Category())
	if _, why := p.grounds(category).Lacks(); why != "" {
		return []shell.Mistake{{Text: "Change what your agency relies on. " + why}}, nil
	}
	began := h.Now().Unix()
	_, err := h.Desk.Propose(r.Context(), in.Caller, managed.Proposal{Claims: p.claims(category, began), Texts: p.texts()})
	switch f, refused := errors.AsType[*fault.Fault](err); {
	case errors.Is(err, consent.ErrOverrideConflict): // the first of two taps
	case refused && errors.Is(err, record.ErrOverrideClaim):
		why, _ := f.Members()["why"].(string)
		return []shell.Mistake{{Text: why}}, nil
	case err != nil:
		return nil, err
	}
	p.Set(proposedKey, p.One(idKey))
	if err := h.Desk.KeepDraft(r.Context(), in.Caller, p.Draft); err != nil && !errors.Is(err, managed.ErrDraftChanged) {
		return nil, err
	}
	return nil, nil
}
