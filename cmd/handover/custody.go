package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"handover/client/profile"
)

func (a *app) custodyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "custody", Short: "Take your agency's keys out of the hub's hands, or hand them to it"}
	cmd.AddCommand(a.custodyBeginCommand(), a.custodyTakeCommand(), a.custodyCollectCommand(), a.custodyGiveCommand())
	return cmd
}

func (a *app) custodyBeginCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "begin",
		Short: "Make the code by which a system of yours takes the keys over, as your agency's administrator",
		Long: `Make the one-time code for handover custody take. It is shown once and works for two days.
Where your agency has no system yet through which you could sign in, the hub's operator
makes it: hub partner release.`,
		Args: cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			p, err := a.profile(cmd.Context())
			if err != nil {
				return err
			}
			by, err := p.PersonClient(cmd.Context())
			if err != nil {
				return err
			}
			code, err := by.BeginTaking(cmd.Context())
			if err != nil {
				return err
			}
			if err := a.show(code, func(w io.Writer) { fmt.Fprintf(w, "%s\tworks until %s\n", code.Code, when(code.Expires)) }); err != nil {
				return err
			}
			a.next("handover custody take, with this code, in the profile that is to hold the keys")
			return nil
		}),
	}
}

func (a *app) custodyTakeCommand() *cobra.Command {
	var hub, code string
	cmd := &cobra.Command{
		Use:   "take --hub URL",
		Short: "Enrol with this profile's keys in the place of those that the hub holds",
		Long: `Register this profile's public keys in the place of those that the hub holds for your
agency. The key that the hub holds signs for them, so your partners take them without
asking. What the hub can open is handed to this profile, sealed to its encryption key, and
then destroyed there. From then on your agency signs and opens with this profile alone:
back it up.

The code is taken from --code, else from HANDOVER_CODE, else it is asked for, or read from
standard input. If it is broken off, the same command again, or handover custody collect,
finishes it.`,
		Example: "  handover keys new\n  handover custody take --hub https://hub.example",
		Args:    cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			if hub == "" {
				return usage("name the hub: --hub https://hub.example")
			}
			p, err := a.profile(cmd.Context())
			if err != nil {
				return err
			}
			if p.Settings().ClientID != "" {
				return profile.ErrEnrolled // before a code is asked for in vain
			}
			if code, err = a.code("code of the taking", code); err != nil {
				return err
			}
			e, err := p.Take(cmd.Context(), hub, code)
			if err != nil {
				return err
			}
			if err := a.show(e, func(w io.Writer) {
				fmt.Fprintf(w, "partner\t%s\nclient id\t%s\nhub\t%s\nlog key\t%s\n", e.Partner, e.ClientID, e.Hub, e.LogKey)
			}); err != nil {
				return err
			}
			a.next("back up the profile; then handover inbox")
			return nil
		}),
	}
	cmd.Flags().StringVar(&hub, "hub", "", "the hub's address, as https://hub.example")
	cmd.Flags().StringVar(&code, "code", "", "the one-time code; \"-\" reads it from standard input")
	return cmd
}

func (a *app) custodyCollectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "collect",
		Short: "Finish a taking that was broken off: get the keys that the hub still has",
		Args:  cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			p, err := a.profile(cmd.Context())
			if err != nil {
				return err
			}
			n, err := p.Collect(cmd.Context())
			if err != nil {
				return err
			}
			return a.show(map[string]int{"keys": n}, func(w io.Writer) {
				fmt.Fprintf(w, "%d keys were new here; the hub has destroyed what it had\n", n)
			})
		}),
	}
}

func (a *app) custodyGiveCommand() *cobra.Command {
	var sure bool
	cmd := &cobra.Command{
		Use:   "give --yes",
		Short: "Hand your agency's keys to the hub, as your agency's administrator",
		Long: `Hand your agency's keys to the hub: it signs and opens for your people from then on, one
act at a time, and can open what is sealed to you. Your partners are told. Your signing
key signs for the hub's keys and ends; your encryption keys go along, sealed to the hub's
new one, so that what waits stays readable. Your systems can sign and open nothing new
afterwards; handover custody take, in a new profile, is the way back.`,
		Args: cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			if !sure {
				return usage("the hub will be able to open what is sealed to your agency: add --yes if that is what you want")
			}
			p, err := a.profile(cmd.Context())
			if err != nil {
				return err
			}
			by, err := p.PersonClient(cmd.Context())
			if err != nil {
				return err
			}
			if err := p.Give(cmd.Context(), by); err != nil {
				return err
			}
			partner := p.Settings().Partner
			return a.show(map[string]string{"partner": partner, "custody": "hub"}, func(w io.Writer) {
				fmt.Fprintf(w, "the hub holds the keys of %s\n", partner)
			})
		}),
	}
	cmd.Flags().BoolVar(&sure, "yes", false, "the hub may open what is sealed to your agency")
	return cmd
}
