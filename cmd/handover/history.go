package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func (a *app) historyCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "history ID --out FILE",
		Short: "Save everything that proves a referral, to be verified offline",
		Long: `Save the signed steps of a referral with their receipts, the consent records they rest
on, the partners' public keys and the log's key as one bundle. It holds no content. Anyone
can verify it with handover verify, with no hub and no profile. ` + anID,
		Example: "  handover history R-7K3F-9Q2M --out bundle.json\n  handover verify bundle.json",
		Args:    cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			_, c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			id, err := resolve(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			b, err := c.Bundle(cmd.Context(), id)
			if err != nil {
				return err
			}
			data, err := b.Bytes()
			if err != nil {
				return err
			}
			if out == "" || out == "-" {
				_, err = a.out.Write(data)
				return err
			}
			if err := os.WriteFile(out, data, 0o600); err != nil {
				return fmt.Errorf("saving the bundle: %w", err)
			}
			err = a.show(map[string]any{"referral": id, "steps": len(b.Events), "file": out}, func(w io.Writer) {
				fmt.Fprintf(w, "%d steps are in %s\n", len(b.Events), out)
			})
			a.next("handover verify %s", out)
			return err
		}),
	}
	cmd.Flags().StringVar(&out, "out", "", "the file to write (default standard output)")
	return cmd
}
