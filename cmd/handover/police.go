package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/codes"
)

func (a *app) policeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "police-request",
		Short: "Answer what the police ask about a woman, or ask it as the police",
		Long: `What the police ask your agency about a woman, and what you say to it. Nothing goes to them
by itself: not when they ask, not when you open what they ask, not when you say yes.

You may say no. A no is a proper answer and is recorded as one. The police are told that it is
no on the day it was to be answered by, and nothing else: not why, and not whether you know
her. What they ask of counselling is presumed to be no.

Sign in first: handover sign-in --scope referrals:receive,consents:override (officers who ask:
--scope referrals:send).`,
	}
	cmd.AddCommand(a.policeNewCommand(), a.policeListCommand(), a.policeShowCommand(), a.policeOpenCommand(),
		a.policeApproveCommand(), a.policeRefuseCommand())
	return cmd
}

func (a *app) policeListCommand() *cobra.Command {
	var asked bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what the police ask your agency, or what your force has asked",
		Args:  cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			c, err := a.personOrSystem(cmd.Context())
			if err != nil {
				return err
			}
			role := "received"
			if asked {
				role = "asked"
			}
			found, err := all(c.PoliceRequests(cmd.Context(), role))
			if err != nil {
				return err
			}
			return a.show(map[string]any{"requests": found}, func(w io.Writer) {
				fmt.Fprintln(w, "ID\tFROM\tTO\tANSWER BY\tNOW")
				for _, q := range found {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", q.ID, q.Police, q.Holder, when(q.RespondBy), policeState(q.State))
				}
			})
		}),
	}
	cmd.Flags().BoolVar(&asked, "asked", false, "what your force has asked of others")
	return cmd
}

// policeState says in plain words where a request stands.
func policeState(state string) string {
	switch state {
	case "asked":
		return "waits for an answer"
	case "opened":
		return "opened, and waits for an answer"
	case "unanswered":
		return "nobody answered in time: nothing is shared"
	case "approved":
		return "yes: nothing has gone by it"
	}
	return "no"
}

func (a *app) policeShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show a request and what was decided, without whom it is about",
		Example: "  handover police-request show 0190a1b2-…",
		Args:    cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			c, err := a.personOrSystem(cmd.Context())
			if err != nil {
				return err
			}
			q, err := c.PoliceRequest(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			why, err := c.PoliceReason(q)
			if err != nil {
				return err
			}
			return a.show(struct {
				client.StoredPoliceRequest
				Why client.PoliceReason `json:"why,omitzero"`
			}{q, why}, func(w io.Writer) { writePoliceRequest(w, q, why) })
		}),
	}
}

func (a *app) policeOpenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "open ID",
		Short: "Read whom a request is about, and why",
		Long: `Read whom a request is about, and why. That you opened it is logged for your own agency's
auditors. The police are not told. Opening says nothing and sends nothing.`,
		Args: cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			c, err := a.personOrSystem(cmd.Context())
			if err != nil {
				return err
			}
			q, text, err := c.OpenPoliceRequest(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := a.show(struct {
				client.StoredPoliceRequest
				Text client.PoliceText `json:"text"`
			}{q, text}, func(w io.Writer) {
				writePoliceRequest(w, q, client.PoliceReason{})
				r := text.Requester
				fmt.Fprintf(w, "about\t%s\nmore about her\t%s\nasked by\t%s, %s, %s\n", oneLine(strings.Join(text.Names, "; ")), oneLine(text.Details),
					oneLine(r.Name), oneLine(r.Rank), oneLine(r.Force))
				fmt.Fprintf(w, "what they follow\t%s\nwhy they need it\t%s\nexactly what\t%s\n", oneLine(text.Enquiry), oneLine(text.Necessity), oneLine(text.Asked))
			}); err != nil {
				return err
			}
			a.next("a manager says no: handover police-request refuse %s", q.ID)
			a.next("or yes: handover police-request approve %s --section …", q.ID)
			return nil
		}),
	}
}

