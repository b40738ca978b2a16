package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/gorilla/mux"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"handover/audit"
	"handover/consent"
	"handover/consent/police"
	"handover/docs"
	"handover/internal/httpd"
	"handover/internal/pg"
	"handover/keys"
	"handover/notify"
	"handover/oauth"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/referral/managed"
	"handover/web"
)

// hub is everything that serves, put together once.
type hub struct {
	log       *audit.Log
	oauth     *oauth.Store
	people    *signin.Store
	consents  *consent.Store
	referrals *referral.Store
	aftermath *referral.Aftermath
	webhooks  *notify.Worker
	feed      *notify.Feed
	desk      *managed.Desk
	server    *httpd.Server
	router    http.Handler
	routes    *mux.Router
	pools     []*pgxpool.Pool
	logger    *slog.Logger
	logPool   *pgxpool.Pool
	comparing *comparing
}

// logConnections is the sequencer's own pool: two that Run keeps, and the rest for
// proofs of old entries; with witnesses one more is kept, by whichever hub gathers.
const logConnections = 5

// assemble brings the schema up to date and puts the hub together over the database
// at address. close gives back what it opened.
func assemble(ctx context.Context, cfg Config, address string, logger *slog.Logger) (_ *hub, err error) {
	if err := pg.Migrate(ctx, address); err != nil {
		return nil, fmt.Errorf("migrating the database: %w", err)
	}
	h := &hub{logger: logger}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	pool, err := h.open(ctx, address, pg.RoleHub, cfg.Pool)
	if err != nil {
		return nil, err
	}
	if h.logPool, err = h.open(ctx, address, pg.RoleLog, logConnections); err != nil {
		return nil, err
	}
	store, err := openKeys(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if h.log, err = openLog(ctx, cfg, store, h.logPool, pool); err != nil {
		return nil, err
	}
	h.log.Logger = logger
	if _, err := catchUp(ctx, h.log, store); err != nil {
		return nil, fmt.Errorf("giving the log its newest key: %w", err)
	}
	metrics := prometheus.NewRegistry()
	h.comparing = newComparing(h.log, address, logger, metrics)
	return h, h.mount(cfg, pool, store, metrics)
}

func (h *hub) open(ctx context.Context, address, role string, most int32) (*pgxpool.Pool, error) {
	pool, err := pg.Open(ctx, address, role, most)
	if err != nil {
		return nil, fmt.Errorf("connecting to the database as %s: %w", role, err)
	}
	h.pools = append(h.pools, pool)
	return pool, nil
}

func (h *hub) close() {
	for _, p := range h.pools {
		p.Close()
	}
}

// mount builds the domains over the pool and hangs their routes into one router.
func (h *hub) mount(cfg Config, pool *pgxpool.Pool, store keys.Store, metrics *prometheus.Registry) error {
	firewall, err := partners.LoadFirewall()
	if err != nil {
		return err
	}
	registry := partners.NewStore(pool, firewall)
	gate := &partners.Gate{Log: h.log}
	h.oauth = oauth.NewStore(pool)
	origin, err := cfg.origin()
	if err != nil {
		return err
	}
	settings := oauth.Config{
		Issuer: cfg.Issuer, Keys: store, Partners: registry, Store: h.oauth, Log: h.logger,
		Rates: cfg.rates(), Origin: origin,
		Count:  h.log.CountAnonymous,
		Refuse: h.log.Refuse,
	}
	authorization, err := oauth.New(settings)
	if err != nil {
		return err
	}
	guard, err := oauth.NewGuard(settings)
	if err != nil {
		return err
	}
	if !cfg.witnesses.IsZero() {
		measureWitnesses(metrics, h.log)
	}
	h.server = httpd.New(httpd.Options{
		Issuer: cfg.Issuer, Log: h.logger, Registry: metrics,
		MaxInFlight: cfg.MaxInFlight, Network: origin.Network, Ready: h.ready(pool, store),
	})
	h.routes = httpd.Router()
	gate.RecordStrays(h.routes)
	h.server.Mount(h.routes)
	authorization.Mount(h.routes)
	(&docs.Handler{}).Mount(h.routes)
	(&referral.Documents{}).Mount(h.routes)
	(&partners.Handler{Gate: gate, Store: registry, Issuer: cfg.Issuer, Keys: store, Wait: cfg.ReceiptWait}).Mount(h.routes)
	h.consents = &consent.Store{Pool: pool, Partners: registry, Hub: cfg.Issuer}
	h.referrals = referral.NewStore(pool, registry, h.log, cfg.Issuer)
	h.aftermath = referral.NewAftermath(h.referrals, store, h.logger)
	h.feed = notify.NewFeed(pool, h.logger)
	(&consent.Handler{Gate: gate, Log: h.log, Wait: cfg.ReceiptWait, Store: h.consents, Withdrawn: h.aftermath.Kick}).Mount(h.routes)
	requests := &police.Store{Pool: pool, Partners: registry, Hub: cfg.Issuer}
	(&police.Handler{Gate: gate, Log: h.log, Wait: cfg.ReceiptWait, Store: requests}).Mount(h.routes)
	(&referral.Handler{Gate: gate, Log: h.log, Wait: cfg.ReceiptWait, Store: h.referrals}).Mount(h.routes)
	h.desk = &managed.Desk{Pool: pool, Keys: store, Partners: registry, Consents: h.consents, Referrals: h.referrals, Log: h.log,
		Hub: cfg.Issuer, Wait: cfg.ReceiptWait}
	(&managed.Handler{Gate: gate, Desk: h.desk}).Mount(h.routes)
	h.mountWebhooks(cfg, pool, store, registry, gate, metrics)
	(&audit.Handler{Log: h.log, Authenticated: gate.Authenticated, Partner: partnerOf, Readers: gate.Readers,
		Sources: []audit.Source{consent.QueueDoubts}}).Mount(h.routes)
	exporter := &audit.Exporter{Log: h.log, Hub: cfg.Issuer,
		Rooms: []audit.Room{h.referrals, h.consents, requests, registry}, Keys: registry, OwnKeys: h.referrals}
	h.mountExport(gate, exporter)
	err = h.mountPages(settings, pool, web.Config{Partners: registry, Authorization: authorization, Referrals: h.referrals,
		Consents: h.consents, Desk: h.desk, Log: h.log, Feed: h.feed, Exporter: exporter, Webhooks: h.webhooks.Store, Hub: cfg.Issuer, Withdrawn: h.aftermath.Kick})
	if err != nil {
		return err
	}
	h.router = guard.Middleware(h.routes)
	return nil
}

// mountPages hangs in what people use: sign-in, and the pages made of w.
func (h *hub) mountPages(c oauth.Config, pool *pgxpool.Pool, w web.Config) error {
	h.people = signin.NewStore(pool)
	people, err := signin.New(signin.Config{
		Issuer: c.Issuer, Store: h.people, Partners: c.Partners, Log: h.log, Keys: c.Keys, Logger: h.logger, Landings: web.Landings(),
		Origin: c.Origin,
	})
	if err != nil {
		return err
	}
	people.Mount(h.routes)
	w.SignIn = people
	pages, err := web.New(w)
	if err != nil {
		return err
	}
	pages.Mount(h.routes)
	return nil
}

// partnerOf names the caller's partner to the log's routes, which know no domain.
func partnerOf(r *http.Request) string {
	c, _ := partners.CallerFrom(r.Context())
	return string(c.Partner())
}

// ready reports whether the hub can accept a packet and prove it.
func (h *hub) ready(pool *pgxpool.Pool, store keys.Store) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := pool.Ping(ctx); err != nil {
			return fmt.Errorf("reaching the database: %w", err)
		}
		if err := store.Ready(ctx); err != nil {
			return fmt.Errorf("%w: %w", keys.ErrUnavailable, err)
		}
		return h.log.Healthy()
	}
}
