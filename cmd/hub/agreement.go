package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"handover/partners"
)

// agreementListCommand lists what is in force. What the operator put there is said to be signed by
// nobody: it is the operator's word that two agencies agreed.
func agreementListCommand(environ []string) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List what is in force, and what of it is signed", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return operate(cmd.Context(), environ, func(s *partners.Store) error {
				all, err := s.Agreements(cmd.Context())
				if err != nil {
					return err
				}
				return listAgreements(cmd.OutOrStdout(), all)
			})
		},
	}
}

func listAgreements(out io.Writer, all []partners.Agreement) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, a := range all {
		signed := "not signed"
		if a.Terms != "" {
			signed = "signed by both: " + a.Terms
		}
		fmt.Fprintf(w, "%s\t%s may send %s\t%s\t%s\tuntil %s\t%s\n", a.ID, a.Sender, a.Recipient, strings.Join(a.Purposes, ","),
			strings.Join(a.Sections, ","), a.To.UTC().Format(time.DateOnly), signed)
	}
	return w.Flush()
}
