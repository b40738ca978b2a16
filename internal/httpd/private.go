package httpd

import (
	"context"
	"errors"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"handover/internal/fault"
)

// probeFor is how long an answer of Ready holds: a stranger who asks a thousand
// times a second costs the database one question.
const probeFor = time.Second

func isProbe(path string) bool { return path == "/livez" || path == "/readyz" }

// Mount adds the probes to the public router: /livez says that the process runs,
// /readyz that it can do its work now. They say yes or no, and of a no at most which
// declared refusal it is.
func (s *Server) Mount(r *mux.Router) {
	r.Handle("/livez", http.HandlerFunc(live)).Methods(http.MethodGet)
	r.Handle("/readyz", Handle(s.readyz)).Methods(http.MethodGet)
}

func live(w http.ResponseWriter, _ *http.Request) {
	JSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	if err := s.ready.ask(r.Context(), s); err != nil {
		return err
	}
	JSON(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

// Private returns what the operator's listener serves: metrics, profiles and the
// probes. Profiles show memory, so this listener must never face partners.
func (s *Server) Private() http.Handler {
	r := Router()
	s.Mount(r)
	r.Handle("/metrics", promhttp.HandlerFor(s.o.Registry, promhttp.HandlerOpts{})).Methods(http.MethodGet)
	r.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline).Methods(http.MethodGet)
	r.HandleFunc("/debug/pprof/profile", pprof.Profile).Methods(http.MethodGet)
	r.HandleFunc("/debug/pprof/symbol", pprof.Symbol).Methods(http.MethodGet, http.MethodPost)
	r.HandleFunc("/debug/pprof/trace", pprof.Trace).Methods(http.MethodGet)
	r.PathPrefix("/debug/pprof/").HandlerFunc(pprof.Index).Methods(http.MethodGet)
	return r
}

// readiness remembers the last answer of Options.Ready.
type readiness struct {
	mu    sync.Mutex
	asked time.Time
	no    error // nil when it was yes
}

func (p *readiness) ask(ctx context.Context, s *Server) error {
	if s.limit.drain.Err() != nil {
		return ErrNotReady
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := s.o.Now()
	if !p.asked.IsZero() && now.Sub(p.asked) < probeFor {
		return p.no
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	err := s.o.Ready(ctx)
	if err != nil && p.no == nil { // once, not at each probe
		s.o.Log.ErrorContext(ctx, "not ready", "error", causeText(err))
	}
	if _, declared := errors.AsType[*fault.Fault](err); err != nil && !declared {
		err = ErrNotReady
	}
	p.asked, p.no = now, err
	return p.no
}
