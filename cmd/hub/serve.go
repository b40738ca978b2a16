package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"handover/internal/coredump"
	"handover/internal/pg"
)

// gcPercent lets the heap grow to five times what lives before it is collected. A hub
// keeps little alive and makes much garbage, so the default would collect many times a
// second to save some 50 MiB.
const gcPercent = 400

func serveCommand(environ []string) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the exchange, configured by HUB_… variables",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(environ)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), cfg, logger(cfg), func(context.Context, Config, string) error { return nil })
		},
	}
}

func logger(cfg Config) *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.LogLevel}))
}

// serve runs the hub until ctx ends or one of its parts fails: a hub without its
// database or its log must not look alive. started is called once the hub takes
// requests, with the configuration it serves under and the address of its database.
func serve(ctx context.Context, cfg Config, log *slog.Logger, started func(context.Context, Config, string) error) error {
	debug.SetGCPercent(gcPercent)
	// Listening comes first: a port that is taken is the commonest mistake, and the
	// cheapest to find.
	public, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w (set PORT to another one)", cfg.Listen, err)
	}
	defer public.Close()
	cfg = cfg.Bound(public.Addr().(*net.TCPAddr).Port)
	private, err := listenPrivate(cfg)
	if err != nil {
		return err
	}
	if strings.HasPrefix(cfg.Issuer, "https://") && cfg.Proxies == "" {
		log.Warn("HUB_PROXIES is not set: behind a proxy that ends TLS all callers share one address and its limits")
	}
	group, ctx := errgroup.WithContext(ctx)
	address, stop, err := database(ctx, cfg, log, group)
	if err != nil {
		return err
	}
	defer func() {
		if err := stop(); err != nil {
			log.Error("stopping the built-in PostgreSQL failed", "error", err)
		}
	}()
	if err := coredump.Disable(); err != nil { // anew: a PostgreSQL under its own account clears it
		return err
	}
	h, err := assemble(ctx, cfg, address, log)
	if err != nil {
		return err
	}
	defer h.close()
	// After a crash the replay memory begins anew here, before anybody is let in.
	if err := h.oauth.Prune(ctx); err != nil {
		return fmt.Errorf("preparing the replay memory: %w", err)
	}
	// The log goes on until the last request has its receipt.
	logging, quiet := context.WithCancel(context.WithoutCancel(ctx))
	defer quiet()
	group.Go(func() error { return fatal("the audit log", h.log.Run(logging)) })
	group.Go(func() error {
		defer quiet()
		return h.server.Serve(ctx, public, private, h.router)
	})
	group.Go(func() error { return h.prune(ctx) })
	group.Go(func() error { return h.forget(ctx) })
	group.Go(func() error { return h.aftermath.Run(ctx) })
	group.Go(func() error { return h.webhooks.Run(ctx) })
	group.Go(func() error { return h.feed.Run(ctx) })
	group.Go(func() error { return h.lapse(ctx) })
	group.Go(func() error { return h.comparing.run(ctx) })
	group.Go(func() error { return started(ctx, cfg, address) })
	err = group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// fatal names the part that failed, unless it was told to stop.
func fatal(part string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("%s stopped: %w", part, err)
}

func listenPrivate(cfg Config) (net.Listener, error) {
	if cfg.PrivateListen == "off" {
		return nil, nil
	}
	l, err := net.Listen("tcp", cfg.PrivateListen)
	if err != nil {
		return nil, fmt.Errorf("listening on %s for metrics: %w", cfg.PrivateListen, err)
	}
	return l, nil
}

// database is the address of the configured database, or of the built-in one, which
// it starts. stop ends what it started. Should the built-in server die, the hub ends
// with it: its supervisor starts both again, and the server recovers.
func database(ctx context.Context, cfg Config, log *slog.Logger, group *errgroup.Group) (address string, stop func() error, err error) {
	if cfg.DatabaseURL != "" {
		return cfg.DatabaseURL, func() error { return nil }, nil
	}
	if cfg.PGBin != "" {
		if err := os.Setenv("HUB_PG_BIN", cfg.PGBin); err != nil { // where pg looks; it may have come from the file
			return "", nil, fmt.Errorf("naming the server's programs: %w", err)
		}
	}
	builtin, err := pg.StartBuiltIn(ctx, cfg.Dir, log)
	if err != nil {
		return "", nil, err
	}
	group.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-builtin.Done():
			return fmt.Errorf("the built-in PostgreSQL stopped: %w", errors.Join(builtin.Err(), errDatabaseGone))
		}
	})
	// For the operator's commands, which run beside the hub. It holds no secret.
	err = os.WriteFile(addressFile(cfg), []byte(builtin.URL()), 0o600)
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("noting the database's address: %w", err), builtin.Stop())
	}
	return builtin.URL(), builtin.Stop, nil
}

var errDatabaseGone = errors.New("start the hub again; it recovers what was committed")

// addressFile is where a running hub notes the address of its built-in database.
func addressFile(cfg Config) string { return filepath.Join(cfg.Dir, "database.url") }

// prune deletes, now and then, what the replay memory no longer needs, sessions and
// challenges that are over, and who looked at a referral minutes ago.
func (h *hub) prune(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := h.oauth.Prune(ctx); err != nil && ctx.Err() == nil {
				h.logger.ErrorContext(ctx, "pruning used proofs failed", "error", err)
			}
			if err := h.people.Prune(ctx); err != nil && ctx.Err() == nil {
				h.logger.ErrorContext(ctx, "pruning ended sessions failed", "error", err)
			}
			if err := h.referrals.ForgetPresence(ctx); err != nil && ctx.Err() == nil {
				h.logger.ErrorContext(ctx, "forgetting who looked at referrals failed", "error", err)
			}
		}
	}
}

// forget removes, now and then, attachments whose packets never came, and drafts that nobody
// has touched for long.
func (h *hub) forget(ctx context.Context) error {
	tick := time.NewTicker(30 * time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := h.referrals.ForgetUnnamed(ctx); err != nil && ctx.Err() == nil {
				h.logger.ErrorContext(ctx, "forgetting attachments without a packet failed", "error", err)
			}
			if err := h.desk.ForgetDrafts(ctx); err != nil && ctx.Err() == nil {
				h.logger.ErrorContext(ctx, "forgetting old drafts failed", "error", err)
			}
			h.log.Kick()
		}
	}
}

// lapse notices, every minute, emergency overrides that nobody approved in time: for the
// auditors. That nothing more is shared on them does not wait for it.
func (h *hub) lapse(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := h.consents.Lapse(ctx); err != nil && ctx.Err() == nil {
				h.logger.ErrorContext(ctx, "noticing lapsed overrides failed", "error", err)
			}
			h.log.Kick()
		}
	}
}
