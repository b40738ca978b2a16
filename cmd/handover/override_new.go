package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/codes"
	"handover/internal/strict"
)

// proposal is an override as a JSON document, flags or answers give it.
type proposal struct {
	Subject   string         `json:"subject,omitempty"`
	Purpose   string         `json:"purpose,omitempty"`
	Recipient string         `json:"recipient,omitempty"`
	Sections  []string       `json:"sections,omitempty"`
	Agreement string         `json:"agreement,omitempty"`
	Reason    string         `json:"reason,omitempty"`
	AtRisk    []string       `json:"at_risk,omitempty"`
	Told      string         `json:"told,omitempty"`
	NotTold   string         `json:"not_told_reason,omitempty"`
	Basis     []client.Basis `json:"basis,omitempty"`
	Gate      client.Gate    `json:"gate,omitzero"`
	Emergency bool           `json:"emergency,omitempty"`
	Days      int            `json:"days,omitempty"`
	Review    int            `json:"review_days,omitempty"`
	Necessity string         `json:"necessity,omitempty"`
	Minimum   string         `json:"minimum,omitempty"`
	Risk      string         `json:"risk,omitempty"`
}

func (a *app) overrideNewCommand() *cobra.Command {
	var p proposal
	var art6 string
	cmd := &cobra.Command{
		Use:   "new [FILE]",
		Short: "Propose to share something about her without her agreement",
		Long: `Propose to share something about her without her agreement: with exactly one agency, for one
purpose, these sections and nothing else. A manager, who is another person, has to approve it
before anything goes; in an emergency (--emergency) it goes at once, and stops after 24 hours
unless a manager has approved it.

Give it as a JSON document in FILE ("-" is standard input) with the members purpose, recipient,
sections, agreement, reason, at_risk, told (yes or no), not_told_reason, basis [{art6, …}], gate
{pathway}, emergency, days, review_days, subject, necessity, minimum and risk; at a terminal,
what is missing is asked for. The last three are texts: they are sealed, and only your own
agency can read them again. Write no name, address or number in them all the same.`,
		Example: `  handover override new proposal.json
  handover override new --emergency`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				data, err := a.read(args[0], 64<<10)
				if err != nil {
					return err
				}
				if err := strict.Unmarshal(data, &p); err != nil {
					return usage("%s is not the JSON of an override: handover override new --help names its members", args[0])
				}
			}
			if art6 != "" {
				p.Basis = append(p.Basis, client.Basis{Article6: art6})
			}
			return a.propose(cmd, p)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&p.Purpose, "purpose", "", "what it is for: "+codes.Purposes().String())
	f.StringVar(&p.Recipient, "recipient", "", "the one agency it goes to, by its id")
	f.StringSliceVar(&p.Sections, "section", nil, "a section that has to be shared; may be repeated: "+codes.Sections().String())
	f.StringVar(&p.Agreement, "agreement", "", "what she said: refused, or why she was not asked")
	f.StringVar(&p.Reason, "reason", "", "why: "+client.Reasons().String())
	f.StringSliceVar(&p.AtRisk, "at-risk", nil, "who is at risk; may be repeated: "+client.AtRisks().String())
	f.StringVar(&p.Told, "told", "", "whether she has been told: yes or no")
	f.StringVar(&p.NotTold, "not-told", "", "why not: "+client.NotToldReasons().String())
	f.StringVar(&art6, "basis", "", "your agency's lawful basis (Article 6); the rest of it goes in FILE")
	f.StringVar(&p.Gate.Pathway, "gate", "", "the statutory gate (default the one that the purpose has)")
	f.BoolVar(&p.Emergency, "emergency", false, "it cannot wait for a manager: it goes at once, for 24 hours")
	f.IntVar(&p.Days, "days", 0, "how many days it stands (default 28, which is the most)")
	f.IntVar(&p.Review, "review-days", 0, "in how many days to look at it again (default 7)")
	f.StringVar(&p.Subject, "subject", "", "her random reference (default a new one)")
	offer(cmd, "purpose", codes.Purposes())
	offer(cmd, "section", codes.Sections())
	offer(cmd, "reason", client.Reasons())
	offer(cmd, "at-risk", client.AtRisks())
	offer(cmd, "not-told", client.NotToldReasons())
	a.offerPartners(cmd, "recipient")
	return cmd
}

