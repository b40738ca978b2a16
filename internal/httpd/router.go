package httpd

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"
)

// Router returns a router whose unknown paths and wrong methods are problems like
// all others. It never redirects: a cleaned or slashed path would be repeated to
// the caller, and a POST that is redirected loses its body.
func Router() *mux.Router {
	r := mux.NewRouter().SkipClean(true)
	r.NotFoundHandler = Handle(func(http.ResponseWriter, *http.Request) error {
		return ErrNoSuchPath
	})
	r.MethodNotAllowedHandler = Handle(func(w http.ResponseWriter, req *http.Request) error {
		w.Header().Set("Allow", strings.Join(allowed(r, req), ", "))
		return ErrMethod
	})
	r.Use(nameRoute)
	return r
}

// Handle makes a handler of h: what h returns is answered by Problem.
func Handle(h func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			Problem(w, r, err)
		}
	})
}

// nameRoute notes the template of the matched route, the only form in which a
// path reaches logs and metrics.
func nameRoute(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x := exchangeFrom(r.Context()); x != nil {
			x.setRoute(template(mux.CurrentRoute(r)))
		}
		next.ServeHTTP(w, r)
	})
}

func template(route *mux.Route) string {
	if route == nil {
		return ""
	}
	t, err := route.GetPathTemplate()
	if err != nil {
		return ""
	}
	return t
}

// allowed lists the methods that the path of req takes (RFC 9110 §15.5.6), and
// notes its template: the caller found the door, only not the handle.
func allowed(router *mux.Router, req *http.Request) []string {
	var methods []string
	for _, m := range knownMethods() {
		probe := req.Clone(req.Context())
		probe.Method = m
		var match mux.RouteMatch
		if !router.Match(probe, &match) || match.Route == nil {
			continue
		}
		methods = append(methods, m)
		if x := exchangeFrom(req.Context()); x != nil {
			x.setRoute(template(match.Route))
		}
	}
	return methods
}

func knownMethods() []string {
	return []string{
		http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodOptions,
		http.MethodPatch, http.MethodPost, http.MethodPut,
	}
}