func writePoliceRequest(w io.Writer, q client.StoredPoliceRequest, why client.PoliceReason) {
	c := q.Claims
	fmt.Fprintf(w, "police request\t%s\nnow\t%s\nfrom\t%s, officer %s, on %s\nto\t%s\n", q.ID, policeState(q.State), c.Issuer, c.Act, when(q.RecordedAt), c.Audience)
	fmt.Fprintf(w, "they follow\t%s\nthey need it since\t%s\nthey ask for\t%s\n", client.Enquiries().Label(c.Enquiry),
		labels(client.Necessities(), c.Necessity), labels(codes.Sections(), c.Sections))
	counselling := "not asked for"
	if c.Counselling == "yes" {
		counselling = "asked for; approved by " + client.Ranks().Label(c.Senior.Rank) + " " + c.Senior.Act + ". Presumed no"
	}
	told := client.PoliceNotices().Label(c.Notice)
	if c.Withheld != "" {
		told += ": " + client.WithheldReasons().Label(c.Withheld)
	}
	fmt.Fprintf(w, "counselling records\t%s\nhas she been told\t%s\nanswer by\t%s\n", counselling, told, when(time.Unix(c.RespondBy, 0)))
	if d := q.Decided; d != nil && d.Decision == "approved" {
		fmt.Fprintf(w, "they may have\t%s\ncounselling records\t%s\n", labels(codes.Sections(), d.Sections), d.Counselling)
	}
	if why.Reason != "" {
		fmt.Fprintf(w, "why (yours alone)\t%s %s\n", labels(slices.Concat(client.PoliceYesReasons(), client.PoliceNoReasons()), []string{why.Reason}), oneLine(why.Words))
		fmt.Fprintf(w, "she has been told\t%s %s\n", why.Told, client.PoliceNotToldOfANo().Label(why.NotTold))
	}
	if q.Decided != nil && q.Decided.Decision == "refused" && q.ShownAt.After(q.RecordedAt) {
		fmt.Fprintf(w, "the police are told\t%s: that it is no, and nothing else\n", when(q.ShownAt))
	}
}

// policeAnswer is what a manager says to a request.
type policeAnswer struct {
	sections    []string
	counselling bool
	why         client.PoliceReason
	words       string // file
	yes         bool
}

func (a *app) policeApproveCommand() *cobra.Command {
	var p policeAnswer
	cmd := &cobra.Command{
		Use:   "approve ID --section SECTION",
		Short: "Say yes as a manager: what exactly the police may have",
		Long: `Say yes as a manager, and to exactly what. Nothing goes by it: what you then give them you send
or hand over as ever, and what goes through the exchange keeps to its firewall and needs a basis
of its own. Somebody has to have opened the request first. The police see your yes at once, and
that you know her by it. It is final and signed in your name, and takes a sign-in of the last 15
minutes. What is asked of counselling stays no unless you say --counselling.`,
		Example: "  handover police-request approve 0190a1b2-… --section need --reason tests-met --told yes",
		Args:    cobra.ExactArgs(1),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			if len(p.sections) == 0 && !p.counselling {
				return usage("say exactly what they may have: --section, once for each")
			}
			return a.answerPolice(ctx, c, args[0], &p, client.PoliceYesReasons(), "say yes to this? (yes/no)", func() (client.Receipt, error) {
				return c.ApprovePoliceRequest(ctx, args[0], p.sections, p.counselling, p.why)
			})
		}),
	}
	f := cmd.Flags()
	f.StringSliceVar(&p.sections, "section", nil, "what they may have, of what they asked for; may be repeated")
	f.BoolVar(&p.counselling, "counselling", false, "counselling records too")
	p.flags(cmd, client.PoliceYesReasons())
	offer(cmd, "section", codes.Sections())
	return cmd
}

