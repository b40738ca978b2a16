package partners

import (
	"net/http"

	"github.com/gorilla/mux"

	"handover/internal/codes"
	"handover/internal/httpd"
	"handover/internal/ids"
)

// mountServices adds the routes by which an agency says what it offers. Its systems may, too:
// one that knows how many beds are free says so at night. Of a person, other terms want a proof
// of a moment ago; her word of how many can be taken does not, since it is worth most when it is
// quickest to give.
func (h *Handler) mountServices(r *mux.Router) {
	r.Handle("/v1/services", h.Gate.Allow("", h.services)).Methods("GET")
	r.Handle("/v1/services", h.Gate.Allow(ServicesWrite, h.addService)).Methods("POST")
	r.Handle("/v1/services/{service}", h.Gate.Allow(ServicesWrite, h.changeService)).Methods("POST")
	r.Handle("/v1/services/{service}/capacity", h.Gate.Allow(ServicesWrite, h.setCapacity)).Methods("POST")
}

// serviceLimit bounds the body that says what a service is: every authority of England has
// room in it.
const serviceLimit = 16 << 10

// serviceTerms is what an agency may say of a service. There is no member for an address.
type serviceTerms struct {
	Name              string   `json:"name"`
	Purposes          []string `json:"purposes"`
	Areas             []string `json:"areas"`
	Status            string   `json:"status"`
	WomenOnly         bool     `json:"women_only"`
	AcceptsNoRecourse bool     `json:"accepts_no_recourse"`
	SelfReferral      bool     `json:"self_referral"`
}

func (t serviceTerms) service() Service {
	return Service{Name: t.Name, Purposes: t.Purposes, Areas: t.Areas, Status: t.Status,
		WomenOnly: t.WomenOnly, AcceptsNoRecourse: t.AcceptsNoRecourse, SelfReferral: t.SelfReferral}
}

// capacitySaid is how many a service can take now.
type capacitySaid struct {
	Capacity string `json:"capacity"`
	Wait     string `json:"wait,omitempty"`
}

func (h *Handler) services(w http.ResponseWriter, r *http.Request, _ Caller) error {
	need, area := r.URL.Query().Get("need"), r.URL.Query().Get("area")
	if (need != "" && !codes.Purposes().Has(need)) || (area != "" && !codes.IsArea(area)) {
		return ErrServiceQuery
	}
	found, err := h.Store.Services(r.Context(), need, area)
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"services": found})
	return nil
}

// addService adds one that is running.
func (h *Handler) addService(w http.ResponseWriter, r *http.Request, c Caller) error {
	body, err := httpd.Decode[struct {
		Terms    serviceTerms `json:",embed"`
		Capacity capacitySaid `json:",embed"`
	}](w, r, serviceLimit)
	if err != nil {
		return err
	}
	if err := h.provenPerson(c); err != nil {
		return err
	}
	o := body.Terms.service()
	o.Capacity, o.Wait = body.Capacity.Capacity, body.Capacity.Wait
	added, err := h.Store.AddService(r.Context(), c, o)
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusCreated, added)
	return nil
}

func (h *Handler) changeService(w http.ResponseWriter, r *http.Request, c Caller) error {
	body, err := httpd.Decode[serviceTerms](w, r, serviceLimit)
	if err != nil {
		return err
	}
	if err := h.provenPerson(c); err != nil {
		return err
	}
	o := body.service()
	o.ID = mux.Vars(r)["service"]
	changed, err := h.Store.ChangeService(r.Context(), c, o)
	if err != nil {
		return AboutService(err, c, o.ID)
	}
	httpd.JSON(w, http.StatusOK, changed)
	return nil
}

func (h *Handler) setCapacity(w http.ResponseWriter, r *http.Request, c Caller) error {
	body, err := httpd.Decode[capacitySaid](w, r, personLimit)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["service"]
	changed, err := h.Store.SetCapacity(r.Context(), c, id, body.Capacity, body.Wait)
	if err != nil {
		return AboutService(err, c, id)
	}
	httpd.JSON(w, http.StatusOK, changed)
	return nil
}

// provenPerson returns ErrStepUp of a person who has not proved a moment ago who she is. A
// system alone has nobody to prove.
func (h *Handler) provenPerson(c Caller) error {
	if c.User() != "" && !c.ProvedSince(h.Gate.now().Add(-Recent)) {
		return ErrStepUp
	}
	return nil
}

// AboutService has a refusal logged with the service it was about.
func AboutService(err error, c Caller, service string) error {
	e := c.Entry("refused")
	if ids.IsUUID(service) { // nothing a caller invents reaches the log
		e.Target = service
	}
	return Concerning(err, e)
}
