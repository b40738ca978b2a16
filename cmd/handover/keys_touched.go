package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"handover/client"
)

func (a *app) keysTouchedCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "touched KID",
		Short: "List what a key signed and what is sealed to it, as your agency's administrator",
		Long: `List the packets and consents that a key of your agency signed, and the packets of which
the hub still holds something that the key opens. When somebody else may have the key,
revoke it, then go through this list: ask the partners named whether what it signed was
yours, and send them anew what was.`,
		Example: "  handover keys touched n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg",
		Args:    cobra.ExactArgs(1),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			kid := strings.TrimPrefix(args[0], idMark)
			packets, err := all(c.TouchedBy(ctx, kid))
			if err != nil {
				return err
			}
			consents, err := all(c.SignedBy(ctx, kid))
			if err != nil {
				return err
			}
			return a.show(map[string]any{"packets": packets, "consents": consents}, func(w io.Writer) {
				writeTouched(w, packets, consents)
			})
		}),
	}
}

// all collects a list, or returns the error that ended it.
func all[T any](list iter.Seq2[T, error]) ([]T, error) {
	found := []T{}
	for one, err := range list {
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

func writeTouched(w io.Writer, packets []client.Touched, consents []client.SignedConsent) {
	if len(packets)+len(consents) == 0 {
		fmt.Fprintln(w, "nothing")
	}
	for _, p := range packets {
		how := []string{}
		if p.Signed {
			how = append(how, "signed")
		}
		if len(p.Sealed) > 0 {
			how = append(how, "opens "+strings.Join(p.Sealed, ", "))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Reference, p.Event, p.Other, p.State, when(p.Stored), strings.Join(how, "; "))
	}
	for _, s := range consents {
		standing := "until " + when(s.Expires)
		if s.Withdrawn {
			standing = "ended"
		}
		kind := "consent"
		if slices.ContainsFunc(s.Signed, func(of string) bool { return of == "decision" || strings.HasPrefix(of, "override") }) {
			kind = "override"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\tsigned its %s\n", kind, s.ID, "", standing, when(s.Recorded), strings.Join(s.Signed, " and "))
	}
}
