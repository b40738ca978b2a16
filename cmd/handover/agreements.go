package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
)

func (a *app) agreementsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "agreements",
		Short: "Agree with other agencies what may be sent, as your agency's administrator",
		Long: `Agree with other agencies what may be sent: one agency proposes, the other signs, either
ends. Each signature is made with your agency's own key, in the name of the administrator who
is signed in: handover sign-in --scope partner:admin. Everybody may list and show.

An agreement gives no more than the firewall lets pass (handover firewall) and than she says
yes to.`,
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "List what your agency agreed, proposed or was asked to sign",
		Args:  cobra.NoArgs,
		RunE: a.reads(func(ctx context.Context, c *client.Client, _ []string) error {
			found, unsigned, err := c.Agreements(ctx)
			if err != nil {
				return err
			}
			return a.show(map[string]any{"agreements": found, "unsigned": unsigned}, func(w io.Writer) {
				for _, g := range found {
					fmt.Fprintf(w, "%s\t%s\twith %s\tversion %d\tuntil %s\n", g.ID, g.State, g.With(c.PartnerID()), g.Version, day(g.To))
				}
				for _, u := range unsigned {
					fmt.Fprintf(w, "%s\tnot signed\t%s may send %s\t%s for %s\tuntil %s\n", u.ID, u.Sender, u.Recipient, strings.Join(u.Sections, ","), strings.Join(u.Purposes, ","), day(u.To))
				}
			})
		}),
	}
	show := &cobra.Command{
		Use:   "show ID",
		Short: "Show an agreement with its signatures, each verified",
		Args:  cobra.ExactArgs(1),
		RunE: a.reads(func(ctx context.Context, c *client.Client, args []string) error {
			g, err := c.Agreement(ctx, args[0])
			if err != nil {
				return err
			}
			return a.show(g, func(w io.Writer) { writeAgreement(w, g) })
		}),
	}
	cmd.AddCommand(list, show, a.agreementsProposeCommand(), a.agreementsSignCommand(), a.agreementsRefuseCommand(), a.agreementsEndCommand())
	return cmd
}

// reads makes the body of a command for who is signed in, or else for the system.
func (a *app) reads(f func(ctx context.Context, c *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return a.does(func(cmd *cobra.Command, args []string) error {
		c, err := a.personOrSystem(cmd.Context())
		if err != nil {
			return err
		}
		return f(cmd.Context(), c, args)
	})
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func writeAgreement(w io.Writer, g client.Agreement) {
	fmt.Fprintf(w, "agreement\t%s\nstate\t%s\nversion\t%d\n", g.ID, g.State, g.Version)
	for _, way := range g.Ways {
		fmt.Fprintf(w, "%s may send %s\t%s\nfor\t%s\n", way.Sender, way.Recipient, strings.Join(way.Sections, ", "), strings.Join(way.Purposes, ", "))
	}
	fmt.Fprintf(w, "from\t%s\nuntil\t%s\nlook at it again\t%s\n", day(g.From), day(g.To), day(g.ReviewAt))
	for _, s := range []*client.AgreementStep{&g.Proposed, g.Answer, g.End} {
		if s == nil {
			continue
		}
		by := s.Partner
		if s.Custody == client.HeldByHub {
			by += ", whose key the hub holds: it signed for the administrator"
		}
		if s.Act != "" {
			by += " " + s.Act
		}
		if s.Reason != "" {
			by += ": " + client.RefusalReasons().Label(s.Reason)
		}
		fmt.Fprintf(w, "%s\t%s\tby %s\n", s.Step, when(s.At), by)
	}
}

func (a *app) agreementsProposeCommand() *cobra.Command {
	var p client.Proposal
	var months, review int
	cmd := &cobra.Command{
		Use:   "propose AGENCY",
		Short: "Propose to another agency what may be sent each way",
		Long: `Propose to another agency what may be sent each way. It is in force when the other agency's
administrator has signed it. Where a signed agreement is in force between you, this one takes
its place then.`,
		Example: "  handover agreements propose larkfield-housing --send-purposes housing --send-sections need,safe-contact --receive-purposes housing --receive-sections note",
		Args:    cobra.ExactArgs(1),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			p.Other = args[0]
			now := a.now()
			p.From, p.To, p.Review = now, now.AddDate(0, months, 0), now.AddDate(0, review, 0)
			recorded, err := c.ProposeAgreement(ctx, p)
			if err != nil {
				return err
			}
			return a.showAgreed(recorded, "proposed")
		}),
	}
	f := cmd.Flags()
	f.StringSliceVar(&p.Sends.Purposes, "send-purposes", nil, "what you may send for")
	f.StringSliceVar(&p.Sends.Sections, "send-sections", nil, "which sections you may send")
	f.StringSliceVar(&p.Receives.Purposes, "receive-purposes", nil, "what they may send for")
	f.StringSliceVar(&p.Receives.Sections, "receive-sections", nil, "which sections they may send")
	f.IntVar(&months, "months", 12, "for how many months it stands, 24 at most")
	f.IntVar(&review, "review", 11, "after how many months both look at it again")
	return cmd
}

