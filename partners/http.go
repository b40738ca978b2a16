package partners

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/fault"
	"handover/internal/httpd"
	"handover/keys"
)

// Gate stands before every route. It knows the log, because what is refused is
// recorded like what is done.
type Gate struct {
	Log *audit.Log
	Now func() time.Time // default: time.Now
}

// Allow admits to h only a caller with the scope; scope "" admits any caller. Each
// route names its scope where it is mounted, so that a missing one shows. A stranger
// learns nothing but that she is one. A refusal is logged in a transaction of its
// own before it is answered; when it cannot be logged, the answer is 503.
func (g *Gate) Allow(scope Scope, h func(http.ResponseWriter, *http.Request, Caller) error) http.Handler {
	return httpd.Handle(func(w http.ResponseWriter, r *http.Request) error {
		c, ok := CallerFrom(r.Context())
		if !ok {
			g.Log.CountAnonymous(ErrUnauthenticated.Code)
			return ErrUnauthenticated
		}
		if scope != "" && !c.Has(scope) {
			w.Header().Set("WWW-Authenticate", `DPoP error="insufficient_scope", scope="`+string(scope)+`"`) // RFC 6750 §3.1
			return g.refuse(r.Context(), c, ErrScope.With("scope", string(scope)))
		}
		return g.refuse(r.Context(), c, h(w, r, c))
	})
}

// Proven is Allow for the acts of a person who has proved a moment ago that it is she:
// administration, overrides. It stops whoever finds her signed-in screen, or has her
// refresh token. The challenge is that of RFC 9470 §3.
func (g *Gate) Proven(scope Scope, h func(http.ResponseWriter, *http.Request, Caller) error) http.Handler {
	return g.Allow(scope, func(w http.ResponseWriter, r *http.Request, c Caller) error {
		if !c.ProvedSince(g.now().Add(-Recent)) {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`DPoP error="insufficient_user_authentication", max_age=%d`, int(Recent.Seconds())))
			return ErrStepUp
		}
		return h(w, r, c)
	})
}

func (g *Gate) now() time.Time {
	now := g.Now
	if now == nil {
		now = time.Now
	}
	return now()
}

// Authenticated lets any caller through to next, for routes that know no domain.
func (g *Gate) Authenticated(next func(http.ResponseWriter, *http.Request) error) http.Handler {
	return g.Allow("", func(w http.ResponseWriter, r *http.Request, _ Caller) error { return next(w, r) })
}

// RecordStrays has requests recorded that no route of r takes: of a caller as her refusal, of
// strangers by their number. Whoever feels along a hub for what might be there leaves a trace.
func (g *Gate) RecordStrays(r *mux.Router) {
	r.NotFoundHandler = g.stray(httpd.ErrNoSuchPath, r.NotFoundHandler)
	r.MethodNotAllowedHandler = g.stray(httpd.ErrMethod, r.MethodNotAllowedHandler)
}

func (g *Gate) stray(why *fault.Fault, answer http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, known := CallerFrom(r.Context())
		if !known {
			g.Log.CountAnonymous(why.Code)
		} else if err := g.refuse(r.Context(), c, why); errors.Is(err, audit.ErrReceiptPending) { // it could not be logged
			httpd.Problem(w, r, err)
			return
		}
		answer.ServeHTTP(w, r)
	})
}

// refuse records err when it is a refusal, and returns what to answer.
func (g *Gate) refuse(ctx context.Context, c Caller, err error) error {
	var refusal *fault.Fault
	if !errors.As(err, &refusal) || refusal.Kind == fault.Unavailable {
		return err
	}
	e := c.Entry("refused")
	var about concerning
	if errors.As(err, &about) {
		e = about.entry
		e.Act = "refused"
	}
	e.Outcome = refusal.Code
	if logErr := g.Log.Refuse(ctx, e); logErr != nil {
		return errors.Join(audit.ErrReceiptPending, logErr)
	}
	return err
}

// concerning is a refusal with what it was about.
type concerning struct {
	error
	entry proof.Entry
}

func (c concerning) Unwrap() error { return c.error }

// Concerning attaches to a refusal the log entry that says what it was about: the
// referral, the envelope, the consent. nil stays nil.
func Concerning(err error, e proof.Entry) error {
	if err == nil {
		return nil
	}
	return concerning{err, e}
}

// Handler serves the directory, enrolment, and an agency's administration of itself.
type Handler struct {
	Gate   *Gate
	Store  *Store
	Issuer string        // the hub's issuer URL, which an enrolment must name
	Keys   keys.Store    // holds the keys of managed partners
	Wait   time.Duration // the longest a system waits until its agency's keys may leave
}

// Mount adds the routes.
func (h *Handler) Mount(r *mux.Router) {
	r.Handle("/v1/partners", h.Gate.Allow("", h.directory)).Methods("GET")
	r.Handle("/v1/partners/{partner}", h.Gate.Allow("", h.partner)).Methods("GET")
	r.Handle("/v1/partners/{partner}/jwks.json", h.Gate.Allow("", h.keys)).Methods("GET")
	r.Handle("/v1/partners/{partner}/keys", h.Gate.Allow("", h.keyHistory)).Methods("GET")
	r.Handle("/v1/firewall", httpd.Handle(h.showFirewall)).Methods("GET")
	r.Handle("/v1/enrol", httpd.Handle(h.enrol)).Methods("POST") // the code is the credential
	h.mountServices(r)
	h.mountPeople(r)
	h.mountSystems(r)
	h.mountCustody(r)
	h.mountAgreements(r)
}

func (h *Handler) directory(w http.ResponseWriter, r *http.Request, _ Caller) error {
	found, err := h.Store.Directory(r.Context())
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"partners": found})
	return nil
}

func (h *Handler) partner(w http.ResponseWriter, r *http.Request, _ Caller) error {
	found, err := h.Store.Find(r.Context(), ID(mux.Vars(r)["partner"]))
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusOK, found)
	return nil
}

func (h *Handler) keys(w http.ResponseWriter, r *http.Request, _ Caller) error {
	keys, err := h.Store.Keys(r.Context(), ID(mux.Vars(r)["partner"]))
	if err != nil {
		return err
	}
	set, err := JWKSet(keys)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/jwk-set+json") // RFC 7517 §8.5.2
	w.Header().Set("Cache-Control", fmt.Sprintf("private, max-age=%d", int(freshFor(keys, h.Gate.now()).Seconds())))
	w.Write(set)
	return nil
}

// enrol counts what it refuses, since nobody knows yet who asks: whoever tries codes
// shows in the log.
func (h *Handler) enrol(w http.ResponseWriter, r *http.Request) error {
	err := h.redeem(w, r)
	if refusal, ok := errors.AsType[*fault.Fault](err); ok {
		h.Gate.Log.CountAnonymous(refusal.Code)
	}
	return err
}

func (h *Handler) redeem(w http.ResponseWriter, r *http.Request) error {
	body, err := httpd.Decode[struct {
		Code      string `json:"code"`
		Statement string `json:"enrolment"`
	}](w, r, 2*enrolmentLimit)
	if err != nil {
		return err
	}
	c, err := h.Store.Enrol(r.Context(), h.Issuer, strings.TrimSpace(body.Code), body.Statement)
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusCreated, map[string]any{
		"partner": c.Partner, "client_id": c.ID, "scopes": c.SystemScopes(), "issuer": h.Issuer,
	})
	return nil
}
