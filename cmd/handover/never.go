package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"handover/client"
)

func (a *app) neverCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "never", Short: "Record with whom nothing about her may ever be shared"}
	cmd.AddCommand(a.neverNewCommand(), a.neverListCommand(), a.neverLiftCommand())
	return cmd
}

func (a *app) neverNewCommand() *cobra.Command {
	var n client.Never
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Record with whom nothing about her may ever be shared",
		Long: `Record with whom nothing about her may ever be shared: a force, a hostel, a whole kind of
agency. It stops everybody, whatever she agreed to and whatever anybody overrides, and only
your agency can read it. Others are told that what they want to share is not covered.

She has another reference for each agency. Name all that you have; handover consent show
and handover show print them.`,
		Example: "  handover never new --subject AbC… --subject DeF… --with larkfield-housing --with category:police",
		Args:    cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			if len(n.Subjects) == 0 || len(n.Recipients) == 0 {
				return usage("say about whom and with whom: --subject and --with, each at least once")
			}
			p, c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			recorded, err := c.RecordNever(cmd.Context(), n)
			if err != nil {
				return err
			}
			if _, err := p.KeepReceipt("never-"+recorded.ID, recorded); err != nil {
				return err
			}
			return a.show(recorded, func(w io.Writer) {
				fmt.Fprintf(w, "never\t%s\nwith\t%s\nlogged\t%s\n", recorded.ID, strings.Join(n.Recipients, ", "), when(recorded.Receipt.Time))
			})
		}),
	}
	f := cmd.Flags()
	f.StringSliceVar(&n.Subjects, "subject", nil, "a reference that you have of her; may be repeated")
	f.StringSliceVar(&n.Recipients, "with", nil, "a partner's id, or category:NAME; may be repeated")
	f.StringVar(&n.Act, "worker", "", "the worker whom she told, by an opaque id")
	a.offerPartners(cmd, "with")
	return cmd
}

func (a *app) neverListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List what your agency recorded, lifted or not",
		Args:  cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			_, c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			nevers, err := all(c.Nevers(cmd.Context()))
			if err != nil {
				return err
			}
			return a.show(nevers, func(w io.Writer) {
				for _, n := range nevers {
					standing := "stands"
					if !n.LiftedAt.IsZero() {
						standing = "lifted " + when(n.LiftedAt)
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", n.ID, standing, strings.Join(n.Claims.Recipients, ", "), when(n.RecordedAt))
				}
			})
		}),
	}
}

func (a *app) neverLiftCommand() *cobra.Command {
	var act string
	cmd := &cobra.Command{
		Use:   "lift ID",
		Short: "Record that she has changed her mind",
		Args:  cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			p, c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			for n, err := range c.Nevers(cmd.Context()) {
				if err != nil {
					return err
				}
				if n.ID != args[0] {
					continue
				}
				receipt, err := c.LiftNever(cmd.Context(), n.ID, n.Digest, act)
				if err != nil {
					return err
				}
				if _, err := p.KeepReceipt("lift-"+n.ID, receipt); err != nil {
					return err
				}
				return a.showReceipt(receipt)
			}
			return usage("your agency recorded no such thing: handover never list")
		}),
	}
	cmd.Flags().StringVar(&act, "worker", "", "the worker whom she told, by an opaque id")
	return cmd
}
