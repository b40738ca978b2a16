package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
	"handover/internal/codes"
)

func (a *app) gpCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "gp", Short: "Her right to register with a GP practice, and what to do when one refuses"}
	cmd.AddCommand(&cobra.Command{
		Use:   "letter",
		Short: "Print the letter to show at the desk: nothing has to be proved",
		Long: `Print a letter that she, or her worker, shows at the desk of a GP practice: no proof of
identity, address or immigration status is needed to register. It names nobody, so print as
many as you like. It needs neither a profile nor the hub.`,
		Example: "  handover gp letter > letter.txt",
		Args:    cobra.NoArgs,
		RunE: a.does(func(*cobra.Command, []string) error {
			_, err := io.WriteString(a.out, client.RightToRegister())
			return err
		}),
	}, a.gpRefusedCommand(), a.gpReceivedCommand(), a.gpEscalatedCommand(), a.gpListCommand())
	return cmd
}

func (a *app) gpRefusedCommand() *cobra.Command {
	var r profile.Refusal
	cmd := &cobra.Command{
		Use:   "refused --practice ODS --reason REASON",
		Short: "Record that a practice refused to register her",
		Long: `Record that a GP practice refused to register her: which, when, and the reason that it
gave. The record is about the practice. Write nothing of her in it, not even a name: it is
kept in your profile, and is your evidence for the integrated care board.

The practice has to give the reason in writing within 14 days; handover gp list shows what is
overdue.`,
		Example: `  handover gp refused --practice A1B2C --reason no-identification --asked-for photo-identification --words "no ID, no form"`,
		Args:    cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			if r.Practice == "" {
				return usage("say which practice, by its ODS code: --practice")
			}
			if !codes.RefusalReasons().Has(r.Reason) {
				return usage("say which reason it gave: --reason %s", codes.RefusalReasons())
			}
			p, err := a.profile(cmd.Context())
			if err != nil {
				return err
			}
			r.RefusedOn = a.dayOr(r.RefusedOn)
			return a.keepRefusal(p, r)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&r.Practice, "practice", "", "the practice's ODS code")
	f.StringVar(&r.Reason, "reason", "", "the reason that it gave: "+codes.RefusalReasons().String())
	f.StringVar(&r.RefusedOn, "on", "", "the day, as 2026-11-30 (default today)")
	f.StringVar(&r.Words, "words", "", "what was said at the desk; nothing about her")
	f.StringSliceVar(&r.AskedFor, "asked-for", nil, "what she was asked for: "+codes.AskedFor().String())
	f.StringVar(&r.Referral, "referral", "", "the referral it was about, by its reference, as R-7K3F-9Q2M")
	offer(cmd, "reason", codes.RefusalReasons())
	offer(cmd, "asked-for", codes.AskedFor())
	return cmd
}

func (a *app) gpReceivedCommand() *cobra.Command {
	var on string
	cmd := &cobra.Command{
		Use:   "received ID",
		Short: "Record that the practice gave its reason in writing",
		Args:  cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			return a.addToRefusal(cmd, args[0], func(r *profile.Refusal) { r.WrittenReceived = a.dayOr(on) })
		}),
	}
	cmd.Flags().StringVar(&on, "on", "", "the day, as 2026-11-30 (default today)")
	return cmd
}

func (a *app) gpEscalatedCommand() *cobra.Command {
	var on, to string
	cmd := &cobra.Command{
		Use:   "escalated ID --to ICB",
		Short: "Record that the integrated care board was told",
		Args:  cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			if to == "" {
				return usage("say which integrated care board, by its ODS code: --to")
			}
			return a.addToRefusal(cmd, args[0], func(r *profile.Refusal) { r.EscalatedOn, r.EscalatedTo = a.dayOr(on), to })
		}),
	}
	cmd.Flags().StringVar(&on, "on", "", "the day, as 2026-11-30 (default today)")
	cmd.Flags().StringVar(&to, "to", "", "the integrated care board's ODS code")
	return cmd
}

// addToRefusal adds to a record what has happened since.
func (a *app) addToRefusal(cmd *cobra.Command, id string, add func(*profile.Refusal)) error {
	p, err := a.profile(cmd.Context())
	if err != nil {
		return err
	}
	r, err := p.Refusal(id)
	if err != nil {
		return err
	}
	add(&r)
	return a.keepRefusal(p, r)
}

func (a *app) keepRefusal(p *profile.Profile, r profile.Refusal) error {
	kept, err := p.KeepRefusal(r)
	if err != nil {
		return err
	}
	return a.show(kept, func(w io.Writer) {
		fmt.Fprintf(w, "record\t%s\n", kept.ID)
		a.writeRefusal(w, kept)
	})
}

func (a *app) gpListCommand() *cobra.Command {
	var overdue bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the refusals, and those whose reason is overdue in writing",
		Args:  cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			p, err := a.profile(cmd.Context())
			if err != nil {
				return err
			}
			all, err := p.Refusals()
			if err != nil {
				return err
			}
			type row struct {
				profile.Refusal
				Overdue bool `json:"overdue"`
			}
			rows := []row{}
			for _, r := range all {
				if late := r.Overdue(a.now()); late || !overdue {
					rows = append(rows, row{r, late})
				}
			}
			return a.show(map[string]any{"refusals": rows}, func(w io.Writer) {
				for _, r := range rows {
					fmt.Fprintf(w, "%s\t", r.ID)
					a.writeRefusal(w, r.Refusal)
				}
			})
		}),
	}
	cmd.Flags().BoolVar(&overdue, "overdue", false, "only those")
	return cmd
}

func (a *app) writeRefusal(w io.Writer, r profile.Refusal) {
	state := "reason due in writing by " + r.WrittenDue
	switch {
	case r.WrittenReceived != "":
		state = "reason received in writing on " + r.WrittenReceived
	case r.Overdue(a.now()) && r.EscalatedOn == "":
		state = "OVERDUE since " + r.WrittenDue + ": tell the integrated care board, then handover gp escalated"
	case r.Overdue(a.now()):
		state = "OVERDUE since " + r.WrittenDue + ", " + r.EscalatedTo + " was told on " + r.EscalatedOn
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Practice, r.RefusedOn, codes.RefusalReasons().Label(r.Reason), state)
}

// dayOr is the day that was given, or today.
func (a *app) dayOr(given string) string {
	if given != "" {
		return given
	}
	return a.now().Format(time.DateOnly)
}
