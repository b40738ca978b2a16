package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func runCommand(environ []string) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Serve the exchange with sample partners and one sample referral, for trying it out",
		Long: `Serve the exchange for trying it out: with a private PostgreSQL under HUB_DIR unless
HUB_DATABASE_URL names a server, seven fictional partners with agreements and services,
and two referrals sent through the public API. What it made is picked up at the next start.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(environ)
			if err != nil {
				return err
			}
			// The start-up talk is for people; the hub's own log goes to a file.
			if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
				return fmt.Errorf("making the hub's folder: %w", err)
			}
			file, err := os.OpenFile(filepath.Join(cfg.Dir, "hub.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				return fmt.Errorf("opening the hub's log: %w", err)
			}
			defer file.Close()
			log := slog.New(slog.NewJSONHandler(file, &slog.HandlerOptions{Level: cfg.LogLevel}))
			return run(cmd.Context(), cfg, log, cmd.OutOrStdout())
		},
	}
}

// run serves the demonstration and talks about it on out. Its last line says ready.
func run(ctx context.Context, cfg Config, log *slog.Logger, out io.Writer) error {
	fmt.Fprintln(out, "starting the hub; its log is", filepath.Join(cfg.Dir, "hub.log"))
	return serve(ctx, cfg, log, func(ctx context.Context, bound Config, address string) error {
		d := demo{cfg: bound, address: address, out: out}
		if err := d.seed(ctx); err != nil {
			return fmt.Errorf("making the sample partners: %w", err)
		}
		d.introduce()
		fmt.Fprintln(out, "ready:", bound.Issuer)
		return nil
	})
}