func (a *app) propose(cmd *cobra.Command, p proposal) error {
	if err := client.Passable(p.Purpose, p.Gate.Pathway); err != nil {
		return err // before anybody is asked anything
	}
	if err := a.fill(&p); err != nil {
		return err
	}
	kept, err := a.profile(cmd.Context())
	if err != nil {
		return err
	}
	c, err := kept.PersonClient(cmd.Context())
	if err != nil {
		return err
	}
	proposed, err := c.Propose(cmd.Context(), p.override(a.now()))
	if err != nil {
		return err
	}
	if _, err := kept.KeepReceipt("override-"+proposed.ID, proposed); err != nil {
		return err
	}
	if err := a.show(proposed, func(w io.Writer) {
		fmt.Fprintf(w, "override\t%s\nsubject\t%s\nstate\t%s\nlogged\t%s\n", proposed.ID, proposed.Subject, proposed.Receipt.State, when(proposed.Receipt.Time))
	}); err != nil {
		return err
	}
	a.next("a manager, another than you: handover override approve %s", proposed.ID)
	if p.Emergency {
		a.next("handover send FILE --to %s --override %s --area GSS --urgency emergency", p.Recipient, proposed.ID)
	}
	return nil
}

// question is one thing that has to be said.
type question struct {
	missing bool
	flag    string
	words   string
	list    codes.List // to choose from, if there is one
	take    func(answer string)
}

func (p *proposal) questions() []question {
	unagreed := client.Agreements()[1:] // the first is that she agreed
	return []question{
		{p.Purpose == "", "--purpose", "What is it for?", codes.Purposes(), func(s string) { p.Purpose = s }},
		{p.Recipient == "", "--recipient", "Which one agency has to know? (its id)", nil, func(s string) { p.Recipient = s }},
		{len(p.Sections) == 0, "--section", "What does it have to know? Only that goes. (with commas)", codes.Sections(), func(s string) { p.Sections = words(s) }},
		{p.Agreement == "", "--agreement", "Has she agreed to this?", unagreed, func(s string) { p.Agreement = s }},
		{p.Reason == "", "--reason", "Why must it be shared all the same?", client.Reasons(), func(s string) { p.Reason = s }},
		{len(p.AtRisk) == 0, "--at-risk", "Who is at risk? (with commas)", client.AtRisks(), func(s string) { p.AtRisk = words(s) }},
		{p.Necessity == "", "necessity", "Why is there no other way? (sealed to your agency; no names)", nil, func(s string) { p.Necessity = s }},
		{p.Minimum == "", "minimum", "Why is this the least that does?", nil, func(s string) { p.Minimum = s }},
		{p.Risk == "", "risk", "Who is at risk of what?", nil, func(s string) { p.Risk = s }},
		{p.Told == "", "--told", "Has she been told? (yes or no)", nil, func(s string) { p.Told = s }},
	}
}

// fill asks for what is missing, or says so.
func (a *app) fill(p *proposal) error {
	var missing []string
	asked := p.questions()
	last := []func() question{
		func() question {
			return question{p.Told == "no" && p.NotTold == "", "--not-told", "Why not?", client.NotToldReasons(), func(s string) { p.NotTold = s }}
		},
		func() question {
			return question{len(p.Basis) == 0, "--basis", "Which lawful basis does your agency rely on? Consent (a) is none here.", client.Articles6()[1:],
				func(s string) { p.Basis = []client.Basis{{Article6: s}} }}
		},
	}
	for i := range len(asked) + len(last) {
		var q question
		if i < len(asked) {
			q = asked[i]
		} else {
			q = last[i-len(asked)]() // what it depends on has been said by now
		}
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
			if err := client.Passable(p.Purpose, p.Gate.Pathway); err != nil {
				return err // no further question helps
			}
		}
	}
	if len(missing) > 0 {
		return usage("an override is not said in full: %s", strings.Join(missing, ", "))
	}
	if p.Told != "yes" && p.Told != "no" {
		return usage("say whether she has been told: yes or no")
	}
	return nil
}

// choose asks a question, with what there is to choose from and what each means.
func (a *app) choose(q question) (string, error) {
	for _, c := range q.list {
		a.say("  %-32s %s", c.Code, c.Label)
	}
	return a.ask(q.words)
}

func (p proposal) override(now time.Time) client.Override {
	o := client.Override{Subject: p.Subject, Purpose: p.Purpose, Recipient: p.Recipient, Sections: p.Sections, Agreement: p.Agreement, Reason: p.Reason,
		AtRisk: p.AtRisk, Told: p.Told == "yes", NotTold: p.NotTold, Bases: p.Basis, Gate: p.Gate, Emergency: p.Emergency,
		Necessity: p.Necessity, Minimum: p.Minimum, Risk: p.Risk}
	if p.Days != 0 {
		o.Expires = now.AddDate(0, 0, p.Days)
	}
	if p.Review != 0 {
		o.Review = now.AddDate(0, 0, p.Review)
	}
	return o
}
