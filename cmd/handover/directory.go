package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/codes"
)

func (a *app) partnersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "partners [ID]",
		Short: "List the partners, or show one with its public keys",
		Long: `List the partners that take part, or show one with its public keys. With --json the keys
are what handover verify --keys takes. They have been held against the hub's log and against
what was seen before; the first time, that a key is the partner's is the hub's word. Compare
the thumbprint by telephone before something weighty goes to a partner you do not know yet,
and note it: handover keys accept.`,
		Example: "  handover partners\n  handover partners larkfield-housing --json > keys.json",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			if len(args) == 1 {
				return a.showPartner(ctx, c, args[0])
			}
			found, err := c.Directory(ctx)
			if err != nil {
				return err
			}
			return a.show(map[string]any{"partners": found}, func(w io.Writer) {
				for _, p := range found {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.ID, p.Category, strings.Join(p.Areas, ","), p.Name)
				}
			})
		}),
	}
}

// partnerKeys is one partner with its keys, as partners prints it and verify reads it.
type partnerKeys struct {
	Partner client.Partner `json:"partner"`
	Keys    []client.Key   `json:"keys"`
}

func (a *app) showPartner(ctx context.Context, c *client.Client, id string) error {
	p, err := c.Partner(ctx, id)
	if err != nil {
		return err
	}
	keys, err := c.Keys(ctx, id)
	if err != nil {
		return err
	}
	return a.show(partnerKeys{p, keys}, func(w io.Writer) {
		fmt.Fprintf(w, "%s\t%s\t%s\n\n", p.ID, p.Category, p.Name)
		if p.Custody == client.HeldByHub {
			fmt.Fprintf(w, "The hub holds its keys: it signs and opens for the people of %s.\n\n", p.ID)
		}
		for _, k := range keys {
			state := "until " + when(k.NotAfter)
			if !k.Revoked.IsZero() {
				state = "revoked " + when(k.Revoked)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", k.Use, k.Thumbprint(), k.Algorithm(), state)
		}
	})
}

func (a *app) servicesCommand() *cobra.Command {
	var need, area string
	cmd := &cobra.Command{
		Use:     "services",
		Short:   "List what partners offer",
		Example: "  handover services --need housing --area E09000007",
		Args:    cobra.NoArgs,
		RunE: a.withClient(func(ctx context.Context, c *client.Client, _ []string) error {
			found, err := c.Services(ctx, need, area)
			if err != nil {
				return err
			}
			return a.show(map[string]any{"services": found}, func(w io.Writer) { writeServices(w, found) })
		}),
	}
	cmd.Flags().StringVar(&need, "need", "", "a purpose: "+codes.Purposes().String())
	cmd.Flags().StringVar(&area, "area", "", "an authority, as a GSS code such as E09000007")
	offer(cmd, "need", codes.Purposes())
	cmd.AddCommand(a.capacityCommand())
	return cmd
}

// capacityCommand is for an agency's system at night as for a person: whoever knows how many
// beds are free.
func (a *app) capacityCommand() *cobra.Command {
	var said client.Capacity
	cmd := &cobra.Command{
		Use:     "capacity SERVICE open|waiting-list|paused",
		Short:   "Say how many a service of your agency can take now",
		Long:    "Say how many a service of your agency can take now. Say it again when it is still so: everybody sees when that was.\nA service that is paused takes no referrals.",
		Example: "  handover services capacity 0b9c2f7e-6f0a-4c3e-9a57-0d5f3b1c2a44 waiting-list --wait one-to-three-months",
		Args:    cobra.ExactArgs(2),
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			said.Capacity = args[1]
			s, err := c.SetCapacity(ctx, args[0], said)
			if err != nil {
				return err
			}
			return a.show(s, func(w io.Writer) { writeServices(w, []client.Service{s}) })
		}),
	}
	cmd.Flags().StringVar(&said.Wait, "wait", "", "of a waiting list: "+codes.Waits().String())
	offer(cmd, "wait", codes.Waits())
	return cmd
}

func writeServices(w io.Writer, found []client.Service) {
	if len(found) == 0 {
		fmt.Fprintln(w, "nothing")
		return
	}
	fmt.Fprintln(w, "SERVICE\tPARTNER\tCAPACITY\tFOR\tNAME")
	for _, s := range found {
		var says []string
		for _, c := range []struct {
			true bool
			said string
		}{{s.WomenOnly, "women only"}, {s.AcceptsNoRecourse, "takes women with no recourse to public funds"}, {s.SelfReferral, "she may come by herself"}} {
			if c.true {
				says = append(says, c.said)
			}
		}
		name := s.Name
		if len(says) > 0 {
			name += " (" + strings.Join(says, "; ") + ")"
		}
		capacity := s.Capacity
		if s.Wait != "" {
			capacity += ", " + codes.Waits().Label(s.Wait)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.ID, s.Partner, capacity, strings.Join(s.Purposes, ","), name)
	}
}

func (a *app) firewallCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "firewall [CATEGORY]",
		Short: "Say what may never go to whom, whoever agrees",
		Long: `Say, for each category of recipient and each section, for which purposes it may ever be
sent, and why. Agreements and consents narrow it; nothing widens it.`,
		Example: "  handover firewall\n  handover firewall police",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			all, err := c.Firewall(ctx)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				all = slices.DeleteFunc(all, func(r client.Ruled) bool { return r.Category != args[0] })
			}
			if len(all) == 0 {
				return usage("there is no such category of partner: handover firewall lists them")
			}
			return a.show(map[string]any{"categories": all}, func(w io.Writer) { writeFirewall(w, all) })
		}),
	}
}

func writeFirewall(w io.Writer, all []client.Ruled) {
	for _, to := range all {
		fmt.Fprintf(w, "To %s (%s):\n", to.Title, to.Category)
		for _, r := range to.Rules {
			may := "only for " + strings.Join(r.Purposes, ", ")
			switch {
			case len(r.Purposes) == 0:
				may = "NEVER"
			case slices.Contains(r.Purposes, "*"):
				may = "if she agrees"
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\n", r.Section, may, r.Why)
		}
		fmt.Fprintln(w)
	}
}
