package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"handover/client"
)

// roles are those that a person may have.
func roles() []string { return []string{"caseworker", "manager", "administrator", "auditor"} }

func (a *app) peopleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "people",
		Short: "Say who works at your agency, as its administrator",
		Long: `Say who works at your agency, and in which role. It needs handover sign-in, as an
administrator. What people are called is seen by your own agency alone.`,
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "List everybody of your agency",
		Args:  cobra.NoArgs,
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, _ []string) error {
			found, err := c.People(ctx)
			if err != nil {
				return err
			}
			return a.show(map[string]any{"people": found}, func(w io.Writer) {
				fmt.Fprintln(w, "ID\tROLE\tSTATUS\tSINCE\tNAME")
				for _, p := range found {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.ID, p.Role, p.Status, when(p.Since), p.Name)
				}
			})
		}),
	}
	cmd.AddCommand(list, a.peopleAddCommand(), a.peopleRoleCommand(), a.peopleRemoveCommand(), a.peopleReferralsCommand(),
		a.personCommand("suspend", "Stop a person at once", (*client.Client).SuspendPerson),
		a.personCommand("resume", "Let a suspended person take part again", (*client.Client).ResumePerson),
		a.linkCommand(), a.peopleSignOutCommand())
	return cmd
}

func (a *app) peopleAddCommand() *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:   "add NAME --role ROLE",
		Short: "Add a person, and print the link with which she joins",
		Long: `Add a person. The link that is printed lets whoever opens it join as her, once, within two
days: give it to her yourself, in person or on the telephone, and to nobody else. It is
not shown again.`,
		Example: "  handover people add \"Ada of nights\" --role caseworker",
		Args:    cobra.ExactArgs(1),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			if !slices.Contains(roles(), role) {
				return usage("--role is one of %s", strings.Join(roles(), ", "))
			}
			link, err := c.AddPerson(ctx, args[0], role)
			if err != nil {
				return err
			}
			return a.showLink(link)
		}),
	}
	cmd.Flags().StringVar(&role, "role", "", strings.Join(roles(), ", "))
	return cmd
}

func (a *app) showLink(l client.Link) error {
	return a.show(l, func(w io.Writer) {
		fmt.Fprintf(w, "person\t%s\nlink\t%s\ngood until\t%s, once\n", l.ID, l.Link, when(l.Expires))
	})
}

func (a *app) peopleRoleCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "role PERSON ROLE",
		Short:   "Give a person another role, at once",
		Example: "  handover people role 6f1c… manager",
		Args:    cobra.ExactArgs(2),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			if !slices.Contains(roles(), args[1]) {
				return usage("the role is one of %s", strings.Join(roles(), ", "))
			}
			p, err := c.SetRole(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return a.showPerson(p)
		}),
	}
}

func (a *app) showPerson(p client.Person) error {
	return a.show(p, func(w io.Writer) {
		fmt.Fprintf(w, "person\t%s\nname\t%s\nrole\t%s\nstatus\t%s\n", p.ID, p.Name, p.Role, p.Status)
	})
}

// personCommand changes where a person stands.
func (a *app) personCommand(use, short string, change func(*client.Client, context.Context, string) (client.Person, error)) *cobra.Command {
	return &cobra.Command{
		Use:   use + " PERSON",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			p, err := change(c, ctx, args[0])
			if err != nil {
				return err
			}
			return a.showPerson(p)
		}),
	}
}

func (a *app) linkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "recover PERSON",
		Short: "Print a new link for who has lost her way in",
		Long: `Print a new link for a person who has lost her passkey, or let her first link run out. An
earlier unused link ends; using this one ends her earlier passkeys and sessions. Make sure
that it is she who asks. Nobody recovers herself: ask another administrator, or the hub's
operator.`,
		Args: cobra.ExactArgs(1),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			link, err := c.RecoverPerson(ctx, args[0])
			if err != nil {
				return err
			}
			return a.showLink(link)
		}),
	}
}

func (a *app) peopleSignOutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sign-out PERSON",
		Short: "End a person's sessions and tokens, wherever they are",
		Args:  cobra.ExactArgs(1),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			if err := c.SignOutPerson(ctx, args[0]); err != nil {
				return err
			}
			return a.show(map[string]any{"id": args[0], "signed_out": true}, func(w io.Writer) { fmt.Fprintln(w, "signed out") })
		}),
	}
}

func (a *app) peopleReferralsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "referrals PERSON",
		Short: "List the open referrals that a person holds",
		Long: `List the open referrals that a person holds: where she took your agency's last step that
names anybody, or, where none does, was the last to open a section.`,
		Args: cobra.ExactArgs(1),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			held, err := all(c.HeldBy(ctx, args[0]))
			if err != nil {
				return err
			}
			return a.show(map[string]any{"referrals": held}, func(w io.Writer) { writeHeld(w, held) })
		}),
	}
}

func writeHeld(w io.Writer, held []client.Held) {
	if len(held) == 0 {
		fmt.Fprintln(w, "nothing")
		return
	}
	fmt.Fprintln(w, "REFERENCE\tURGENCY\tSTATE\tROLE\tSINCE")
	for _, h := range held {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", h.Reference, h.Urgency, h.State, h.Role, when(h.Since))
	}
}

func (a *app) peopleRemoveCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "remove PERSON",
		Short: "End a leaver's part for good",
		Long: `End a leaver's part for good: her sessions, tokens and links end at once. The open referrals
that she holds are shown first, so that nobody is left waiting for an answer; then it is
asked whether to go on, or --yes says so.`,
		Args: cobra.ExactArgs(1),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			held, err := all(c.HeldBy(ctx, args[0]))
			if err != nil {
				return err
			}
			if err := a.confirmRemoval(held, yes); err != nil {
				return err
			}
			p, err := c.RemovePerson(ctx, args[0])
			if err != nil {
				return err
			}
			type removed struct {
				client.Person
				Held []client.Held `json:"referrals"`
			}
			return a.show(removed{p, held}, func(w io.Writer) { fmt.Fprintf(w, "removed\t%s\t%s\n", p.ID, p.Name) })
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// confirmRemoval shows what she holds and asks.
func (a *app) confirmRemoval(held []client.Held, yes bool) error {
	var b strings.Builder
	for _, h := range held {
		fmt.Fprintf(&b, "  %s  %s, %s, %s since %s\n", h.Reference, h.Urgency, h.State, h.Role, when(h.Since))
	}
	if len(held) > 0 {
		a.say("she holds %d open referrals, which others must take over:\n%s", len(held), b.String())
	}
	if yes {
		return nil
	}
	if !a.asks {
		return usage("nobody is there to ask whether to go on: say --yes")
	}
	answer, err := a.ask("remove her for good? (yes/no)")
	if err != nil {
		return err
	}
	if !strings.EqualFold(answer, "yes") {
		return usage("she was not removed")
	}
	return nil
}