func (a *app) policeRefuseCommand() *cobra.Command {
	var p policeAnswer
	cmd := &cobra.Command{
		Use:   "refuse ID",
		Short: "Say no as a manager: the police learn neither why nor whether you know her",
		Long: `Say no as a manager. You need not have opened the request. The police are told that it is no on
the day it was to be answered by, however soon you say so: neither why, nor whether you know
her. The reason is kept for your own agency alone. It is final and signed in your name, and takes
a sign-in of the last 15 minutes.`,
		Example: "  handover police-request refuse 0190a1b2-… --reason not-necessary --told yes",
		Args:    cobra.ExactArgs(1),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			return a.answerPolice(ctx, c, args[0], &p, client.PoliceNoReasons(), "say no to this? (yes/no)", func() (client.Receipt, error) {
				return c.RefusePoliceRequest(ctx, args[0], p.why)
			})
		}),
	}
	p.flags(cmd, client.PoliceNoReasons())
	return cmd
}

func (p *policeAnswer) flags(cmd *cobra.Command, reasons codes.List) {
	f := cmd.Flags()
	f.StringVar(&p.why.Reason, "reason", "", "why: "+reasons.String())
	f.StringVar(&p.why.Told, "told", "", "whether she has been told: yes or no")
	f.StringVar(&p.why.NotTold, "not-told", "", "why not: "+client.PoliceNotToldOfANo().String())
	f.StringVar(&p.words, "words", "", `a file with why, in words ("-" is standard input); sealed to your own agency`)
	f.BoolVar(&p.yes, "yes", false, "do not ask whether you mean it")
	offer(cmd, "reason", reasons)
	offer(cmd, "not-told", client.PoliceNotToldOfANo())
}

// answerPolice asks for what is missing of the reason, shows the request, and has it answered.
func (a *app) answerPolice(ctx context.Context, c *client.Client, id string, p *policeAnswer, reasons codes.List, question string, say func() (client.Receipt, error)) error {
	if err := a.fillReason(p, reasons); err != nil {
		return err
	}
	q, err := c.PoliceRequest(ctx, id)
	if err != nil {
		return err
	}
	if err := a.confirm(func(w io.Writer) { writePoliceRequest(w, q, client.PoliceReason{}) }, question, p.yes); err != nil {
		return err
	}
	receipt, err := say()
	if err != nil {
		return err
	}
	return a.showReceipt(receipt)
}

// fillReason asks why, and whether she has been told; where nobody is known to be told, it is
// not asked.
func (a *app) fillReason(p *policeAnswer, reasons codes.List) error {
	if p.words != "" {
		data, err := a.read(p.words, 16<<10)
		if err != nil {
			return err
		}
		p.why.Words = string(data)
	}
	steps := []func() question{
		func() question {
			return question{p.why.Reason == "", "--reason", "Why? Your agency alone reads this.", reasons, func(s string) { p.why.Reason = s }}
		},
		func() question {
			if p.why.Told == "" && slices.Contains([]string{"no-such-person", "not-checked"}, p.why.Reason) {
				p.why.Told, p.why.NotTold = "no", "nobody-to-tell"
			}
			return question{p.why.Told == "", "--told", "Has she been told? (yes or no)", nil, func(s string) { p.why.Told = s }}
		},
		func() question {
			return question{p.why.Told == "no" && p.why.NotTold == "", "--not-told", "Why not?", client.PoliceNotToldOfANo(), func(s string) { p.why.NotTold = s }}
		},
	}
	var missing []string
	for _, step := range steps {
		q := step()
		switch {
		case !q.missing:
		case !a.asks:
			missing = append(missing, q.flag)
		default:
			answer, err := a.choose(q)
			if err != nil {
				return err
			}
			q.take(answer)
		}
	}
	if len(missing) > 0 {
		return usage("the answer is not said in full: %s", strings.Join(missing, ", "))
	}
	return nil
}
