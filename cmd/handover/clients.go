package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
)

func (a *app) clientsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "clients",
		Short: "Say which systems act for your agency, as its administrator",
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "List your agency's systems, with the keys by which they authenticate",
		Args:  cobra.NoArgs,
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, _ []string) error {
			found, err := c.Clients(ctx)
			if err != nil {
				return err
			}
			return a.show(map[string]any{"clients": found}, func(w io.Writer) {
				for _, s := range found {
					status := "active"
					if !s.Active {
						status = "suspended"
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.ID, status, s.Name, strings.Join(s.Scopes, ","))
					for _, k := range s.Keys {
						fmt.Fprintf(w, "\t%s\t%s\t%s\n", k.Algorithm, k.ID, standing(k))
					}
				}
			})
		}),
	}
	invite := &cobra.Command{
		Use:   "invite",
		Short: "Give leave for one new system: prints a token that is good once, for a day",
		Args:  cobra.NoArgs,
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, _ []string) error {
			leave, err := c.InviteClient(ctx)
			if err != nil {
				return err
			}
			if err := a.show(leave, func(w io.Writer) {
				fmt.Fprintf(w, "token\t%s\ngood until\t%s, once\n", leave.Token, when(leave.Expires))
			}); err != nil {
				return err
			}
			a.next("on the new system's machine: handover --home DIR clients register --hub %s --name NAME --scope SCOPES", c.Hub())
			return nil
		}),
	}
	cmd.AddCommand(list, invite, a.registerCommand(),
		a.switchCommand("suspend", "Stop a system at once, and everybody who acts through it", false, (*client.Client).SuspendClient),
		a.switchCommand("resume", "Let a suspended system take part again", true, (*client.Client).ResumeClient))
	return cmd
}

// standing says until when a key counts.
func standing(k client.HeldKey) string {
	if !k.Revoked.IsZero() {
		return "revoked " + when(k.Revoked)
	}
	return "until " + when(k.NotAfter)
}

func (a *app) switchCommand(use, short string, active bool, change func(*client.Client, context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use:   use + " CLIENT",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			if err := change(c, ctx, args[0]); err != nil {
				return err
			}
			return a.show(map[string]any{"client_id": args[0], "active": active}, func(w io.Writer) {
				fmt.Fprintf(w, "%s\t%s\n", args[0], map[bool]string{true: "active", false: "suspended"}[active])
			})
		}),
	}
}

func (a *app) registerCommand() *cobra.Command {
	var hub, code, scope string
	var people bool
	g := client.Registering{}
	cmd := &cobra.Command{
		Use:   "register --hub URL --name NAME --scope SCOPES",
		Short: "Register this machine's system with your administrator's one-time token",
		Long: `Register a further system of your agency, on its own machine, with the token that
handover clients invite printed. The token is taken from HANDOVER_CODE, else it is asked
for, or read from standard input.

A new profile is made, with a key of its own to authenticate. It has none to sign and to
open with: referrals are sent and opened by the system that your agency enrolled.`,
		Example: "  handover --home records clients register --hub https://hub.example --name \"Night records\" --scope referrals:receive",
		Args:    cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			g.Scopes = strings.FieldsFunc(scope, func(r rune) bool { return r == ',' || r == ' ' })
			if hub == "" || g.Name == "" || len(g.Scopes) == 0 {
				return usage("--hub, --name and --scope are needed")
			}
			g.Hub, g.Grants = hub, []string{"client_credentials"}
			if people {
				g.Grants, g.Redirects = append(g.Grants, "authorization_code", "refresh_token"), []string{client.LoopbackRedirect}
			}
			return a.register(cmd.Context(), g, code)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&hub, "hub", "", "the hub's address, as https://hub.example")
	f.StringVar(&g.Name, "name", "", "what people call the system")
	f.StringVar(&scope, "scope", "", "all the rights that it may ever have, separated by commas")
	f.BoolVar(&people, "people", false, "people may sign in to it too (handover sign-in)")
	f.StringVar(&code, "code", "", "the one-time token; \"-\" reads it from standard input")
	return cmd
}

func (a *app) register(ctx context.Context, g client.Registering, code string) error {
	dir, err := a.folder()
	if err != nil {
		return err
	}
	o, err := a.options()
	if err != nil {
		return err
	}
	s, err := profile.Read(dir)
	if err != nil && !errors.Is(err, profile.ErrNone) {
		return err
	}
	if s.ClientID != "" || !s.Keys.Signing.IsZero() {
		return profile.ErrEnrolled // before a token is asked for in vain
	}
	if g.Token, err = a.code("one-time token", code); err != nil {
		return err
	}
	_, e, err := profile.Register(ctx, dir, o, g)
	if err != nil {
		return err
	}
	if err := a.show(e, func(w io.Writer) {
		fmt.Fprintf(w, "partner\t%s\nclient id\t%s\nhub\t%s\nscopes\t%s\n", e.Partner, e.ClientID, e.Hub, strings.Join(e.Scopes, ", "))
	}); err != nil {
		return err
	}
	a.next("handover doctor")
	return nil
}
