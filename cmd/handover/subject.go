package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/codes"
	"handover/internal/strict"
)

func (a *app) subjectAccessCommand() *cobra.Command {
	var q client.SubjectQuery
	var folder string
	cmd := &cobra.Command{
		Use:   "subject-access SUBJECT… -o DIR",
		Short: "Collect everything that your agency holds about one woman, for whoever answers her",
		Long: `Collect everything that your agency holds about one woman in the exchange, and the hub for it,
when she asks for a copy of it: what she said and how she was asked, her words, with whom nothing
is ever to be shared, what was shared without her agreement, referrals with their signed
envelopes, what was sent, whom it was shared with, and who opened what, by the log. SUBJECT is
her reference, as handover consent show says it; name all that you have of her.

This is what is held, not what she is given. A person reads it first: it may say who raised an
alarm, who else is at risk, or what she was not told because that was dangerous. The text begins
with what to look for.

It goes into a new folder that nobody but you can read, as subject-access.json and
subject-access.txt, with the attachments beside them. Nothing of it is printed. Delete the folder
when she has been answered.

What your agency sent is opened from its own copies. What it received stays closed unless
--open-received gives a reason for the log: each opening is decided anew then, and the sender
can see it. What no longer may be opened is named. Everything that does not verify is named too,
and ends with exit code 6. The hub logs what is read and opened.`,
		Example: "  handover subject-access c3Vi… -o her-copy\n  handover subject-access c3Vi… bGlu… --open-received subject-access -o her-copy",
		Args:    cobra.MinimumNArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			switch {
			case folder == "" || folder == "-":
				return usage("say which new folder it goes into: -o DIR. It is never printed")
			case q.OpenReceived != "" && !codes.OpenReasons().Has(q.OpenReceived):
				return usage("say why it is opened, for the log: --open-received %s", codes.OpenReasons())
			}
			for _, subject := range args {
				q.Subjects = append(q.Subjects, strings.TrimPrefix(subject, idMark))
			}
			_, c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			return a.subjectAccess(cmd.Context(), c, q, folder)
		}),
	}
	cmd.Flags().StringVarP(&folder, "out", "o", "", "the new folder that it goes into")
	cmd.Flags().StringVar(&q.OpenReceived, "open-received", "", "open what was received too, and why, for the log: "+codes.OpenReasons().String())
	cmd.Flags().BoolVar(&q.SearchAll, "search-all", false, "read every referral of your agency, for what the log does not name her in")
	offer(cmd, "open-received", codes.OpenReasons())
	return cmd
}

func (a *app) subjectAccess(ctx context.Context, c *client.Client, q client.SubjectQuery, folder string) error {
	// New, so that nothing is mixed with another woman's.
	if err := os.Mkdir(folder, 0o700); err != nil {
		return fmt.Errorf("making the folder: %w", err)
	}
	q.Attachments = func(step int, opened client.Opened) ([]string, error) {
		saved, err := saveAttachments(folder, step, opened)
		var names []string
		for _, s := range saved {
			names = append(names, filepath.Base(s.File))
		}
		return names, err
	}
	all, err := c.SubjectAccess(ctx, q)
	if err == nil {
		err = keepSubjectAccess(folder, all)
	}
	if err != nil {
		// A part would pass for the whole.
		_ = os.RemoveAll(folder)
		return err
	}
	err = a.show(map[string]any{"folder": folder, "consents": len(all.Consents), "referrals": len(all.Referrals), "unchecked": len(all.Unchecked)},
		func(w io.Writer) {
			fmt.Fprintf(w, "%d consent records and %d referrals are in %s\n", len(all.Consents), len(all.Referrals), folder)
		})
	a.say("Read subject-access.txt first. It begins with what a person decides before she is given any of it.")
	if err == nil && len(all.Unchecked) > 0 {
		err = fmt.Errorf("%w: %d things do not verify or could not be shown. The text names them", client.ErrVerification, len(all.Unchecked))
	}
	return err
}

// keepSubjectAccess writes the two files.
func keepSubjectAccess(folder string, all client.SubjectAccess) error {
	data, err := strict.Marshal(all)
	if err != nil {
		return fmt.Errorf("writing the export: %w", err)
	}
	value := jsontext.Value(data)
	if err := value.Indent(jsontext.WithIndent("  ")); err != nil {
		return fmt.Errorf("writing the export: %w", err)
	}
	if err := save(filepath.Join(folder, "subject-access.json"), strings.NewReader(string(value)+"\n")); err != nil {
		return err
	}
	return save(filepath.Join(folder, "subject-access.txt"), strings.NewReader(plain(all.Text())))
}
