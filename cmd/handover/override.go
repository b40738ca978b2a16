package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
	"handover/internal/codes"
)

func (a *app) overrideCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "override",
		Short: "Share something without her agreement, where the law allows it: two people decide",
		Long: `Share something about her without her agreement, where the law allows it. One person
proposes it, a manager, who is another person, approves it: nobody decides alone, and no
system does. An emergency goes at once and has to be approved within 24 hours, or it stops.

It never passes a homelessness referral (duty to refer) or the NRM: there the law asks for her
own agreement. With whom she never wants anything shared, nothing is shared.

Sign in first: handover sign-in --scope consents:override (auditors: --scope audit:read).`,
	}
	cmd.AddCommand(a.overrideNewCommand(), a.overrideShowCommand(),
		a.overrideDecideCommand("approve", "Say as a manager that it may be shared", (*client.Client).Approve),
		a.overrideDecideCommand("refuse", "Say as a manager that it may not be shared, for good", (*client.Client).Refuse),
		a.overrideReviewCommand(), a.overrideLateCommand())
	return cmd
}

func (a *app) overrideShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show an override of your agency's, with its texts, or one by which you received something",
		Example: "  handover override show 0190a1b2-…",
		Args:    cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			c, err := a.personOrSystem(cmd.Context())
			if err != nil {
				return err
			}
			stored, texts, err := readOverride(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return a.show(struct {
				client.StoredOverride
				Texts map[string]string `json:"texts,omitempty"`
			}{stored, texts}, func(w io.Writer) { writeOverride(w, stored, texts) })
		}),
	}
}

// personOrSystem is the client that acts for who is signed in, or else for the system.
func (a *app) personOrSystem(ctx context.Context) (*client.Client, error) {
	p, err := a.profile(ctx)
	if err != nil {
		return nil, err
	}
	c, err := p.PersonClient(ctx)
	if errors.Is(err, profile.ErrNotSignedIn) {
		return p.Client()
	}
	return c, err
}

func readOverride(ctx context.Context, c *client.Client, id string) (client.StoredOverride, map[string]string, error) {
	stored, err := c.Override(ctx, id)
	if err != nil {
		return client.StoredOverride{}, nil, err
	}
	texts, err := c.OverrideTexts(stored)
	return stored, texts, err
}

// stands says in plain words where an override stands.
func stands(o client.StoredOverride) string {
	switch o.State {
	case "proposed":
		return "waits for a manager: nothing is shared on it yet"
	case "emergency":
		return "an emergency: goes now, and stops at " + when(o.RecordedAt.Add(24*time.Hour)) + " unless a manager approves it before"
	case "approved":
		return "approved by a manager"
	case "refused":
		return "refused by a manager: nothing is shared on it"
	case "lapsed":
		return "stopped: it was not approved within 24 hours. If it is still needed, propose a new one"
	case "ended":
		return "ended by a manager: nothing more is shared on it"
	}
	return "over since " + when(time.Unix(o.Claims.Expires, 0))
}

func writeOverride(w io.Writer, o client.StoredOverride, texts map[string]string) {
	c := o.Claims
	told := "she has been told"
	if c.Told != "yes" {
		told = "not yet: " + client.NotToldReasons().Label(c.NotTold)
	}
	fmt.Fprintf(w, "override\t%s\nnow\t%s\nproposed by\t%s of %s on %s\nsubject\t%s\n", o.ID, stands(o), c.Act, c.Issuer, when(o.RecordedAt), c.Subject)
	fmt.Fprintf(w, "shares\t%s\nwith\t%s\nfor\t%s\nwhy\t%s\n", strings.Join(c.Sections, ", "), c.Recipient, codes.Purposes().Label(c.Purpose),
		client.Reasons().Label(c.Reason))
	var risk []string
	for _, code := range c.AtRisk {
		risk = append(risk, client.AtRisks().Label(code))
	}
	fmt.Fprintf(w, "at risk\t%s\nshe said\t%s\ntold\t%s\n", strings.Join(risk, ", "), client.Agreements().Label(c.Agreement), told)
	for _, part := range []struct{ code, label string }{{"necessity", "why it is needed"}, {"minimum", "why no less"}, {"at-risk", "who, and of what"}} {
		if text := texts[part.code]; text != "" {
			fmt.Fprintf(w, "%s\t%s\n", part.label, strings.Join(strings.Fields(text), " "))
		}
	}
	fmt.Fprintf(w, "look again\t%s\nends\t%s\n", when(o.ReviewAt), when(time.Unix(c.Expires, 0)))
}

