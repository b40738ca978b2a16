package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
)

// errStrangeKey means that the history of the agency's own keys has one which the profile has
// not made.
var errStrangeKey = errors.New("your agency has a key that this profile does not know")

func (a *app) keysCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [PARTNER]",
		Short: "Show the history of an agency's keys, each change proved by the hub's log",
		Long: `Show every change of an agency's public keys since it was enrolled: your own agency's, or a
partner's. Each change is verified: it is in the hub's log, nothing that was seen before is
gone or another, and each key to sign or to seal to was signed for by one that counted then.

ASK marks a key that nobody known has signed for. Nothing is sealed to it until you have
compared its fingerprint with the partner: handover keys accept.`,
		Example: "  handover keys check\n  handover keys check larkfield-housing",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			p, c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			partner := c.PartnerID()
			if len(args) == 1 {
				partner = args[0]
			}
			h, err := c.KeyHistory(cmd.Context(), partner)
			if err != nil && !errors.Is(err, client.ErrKeySwapped) {
				return err
			}
			var strange []client.KnownKey
			if partner == c.PartnerID() {
				strange = p.Settings().Unknown(h.Keys)
			}
			shown := a.show(checkedKeys{h, err == nil, strange}, func(w io.Writer) { a.writeKeyHistory(w, h, strange, err) })
			return errors.Join(verdict(h, strange, err), shown)
		}),
	}
}

// checkedKeys is what keys check prints.
type checkedKeys struct {
	client.KeyHistory
	Holds   bool              `json:"holds"`
	Strange []client.KnownKey `json:"unknown_here,omitempty"` // keys of your agency that this profile does not know
}

// verdict is what is wrong with a history that was read.
func verdict(h client.KeyHistory, strange []client.KnownKey, err error) error {
	if err == nil {
		err = h.Unconfirmed()
	}
	if err == nil && len(strange) > 0 {
		return fmt.Errorf("%w: the %s key %s", errStrangeKey, strange[0].Use, strange[0].ID)
	}
	return err
}

func (a *app) writeKeyHistory(w io.Writer, h client.KeyHistory, strange []client.KnownKey, err error) {
	fmt.Fprintf(w, "%s: %d changes, %d of them known here before\n\n", h.Partner, len(h.Events), min(h.Known, len(h.Events)))
	keys := map[string]client.KnownKey{}
	for _, k := range h.Keys {
		keys[k.ID] = k
	}
	for _, e := range h.Events {
		k := keys[e.Key]
		mark := "holds"
		if e.Act == "key.added" && k.Unconfirmed {
			mark = "ASK"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", mark, e.Position, when(e.Time), e.Use, e.Key, happened(e, k))
	}
	if swapped, ok := errors.AsType[*client.SwappedKey](err); ok {
		fmt.Fprintf(w, "FAILS\t\t\t\t%s\t%s\n", swapped.Key, swapped.What)
	}
	for _, k := range strange {
		fmt.Fprintf(w, "\nThis profile does not know the %s key %s, which counts for your agency since %s.\n", k.Use, k.ID, when(k.From))
	}
}

// happened says in words what a change was.
func happened(e client.KeyEvent, k client.KnownKey) string {
	switch e.Act {
	case "key.ended":
		return "counts until " + when(e.Until)
	case "key.revoked":
		return "revoked: " + e.Reason
	}
	said := map[string]string{
		"self-signed": "added; it vouches for itself", "countersigned": "added; signed for by " + k.By,
		"registered": "added, for the system " + k.Client,
	}[k.Introduced]
	if said == "" {
		said = "added WITHOUT the signature of a key of theirs that counted"
	}
	if k.Replaces != "" {
		said += "; in the place of " + k.Replaces
	}
	if !k.Confirmed.IsZero() {
		said += "; confirmed here on " + when(k.Confirmed)
	}
	return said
}

func (a *app) keysAcceptCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "accept PARTNER FINGERPRINT",
		Short: "Note that you have compared a key's fingerprint with the partner",
		Long: `Note that somebody of the partner has read this fingerprint to you, from their own screen
(handover keys show), on a telephone number that you did not get from the hub. The key, and
what it signs for, counts here from now on. Do the same before something weighty goes to a
partner for the first time.

Never accept a fingerprint because the hub shows it, or because a message says so: whoever
can swap a key in the hub can show you its fingerprint too.`,
		Example: "  handover keys accept larkfield-housing n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg",
		Args:    cobra.ExactArgs(2),
		RunE: a.withClient(func(ctx context.Context, c *client.Client, args []string) error {
			k, err := c.AcceptKey(ctx, args[0], strings.TrimPrefix(args[1], idMark))
			if err != nil {
				return err
			}
			return a.show(struct {
				Partner string `json:"partner"`
				client.KnownKey
			}{args[0], k}, func(w io.Writer) {
				fmt.Fprintf(w, "accepted\t%s\t%s key of %s\n", k.ID, k.Use, args[0])
			})
		}),
	}
}

// askThem is what helps against a key that may have been swapped.
func askThem(s *client.SwappedKey) string {
	key := s.Key
	if key == "" {
		key = "FINGERPRINT"
	}
	ask := fmt.Sprintf("telephone %s, on a number that you did not get from the hub, and have them read you the fingerprint that handover keys show prints there; handover keys check %s shows what the hub tells. ",
		s.Partner, s.Partner)
	if s.Acceptable {
		return ask + fmt.Sprintf("If it is the same: handover keys accept %s %s", s.Partner, key)
	}
	return ask + fmt.Sprintf("Tell the hub's operator: only when the log proves their key does handover keys accept %s FINGERPRINT settle it", s.Partner)
}

// strangeKeys reports keys of the agency that its profile does not know.
func strangeKeys(s profile.Settings, known []client.KnownKey) []examined {
	var found []examined
	for _, k := range s.Unknown(known) {
		found = append(found, examined{What: k.Use + " key", Text: fmt.Sprintf("%s counts for your agency since %s, and this profile does not know it", k.ID, when(k.From)),
			Fix: strangeKeyFix(s.Partner, k.ID)})
	}
	return found
}

func strangeKeyFix(partner, kid string) string {
	return fmt.Sprintf("ask your colleagues who made it. Nobody: handover keys revoke %s --reason compromised, and tell the hub's operator. One of you: handover keys accept %s %s", kid, partner, kid)
}
