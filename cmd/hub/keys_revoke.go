package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"handover/consent"
	"handover/partners"
	"handover/referral"
)

// idMark may stand before a kid on a command line, for one that begins with a hyphen.
const idMark = "id:"

func keysRevokeCommand(environ []string) *cobra.Command {
	var reason string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "revoke PARTNER KID",
		Short: "Take a partner's key out of use at once, and list what it signed and what is sealed to it",
		Long: `Take a key of a partner out of use at once, for when its own administrator cannot
(handover keys revoke). From then on nothing that it signed is accepted and nothing can be
sealed to it; the change is an entry of the log that every partner can see.

Then it lists what the key has signed and what the hub still holds that it opens. What
waits stays readable to its recipient: the partners named have to be asked whether what was
signed is theirs, and to send anew what they still want read.

A KID that begins with a hyphen is written id:KID.`,
		Example: "  hub keys revoke larkfield-housing n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg --reason compromised",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			partner, kid := partners.ID(args[0]), strings.TrimPrefix(args[1], idMark)
			return operateOn(cmd.Context(), environ, func(pool *pgxpool.Pool, s *partners.Store) error {
				if err := s.RevokeKeyOf(cmd.Context(), partner, kid, partners.RevocationReason(reason)); err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%s of %s is revoked: nothing signed by it or sealed to it is taken any more.\n", kid, partner)
				err := s.Outlive(cmd.Context())
				if err == nil {
					err = showTouched(cmd.Context(), cmd.OutOrStdout(), pool, s, partner, kid, asJSON)
				}
				if err != nil {
					return fmt.Errorf("what it touched could not be listed; hub keys touched lists it: %w", err)
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "compromised, lost or retired")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func keysTouchedCommand(environ []string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "touched PARTNER KID",
		Short: "List what a partner's key signed, and what the hub holds that it opens",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return operateOn(cmd.Context(), environ, func(pool *pgxpool.Pool, s *partners.Store) error {
				return showTouched(cmd.Context(), cmd.OutOrStdout(), pool, s, partners.ID(args[0]), strings.TrimPrefix(args[1], idMark), asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// touched is what has to be gone through after a key was revoked.
type touched struct {
	Partner  partners.ID        `json:"partner"`
	Key      string             `json:"kid"`
	Packets  []referral.Touched `json:"packets"`
	Consents []consent.Signed   `json:"consents"`
	Keys     []string           `json:"keys"` // of the partner, which it vouched for
}

func showTouched(ctx context.Context, out io.Writer, pool *pgxpool.Pool, s *partners.Store, partner partners.ID, kid string, asJSON bool) (err error) {
	t := touched{Partner: partner, Key: kid}
	if t.Packets, err = referral.NewStore(pool, s, nil, "").AllTouchedBy(ctx, partner, kid); err != nil {
		return err
	}
	if t.Consents, err = (&consent.Store{Pool: pool, Partners: s}).AllSignedBy(ctx, partner, kid); err != nil {
		return err
	}
	if t.Keys, err = s.VouchedBy(ctx, partner, kid); err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(out).Encode(t)
	}
	return t.print(out)
}

// print says it to people. Nothing of a woman or her need is in it.
func (t touched) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	if len(t.Packets)+len(t.Consents)+len(t.Keys) == 0 {
		fmt.Fprintln(w, "It signed nothing, and opens nothing that the hub holds.")
		return w.Flush()
	}
	for _, p := range t.Packets {
		how := []string{}
		if p.Signed {
			how = append(how, "signed by it")
		}
		if len(p.Sealed) > 0 {
			how = append(how, "it opens "+strings.Join(p.Sealed, ", "))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s, %s\t%s\t%s\n", p.Reference, p.Event, p.Other, p.State, p.Transport,
			p.Stored.UTC().Format(time.RFC3339), strings.Join(how, "; "))
	}
	for _, c := range t.Consents {
		fmt.Fprintf(w, "%s\t%s\t\t\t%s\tit signed its %s\n", c.Kind(), c.ID, c.Recorded.UTC().Format(time.RFC3339), strings.Join(c.Of, " and "))
	}
	for _, kid := range t.Keys {
		fmt.Fprintf(w, "key\t%s\t\t\t\tit vouched for this one: revoke it too if it is not theirs\n", kid)
	}
	fmt.Fprintf(w, "Next: ask %s and the partners named which of these are theirs; have them sent anew.\n", t.Partner)
	return w.Flush()
}
