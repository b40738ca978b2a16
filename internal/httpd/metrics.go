package httpd

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are labelled by route template, known method, status and problem code:
// closed sets, so that no caller can make new series or write into them.
type metrics struct {
	requests *prometheus.CounterVec
	problems *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "handover_http_requests_total",
			Help: "Requests answered, by method, route template and status.",
		}, []string{"method", "route", "status"}),
		problems: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "handover_http_problems_total",
			Help: "Problems answered, by code (docs/problems.md).",
		}, []string{"code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "handover_http_request_seconds",
			Help:    "Time from the request's headers to the end of its answer, by route template.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "handover_http_in_flight",
			Help: "Requests being answered now, waiting ones included.",
		}),
	}
	reg.MustRegister(m.requests, m.problems, m.seconds, m.inFlight)
	return m
}

func (m *metrics) count(method, route string, status int, code string, took time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
	if code != "" {
		m.problems.WithLabelValues(code).Inc()
	}
}
