package casework

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gorilla/mux"

	"handover/audit/proof"
	"handover/internal/codes"
	"handover/oauth/signin"
	"handover/referral"
	"handover/web/shell"
)

// linked is the page of one step: its envelope, taken apart, and its proof. Nothing that is
// sealed is in either.
type linked struct {
	*seen
	Link     link
	Receipt  proof.Receipt
	Envelope []row
	Here     string    // the address of this page
	Sections []section // that the step carries, but for the request, whose page is the referral's, and notes, which are in the thread
	Content  *content
	Reason   string
}

// find is the step that a request is about.
func (h *Handler) find(r *http.Request, session signin.Session) (*seen, link, error) {
	s, err := h.reads(r, session)
	if err != nil {
		return nil, link{}, err
	}
	i := slices.IndexFunc(s.Chain, func(l link) bool { return l.Digest == mux.Vars(r)["digest"] })
	if i < 0 {
		return nil, link{}, referral.ErrNotThere
	}
	return s, s.Chain[i], nil
}

// link shows one step and how anybody verifies it.
func (h *Handler) link(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	s, l, err := h.find(r, session)
	if err != nil {
		return err
	}
	return h.showLink(w, r, s, l, nil)
}

// openLink has the sections of a later step opened: an answer may carry more than a note.
func (h *Handler) openLink(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	s, l, err := h.find(r, session)
	if err != nil {
		return err
	}
	o := openingOf(form)
	o.reason = reasonFor(s)
	o = o.whole(s.opens(l))
	opened, err := h.release(r.Context(), session.Caller, s, l, o)
	if err != nil {
		return h.notOpened(w, r, session, s, o, err)
	}
	return h.showLink(w, r, s, l, opened)
}

func (h *Handler) showLink(w http.ResponseWriter, r *http.Request, s *seen, l link, opened *content) error {
	receipt, err := h.proved(r.Context(), l.Entry)
	if err != nil {
		return err
	}
	v := linked{seen: s, Link: l, Receipt: receipt, Envelope: h.envelope(s, l), Here: s.Address + "/chain/" + l.Digest,
		Content: opened, Reason: codes.OpenReasons().Label(reasonFor(s))}
	if l.Digest != s.ID && !s.Own {
		for _, name := range s.opens(l) {
			switch {
			case codes.IsAttachment(name):
				v.Sections = append(v.Sections, fileOf(s, l, name))
			case name != "note":
				one := titled(name)
				one.With = strings.ToLower(one.Title[:1]) + one.Title[1:]
				v.Sections = append(v.Sections, one)
			}
		}
	}
	return h.pages.Show(w, r, http.StatusOK, "chain", shell.Page{Title: "A step and its proof", Back: s.Address, Body: v})
}

// envelope tells what a step's envelope states, with the codes of the envelope where words
// would leave something out: it is what was signed.
func (h *Handler) envelope(s *seen, l link) []row {
	c := l.Claims
	all := []row{{"What", texts(l.What())}, {"By", texts(l.By)}}
	add := func(label string, said ...string) {
		if len(said) > 0 && said[0] != "" {
			all = append(all, row{label, texts(said...)})
		}
	}
	add("Person", l.Who)
	add("Reason or outcome", l.Why())
	add("Signed at", h.Shell.When(time.Unix(c.IssuedAt, 0)))
	add("Stored at", h.Shell.When(l.Stored))
	if len(c.Sections) > 0 {
		add("Can be opened until", h.Shell.When(time.Unix(c.Expires, 0)))
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(c.Sections)) {
		names = append(names, titled(name).Title)
	}
	add("Carries, sealed", names...)
	if c.Basis != nil && c.Basis.Override != "" {
		add("Rests on override", c.Basis.Override)
	} else if c.Basis != nil {
		add("Rests on consent", c.Basis.Consent)
	}
	add("Signature", l.Signed)
	add("Key", l.Key)
	add("Digest of the envelope", l.Digest)
	add("Digest of the step before", c.Prev)
	return all
}

// receiptJSON is the receipt of a step as handover verify reads it.
func (h *Handler) receiptJSON(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	_, receipt, err := h.receiptOf(r, session)
	if err != nil {
		return err
	}
	text, err := json.Marshal(receipt, jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	return sendFile(w, "receipt.json", "application/json", text)
}

// proofText is the proof alone, in the form of C2SP tlog-proof.
func (h *Handler) proofText(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	_, receipt, err := h.receiptOf(r, session)
	if err != nil {
		return err
	}
	return sendFile(w, "proof.txt", "text/plain; charset=utf-8", []byte(receipt.Proof))
}

func (h *Handler) receiptOf(r *http.Request, session signin.Session) (link, proof.Receipt, error) {
	_, l, err := h.find(r, session)
	if err != nil {
		return link{}, proof.Receipt{}, err
	}
	receipt, err := h.proved(r.Context(), l.Entry)
	return l, receipt, err
}

// sendFile sends something to be kept, under a name that says nothing of whom it is about.
func sendFile(w http.ResponseWriter, name, mediaType string, text []byte) error {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(text) // nobody is left to tell
	return nil
}
