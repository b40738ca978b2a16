package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"handover/partners"
)

func manageCommand(environ []string) *cobra.Command {
	return &cobra.Command{
		Use:   "manage ID",
		Short: "Let a partner take part with keys that the hub holds for it",
		Long: "Let an invited partner take part with keys that the hub holds for it, for an agency that has nowhere to keep its own.\n" +
			"The hub then signs and opens for its people, one act at a time, and says so to everybody who verifies. An agency\n" +
			"that can hold its keys enrols by hub invite instead: what the hub can open, the hub's operator could read.",
		Example: `  hub partner manage larkfield-housing`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load(environ)
			if err != nil {
				return err
			}
			store, err := openKeys(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			id := partners.ID(args[0])
			return operate(cmd.Context(), environ, func(s *partners.Store) error {
				if err := s.Manage(cmd.Context(), store, cfg.Issuer, id); err != nil {
					return err
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s takes part; the hub holds its keys. Next: hub user add %s\n", id, id)
				return err
			})
		},
	}
}

func renewCommand(environ []string) *cobra.Command {
	return &cobra.Command{
		Use:   "renew ID",
		Short: "Put new keys in the place of those that the hub holds for a partner",
		Long: "Put new keys in the place of those that the hub holds for a partner. The old signing key signs for them; both old keys\n" +
			"count a while longer, and what waits stays readable. If it fails half way, run it again within the hour.",
		Example: `  hub partner renew larkfield-housing`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load(environ)
			if err != nil {
				return err
			}
			store, err := openKeys(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			return operate(cmd.Context(), environ, func(s *partners.Store) error {
				if err := s.Renew(cmd.Context(), store, cfg.Issuer, partners.ID(args[0])); err != nil {
					return err
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s has new keys, which the hub holds\n", args[0])
				return err
			})
		},
	}
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

func expectCommand(environ []string) *cobra.Command {
	return &cobra.Command{
		Use:   "expect ID",
		Short: "Agree to hold a partner's keys, which its administrator then hands over",
		Long: "Agree that the hub holds the keys of a partner that holds its own: make its signing key in the key store. Nothing changes\n" +
			"until the partner's administrator has signed for it: handover custody give.",
		Example: `  hub partner expect larkfield-housing`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load(environ)
			if err != nil {
				return err
			}
			store, err := openKeys(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			return operate(cmd.Context(), environ, func(s *partners.Store) error {
				if err := s.Expect(cmd.Context(), store, partners.ID(args[0])); err != nil {
					return err
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s can hand over its keys. Next, there: handover custody give\n", args[0])
				return err
			})
		},
	}
}
