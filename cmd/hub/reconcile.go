package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"handover/audit"
	"handover/audit/proof"
	"handover/consent"
	"handover/consent/police"
	"handover/internal/pg"
	"handover/notify"
	"handover/oauth"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
)

// ledger is which rows of the whole database stand for which entries of the log.
func ledger() audit.Ledger {
	return audit.Join(partners.Ledger(), oauth.Ledger(), signin.Ledger(), consent.Ledger(), police.Ledger(), referral.Ledger(), notify.Ledger())
}

func logCommand(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "log", Short: "Look after the audit log"}
	cmd.AddCommand(reconcileCommand(environ))
	return cmd
}

var errDiffers = errors.New("the log and the rows differ: keep the database as it is, and see docs/log.md for what to do")

func reconcileCommand(environ []string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Hold every row against the log, and every entry against the rows and the tree",
		Long: `Hold every row that tells of an act against its entry in the log, every entry against its
row, and build the tree anew from the entries: the tiles and checkpoints must come out. Each
difference is a line with its place, by ids and numbers. It changes nothing, logs its
outcome, and ends with an error if anything differs. A hub does the same every night.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withWorkshop(cmd.Context(), environ, func(w workshop) error {
				report, err := w.reconcile(cmd.Context())
				if err != nil {
					return err
				}
				return tellReport(cmd.OutOrStdout(), report, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

func (w workshop) reconcile(ctx context.Context) (report audit.Report, err error) {
	pool, err := pg.Open(ctx, w.pool.Config().ConnString(), pg.RoleLog, logConnections)
	if err != nil {
		return report, err
	}
	defer pool.Close()
	log, err := openLog(ctx, w.cfg, w, pool, pool)
	if err != nil {
		return report, err
	}
	return log.Reconcile(ctx, w.pool, ledger())
}

// rotating makes a new version of a key of the hub's own, with an entry in the log: what cannot
// be logged does not happen.
func (w workshop) rotating(ctx context.Context, name string, rotate func() error) error {
	return pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		e := proof.Entry{Act: "hub.rotate", Target: name}
		if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&e.Time); err != nil {
			return fmt.Errorf("reading the time: %w", err)
		}
		if _, err := audit.Append(ctx, tx, e); err != nil {
			return err
		}
		return rotate()
	})
}

func tellReport(out io.Writer, report audit.Report, asJSON bool) error {
	var err error
	if asJSON {
		err = json.NewEncoder(out).Encode(report)
	} else {
		err = tellReportInWords(out, report)
	}
	if err == nil && report.Found > 0 {
		return errDiffers
	}
	return err
}

func tellReportInWords(out io.Writer, report audit.Report) error {
	for _, d := range report.Differences {
		if _, err := fmt.Fprintln(out, "DIFFERS:", d); err != nil {
			return err
		}
	}
	if unlisted := report.Found - int64(len(report.Differences)); unlisted > 0 {
		fmt.Fprintf(out, "and %d more\n", unlisted)
	}
	verdict := "nothing differs"
	if report.Found > 0 {
		verdict = fmt.Sprintf("%d differences", report.Found)
	}
	_, err := fmt.Fprintf(out, "compared: %d entries in the log, %d waiting for their place, %d rows, %d checkpoints; %s\n",
		report.Entries, report.Waiting, report.Rows, report.Checkpoints, verdict)
	return err
}

// reconcileEvery is how often a hub looks whether the comparison of the day is due.
const reconcileEvery = 10 * time.Minute

// comparing is the daily comparison, as one of the hubs on a database does it.
type comparing struct {
	log         *audit.Log
	address     string // of the database, where the login owns the schema
	logger      *slog.Logger
	differences prometheus.Gauge
	last        prometheus.Gauge
}

func newComparing(log *audit.Log, address string, logger *slog.Logger, registry prometheus.Registerer) *comparing {
	c := &comparing{log: log, address: address, logger: logger,
		differences: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hub_log_differences",
			Help: "Differences between the log and the rows, as the last comparison found them. Anything but 0 is an alarm."}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hub_log_reconciled_timestamp_seconds",
			Help: "When the log was last compared with the rows; 0 if it never was."})}
	registry.MustRegister(c.differences, c.last)
	return c
}

// run compares once a day, whichever hub comes first, and says as long as it is so that
// something differs. The hub goes on serving: what differs is in the one database that all
// hubs share, and whoever can change a row there must not be able to stop the exchange by it.
func (c *comparing) run(ctx context.Context) error {
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	for {
		c.round(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// round compares if it is due, and tells where things stand.
func (c *comparing) round(ctx context.Context) {
	err := c.compare(ctx)
	if err != nil && !errors.Is(err, audit.ErrReconciling) && ctx.Err() == nil {
		c.logger.ErrorContext(ctx, "comparing the log with its rows failed", "error", err)
	}
	at, found, err := c.log.LastReconciled(ctx)
	if err != nil {
		if ctx.Err() == nil {
			c.logger.ErrorContext(ctx, "reading the last comparison failed", "error", err)
		}
		return
	}
	c.differences.Set(float64(found))
	if !at.IsZero() {
		c.last.Set(float64(at.Unix()))
	}
	if found > 0 {
		c.logger.ErrorContext(ctx, "the log and the rows differ: run hub log reconcile", "differences", found, "compared", at)
	}
}

// compare opens the database as its owner for as long as it compares: whoever serves sees
// rows of one agency at a time.
func (c *comparing) compare(ctx context.Context) error {
	owner, err := pg.Open(ctx, c.address, "", 2)
	if err != nil {
		return err
	}
	defer owner.Close()
	report, due, err := c.log.ReconcileDaily(ctx, owner, ledger())
	if err != nil || !due {
		return err
	}
	for _, d := range report.Differences[:min(len(report.Differences), 20)] {
		c.logger.ErrorContext(ctx, "the log and a row differ", "what", d.What, "table", d.Table, "key", d.Key, "entry", d.Entry, "index", d.Index)
	}
	c.logger.InfoContext(ctx, "compared the log with its rows", "entries", report.Entries, "rows", report.Rows, "differences", report.Found)
	return nil
}
