package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"handover/keys"
	"handover/partners"
)

func manageCommand(environ []string) *cobra.Command {
	return custodyCommand(environ, "manage ID", &cobra.Command{
		Short: "Let a partner take part with keys that the hub holds for it",
		Long: "Let an invited partner take part with keys that the hub holds for it, for an agency that has nowhere to keep its own.\n" +
			"The hub then signs and opens for its people, one act at a time, and says so to everybody who verifies. An agency\n" +
			"that can hold its keys enrols by hub invite instead: what the hub can open, the hub's operator could read.",
	}, (*partners.Store).Manage, "%[1]s takes part; the hub holds its keys. Next: hub user add %[1]s\n")
}

func renewCommand(environ []string) *cobra.Command {
	return custodyCommand(environ, "renew ID", &cobra.Command{
		Short: "Put new keys in the place of those that the hub holds for a partner",
		Long: "Put new keys in the place of those that the hub holds for a partner. The old signing key signs for them; both old keys\n" +
			"count a while longer, and what waits stays readable. If it fails half way, run it again within the hour.",
	}, (*partners.Store).Renew, "%s has new keys, which the hub holds\n")
}

func expectCommand(environ []string) *cobra.Command {
	expect := func(s *partners.Store, ctx context.Context, store keys.Store, _ string, id partners.ID) error {
		return s.Expect(ctx, store, id)
	}
	return custodyCommand(environ, "expect ID", &cobra.Command{
		Short: "Agree to hold a partner's keys, which its administrator then hands over",
		Long: "Agree that the hub holds the keys of a partner that holds its own: make its signing key in the key store. Nothing changes\n" +
			"until the partner's administrator has signed for it: handover custody give.",
	}, expect, "%s can hand over its keys. Next, there: handover custody give\n")
}

// custodyCommand completes a command that does something to the keys that the hub holds for
// a partner, with the key store, and then says what was done.
func custodyCommand(environ []string, use string, cmd *cobra.Command,
	act func(*partners.Store, context.Context, keys.Store, string, partners.ID) error, done string) *cobra.Command {
	cmd.Use, cmd.Args = use, cobra.ExactArgs(1)
	verb, _, _ := strings.Cut(use, " ")
	cmd.Example = "  hub partner " + verb + " larkfield-housing"
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := load(environ)
		if err != nil {
			return err
		}
		store, err := openKeys(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		return operate(cmd.Context(), environ, func(s *partners.Store) error {
			if err := act(s, cmd.Context(), store, cfg.Issuer, partners.ID(args[0])); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), done, args[0])
			return err
		})
	}
	return cmd
}

func releaseCommand(environ []string) *cobra.Command {
	return &cobra.Command{
		Use:   "release ID",
		Short: "Make the code by which a partner takes its keys out of the hub's hands",
		Long: "Make the one-time code by which a system of the partner takes over its keys: it enrols with keys of its own, gets\n" +
			"what it needs to open what waits, and the hub destroys what it had. The code is shown once, and works for two days.\n" +
			"Give it to the partner's administrator by a way you trust: who has it first gets what the agency can open.",
		Example: `  hub partner release larkfield-housing`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return operate(cmd.Context(), environ, func(s *partners.Store) error {
				code, _, err := s.OfferTaking(cmd.Context(), partners.ID(args[0]))
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), code)
				return err
			})
		},
	}
}
