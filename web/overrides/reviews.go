package overrides

import (
	"net/http"
	"time"

	"handover/consent"
	"handover/consent/record"
	"handover/oauth/signin"
	"handover/web/ask"
	"handover/web/shell"
)

// reviewsView is what waits for a manager.
type reviewsView struct {
	Doubts    []consent.Doubt
	Decisions []overrideCard
	Reviews   []overrideCard
}

// overrideCard is one override of a list. It does not say whom it is about.
type overrideCard struct {
	consent.OverrideLine
	To      string
	Why     string
	State   string
	Tag     string
	EndsAt  time.Time // of an emergency: when it covers nothing more unless somebody approves it
	Overdue bool      // the day to look at it again has passed
}

func (h *Handler) reviews(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	if err := manages(in); err != nil {
		return err
	}
	waiting, err := h.Consents.Waiting(r.Context(), in.Caller)
	if err != nil {
		return err
	}
	named, err := h.named(r.Context())
	if err != nil {
		return err
	}
	v := reviewsView{Doubts: waiting.Doubts}
	for _, l := range waiting.Decisions {
		v.Decisions = append(v.Decisions, h.cardOf(l, nameOf(named, l.Recipient)))
	}
	for _, l := range waiting.Reviews {
		v.Reviews = append(v.Reviews, h.cardOf(l, nameOf(named, l.Recipient)))
	}
	return h.pages.Show(w, r, http.StatusOK, "reviews", shell.Page{Title: "To review", Done: done(r), Body: v})
}

func (h *Handler) cardOf(l consent.OverrideLine, to string) overrideCard {
	c := overrideCard{OverrideLine: l, To: to, Why: ask.Upper(record.Reasons().Label(l.Reason)), Overdue: l.ReviewAt.Before(h.Now())}
	c.State, c.Tag = stateInWords(l.State)
	if l.Emergency {
		c.EndsAt = l.RecordedAt.Add(record.EmergencyLife)
	}
	return c
}

// stateInWords is where an override stands, and the colour of its tag.
func stateInWords(state string) (words, tag string) {
	switch state {
	case "proposed":
		return "Waits for a manager", "yellow"
	case "emergency":
		return "Emergency: counts for 24 hours", "red"
	case "approved":
		return "Approved", "green"
	case "lapsed":
		return "Lapsed: nobody decided in time", "red"
	case "refused":
		return "Refused", "grey"
	case "ended":
		return "Ended", "grey"
	}
	return "Run out", "grey"
}

// done is the sentence of what was done just now, by its code in the address.
func done(r *http.Request) string {
	return map[string]string{
		"proposed":  "It is proposed. A manager has to decide it.",
		"approved":  "You have approved it.",
		"refused":   "You have refused it. Nothing is shared on it.",
		"continues": "You have looked at it again. It goes on.",
		"ended":     "It has ended. Nothing more is shared on it.",
		"stands":    "You have decided that it stands. What she agreed to can be shared now.",
		"fails":     "You have decided that it does not stand. Nothing is shared on it.",
	}[r.URL.Query().Get("done")]
}
