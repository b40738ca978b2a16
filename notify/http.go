package notify

import (
	"context"
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/internal/httpd"
	"handover/internal/ids"
	"handover/partners"
)

// Handler serves an agency's webhooks to its administrators, and the hub's public keys to
// everybody.
type Handler struct {
	Gate  *partners.Gate
	Log   *audit.Log
	Store *Store
}

// Mount adds the routes.
func (h *Handler) Mount(r *mux.Router) {
	admin := partners.PartnerAdmin
	r.Handle("/v1/hub/webhook-keys", httpd.Handle(h.keys)).Methods("GET")
	r.Handle("/v1/webhooks", h.Gate.Allow(admin, h.list)).Methods("GET")
	r.Handle("/v1/webhooks", h.Gate.Proven(admin, h.add)).Methods("POST")
	r.Handle("/v1/webhooks/{webhook}", h.Gate.Allow(admin, h.one)).Methods("GET")
	r.Handle("/v1/webhooks/{webhook}/test", h.Gate.Proven(admin, h.test)).Methods("POST")
	r.Handle("/v1/webhooks/{webhook}/rotate", h.Gate.Proven(admin, h.rotate)).Methods("POST")
	r.Handle("/v1/webhooks/{webhook}/pause", h.Gate.Proven(admin, h.change(h.Store.Pause))).Methods("POST")
	r.Handle("/v1/webhooks/{webhook}/resume", h.Gate.Proven(admin, h.change(h.Store.Resume))).Methods("POST")
	r.Handle("/v1/webhooks/{webhook}/remove", h.Gate.Proven(admin, h.remove)).Methods("POST")
	r.Handle("/v1/webhooks/{webhook}/deliveries", h.Gate.Allow(admin, h.deliveries)).Methods("GET")
	r.Handle("/v1/webhooks/{webhook}/deliveries/{delivery}/replay", h.Gate.Proven(admin, h.replay)).Methods("POST")
}

// bodyLimit is room for an address and the events, many times over.
const bodyLimit = 8 << 10

func (h *Handler) keys(w http.ResponseWriter, r *http.Request) error {
	all, err := SigningKeys(r.Context(), h.Store.Keys)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "public, max-age=300")
	httpd.JSON(w, http.StatusOK, map[string]any{"keys": all})
	return nil
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	all, err := h.Store.Webhooks(r.Context(), c)
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"webhooks": all})
	return nil
}

// withSecret is a webhook, or its new secret, at the one time that it is shown.
type withSecret struct {
	Webhook
	Secret string `json:"secret"`
}

func (h *Handler) add(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	body, err := httpd.Decode[struct {
		URL    string  `json:"url"`
		Events []Event `json:"events,omitempty"`
	}](w, r, bodyLimit)
	if err != nil {
		return err
	}
	made, secret, err := h.Store.Add(r.Context(), c, body.URL, body.Events)
	if err != nil {
		return err
	}
	h.Log.Kick()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", "/v1/webhooks/"+made.ID)
	httpd.JSON(w, http.StatusCreated, withSecret{made, secret})
	return nil
}

func (h *Handler) one(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	found, err := h.Store.Webhook(r.Context(), c, mux.Vars(r)["webhook"])
	if err != nil {
		return concerning(r, c, err)
	}
	httpd.JSON(w, http.StatusOK, found)
	return nil
}

func (h *Handler) test(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	id, err := h.Store.Try(r.Context(), c, mux.Vars(r)["webhook"])
	if err != nil {
		return concerning(r, c, err)
	}
	h.Log.Kick()
	httpd.JSON(w, http.StatusAccepted, map[string]any{"id": id})
	return nil
}

func (h *Handler) rotate(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	secret, until, err := h.Store.Rotate(r.Context(), c, mux.Vars(r)["webhook"])
	if err != nil {
		return concerning(r, c, err)
	}
	h.Log.Kick()
	w.Header().Set("Cache-Control", "no-store")
	httpd.JSON(w, http.StatusOK, map[string]any{"secret": secret, "old_until": until})
	return nil
}

// change serves a change of where a webhook stands.
func (h *Handler) change(do func(context.Context, partners.Caller, string) error) func(http.ResponseWriter, *http.Request, partners.Caller) error {
	return func(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
		if err := do(r.Context(), c, mux.Vars(r)["webhook"]); err != nil {
			return concerning(r, c, err)
		}
		h.Log.Kick()
		return h.one(w, r, c)
	}
}

func (h *Handler) remove(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	if err := h.Store.Remove(r.Context(), c, mux.Vars(r)["webhook"]); err != nil {
		return concerning(r, c, err)
	}
	h.Log.Kick()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) deliveries(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	all, err := h.Store.Deliveries(r.Context(), c, mux.Vars(r)["webhook"])
	if err != nil {
		return concerning(r, c, err)
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"deliveries": all})
	return nil
}

func (h *Handler) replay(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	v := mux.Vars(r)
	if err := h.Store.Replay(r.Context(), c, v["webhook"], v["delivery"]); err != nil {
		return concerning(r, c, err)
	}
	h.Log.Kick()
	httpd.JSON(w, http.StatusAccepted, map[string]any{"id": v["delivery"]})
	return nil
}

// concerning has the log name the webhook that a refusal is about, if it is one of the agency's:
// nothing a caller invents reaches it.
func concerning(r *http.Request, c partners.Caller, err error) error {
	e := c.Entry("refused")
	if id := mux.Vars(r)["webhook"]; ids.IsUUID(id) && !errors.Is(err, ErrWebhookNotThere) {
		e.Target = id
	}
	return partners.Concerning(err, e)
}
