package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/ids"
)

func (a *app) auditEntriesCommand() *cobra.Command {
	var q client.LogQuery
	var from, to string
	var most int
	cmd := &cobra.Command{
		Use:   "entries",
		Short: "Show who did what, by the hub's log, newest first",
		Long: `Show what the hub's log has of your agency, newest first: what it did, and what others did
that concerns it. An oversight agency is shown what all did. Nothing of what is sealed is in it.
All that you name must hold of an entry. The hub logs that you asked.

It takes an auditor (handover sign-in --scope audit:read), or for --referral, --consent and
--subject anybody who works with the woman. What is shown here is the hub's word; to have it
proved: handover audit export, handover audit verify.`,
		Example: `  handover audit entries --act section.open --from 2026-10-01 --to 2026-11-01
  handover audit entries --outcome not-covered --partner harbour-care
  handover audit entries --subject Yj3k…`,
		Args: cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) (err error) {
			if from != "" {
				if q.From, err = client.ParseMoment(from); err != nil {
					return usage("--from: write a date as 2026-10-01, or a time with its zone")
				}
			}
			if to != "" {
				if q.To, err = client.ParseMoment(to); err != nil || !q.From.Before(q.To) {
					return usage("--to: write the day after the last one, as 2026-11-01, or a time with its zone")
				}
			}
			if most < 1 {
				return usage("--most: how many entries to show, 1 or more")
			}
			c, err := a.personOrSystem(cmd.Context())
			if err != nil {
				return err
			}
			if q.Referral != "" {
				if q.Referral, err = c.Resolve(cmd.Context(), q.Referral); err != nil {
					return err
				}
			}
			found, more, err := logEntries(cmd.Context(), c, q, most)
			if err != nil {
				return err
			}
			return a.show(map[string]any{"entries": found, "more": more}, func(w io.Writer) { writeEntries(w, found, more) })
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&q.Partner, "partner", "", "that this agency made, or is named in")
	flags.StringVar(&q.Act, "act", "", "of what was done, as section.open or refused")
	flags.StringVar(&q.Outcome, "outcome", "", "of a refusal with this code")
	flags.StringVar(&q.Subject, "subject", "", "about the woman with this random reference")
	flags.StringVar(&q.Referral, "referral", "", "about the referral with this id, or this reference if it is in your lists")
	flags.StringVar(&q.Consent, "consent", "", "about the consent record or the override with this id")
	flags.StringVar(&from, "from", "", "from that day on, as 2026-10-01, from midnight UTC")
	flags.StringVar(&to, "to", "", "before that day, as 2026-11-01")
	flags.IntVar(&most, "most", 100, "how many to show")
	return cmd
}

// pageOfLog is how many entries one request asks for at most.
const pageOfLog = 500

// logEntries returns the newest entries that q asks for, so many at most, and whether there
// are more.
func logEntries(ctx context.Context, c *client.Client, q client.LogQuery, most int) (found []client.LogEntry, more bool, err error) {
	found = []client.LogEntry{}
	for {
		q.Limit = min(most-len(found), pageOfLog)
		page, err := c.LogEntries(ctx, q)
		if err != nil {
			return nil, false, err
		}
		found = append(found, page.Entries...)
		if page.Next == "" || len(found) >= most {
			return found, page.Next != "", nil
		}
		q.After = page.Next
	}
}

func writeEntries(w io.Writer, found []client.LogEntry, more bool) {
	if len(found) == 0 {
		fmt.Fprintln(w, "The log has no such entry that you may see.")
		return
	}
	fmt.Fprintln(w, "ENTRY\tWHEN\tWHO\tDID WHAT\tABOUT")
	for _, e := range found {
		if e.Erased {
			fmt.Fprintf(w, "%d\t-\t-\terased: what it said is gone\t\n", e.Index)
			continue
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", e.Index, when(e.Time), line(whoDid(e)), line(didWhat(e)), line(aboutWhat(e)))
	}
	if more {
		fmt.Fprintf(w, "There are more: --most %d shows the next ones too.\n", 2*len(found))
	}
}

// whoDid names who acted, by ids.
func whoDid(e client.LogEntry) string {
	switch {
	case e.Partner == "" && e.Count > 0:
		return "strangers"
	case e.Partner == "":
		return "the hub"
	case e.User != "":
		return e.Partner + ", " + e.User
	case e.Client != "":
		return e.Partner + ", its system"
	}
	return e.Partner
}

// didWhat says what was done, with the codes that belong to it.
func didWhat(e client.LogEntry) string {
	did := e.Label()
	if len(e.Sections) > 0 {
		did += ": " + strings.Join(e.Sections, ", ")
	}
	if code := cmp.Or(e.Outcome, e.Reason, e.State); code != "" {
		did += " (" + code + ")"
	}
	if e.Count > 0 {
		did += fmt.Sprintf(", %d times", e.Count)
	}
	return did
}

// aboutWhat says what it concerns.
func aboutWhat(e client.LogEntry) string {
	var about []string
	for _, part := range []struct{ name, id string }{{"", e.Other}, {"referral " + ids.Reference(e.Referral) + " ", e.Referral}, {"consent ", e.Consent},
		{"override ", e.Override}, {"subject ", e.Subject}, {"", e.Target}} {
		if part.id != "" {
			about = append(about, part.name+part.id)
		}
	}
	return strings.Join(about, "; ")
}

func (a *app) auditReviewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "review",
		Short: "Show what an auditor should look at now",
		Long: `Show what an auditor should look at now, the oldest first, and what to do about it:
overrides that nobody looked at again in time, emergencies that no second person approved,
consents recorded in doubtful circumstances, refusals in clusters, and somebody who opens
unusually many referrals. An oversight agency is shown what concerns all.

It takes an auditor: handover sign-in --scope audit:read. The hub logs that you asked.`,
		Example: "  handover audit review",
		Args:    cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			c, err := a.personOrSystem(cmd.Context())
			if err != nil {
				return err
			}
			items, err := c.LogReview(cmd.Context())
			if err != nil {
				return err
			}
			return a.show(map[string]any{"items": items}, func(w io.Writer) { writeReview(w, items) })
		}),
	}
}

// idsShown is how many ids of an item people are shown.
const idsShown = 10

func writeReview(w io.Writer, items []client.ReviewItem) {
	if len(items) == 0 {
		fmt.Fprintln(w, "There is nothing to look at.")
	}
	for _, i := range items {
		who := i.Partner
		if i.User != "" {
			who += ", " + i.User
		}
		fmt.Fprintf(w, "%d %s\t%s\tsince %s\n  %s\n", i.Count, line(i.Title()), line(who), when(i.Since), line(i.Words))
		if len(i.Rules) > 0 {
			fmt.Fprintf(w, "  rules: %s\n", line(strings.Join(i.Rules, ", ")))
		}
		shown := i.IDs[:min(len(i.IDs), idsShown)]
		fmt.Fprintf(w, "  %s", line(strings.Join(shown, " ")))
		if rest := int(i.Count) - len(shown); rest > 0 {
			fmt.Fprintf(w, " and %d more (--json lists up to 100)", rest)
		}
		fmt.Fprint(w, "\n\n")
	}
}
