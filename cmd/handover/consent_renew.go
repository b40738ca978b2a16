package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/consent/record"
)

func (a *app) consentRenewCommand() *cobra.Command {
	var days int
	var method string
	var agrees, yes bool
	var how circumstances
	cmd := &cobra.Command{
		Use:   "renew ID",
		Short: "Record that she still agrees, for longer",
		Long: `Record that she still agrees: a new record takes the place of the one you name, with a later
end and everything else the same. What was sent on the earlier one can be opened again.
Ask her first. Say with --method and the flags of how she was asked what was different.`,
		Example: "  handover consent renew 0190a1b2-… --days 28 --she-agrees",
		Args:    cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			return a.succeed(cmd.Context(), args[0], yes, func(d *draft) error {
				if err := a.stillAgrees(agrees); err != nil {
					return err
				}
				d.Until, d.Days = time.Time{}, days
				if method != "" {
					d.Method = method
				}
				d.Circumstances.change(how)
				return nil
			})
		}),
	}
	f := cmd.Flags()
	f.IntVar(&days, "days", defaultDays, "how many days it stands, from now")
	f.StringVar(&method, "method", "", "how she said it this time: "+record.Methods().String())
	f.BoolVar(&agrees, "she-agrees", false, "she was asked again, and still agrees")
	f.BoolVar(&yes, "yes", false, "record it without asking once more")
	defineHow(cmd, &how)
	offer(cmd, "method", record.Methods())
	return cmd
}

func (a *app) consentNarrowCommand() *cobra.Command {
	var withhold, recipients []string
	var yes bool
	cmd := &cobra.Command{
		Use:   "narrow ID",
		Short: "Record that she agrees to less than before",
		Long: `Record that she agrees to less: a new record takes the place of the one you name, without
the sections she now withholds, and for the recipients that remain. It counts at once, for what was sent
before as well. To take all of it back: handover consent withdraw.`,
		Example: "  handover consent narrow 0190a1b2-… --withhold health\n  handover consent narrow 0190a1b2-… --recipient larkfield-housing",
		Args:    cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			if len(withhold) == 0 && len(recipients) == 0 {
				return usage("say what she agrees to no more: --withhold SECTION, or --recipient for those that remain")
			}
			return a.succeed(cmd.Context(), args[0], yes, func(d *draft) error {
				for _, r := range recipients {
					if !slices.Contains(d.Recipients, r) {
						return usage("%s is not in the earlier record: narrowing names nobody new", r)
					}
				}
				if len(recipients) > 0 {
					d.Recipients = recipients
				}
				for _, s := range withhold {
					if !slices.Contains(d.Withheld, s) {
						d.Withheld = append(d.Withheld, s)
					}
				}
				return nil
			})
		}),
	}
	cmd.Flags().StringSliceVar(&withhold, "withhold", nil, "a section that she shares no more; may be repeated")
	cmd.Flags().StringSliceVar(&recipients, "recipient", nil, "a recipient that remains; may be repeated (default all)")
	cmd.Flags().BoolVar(&yes, "yes", false, "record it without asking once more")
	return cmd
}

// stillAgrees makes sure that she was asked: a renewal that nobody asked her for would be
// the agency's word, not hers.
func (a *app) stillAgrees(said bool) error {
	switch {
	case said:
		return nil
	case !a.asks:
		return usage("ask her first; then say --she-agrees")
	}
	for {
		answer, err := a.line("Have you asked her, and does she still agree to all of it? (yes/no) > ")
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", err, errNotRecorded)
		case chosen(yesNo(), answer) == "yes":
			return nil
		case chosen(yesNo(), answer) == "no":
			return fmt.Errorf("%w: if she agrees to less, handover consent narrow; if she takes it back, handover consent withdraw", errNotRecorded)
		}
	}
}

// succeed records a draft in the place of a record of the agency's own, changed.
func (a *app) succeed(ctx context.Context, id string, yes bool, change func(d *draft) error) error {
	_, c, err := a.client(ctx)
	if err != nil {
		return err
	}
	stored, err := c.Consent(ctx, id)
	if err != nil {
		return err
	}
	d, err := again(c, stored)
	if err != nil {
		return err
	}
	if err := change(&d); err != nil {
		return err
	}
	return a.recordDraft(ctx, &d, yes)
}

// again is a stored record of the agency's own as the draft of one that takes its place,
// said now.
func again(c *client.Client, s client.StoredConsent) (draft, error) {
	said := s.Claims
	opened, err := c.OpenWords(s)
	if err != nil {
		return draft{}, err
	}
	d := draft{Subject: said.Subject, Supersedes: s.ID, Agreement: said.Agreement, Purpose: said.Purpose, Recipients: said.Recipients,
		Sections: said.Sections, Withheld: said.Withheld, Method: said.Method, Onward: said.Onward, Until: time.Unix(said.Expires, 0),
		Basis: said.Bases, Gate: said.Gate, Words: opened, Act: said.Act, Notice: notice(said.Notice)}
	if said.Circumstances == "" {
		return d, nil
	}
	how, err := record.ParseCircumstances(s.Circumstances)
	if err != nil {
		return draft{}, usage("only the agency that recorded it can record what takes its place: %s", said.Issuer)
	}
	d.Circumstances = circumstances{how.Alone, how.Coercion, how.Interpreter, how.Language, how.Capacity}
	return d, nil
}

// change takes over what was different this time.
func (c *circumstances) change(now circumstances) {
	for _, f := range []struct{ to, said *string }{{&c.Alone, &now.Alone}, {&c.Coercion, &now.Coercion},
		{&c.Interpreter, &now.Interpreter}, {&c.Language, &now.Language}, {&c.Capacity, &now.Capacity}} {
		if *f.said != "" {
			*f.to = *f.said
		}
	}
}
