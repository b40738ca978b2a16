package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/codes"
)

// listing is what inbox and sent are told.
type listing struct {
	filter client.Filter
	most   int
}

func (a *app) inboxCommand() *cobra.Command {
	cmd, l := a.listCommand((*client.Client).Inbox)
	cmd.Use, cmd.Short = "inbox", "List the referrals sent to you, newest first"
	cmd.Long = `List the referrals sent to you that are open, newest first. Their senders see that they
were delivered.`
	cmd.Example = "  handover inbox\n  handover inbox --state all --urgency emergency\n  handover inbox --wait 30s"
	cmd.Flags().DurationVar(&l.filter.Wait, "wait", 0, "let the hub wait for something new, up to 30s")
	return cmd
}

func (a *app) sentCommand() *cobra.Command {
	cmd, _ := a.listCommand((*client.Client).Sent)
	cmd.Use, cmd.Short = "sent", "List the referrals you sent, newest first"
	return cmd
}

func (a *app) listCommand(list func(*client.Client, context.Context, client.Filter) iter.Seq2[client.Summary, error]) (*cobra.Command, *listing) {
	l := &listing{}
	cmd := &cobra.Command{
		Args: cobra.NoArgs,
		RunE: a.withClient(func(ctx context.Context, c *client.Client, _ []string) error {
			if l.filter.Wait < 0 || l.filter.Wait > 30*time.Second || l.most < 1 {
				return usage("--wait is at most 30s, and --limit at least 1")
			}
			l.filter.Page = min(l.most, 100)
			found := []client.Summary{}
			for s, err := range list(c, ctx, l.filter) {
				if err != nil {
					return err
				}
				if found = append(found, s); len(found) == l.most {
					break
				}
			}
			err := a.show(map[string]any{"referrals": found}, func(w io.Writer) { writeList(w, found, c.PartnerID()) })
			a.remindOfRecalls(ctx, c)
			return err
		}),
	}
	cmd.Flags().StringVar(&l.filter.State, "state", "", "one state, or all (default all that are open)")
	cmd.Flags().StringVar(&l.filter.Urgency, "urgency", "", "emergency, urgent or routine")
	cmd.Flags().IntVar(&l.most, "limit", 200, "how many at most")
	offer(cmd, "urgency", codes.Urgencies())
	return cmd, l
}

func writeList(w io.Writer, found []client.Summary, me string) {
	if len(found) == 0 {
		fmt.Fprintln(w, "nothing")
		return
	}
	fmt.Fprintln(w, "REFERENCE\tURGENCY\tSTATE\tPACKET\tPARTNER\tPURPOSE\tCHANGED")
	for _, s := range found {
		other := "from " + s.Sender
		if s.Sender == me {
			other = "to " + s.Recipient
		}
		state := s.State
		if s.Asked {
			state += ", asked"
		}
		if s.Withdrawn {
			state += ", since she withdrew her consent"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Reference, s.Urgency, state, s.Transport, other,
			s.Purpose, when(s.Changed))
	}
}
