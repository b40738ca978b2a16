package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/consent/record"
	"handover/internal/ids"
)

func (a *app) recallCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recall",
		Short: "See and answer what your agency is asked because a woman took a consent back",
		Long: `When a woman takes a consent back, whoever opened something on it is asked whether it is
deleted, and whoever sent a referral that was accepted is asked whether help goes on. The
answer is signed by your agency and logged; the agency that recorded her consent sees it.`,
	}
	cmd.AddCommand(a.recallListCommand(), a.recallAnswerCommand())
	return cmd
}

func (a *app) recallListCommand() *cobra.Command {
	var answered bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List what your agency is asked and has not answered",
		Example: "  handover recall list\n  handover recall list --answered",
		Args:    cobra.NoArgs,
		RunE: a.withClient(func(ctx context.Context, c *client.Client, _ []string) error {
			found, err := collect(c.Recalls(ctx, answered))
			if err != nil {
				return err
			}
			return a.show(map[string]any{"recalls": found}, func(w io.Writer) { writeRecalls(w, found) })
		}),
	}
	cmd.Flags().BoolVar(&answered, "answered", false, "list what was answered instead")
	return cmd
}

func (a *app) recallAnswerCommand() *cobra.Command {
	var answer client.RecallAnswer
	cmd := &cobra.Command{
		Use:   "answer ID ANSWER",
		Short: "Answer what your agency is asked",
		Long: `Answer what your agency is asked. ID is as handover recall list prints it.

Of what you hold, ANSWER is deleted, once it is deleted wherever it was: in your system, on
paper, in mail; or kept, if it must be, with --art6 and --because, and with --provision where
the basis is a law. What was kept can be deleted later.

Of a referral that was accepted, ANSWER is goes-on, if she wants the help without more being
shared, or ends: then the referral is withdrawn as well.`,
		Example: `  handover recall answer 0190a1b2-… deleted
  handover recall answer 0190a1b2-… kept --art6 c --provision 'Care Act 2014 s42' --because legal-obligation
  handover recall answer 0190a1b2-… goes-on`,
		Args: cobra.ExactArgs(2),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			if !record.RecallAnswers().Has(args[1]) {
				return usage("answer one of %s", record.RecallAnswers())
			}
			answer.Answer = args[1]
			p, c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			q, err := findRecall(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			receipt, err := c.AnswerRecall(cmd.Context(), q, answer)
			if err != nil {
				return err
			}
			if _, err := p.KeepReceipt("recall-"+q.ID, receipt); err != nil {
				return err
			}
			return a.showReceipt(receipt)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&answer.Article6, "art6", "", "the lawful basis of what is kept: "+record.Articles6().String())
	f.StringVar(&answer.Provision, "provision", "", "the Act, its year and section, for the bases c and e")
	f.StringVar(&answer.Because, "because", "", "why it must be kept: "+record.KeepReasons().String())
	f.StringVar(&answer.Act, "worker", "", "the worker who answers, by an opaque id")
	offer(cmd, "art6", record.Articles6())
	offer(cmd, "because", record.KeepReasons())
	return cmd
}

// findRecall finds what is asked by its id, answered or not.
func findRecall(ctx context.Context, c *client.Client, id string) (client.Recall, error) {
	for _, answered := range []bool{false, true} {
		for q, err := range c.Recalls(ctx, answered) {
			if err != nil {
				return client.Recall{}, err
			}
			if q.ID == id {
				return q, nil
			}
		}
	}
	return client.Recall{}, usage("your agency is asked nothing under this id: see handover recall list")
}

func writeRecalls(w io.Writer, found []client.Recall) {
	if len(found) == 0 {
		fmt.Fprintln(w, "nothing")
		return
	}
	fmt.Fprintln(w, "ID\tASKED\tPARTNER\tQUESTION\tREFERRALS\tSECTIONS\tSINCE\tANSWER")
	for _, q := range found {
		question := map[string]string{"still-held": "still held?", "does-help-go-on": "does help go on?"}[q.Question]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", orDash(q.ID), dayOf(q.Asked), q.Partner, question, references(q.Referrals),
			orDash(strings.Join(q.Sections, ", ")), dayOf(q.Since), orDash(answerOf(q)))
	}
}

