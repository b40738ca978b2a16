package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/strict"
)

// inquiry is a police request as a JSON document gives it.
type inquiry struct {
	Holder      string            `json:"holder"`
	Enquiry     string            `json:"line_of_enquiry"`
	Necessity   []string          `json:"necessity"`
	Sections    []string          `json:"sections"`
	Counselling string            `json:"counselling,omitempty"` // yes or no; default no
	Senior      string            `json:"senior,omitempty"`
	Rank        string            `json:"rank,omitempty"`
	Notice      string            `json:"notice"`
	Withheld    string            `json:"withheld_reason,omitempty"`
	Days        int               `json:"days,omitempty"`
	Text        client.PoliceText `json:"text"`
}

// answerDays is how many days an agency has to answer when nothing else is said.
const answerDays = 14

func (a *app) policeNewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "new FILE",
		Short: "Ask one agency about a woman, as an officer",
		Long: `Ask one agency about a woman, as an officer who is signed in. Nothing moves by it.

Give it as a JSON document in FILE ("-" is standard input): holder (one agency's id),
line_of_enquiry, necessity […], sections […], counselling (yes or no), senior and rank (the second
officer who approves that counselling records are asked for), notice, withheld_reason, days (to
answer: default 14, 1 to 90), and text: {names […], details, requester {name, rank, force},
line_of_enquiry, necessity, asked}. The text is sealed to that agency; nobody else can read it.

The codes:
  line_of_enquiry  ` + client.Enquiries().String() + `
  necessity        ` + client.Necessities().String() + `
  rank             ` + client.Ranks().String() + `
  notice           ` + client.PoliceNotices().String() + `
  withheld_reason  ` + client.WithheldReasons().String(),
		Example: "  handover police-request new request.json",
		Args:    cobra.ExactArgs(1),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			data, err := a.read(args[0], 64<<10)
			if err != nil {
				return err
			}
			var q inquiry
			if err := strict.Unmarshal(data, &q); err != nil {
				return usage("%s is not the JSON of a police request: handover police-request new --help names its members", args[0])
			}
			if q.Counselling != "" && q.Counselling != "yes" && q.Counselling != "no" {
				return usage("counselling is yes or no")
			}
			if q.Days == 0 {
				q.Days = answerDays
			}
			asked, err := c.AskAsPolice(ctx, client.PoliceRequest{Holder: q.Holder, Enquiry: q.Enquiry, Necessity: q.Necessity, Sections: q.Sections,
				Counselling: q.Counselling == "yes", Senior: q.Senior, Rank: q.Rank, Notice: q.Notice, Withheld: q.Withheld,
				RespondBy: a.now().AddDate(0, 0, q.Days), Text: q.Text})
			if err != nil {
				return err
			}
			p, err := a.profile(ctx)
			if err != nil {
				return err
			}
			if _, err := p.KeepReceipt("police-request-"+asked.ID, asked); err != nil {
				return err
			}
			return a.show(asked, func(w io.Writer) {
				fmt.Fprintf(w, "police request\t%s\nlogged\t%s\n", asked.ID, when(asked.Receipt.Time))
			})
		}),
	}
}
