package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"handover/audit"
	"handover/audit/proof"
	"handover/consent"
	"handover/consent/police"
	"handover/internal/newfile"
	"handover/internal/pg"
	"handover/partners"
	"handover/referral"
)

func auditCommand(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Hand an auditor what the log says"}
	cmd.AddCommand(auditExportCommand(environ))
	return cmd
}

// mountExport lets whoever may read the log take an export of what she may see of it.
func (h *hub) mountExport(gate *partners.Gate, x *audit.Exporter) {
	allow := func(next func(http.ResponseWriter, *http.Request, audit.Asker) error) http.Handler {
		return gate.Allow(partners.AuditRead, func(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
			return next(w, r, c.Asker())
		})
	}
	(&audit.ExportHandler{Exporter: x, Allow: allow}).Mount(h.routes)
}

func auditExportCommand(environ []string) *cobra.Command {
	var from, to, partner, file string
	var kept []int64
	cmd := &cobra.Command{
		Use:   "export --from DATE --to DATE -o FILE",
		Short: "Write what the log says of a span of time to one file, which anybody can verify offline",
		Long: `Write what the log says of a span of time to one file, with everything that it takes to
verify it offline: handover audit verify FILE. It holds ids, codes and signed statements, and
nothing of what is sealed. It also holds with whom women never want anything shared, which
nobody but the agency that was told may learn: hand it to no agency, and to an auditor only who
is bound to keep it. With --partner it holds what that agency may read and no more. Name with --kept the size of each checkpoint that the auditor has
kept, so that the file can show that nothing before it was changed. That it is taken is logged.`,
		Example: `  hub audit export --from 2026-10-01 --to 2026-11-01 --kept 48211 -o october.jsonl`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := audit.ExportQuery{Kept: kept, Partner: partner, Scope: proof.ScopeAll, By: proof.Entry{Other: partner}}
			if partner != "" {
				q.Scope = proof.ScopeAgency
			}
			var err error
			if q.From, err = audit.Moment(from); err != nil {
				return plainly(err)
			}
			if q.To, err = audit.Moment(to); err != nil {
				return plainly(err)
			}
			return withWorkshop(cmd.Context(), environ, func(w workshop) error {
				return w.export(cmd.Context(), cmd.OutOrStdout(), q, file)
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the first day, as 2026-10-01, from midnight UTC; or a time with its zone")
	cmd.Flags().StringVar(&to, "to", "", "the day after the last, as 2026-11-01")
	cmd.Flags().StringVar(&partner, "partner", "", "an agency, to write what it may read")
	cmd.Flags().Int64SliceVar(&kept, "kept", nil, "size of a checkpoint that was kept; may be repeated")
	cmd.Flags().StringVarP(&file, "output", "o", "", "the file to write; one that is there is not touched")
	for _, name := range []string{"from", "to", "output"} {
		_ = cmd.MarkFlagRequired(name)
	}
	return cmd
}

// export writes an export to a new file. A hub that runs on the same database goes on.
func (w workshop) export(ctx context.Context, out io.Writer, q audit.ExportQuery, file string) error {
	if q.Partner != "" {
		if err := w.known(ctx, q.Partner); err != nil {
			return err
		}
	}
	address := w.pool.Config().ConnString()
	logPool, err := pg.Open(ctx, address, pg.RoleLog, logConnections)
	if err != nil {
		return err
	}
	defer logPool.Close()
	log, err := openLog(ctx, w.cfg, w, logPool, logPool)
	if err != nil {
		return err
	}
	reading := w.pool // as the owner, everything
	if q.Partner != "" {
		if reading, err = pg.Open(ctx, address, pg.RoleHub, 1); err != nil {
			return err
		}
		defer reading.Close()
	}
	referrals := referral.NewStore(reading, w.registry, log, w.cfg.Issuer)
	x := &audit.Exporter{Log: log, Hub: w.cfg.Issuer, Keys: w.registry, OwnKeys: referrals,
		Rooms: []audit.Room{referrals, &consent.Store{}, &police.Store{}, w.registry}}
	done, err := sequencing(ctx, log, func() (done audit.Exported, err error) {
		err = newfile.Write(file, func(f io.Writer) error {
			b := bufio.NewWriterSize(f, 256<<10)
			done, err = x.Write(ctx, audit.Snapshots{Pool: reading}, q, func() (io.Writer, error) { return b, nil })
			return errors.Join(err, b.Flush())
		})
		return done, err
	})
	if err != nil {
		return err
	}
	return tellExported(out, q, done, file)
}

// sequencing runs act while the log sequences, so that what was logged a moment ago is
// proved also when no hub runs. That the log cannot sequence keeps nobody from an export: it
// may be what the auditor is to find.
func sequencing(ctx context.Context, log *audit.Log, act func() (audit.Exported, error)) (audit.Exported, error) {
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- log.Run(running) }()
	done, err := act()
	stop()
	if ran := <-ended; ran != nil && errors.Is(err, audit.ErrReceiptPending) {
		err = errors.Join(err, ran)
	}
	return done, err
}

// known refuses a partner that there is not, for which an export would be empty.
func (w workshop) known(ctx context.Context, id string) error {
	all, err := w.registry.List(ctx)
	if err != nil {
		return err
	}
	for _, p := range all {
		if string(p.ID) == id {
			return nil
		}
	}
	return fmt.Errorf("no partner has the id %s: hub partner list shows them", id)
}

func tellExported(out io.Writer, q audit.ExportQuery, done audit.Exported, file string) error {
	if done.First == done.End {
		_, err := fmt.Fprintf(out, "%s: no entry from %s to %s; the log has %d entries\n", file,
			q.From.UTC().Format(time.RFC3339), q.To.UTC().Format(time.RFC3339), done.Size)
		return err
	}
	_, err := fmt.Fprintf(out, "%s: %d entries and %d signed statements, of the entries %d to %d in a log of %d\nNext: handover audit verify %s\n",
		file, done.Entries, done.Statements, done.First, done.End-1, done.Size, file)
	return err
}