func (a *app) overrideDecideCommand(use, short string, decide func(*client.Client, context.Context, string) (client.Receipt, error)) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   use + " ID",
		Short: short,
		Long: short + `. What a colleague has proposed is shown first; then it is asked whether
you mean it, or --yes says so. It is final, is signed by your agency in your name, and takes a
sign-in of the last 15 minutes. What you proposed yourself, another manager decides.`,
		Args: cobra.ExactArgs(1),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			stored, texts, err := readOverride(ctx, c, args[0])
			if err != nil {
				return err
			}
			if err := a.confirm(func(w io.Writer) { writeOverride(w, stored, texts) }, use+" this? (yes/no)", yes); err != nil {
				return err
			}
			receipt, err := decide(c, ctx, args[0])
			if err != nil {
				return err
			}
			if receipt.State == "lapsed" {
				a.say("it is too late: the 24 hours of the emergency are over, and nothing more is shared on it")
			}
			return a.showReceipt(receipt)
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// confirm shows what is to be decided, and asks.
func (a *app) confirm(shown func(io.Writer), question string, yes bool) error {
	if yes {
		return nil
	}
	if !a.asks {
		return usage("nobody is there to ask whether you mean it: say --yes")
	}
	var b strings.Builder
	shown(&b)
	a.say("%s", strings.ReplaceAll(b.String(), "\t", ": "))
	answer, err := a.ask(question)
	if err != nil {
		return err
	}
	if !strings.EqualFold(answer, "yes") {
		return usage("nothing was decided")
	}
	return nil
}

func (a *app) overrideReviewCommand() *cobra.Command {
	var days int
	var end bool
	cmd := &cobra.Command{
		Use:   "review ID --days N | --end",
		Short: "Say as a manager that you looked at it again: it goes on, or it is over",
		Example: `  handover override review 0190a1b2-… --days 7
  handover override review 0190a1b2-… --end`,
		Args: cobra.ExactArgs(1),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			if end == (days > 0) {
				return usage("say either in how many days to look again (--days N) or that it is over (--end)")
			}
			var next time.Time
			if !end {
				next = a.now().AddDate(0, 0, days)
			}
			receipt, err := c.LookAgain(ctx, args[0], next)
			if err != nil {
				return err
			}
			return a.showReceipt(receipt)
		}),
	}
	cmd.Flags().IntVar(&days, "days", 0, "in how many days to look at it again")
	cmd.Flags().BoolVar(&end, "end", false, "it is over: nothing more is shared on it")
	return cmd
}

// lateOverrides is what the late command prints.
type lateOverrides struct {
	Approval []client.OverrideLine  `json:"approval"`
	Review   []client.OverrideLine  `json:"review"`
	Counts   []client.OverrideCount `json:"counts"`
}

func (a *app) overrideLateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "late",
		Short: "As an auditor: what nobody approved within 24 hours, what nobody looked at again, and the counts",
		Args:  cobra.NoArgs,
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, _ []string) error {
			var found lateOverrides
			var err error
			if found.Approval, err = all(c.Overrides(ctx, "approval")); err != nil {
				return err
			}
			if found.Review, err = all(c.Overrides(ctx, "review")); err != nil {
				return err
			}
			if found.Counts, err = c.OverrideCounts(ctx); err != nil {
				return err
			}
			return a.show(found, func(w io.Writer) { writeLate(w, found) })
		}),
	}
}

func writeLate(w io.Writer, found lateOverrides) {
	for _, list := range []struct {
		what  string
		lines []client.OverrideLine
	}{{"NOT APPROVED IN TIME", found.Approval}, {"NOT LOOKED AT AGAIN", found.Review}} {
		fmt.Fprintf(w, "%s\tPARTNER\tTO\tREASON\tSTATE\tSINCE\n", list.what)
		for _, l := range list.lines {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, l.Partner, l.Recipient, l.Reason, l.State, when(l.RecordedAt))
		}
	}
	fmt.Fprintln(w, "PARTNER\tOVERRIDES\tEMERGENCIES\tREFUSED\tLATE APPROVAL\tLATE REVIEW")
	for _, n := range slices.Clone(found.Counts) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\n", n.Partner, n.Overrides, n.Emergencies, n.Refused, n.LateApproval, n.LateReview)
	}
}

func (a *app) consentReviewCommand() *cobra.Command {
	var standing, fails, yes bool
	cmd := &cobra.Command{
		Use:   "review ID --stands | --does-not-stand",
		Short: "Decide as a manager whether a consent that is in doubt stands",
		Long: `Decide as a manager whether a consent record stands that awaits you: somebody may have
pressed her, it is in doubt whether she could decide, or somebody decided for her. Until you
have decided, nothing is shared on it. Talk to whoever asked her first. It is final, and takes a
sign-in of the last 15 minutes (handover sign-in --scope consents:override). What you recorded
yourself, another manager decides.`,
		Args: cobra.ExactArgs(1),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			if standing == fails {
				return usage("say --stands or --does-not-stand")
			}
			stored, err := c.Consent(ctx, args[0])
			if err != nil {
				return err
			}
			words, err := c.OpenWords(stored)
			if err != nil {
				return err
			}
			question := "does it stand, so that what she agreed to is shared? (yes/no)"
			if fails {
				question = "is nothing ever to be shared on it? (yes/no)"
			}
			if err := a.confirm(func(w io.Writer) { writeConsent(w, stored, words) }, question, yes); err != nil {
				return err
			}
			receipt, err := c.ReviewConsent(ctx, args[0], standing)
			if err != nil {
				return err
			}
			return a.showReceipt(receipt)
		}),
	}
	cmd.Flags().BoolVar(&standing, "stands", false, "it stands: what she agreed to may be shared")
	cmd.Flags().BoolVar(&fails, "does-not-stand", false, "it does not: nothing is shared on it, for good")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}