// showAgreed prints what was signed.
func (a *app) showAgreed(r client.RecordedAgreement, what string) error {
	return a.show(r, func(w io.Writer) {
		fmt.Fprintf(w, "%s\t%s\ndigest\t%s\nlogged\t%s\n", what, r.ID, r.Digest, when(r.Receipt.Time))
	})
}

// agreed makes the body of an act about one agreement: it is shown before it is asked whether to
// go on, and exactly what was shown is signed.
func (a *app) agreed(question string, yes *bool, what string, act func(context.Context, *client.Client, client.Agreement) (client.RecordedAgreement, error)) func(*cobra.Command, []string) error {
	return a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
		g, err := c.Agreement(ctx, args[0])
		if err != nil {
			return err
		}
		if !*yes {
			var b strings.Builder
			writeAgreement(&b, g)
			a.say("%s", b.String())
			if !a.asks {
				return usage("nobody is there to ask whether to go on: say --yes")
			}
			answer, err := a.ask(question + " (yes/no)")
			if err != nil {
				return err
			}
			if !strings.EqualFold(answer, "yes") {
				return usage("nothing was signed")
			}
		}
		recorded, err := act(ctx, c, g)
		if err != nil {
			return err
		}
		return a.showAgreed(recorded, what)
	})
}

func (a *app) agreementsSignCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "sign ID",
		Short: "Sign what another agency proposed: it is in force at once",
		Args:  cobra.ExactArgs(1),
		RunE: a.agreed("sign this for your agency?", &yes, "signed", func(ctx context.Context, c *client.Client, g client.Agreement) (client.RecordedAgreement, error) {
			return c.SignAgreement(ctx, g)
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func (a *app) agreementsRefuseCommand() *cobra.Command {
	var yes bool
	var reason string
	cmd := &cobra.Command{
		Use:   "refuse ID --reason REASON",
		Short: "Refuse what another agency proposed, for good",
		Args:  cobra.ExactArgs(1),
		RunE: a.agreed("refuse this?", &yes, "refused", func(ctx context.Context, c *client.Client, g client.Agreement) (client.RecordedAgreement, error) {
			return c.RefuseAgreement(ctx, g, reason)
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().StringVar(&reason, "reason", "", client.RefusalReasons().String())
	return cmd
}

func (a *app) agreementsEndCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "end ID",
		Short: "End an agreement at once, or take back what your agency proposed",
		Long: `End an agreement at once, without the other agency: nothing more is sent under it, and what was
sent under it is opened by nobody any more. Or take back what your agency proposed, until it is
answered.`,
		Args: cobra.ExactArgs(1),
		RunE: a.agreed("end this?", &yes, "ended", func(ctx context.Context, c *client.Client, g client.Agreement) (client.RecordedAgreement, error) {
			return c.EndAgreement(ctx, g)
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}
