package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
	"handover/internal/newfile"
)

// mostKept is how many kept checkpoints the hub makes an export for.
const mostKept = 16

func (a *app) auditExportCommand() *cobra.Command {
	var from, to, file string
	var kept []int64
	cmd := &cobra.Command{
		Use:   "export --from DATE --to DATE -o FILE",
		Short: "Take out what the log has of a span of time, to be verified offline",
		Long: `Take out what the log has of a span of time, in one file that anybody can verify with no hub
and no network: the entries that your agency may read, the signed statements that they
stand for, and what proves that the log has them. Nothing sealed is in it.

The file can show that the log continues the checkpoints that this profile has kept, or those
whose sizes --kept names. The file gets its name only when all of it has arrived and the log's key has
signed it; a file that is there already is not touched. The hub logs that you took it.`,
		Example: `  handover audit export --from 2026-10-01 --to 2026-11-01 -o october.audit`,
		Args:    cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			var q client.AuditQuery
			var err error
			if q.From, err = client.ParseMoment(from); err != nil {
				return usage("--from: write a date as 2026-10-01, or a time with its zone")
			}
			if q.To, err = client.ParseMoment(to); err != nil || !q.From.Before(q.To) {
				return usage("--to: write the day after the last one, as 2026-11-01, or a time with its zone")
			}
			p, c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			if q.Kept = kept; kept == nil {
				if q.Kept, err = keptSizes(p.Dir(), c.LogKey()); err != nil {
					return err
				}
			}
			var done client.AuditExported
			err = newfile.Write(file, func(w io.Writer) error {
				b := bufio.NewWriterSize(w, 256<<10)
				done, err = c.AuditExport(cmd.Context(), q, b)
				return errors.Join(err, b.Flush())
			})
			if err != nil {
				return err
			}
			return a.show(map[string]any{"export": done, "file": file}, func(w io.Writer) { writeExported(w, done, file) })
		}),
	}
	cmd.Flags().StringVar(&from, "from", "", "the first day, as 2026-10-01, from midnight UTC")
	cmd.Flags().StringVar(&to, "to", "", "the day after the last, as 2026-11-01")
	cmd.Flags().Int64SliceVar(&kept, "kept", nil, "size of a checkpoint that you kept; may be repeated (default those in the profile)")
	cmd.Flags().StringVarP(&file, "output", "o", "", "the file to write")
	for _, name := range []string{"from", "to", "output"} {
		_ = cmd.MarkFlagRequired(name)
	}
	return cmd
}

// keptSizes are the sizes of the newest checkpoints that a profile keeps.
func keptSizes(dir string, key client.LogKey) ([]int64, error) {
	notes, err := profile.KeptCheckpoints(dir)
	if err != nil {
		return nil, err
	}
	var sizes []int64
	for _, note := range notes[max(0, len(notes)-mostKept):] {
		c, err := client.OpenCheckpoint(note, key)
		if err != nil {
			return nil, fmt.Errorf("a kept checkpoint: %w", err)
		}
		sizes = append(sizes, c.Size)
	}
	return sizes, nil
}

func writeExported(w io.Writer, x client.AuditExported, file string) {
	if x.First == x.End {
		fmt.Fprintf(w, "%s: no entry of that time that you may read; the log has %d entries.\n", file, x.Size)
		return
	}
	fmt.Fprintf(w, "%s: %d entries and %d signed statements, of the entries %d to %d in a log of %d.\n", file, x.Entries, x.Statements, x.First, x.End-1, x.Size)
	fmt.Fprintf(w, "Next: handover audit verify %s\n", file)
}
