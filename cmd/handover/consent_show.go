package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/consent/record"
	"handover/internal/codes"
)

func (a *app) consentShowCommand() *cobra.Command {
	var words bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a consent record that you made or are named in",
		Long: `Show a consent record that your agency made or is named in: what she said, the lawful basis
of each agency, the statutory gate, whether a manager has to look at it, and what took its
place. To the agency that recorded it, and to no other, it also shows how she was asked and
her words, which are sealed to its own key.

As JSON the words stay sealed unless you say --words: that JSON is given to others to verify.`,
		Example: "  handover consent show 0190a1b2-…",
		Args:    cobra.ExactArgs(1),
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			stored, err := c.Consent(ctx, args[0])
			if err != nil {
				return err
			}
			var opened map[string]string
			if words || !a.asJSON() {
				if opened, err = c.OpenWords(stored); err != nil {
					return err
				}
			}
			if len(opened) > 0 || stored.Circumstances != "" && !a.asJSON() {
				a.say("Only your own agency is shown how she was asked, and her words. Do not pass them on with the record.")
			}
			shown := struct {
				client.StoredConsent
				Words map[string]string `json:"words,omitempty"`
			}{stored, opened}
			return a.show(shown, func(w io.Writer) { writeConsent(w, stored, opened) })
		}),
	}
	cmd.Flags().BoolVar(&words, "words", false, "open her words in the JSON, too")
	return cmd
}

// reviews are the words for whether a manager has to look at a record.
func reviews() codes.List {
	return codes.List{
		{Code: "not-needed", Label: "not needed"},
		{Code: "awaited", Label: "AWAITED: nothing is shared on it until a manager of the agency that recorded it has looked at it"},
		{Code: "stands", Label: "a manager has looked at it: it stands"},
		{Code: "does-not-stand", Label: "a manager has looked at it: it does NOT stand, and nothing is shared on it"},
	}
}

// writeConsent writes the record as people read it: what stands first decides.
func writeConsent(w io.Writer, s client.StoredConsent, words map[string]string) {
	c := s.Claims
	fmt.Fprintf(w, "consent\t%s\nstate\t%s\n", s.ID, s.State)
	if !s.WithdrawnAt.IsZero() {
		fmt.Fprintf(w, "withdrawn\t%s\n", when(s.WithdrawnAt))
	}
	if s.SupersededBy != "" {
		fmt.Fprintf(w, "its place took\t%s\n", s.SupersededBy)
	} else if s.State == "superseded" {
		fmt.Fprintf(w, "its place took\ta record that does not name you\n")
	}
	if c.Supersedes != "" {
		fmt.Fprintf(w, "in the place of\t%s\n", c.Supersedes)
	}
	if s.Review != "" { // shown to its recorder alone
		fmt.Fprintf(w, "review\t%s\n", reviews().Label(s.Review))
	}
	fmt.Fprintf(w, "recorded by\t%s on %s\n", c.Issuer, when(s.RecordedAt))
	if c.Act != "" {
		fmt.Fprintf(w, "asked by\t%s\n", c.Act)
	}
	said := record.Agreements().Label(c.Agreement)
	if c.Method != "" {
		said += ", " + record.Methods().Label(c.Method)
	}
	fmt.Fprintf(w, "she said\t%s, %s\nsubject\t%s\n", said, when(time.Unix(c.GivenAt, 0)), c.Subject)
	fmt.Fprintf(w, "what for\t%s\nfor whom\t%s\n", codes.Purposes().Label(c.Purpose), strings.Join(c.Recipients, ", "))
	fmt.Fprintf(w, "may share\t%s\n", labels(codes.Sections(), c.Sections))
	if len(c.Withheld) > 0 {
		fmt.Fprintf(w, "must not\t%s\n", labels(codes.Sections(), c.Withheld))
	}
	fmt.Fprintf(w, "travels on\t%s\n", record.Onwards().Label(c.Onward))
	fmt.Fprintf(w, "stands\t%s to %s\n", when(time.Unix(c.ValidFrom, 0)), when(time.Unix(c.Expires, 0)))
	if c.ReviewAt != 0 {
		fmt.Fprintf(w, "look again on\t%s\n", when(time.Unix(c.ReviewAt, 0)))
	}
	if c.Notice.Version != "" {
		fmt.Fprintf(w, "notice\t%s, in %s\n", c.Notice.Version, c.Notice.Language)
	}
	writeBases(w, "", c.Issuer, c.Bases)
	writeGate(w, "", c.Gate)
	if how, err := record.ParseCircumstances(s.Circumstances); err == nil {
		writeHow(w, "", how)
	}
	for _, part := range record.SealedParts() {
		if words[part.Code] != "" {
			fmt.Fprintf(w, "%s\t%s\n", part.Label, oneLine(words[part.Code]))
		}
	}
}

// oneLine keeps a text within its row.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
