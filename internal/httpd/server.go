package httpd

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Options is what a Server needs. The zero value of each field is usable, but a
// real hub sets Issuer, Log, Registry and Ready.
type Options struct {
	Issuer   string                          // the hub's public URL, without a final slash; begins every problem's type
	Log      *slog.Logger                    // one line per request; default: none
	Registry *prometheus.Registry            // default: a new one
	Ready    func(ctx context.Context) error // asked by /readyz, at most once a second; default: always ready

	// Network says where a request comes from; each has a quarter of MaxInFlight. Default:
	// nobody asks.
	Network func(*http.Request) string

	MaxInFlight int           // requests worked on at once, default 256; each may hold a body of its route's limit
	MaxWaiting  int           // requests that only wait (Wait), default 4096
	HeaderTime  time.Duration // for the headers to arrive, default 5 s
	ReadTime    time.Duration // for headers and body to arrive, default 20 s: a byte a second must not hold a connection for days
	WriteTime   time.Duration // for the answer to be taken, default 60 s
	IdleTime    time.Duration // between requests of one connection, default 2 min
	Grace       time.Duration // for requests under way when the hub stops, default 15 s

	Now func() time.Time // default time.Now; Wait counts the deadline of an answer from it
}

func (o Options) defaulted() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Issuer = strings.TrimSuffix(o.Issuer, "/")
	setIfZero(&o.MaxInFlight, 256)
	setIfZero(&o.MaxWaiting, 4096)
	setIfZero(&o.HeaderTime, 5*time.Second)
	setIfZero(&o.ReadTime, 20*time.Second)
	setIfZero(&o.WriteTime, 60*time.Second)
	setIfZero(&o.IdleTime, 2*time.Minute)
	setIfZero(&o.Grace, 15*time.Second)
	return o
}

func setIfZero[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// maxHeaderBytes is room for an access token and a DPoP proof, several times
// over. net/http allows 4 KiB more, and answers 431 itself.
const maxHeaderBytes = 16 << 10

// Server serves one hub: the public API on one listener, metrics and profiles on
// another.
type Server struct {
	o      Options
	m      *metrics
	limit  *limit
	ready  readiness
	secure bool
}

// New returns a server; it registers its metrics with o.Registry, so there is one
// server for each registry.
func New(o Options) *Server {
	o = o.defaulted()
	drain, begin := context.WithCancel(context.Background())
	return &Server{
		o: o,
		m: newMetrics(o.Registry),
		limit: &limit{
			maxWorking: int64(o.MaxInFlight), maxWaiting: int64(o.MaxWaiting),
			drain: drain, begin: begin, writeTime: o.WriteTime, now: o.Now, network: o.Network, shares: map[string]int64{},
		},
		secure: strings.HasPrefix(o.Issuer, "https://"),
	}
}

// Public puts everything of this package around router: id, headers, log line,
// metrics, recovery and limit.
func (s *Server) Public(router http.Handler) http.Handler {
	return s.observe(s.limit.within(router))
}

// Serve answers on both listeners until ctx ends; private may be nil. It then
// turns /readyz to no, ends the waiting requests, lets those under way finish for
// Options.Grace, and returns nil if all of them did. It may be called once.
func (s *Server) Serve(ctx context.Context, public, private net.Listener, router http.Handler) error {
	servers := []*http.Server{s.server(s.Public(router))}
	listeners := []net.Listener{public}
	if private != nil {
		p := s.server(s.Private())
		p.WriteTimeout = 0 // a profile takes as long as it was asked to
		servers, listeners = append(servers, p), append(listeners, private)
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range servers {
		group.Go(func() error {
			if err := servers[i].Serve(listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serving on %s: %w", listeners[i].Addr(), err)
			}
			return nil
		})
	}
	group.Go(func() error {
		<-ctx.Done()
		s.limit.begin()
		return s.stop(context.WithoutCancel(ctx), servers)
	})
	return group.Wait()
}

// stop ends the servers: gently for the grace time, then at once.
func (s *Server) stop(ctx context.Context, servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.Grace)
	defer cancel()
	var late error
	for _, server := range servers {
		if err := server.Shutdown(ctx); err != nil {
			late = errors.Join(late, fmt.Errorf("stopping: requests were cut off: %w", err), server.Close())
		}
	}
	return late
}

func (s *Server) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            s.o.HeaderTime,
		ReadTimeout:                  s.o.ReadTime,
		WriteTimeout:                 s.o.WriteTime,
		IdleTimeout:                  s.o.IdleTime,
		MaxHeaderBytes:               maxHeaderBytes,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(complaints{s.o.Log}, "", 0),
	}
}
