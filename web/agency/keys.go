package agency

import (
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"handover/oauth/signin"
	"handover/partners"
	"handover/web/shell"
)

// keyView is one key of the agency, in words.
type keyView struct {
	partners.HeldKey
	For    string // what it is for
	Counts bool   // now
	Ends   bool   // soon, and no other of its use goes on
	Hub    bool   // the hub holds the private part
	System string // of a key to authenticate: its system's name
}

// Short is how people tell keys apart. It decides nothing.
func (k keyView) Short() string { return k.ID[:8] }

// Tag is how it stands, in a word.
func (k keyView) Tag() string {
	switch {
	case !k.Revoked.IsZero():
		return "Revoked"
	case !k.Counts:
		return "Ended"
	case k.Ends:
		return "Ends soon"
	}
	return "In use"
}

func useInWords(u partners.Use) string {
	switch u {
	case partners.Signing:
		return "Signs what your agency sends"
	case partners.Encryption:
		return "Opens what is sent to your agency"
	case partners.Authentication:
		return "Shows the hub that a system is yours"
	}
	return string(u)
}

// ownKeys lists the agency's keys, those that count first.
func (h *Handler) ownKeys(r *http.Request, s signin.Session) ([]keyView, error) {
	held, err := h.Partners.HeldKeys(r.Context(), s.Caller)
	if err != nil {
		return nil, err
	}
	systems, err := h.Partners.Systems(r.Context(), s.Caller)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, y := range systems {
		names[y.ID] = y.Name
	}
	now := h.Now()
	var all []keyView
	for _, k := range held {
		counts := k.Revoked.IsZero() && now.Before(k.NotAfter)
		goesOn := slices.ContainsFunc(held, func(o partners.HeldKey) bool {
			return o.ID != k.ID && o.Use == k.Use && o.Client == k.Client && o.Revoked.IsZero() && o.NotAfter.After(k.NotAfter)
		})
		all = append(all, keyView{HeldKey: k, For: useInWords(k.Use), Counts: counts, Ends: counts && h.soon(k.NotAfter) && !goesOn,
			Hub: k.Custody == partners.HeldByHub, System: names[k.Client]})
	}
	slices.SortStableFunc(all, func(a, b keyView) int { return rank(a) - rank(b) })
	return all, nil
}

func rank(k keyView) int {
	if k.Counts {
		return 0
	}
	return 1
}

// keysView is the list, with who holds the private parts and what that means.
type keysView struct {
	Managed bool
	Agency  partners.ID
	Keys    []keyView
	Wants   []want
}

func (h *Handler) keys(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	v := keysView{Agency: s.Caller.Partner()}
	agency, err := h.Partners.Find(r.Context(), s.Caller.Partner())
	if err != nil {
		return err
	}
	v.Managed = agency.Custody == partners.HeldByHub
	if v.Keys, err = h.ownKeys(r, s); err != nil {
		return err
	}
	if v.Wants, err = h.keysWant(r, s); err != nil {
		return err
	}
	return h.pages.Show(w, r, http.StatusOK, "keys", shell.Page{Title: "Keys", Back: root, Body: v})
}

// keysWant is what of keys wants attention: none that counts, one that ends soon, and one alone
// that opens what is sent, of which nobody but the agency has a copy.
func (h *Handler) keysWant(r *http.Request, s signin.Session) (found []want, err error) {
	all, err := h.ownKeys(r, s)
	if err != nil {
		return nil, err
	}
	for _, use := range []partners.Use{partners.Signing, partners.Encryption} {
		count, own := 0, false
		for _, k := range all {
			if k.Use == use && k.Counts {
				count++
				own = own || !k.Hub
			}
		}
		switch {
		case count == 0 && use == partners.Signing:
			found = append(found, want{"No key signs for your agency now. Nothing can be sent until there is one.", keysPath, "Go to keys"})
		case count == 0:
			found = append(found, want{"No key of your agency opens anything now. Nothing can be sent to you until there is one.", keysPath, "Go to keys"})
		case count == 1 && own && use == partners.Encryption:
			found = append(found, want{"One key alone opens what is sent to your agency, and only your agency has it. If it is lost, nobody can open what waits for you. Keep a copy of your system’s profile in a safe place.",
				keysPath, "Go to keys"})
		}
	}
	for _, k := range all {
		if k.Ends {
			found = append(found, want{"A key ends on " + h.shell.Day(k.NotAfter) + ", and no other takes its place: " + k.For + ".", keysPath + "/" + k.ID, "See the key"})
		}
	}
	return found, nil
}

func (h *Handler) foundKey(r *http.Request, s signin.Session) (keyView, error) {
	all, err := h.ownKeys(r, s)
	if err != nil {
		return keyView{}, err
	}
	i := slices.IndexFunc(all, func(k keyView) bool { return k.ID == mux.Vars(r)["kid"] })
	if i < 0 {
		return keyView{}, partners.ErrNotThere
	}
	return all[i], nil
}

// step is what happened to a key, in words.
type step struct {
	What, How string
	At        time.Time
	Position  int64
	Index     int64 // in the log; -1 while it has no place
}

// oneKey is a key with what happened to it.
type oneKey struct {
	Key   keyView
	Steps []step
}

func (h *Handler) key(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	k, err := h.foundKey(r, s)
	if err != nil {
		return err
	}
	happened, err := h.Partners.KeySteps(r.Context(), s.Caller, k.ID)
	if err != nil {
		return err
	}
	v := oneKey{Key: k}
	for _, e := range happened {
		v.Steps = append(v.Steps, stepOf(e))
	}
	return h.pages.Show(w, r, http.StatusOK, "key", shell.Page{Title: "A key", Back: keysPath, Body: v})
}
