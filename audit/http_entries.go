package audit

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"handover/audit/proof"
	"handover/internal/fault"
	"handover/internal/httpd"
	"handover/internal/ids"
)

// ErrFilter means that entries were asked for by what there is no asking by.
var ErrFilter = fault.New(fault.Invalid, "log-filter-invalid", fault.Sender,
	"Ask for entries by partner, act, outcome, subject, referral, consent, from, to, after and limit, each once at most and in the form that the description of the API gives; the member filter names the one at fault.")

// Reader is an authenticated caller who asks what the log says, and what she may ask. The log
// knows no domain: whoever mounts it says.
type Reader struct {
	By       proof.Entry // begins the entry that tells of it: partner, client, user
	All      bool        // may ask for everything that her partner may see
	About    bool        // may ask what was done about one referral, consent record or woman
	Oversees bool        // may ask for the entries of all partners; the database asks again
	Refusal  error       // what to answer when she may not
}

// The fewest and the most entries of one page, and how many one has that nobody said it of.
const (
	pageDefault = 100
	pageMost    = 500
)

// entry is how an entry is shown: what the leaf at index commits to, or that it was erased.
type entry struct {
	Index  int64  `json:"index"`
	Entry  string `json:"entry,omitempty"` // base64url of the canonical bytes
	Salt   string `json:"salt,omitempty"`  // base64url of 32 bytes
	Erased bool   `json:"erased,omitempty"`
	ID     string `json:"id,omitempty"` // of an erased one, whose bytes say it no more
}

// entries answers with a page of entries that the caller may see, newest first, and a
// checkpoint that covers them. Its Link leads to the next page, if there is any.
func (h *Handler) entries(w http.ResponseWriter, r *http.Request, by Reader) error {
	f, err := parseFilter(r.URL.RawQuery)
	if err != nil {
		return err
	}
	if !by.All && !(by.About && f.about()) {
		return by.Refusal
	}
	found, next, under, err := h.Log.store.entries(r.Context(), f, by)
	if err != nil {
		return err
	}
	h.Log.Kick()
	page := make([]entry, len(found))
	for i, e := range found {
		page[i] = entry{Index: e.Index, Entry: base64.RawURLEncoding.EncodeToString(e.Body), Salt: base64.RawURLEncoding.EncodeToString(e.Salt)}
		if e.Body == nil {
			page[i] = entry{Index: e.Index, Erased: true, ID: e.ID.String()}
		}
	}
	if next != (EntryID{}) {
		q := r.URL.Query()
		q.Set("after", next.String())
		w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.Path, q.Encode())) // RFC 8288
	}
	w.Header().Set("Cache-Control", "no-store")
	httpd.JSON(w, http.StatusOK, map[string]any{"entries": page, "checkpoint": string(under.Note)})
	return nil
}

// review answers with what an auditor is to look at.
func (h *Handler) review(w http.ResponseWriter, r *http.Request, by Reader) error {
	items, err := h.Log.Review(r.Context(), by, h.Sources)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	httpd.JSON(w, http.StatusOK, map[string]any{"items": items})
	return nil
}

// parseFilter reads a query. A name that it does not know or a value that can be nobody's is
// refused: an auditor who mistyped one would else take the empty page for an answer.
func parseFilter(raw string) (Filter, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return Filter{}, ErrFilter
	}
	f := Filter{Limit: pageDefault}
	parts := map[string]func(string) bool{
		"partner":  func(s string) bool { f.Partner = s; return ids.IsName(s) },
		"act":      func(s string) bool { f.Act = s; _, known := proof.ActOf(s); return known },
		"outcome":  func(s string) bool { f.Outcome = s; return codeForm.MatchString(s) },
		"subject":  func(s string) bool { f.Subject = s; return ids.IsSubject(s) },
		"referral": func(s string) bool { f.Referral = s; return ids.IsDigest(s) },
		"consent":  func(s string) bool { f.Consent = s; return ids.IsUUID(s) },
		"from":     func(s string) bool { return moment(s, &f.From) },
		"to":       func(s string) bool { return moment(s, &f.To) },
		"after":    func(s string) (ok bool) { f.After, err = ParseEntryID(s); return err == nil },
		"limit": func(s string) bool {
			f.Limit, err = strconv.Atoi(s)
			return err == nil && f.Limit > 0 && f.Limit <= pageMost
		},
	}
	for name, given := range values {
		part, known := parts[name]
		if !known {
			return Filter{}, ErrFilter // what it is called is not repeated
		}
		if len(given) != 1 || !part(given[0]) {
			return Filter{}, ErrFilter.With("filter", name)
		}
	}
	if !f.To.IsZero() && !f.From.Before(f.To) {
		return Filter{}, ErrFilter.With("filter", "to")
	}
	return f, nil
}

// moment reads a time with its zone, or a date. What no entry can have been made at is
// refused: an id has 48 bits of milliseconds.
func moment(s string, into *time.Time) bool {
	t, err := proof.ParseMoment(s)
	*into = t.UTC()
	return err == nil && t.Year() >= 1970 && t.Year() <= 9999
}