// answerOf is an answer with its basis.
func answerOf(q client.Recall) string {
	if q.Answer == "" {
		return ""
	}
	text := q.Answer + " on " + dayOf(q.Answered)
	if q.Basis.Article6 != "" {
		text += ", under Art 6 (" + q.Basis.Article6 + ")"
		if q.Basis.Provision != "" {
			text += ", " + q.Basis.Provision
		}
		text += ": " + record.KeepReasons().Label(q.Basis.Because)
	}
	return text
}

func references(of []string) string {
	var all []string
	for _, id := range of {
		all = append(all, ids.Reference(id))
	}
	return strings.Join(all, ", ")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func dayOf(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return when(t)
}

func (a *app) holdersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "holders ID",
		Short: "See who was given what on a consent, and what became of it",
		Long: `See who was given what on a consent that you recorded, or whose withdrawal you did. After a
withdrawal each of them is asked whether it still holds it, and the answers are here.`,
		Args: cobra.ExactArgs(1),
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			h, err := c.Holders(ctx, args[0])
			if err != nil {
				return err
			}
			return a.show(h, func(w io.Writer) {
				writeRecalls(w, h.Recalls)
				switch {
				case h.Withdrawn.IsZero():
					fmt.Fprintln(w, "\nNothing was withdrawn. This is as far as your agency can see.")
				case !h.Complete:
					fmt.Fprintln(w, "\nThe hub is still at it: look again in a moment.")
				default:
					fmt.Fprintf(w, "\nShe took it back on %s. The list is whole, and nobody is added to it any more.\n", when(h.Withdrawn))
				}
			})
		}),
	}
}

func (a *app) endingCommand() *cobra.Command {
	days := 7
	cmd := &cobra.Command{
		Use:   "ending",
		Short: "List your consents that end soon, or have ended, while referrals rest on them",
		Long: `List your consents that end soon, or have ended, while referrals rest on them, the soonest
first. The end of a consent stops everything that is shared on it and cancels nothing. Ask her
whether she still agrees, and record it with handover consent new --supersedes ID.`,
		Args: cobra.NoArgs,
		RunE: a.withClient(func(ctx context.Context, c *client.Client, _ []string) error {
			found, err := collect(c.EndingConsents(ctx, days))
			if err != nil {
				return err
			}
			return a.show(map[string]any{"consents": found}, func(w io.Writer) {
				if len(found) == 0 {
					fmt.Fprintln(w, "nothing")
					return
				}
				fmt.Fprintln(w, "CONSENT\tPURPOSE\tENDS\tREFERRALS")
				for _, e := range found {
					ends := when(e.Expires)
					if e.Ended {
						ends = "has ended, " + ends
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.ID, e.Purpose, ends, references(e.Referrals))
				}
			})
		}),
	}
	cmd.Flags().IntVar(&days, "days", days, "how many days ahead to look")
	return cmd
}

// remindOfRecalls says, to people, that answers are waited for. That nothing can be said is no
// failure of the command that would have said it.
func (a *app) remindOfRecalls(ctx context.Context, c *client.Client) {
	if !a.people {
		return
	}
	n := 0
	for _, err := range c.Recalls(ctx, false) {
		if err != nil {
			return
		}
		n++
	}
	if n > 0 {
		a.say("%d of your agency's questions about withdrawn consents wait for an answer", n)
		a.next("handover recall list")
	}
}

// collect reads a list to its end.
func collect[T any](list iter.Seq2[T, error]) ([]T, error) {
	found := []T{}
	for one, err := range list {
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}
