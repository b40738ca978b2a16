package agency

import (
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"handover/internal/codes"
	"handover/oauth/signin"
	"handover/partners"
	"handover/web/shell"
)

// stale is how long a word about capacity is believed: after it, whoever sends asks herself.
const stale = 14 * 24 * time.Hour

// serviceView is one service, in words.
type serviceView struct {
	partners.Service
	Running  bool // it is offered now
	Over     bool // it has ended for good
	Standing string
	Capacity string
	For      []string
	In       []string
	Facts    []string
	Old      bool // nobody has said for long how many it can take
}

// Uses are what it is for, in one line.
func (v serviceView) Uses() string { return strings.Join(v.For, "; ") }

func (h *Handler) inWords(o partners.Service) serviceView {
	return serviceView{Service: o, Running: o.Status == "active", Over: o.Status == "defunct",
		Standing: sentence(codes.ServiceStatuses().Label(o.Status)), Capacity: capacityInWords(o.Capacity, o.Wait),
		For: purposesInWords(o.Purposes), In: areasInWords(o.Areas), Facts: factsInWords(o), Old: h.Now().Sub(o.CapacityAt) > stale}
}

func purposesInWords(purposes []string) []string {
	words := make([]string, len(purposes))
	for i, p := range purposes {
		words[i] = codes.Purposes().Label(p)
	}
	return words
}

func factsInWords(o partners.Service) (words []string) {
	if o.WomenOnly {
		words = append(words, "For women only")
	}
	if o.AcceptsNoRecourse {
		words = append(words, "Takes women with no recourse to public funds")
	}
	if o.SelfReferral {
		words = append(words, "She may come by herself")
	}
	return words
}

func capacityInWords(capacity, wait string) string {
	words := sentence(codes.Capacities().Label(capacity))
	if wait != "" {
		words += " of " + codes.Waits().Label(wait)
	}
	return words
}

// servicesView is the list.
type servicesView struct {
	Services []serviceView
}

func serviceDone() map[string]string {
	return map[string]string{
		"add":      "The service was added. Other agencies see it now.",
		"change":   "The service was changed.",
		"capacity": "Noted. Other agencies see it now.",
	}
}

func (h *Handler) services(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	found, err := h.Partners.OwnServices(r.Context(), s.Caller)
	if err != nil {
		return err
	}
	var v servicesView
	for _, o := range found {
		v.Services = append(v.Services, h.inWords(o))
	}
	return h.pages.Show(w, r, http.StatusOK, "services", shell.Page{Title: "Services", Back: backOf(s.Caller), Done: done(r, serviceDone()), Body: v})
}

// servicesWant is what of services wants attention.
func (h *Handler) servicesWant(r *http.Request, s signin.Session) (found []want, err error) {
	services, err := h.Partners.OwnServices(r.Context(), s.Caller)
	if err != nil {
		return nil, err
	}
	old, open := 0, 0
	for _, o := range services {
		if v := h.inWords(o); v.Running {
			open++
			if v.Old {
				old++
			}
		}
	}
	if open == 0 {
		found = append(found, want{"Your agency offers no service now, so nobody can send it a referral.", servicesPath, "Go to services"})
	}
	if old > 0 {
		found = append(found, want{"For two weeks or more nobody has said how many can be taken: " + number(old, "service", "services") + ".", servicesPath, "Say it now"})
	}
	return found, nil
}

// foundService returns the service that the address names, or partners.ErrNotThere.
func (h *Handler) foundService(r *http.Request, s signin.Session) (serviceView, error) {
	o, err := h.Partners.OwnService(r.Context(), s.Caller, mux.Vars(r)["service"])
	if err != nil {
		return serviceView{}, notThere(err, partners.ErrServiceNotThere)
	}
	return h.inWords(o), nil
}
