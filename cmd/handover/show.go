package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"handover/client"
)

const anID = "ID is the referral's id, or its reference R-XXXX-XXXX."

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show a referral and its signed steps, without any content",
		Long:    "Show a referral and its signed steps, without any content. Every signature and the order\nof the steps are verified. " + anID,
		Example: "  handover show R-7K3F-9Q2M",
		Args:    cobra.ExactArgs(1),
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			id, err := resolve(ctx, c, args[0])
			if err != nil {
				return err
			}
			r, err := c.Referral(ctx, id)
			if err != nil {
				return err
			}
			a.warn(r)
			return a.show(r, func(w io.Writer) { writeReferral(w, r) })
		}),
	}
}

// warn says which signatures do not count any more.
func (a *app) warn(r client.Referral) {
	for i, e := range r.Chain {
		if e.ByHub != "" {
			a.say("note: step %d: %s", i+1, e.ByHub)
		}
		if e.SignedFor != "" {
			a.say("note: step %d: %s", i+1, e.SignedFor)
		}
		if e.Doubt != "" {
			a.say("warning: step %d by %s: %s", i+1, e.Claims.Issuer, e.Doubt)
		}
	}
}

func writeReferral(w io.Writer, r client.Referral) {
	fmt.Fprintf(w, "referral\t%s\t%s\nfrom\t%s\nto\t%s\nstate\t%s\nurgency\t%s\npurpose\t%s in %s\n",
		r.Reference, r.ID, r.Sender, r.Recipient, r.State, r.Urgency, r.Purpose, r.Area)
	if r.Asked {
		fmt.Fprintln(w, "asked\tthe recipient waits for the sender's answer")
	}
	fmt.Fprintf(w, "head\t%s\n\n", r.Head)
	fmt.Fprintln(w, "STEP\tEVENT\tBY\tSTATE\tPACKET\tSTORED\tSECTIONS")
	for i, e := range r.Chain {
		said := strings.Join(slices.Sorted(maps.Keys(e.Claims.Sections)), ", ")
		if code := e.Claims.Reason + e.Claims.Outcome; code != "" {
			said = strings.TrimPrefix(said+"; "+code, "; ")
		}
		by := e.Claims.Issuer
		if e.ByHub != "" {
			by = "the hub"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", i+1, e.Event, by, e.State, e.Transport, when(e.Stored), said)
	}
}
