package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
)

func (a *app) auditCheckpointCommand() *cobra.Command {
	var policy string
	var receipts []string
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "Keep the newest checkpoint of the hub's log, proved to continue the last one",
		Long: `Ask the hub for the newest checkpoint of its log, have it proved that the log begins with all
that the checkpoints in this profile cover, and keep it beside them. A checkpoint is a line of
figures that the hub has signed; it says nothing about anybody. Whoever keeps one finds out
if anything is changed afterwards, whoever has the log's key. With --receipt the hub has to
prove as much of the checkpoints in a document that you have.

If the hub cannot prove it, nothing is replaced: both checkpoints are saved in the folder
evidence of the profile, and the exit code is 6.`,
		Example: "  handover audit checkpoint",
		Args:    cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			p, c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			demands, err := a.policy(policy)
			if err != nil {
				return err
			}
			kept, err := profile.KeptCheckpoints(p.Dir())
			if err != nil {
				return err
			}
			for _, path := range receipts {
				document, err := a.read(path, 64<<20)
				if err != nil {
					return err
				}
				notes := client.ReceiptCheckpoints(document)
				if len(notes) == 0 {
					return usage("%s holds no receipt", path)
				}
				kept = append(kept, notes...)
			}
			shown, err := c.Checkpoint(cmd.Context(), demands, kept...)
			if r, ok := errors.AsType[*client.Rewritten](err); ok {
				return a.accuse(p.Dir(), r)
			}
			if err != nil {
				return err
			}
			file, err := profile.KeepCheckpoint(p.Dir(), shown)
			if err != nil {
				return err
			}
			return a.show(map[string]any{"checkpoint": shown, "file": file}, func(w io.Writer) { writeCheckpoint(w, shown, file) })
		}),
	}
	cmd.Flags().StringVar(&policy, "policy", "", "a file with the policy of witnesses to demand")
	cmd.Flags().StringSliceVar(&receipts, "receipt", nil, "a receipt, record or bundle whose checkpoints the log must continue too; may be repeated")
	return cmd
}

func writeCheckpoint(w io.Writer, c client.Checkpoint, file string) {
	fmt.Fprintf(w, "The log %s has %d entries, with the root %s.\n", c.Origin, c.Size, c.Root)
	if n := len(c.Continues); n > 0 {
		fmt.Fprintf(w, "The hub has proved that it continues %s kept before, the newest of %d entries: nothing of that was changed.\n",
			several(n, "the checkpoint", "checkpoints"), slices.Max(c.Continues))
	} else {
		fmt.Fprint(w, "It is the first that is kept here: from now on nothing before it can be changed without your noticing.\n")
	}
	fmt.Fprintf(w, "It is kept in %s.\n", file)
}

// accuse saves the two checkpoints that do not agree, and says what they are and what to do.
func (a *app) accuse(dir string, r *client.Rewritten) error {
	folder, err := profile.KeepEvidence(dir, r)
	if err != nil {
		return errors.Join(r, err)
	}
	a.say("THE HUB'S LOG DOES NOT CONTINUE WHAT IT SHOWED BEFORE.")
	if r.Certain {
		a.say("It has signed two logs that exclude each other: the two files alone prove it, to anybody.")
	} else {
		a.say("Either a proof between the two checkpoints exists, and the hub can show it to all of you at once, or its log was rewritten.")
	}
	a.say("Both are in %s. Keep them as they are. Tell the agencies and the other auditors, with the files,\n"+
		"before you ask the hub's operator; let them compare with what they have kept, and trust nothing the log has shown since.", folder)
	return r
}
