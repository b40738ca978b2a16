package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/codes"
)

func (a *app) consentCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "consent", Short: "Record, show and withdraw what she agreed to"}
	cmd.AddCommand(a.consentNewCommand(), a.consentReviewCommand(), a.holdersCommand(), a.endingCommand(), &cobra.Command{
		Use:     "show ID",
		Short:   "Show a consent record that you made or are named in",
		Example: "  handover consent show 0190a1b2-…",
		Args:    cobra.ExactArgs(1),
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			stored, err := c.Consent(ctx, args[0])
			if err != nil {
				return err
			}
			return a.show(stored, func(w io.Writer) { writeConsent(w, stored) })
		}),
	}, &cobra.Command{
		Use:   "withdraw ID",
		Short: "Record that she takes a consent back",
		Long: `Record that she takes a consent back. She needs no reason. When it is done, nothing
more can be shared on that consent; what was opened before, its reader has.`,
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

func writeConsent(w io.Writer, s client.StoredConsent) {
	c := s.Claims
	fmt.Fprintf(w, "consent\t%s\nstate\t%s\nrecorded by\t%s on %s\n", s.ID, s.State, c.Issuer, when(s.RecordedAt))
	if !s.WithdrawnAt.IsZero() {
		fmt.Fprintf(w, "withdrawn\t%s\n", when(s.WithdrawnAt))
	}
	fmt.Fprintf(w, "subject\t%s\npurpose\t%s\nfor\t%s\nmay share\t%s\n", c.Subject, codes.Purposes().Label(c.Purpose),
		strings.Join(c.Recipients, ", "), strings.Join(c.Sections, ", "))
	if len(c.Withheld) > 0 {
		fmt.Fprintf(w, "never\t%s\n", strings.Join(c.Withheld, ", "))
	}
	fmt.Fprintf(w, "stands until\t%s\n", when(time.Unix(c.Expires, 0)))
}

// showReceipt prints a receipt that has been verified.
func (a *app) showReceipt(r client.Receipt) error {
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
