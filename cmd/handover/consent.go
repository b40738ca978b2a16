package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
)

func (a *app) consentCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "consent", Short: "Record, show, renew, narrow and withdraw what she agreed to"}
	cmd.AddCommand(a.consentNewCommand(), a.consentShowCommand(), a.consentRenewCommand(), a.consentNarrowCommand(),
		a.consentReviewCommand(), a.holdersCommand(), a.endingCommand(), &cobra.Command{
			Use:   "withdraw ID",
			Short: "Record that she takes a consent back",
			Long: `Record that she takes a consent back. She needs no reason. When it is done, nothing
more can be shared on that consent. What nobody has opened is destroyed, what nobody has
accepted is cancelled, and whoever has opened something is asked whether it is deleted:
handover consent holders ID shows the answers.`,
			Args: cobra.ExactArgs(1),
			RunE: a.does(func(cmd *cobra.Command, args []string) error {
				p, c, err := a.client(cmd.Context())
				if err != nil {
					return err
				}
				receipt, err := c.WithdrawConsent(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if _, err := p.KeepReceipt("withdrawal-"+args[0], receipt); err != nil {
					return err
				}
				return a.showReceipt(receipt)
			}),
		})
	return cmd
}

// showReceipt prints a receipt that has been verified.
func (a *app) showReceipt(r client.Receipt) error {
	a.sayUnwitnessed(r)
	return a.show(r, func(w io.Writer) {
		for _, line := range [][2]string{{"referral", r.Reference}, {"id", r.Referral}, {"event", r.Event},
			{"consent", r.Consent}, {"override", r.Override}, {"state", r.State}, {"logged", when(r.Time)}} {
			if line[1] != "" {
				fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
			}
		}
	})
}

// when writes a time as the reader's clock shows it.
func when(t time.Time) string { return t.Local().Format("2 Jan 2006 15:04") }
