package httpd

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// observe is the outermost layer: it gives the request its id, the answer its
// security headers, and when all is done writes the one log line and counts.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.o.Now()
		x := &exchange{id: uuid.Must(uuid.NewV7()).String(), issuer: s.o.Issuer, limit: s.limit}
		rec := &recorder{ResponseWriter: w, exchange: x}
		s.guardHeaders(w.Header(), x.id)
		s.m.inFlight.Inc()
		defer func() {
			s.m.inFlight.Dec()
			s.note(r, rec, s.o.Now().Sub(start))
		}()
		s.recovered(next, rec, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))
	})
}

// guardHeaders sets what every answer carries. There is nothing here that a
// browser should cache, frame, sniff or run.
func (s *Server) guardHeaders(h http.Header, id string) {
	h.Set("X-Request-Id", id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	if s.secure {
		h.Set("Strict-Transport-Security", "max-age=63072000")
	}
}

// recovered runs next; a panic becomes the bland 500, or a cut connection when
// part of the answer has left. Only a runtime error's text is logged, and of any
// other panic the type: a value can hold what somebody sent.
func (s *Server) recovered(next http.Handler, rec *recorder, r *http.Request) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p) // net/http knows what to do with it
		}
		x := rec.exchange
		x.stack = string(debug.Stack())
		answer(rec, x, panicked{p})
	}()
	next.ServeHTTP(rec, r)
}

// panicked is a recovered panic as an error.
type panicked struct{ value any }

func (p panicked) Error() string {
	if e, ok := p.value.(runtime.Error); ok {
		return "panic: " + e.Error()
	}
	return "panic of type " + reflect.TypeOf(p.value).String()
}

// note writes the log line of one request and counts it.
func (s *Server) note(r *http.Request, rec *recorder, took time.Duration) {
	x := rec.exchange
	x.mu.Lock()
	defer x.mu.Unlock()
	status := rec.status
	if status == 0 {
		status = http.StatusOK // a handler that writes nothing answers 200
	}
	method, route := methodName(r.Method), x.route
	if route == "" {
		route = "none"
	}
	s.m.count(method, route, status, x.code, took)

	level := slog.LevelInfo
	if status >= http.StatusInternalServerError || x.cause != "" {
		level = slog.LevelError
	}
	if isProbe(route) && level == slog.LevelInfo {
		level = slog.LevelDebug
	}
	if !s.o.Log.Enabled(r.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 11)
	attrs = append(attrs, slog.String("request", x.id), slog.String("method", method), slog.String("route", route),
		slog.Int("status", status), slog.Int64("bytes", rec.bytes), slog.Duration("took", took))
	for _, a := range []slog.Attr{
		slog.String("partner", x.partner), slog.String("client", x.client),
		slog.String("code", x.code), slog.String("error", x.cause), slog.String("stack", x.stack),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	s.o.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// methodName keeps a method that a caller invented out of logs and metrics.
func methodName(m string) string {
	if slices.Contains(knownMethods(), m) {
		return m
	}
	return "other"
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	exchange *exchange
	status   int
	bytes    int64
}

func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 && status >= http.StatusOK {
		rec.status = status
	}
	rec.ResponseWriter.WriteHeader(status)
}

func (rec *recorder) Write(p []byte) (int, error) {
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	n, err := rec.ResponseWriter.Write(p)
	rec.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach deadlines and flushing.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

// recorderOf finds the recorder beneath whatever a handler has wrapped around it.
func recorderOf(w http.ResponseWriter) *recorder {
	for {
		switch v := w.(type) {
		case *recorder:
			return v
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return nil
		}
	}
}

// complaints takes what net/http would print about connections. Its texts can
// quote what was sent, so only their number is kept, and the one an operator
// must act on.
type complaints struct{ log *slog.Logger }

func (c complaints) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "Accept error") {
		c.log.LogAttrs(context.Background(), slog.LevelError, "accepting connections fails; too few file descriptors?")
	} else {
		c.log.LogAttrs(context.Background(), slog.LevelDebug, "net/http complained")
	}
	return len(p), nil
}
