package main

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"handover/keys"
	"handover/notify"
	"handover/partners"
)

// mountWebhooks hangs in the webhooks of agencies, and makes the worker that tells them.
func (h *hub) mountWebhooks(cfg Config, pool *pgxpool.Pool, store keys.Store, registry *partners.Store, gate *partners.Gate, metrics *prometheus.Registry) {
	webhooks := &notify.Store{Pool: pool, Partners: registry, Keys: store,
		Egress: notify.NewEgress(notify.Reach{Local: onOwnMachine(cfg.Issuer)})}
	(&notify.Handler{Gate: gate, Log: h.log, Store: webhooks}).Mount(h.routes)
	(&notify.Stream{Gate: gate, Feed: h.feed, Partners: registry, Now: time.Now}).Mount(h.routes)
	h.webhooks = notify.NewWorker(webhooks, cfg.Issuer, h.log, h.logger, time.Now)
	h.webhooks.Told = countAttempts(metrics)
	measureWebhooks(metrics, webhooks)
}

// onOwnMachine reports whether a hub is one that somebody tries out: its address, which partners sign into
// every packet, means another machine to each of them, so no exchange runs at one.
func onOwnMachine(issuer string) bool { return strings.HasPrefix(issuer, "http://localhost:") }

// countAttempts counts attempts to tell a webhook, by what came of them and not by agency.
func countAttempts(reg prometheus.Registerer) func(outcome string) {
	attempts := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hub_webhook_attempts_total",
		Help: "Attempts to tell a webhook, by what came of it: delivered, refused (another status), unreachable, forbidden (an address that is not public)."}, []string{"outcome"})
	reg.MustRegister(attempts)
	for _, o := range notify.Outcomes() {
		attempts.WithLabelValues(o)
	}
	return func(outcome string) { attempts.WithLabelValues(outcome).Inc() }
}

// lagTime is how long a scrape waits for the database.
const lagTime = 2 * time.Second

// measureWebhooks shows how far webhooks are behind. It is asked of the database at each scrape, so every hub says the
// same; while that does not answer there is nothing to show.
func measureWebhooks(reg prometheus.Registerer, s *notify.Store) {
	reg.MustRegister(&webhookLag{s,
		prometheus.NewDesc("hub_webhook_due", "Deliveries that are due now, of webhooks that do not fail.", nil, nil),
		prometheus.NewDesc("hub_webhook_lag_seconds", "How long the first of the deliveries that are due has been.", nil, nil),
		prometheus.NewDesc("hub_webhook_unread_entries", "Entries of the log that were not read for webhooks yet.", nil, nil)})
}

type webhookLag struct {
	store               *notify.Store
	due, oldest, unread *prometheus.Desc
}

// Describe names the metrics.
func (l *webhookLag) Describe(to chan<- *prometheus.Desc) {
	to <- l.due
	to <- l.oldest
	to <- l.unread
}

// Collect measures.
func (l *webhookLag) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), lagTime)
	defer cancel()
	lag, err := l.store.Lag(ctx)
	if err != nil {
		return
	}
	to <- prometheus.MustNewConstMetric(l.due, prometheus.GaugeValue, float64(lag.Due))
	to <- prometheus.MustNewConstMetric(l.oldest, prometheus.GaugeValue, lag.Oldest.Seconds())
	to <- prometheus.MustNewConstMetric(l.unread, prometheus.GaugeValue, float64(lag.Unread))
}
