package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"handover/partners"
)

// joinLink is the address of a one-time link. The code stands behind the #, which no
// browser sends: it is in no server's log, and in no address that is passed on.
func joinLink(cfg Config, code string) string { return cfg.Issuer + "/join#" + code }

func userCommand(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "Add people to partners"}
	var name, role string
	add := &cobra.Command{
		Use:   "add PARTNER",
		Short: "Add a person to a partner and make her one-time sign-in link",
		Long: "Add a person to a partner, as its first administrator, and make the one-time link with which she sets up how\n" +
			"she signs in. It is shown once. Give it to her by a way you trust; it works for two days.",
		Example: `  hub user add camden-outreach --name "Ada Sample" --role administrator`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load(environ)
			if err != nil {
				return err
			}
			return operate(cmd.Context(), environ, func(s *partners.Store) error {
				_, code, err := s.Employ(cmd.Context(), partners.ID(args[0]), name, partners.Role(role))
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), joinLink(cfg, code))
				return err
			})
		},
	}
	add.Flags().StringVar(&name, "name", "", "what her colleagues call her; only they see it")
	add.Flags().StringVar(&role, "role", "", "caseworker, manager, administrator or auditor")
	cmd.AddCommand(add)
	return cmd
}
