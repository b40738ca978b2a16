package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
	"handover/keys/jose"
)

// usualOverlap is how long an old key counts beside the new one, unless told otherwise.
const usualOverlap = "14d"

// mostOverlap is the longest that the hub takes.
const mostOverlap = 90 * 24 * time.Hour

func (a *app) keysRotateCommand() *cobra.Command {
	var overlap string
	var alone bool
	cmd := &cobra.Command{
		Use:   "rotate USE",
		Short: "Put a new key in the place of an old one, as your agency's administrator",
		Long: `Make a new key for authentication, signing or encryption in this profile, and have the hub
count it from now on. The old one counts for the overlap still, so that nothing that is on
its way is lost; encryption keys are kept for ever, since what was sealed to them must stay
readable. Back up the profile afterwards.

Your signing key signs for the new one, so that your partners take it without asking. Only
when no signing key of your agency counts any more, --self-signed has a new signing key
vouch for itself: each partner that knows you will ask you for its fingerprint.

If it is broken off, the profile works as before, and the same command again finishes it.`,
		Example:   "  handover keys rotate signing\n  handover keys rotate encryption --overlap 30d",
		Args:      cobra.ExactArgs(1),
		ValidArgs: keyUses(),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(keyUses(), args[0]) {
				return usage("USE is one of %s", strings.Join(keyUses(), ", "))
			}
			both, err := days(overlap)
			if err != nil || both < 0 || both > mostOverlap {
				return usage("--overlap is a time such as 14d or 36h, at most 90d")
			}
			if alone && args[0] != client.Signing {
				return usage("--self-signed is for the signing key")
			}
			return a.rotate(cmd.Context(), args[0], both, alone)
		}),
	}
	cmd.Flags().BoolVar(&alone, "self-signed", false, "no signing key of your agency counts any more: the new one vouches for itself")
	cmd.Flags().StringVar(&overlap, "overlap", usualOverlap, "how long the old key counts still; 0 ends it at once")
	return cmd
}

func keyUses() []string {
	return []string{client.Authentication, client.Signing, client.Encryption}
}

// days reads a duration, also in days.
func days(text string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(text, "d"); ok {
		count, err := strconv.ParseUint(n, 10, 16)
		return time.Duration(count) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

func (a *app) rotate(ctx context.Context, use string, overlap time.Duration, alone bool) error {
	p, err := a.profile(ctx)
	if err != nil {
		return err
	}
	if p.Settings().ClientID == "" {
		return profile.ErrNotEnrolled
	}
	by, err := p.PersonClient(ctx)
	if err != nil {
		return err
	}
	was := p.Settings().Keys
	old := map[string][]jose.PublicKey{client.Authentication: {was.Authentication}, client.Signing: {was.Signing}, client.Encryption: was.Encryption}[use]
	rotate := p.Rotate
	if alone {
		rotate = p.RotateAlone
	}
	key, err := rotate(ctx, by, use, overlap)
	if err != nil {
		return err
	}
	retired := old[0].Thumbprint()
	until := a.now().Add(overlap).UTC().Truncate(time.Second)
	shown := struct {
		Use     string    `json:"use"`
		New     string    `json:"kid"`
		Retired string    `json:"retired"`
		Until   time.Time `json:"until"`
	}{use, key.Thumbprint(), retired, until}
	if err := a.show(shown, func(w io.Writer) {
		fmt.Fprintf(w, "%s\t%s\t%s\nretired\t%s\tcounts until %s\n", use, key.Thumbprint(), key.Algorithm(), retired, when(until))
	}); err != nil {
		return err
	}
	a.next("back up %s", p.Dir())
	if alone {
		a.next("tell your partners to ask you for the fingerprint %s", key.Thumbprint())
	}
	return nil
}

func (a *app) keysRevokeCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "revoke KID --reason REASON",
		Short: "Take a key out of use at once, as your agency's administrator",
		Long: `Take a key of your agency out of use at once. Signatures by it count no more, whenever they
were made; nobody can seal to it, and no system authenticates by it. Revoke a key that
others may have as compromised, also if it is the last of its use: rotate it first if you
can, and afterwards if not.`,
		Example: "  handover keys revoke n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg --reason compromised",
		Args:    cobra.ExactArgs(1),
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, args []string) error {
			if !slices.Contains([]string{"compromised", "lost", "retired"}, reason) {
				return usage("--reason is compromised, lost or retired")
			}
			kid := strings.TrimPrefix(args[0], idMark)
			if err := c.RevokeKey(ctx, kid, reason); err != nil {
				return err
			}
			return a.show(map[string]any{"kid": kid, "revoked": true, "reason": reason}, func(w io.Writer) {
				fmt.Fprintf(w, "revoked\t%s\n", kid)
				fmt.Fprintf(w, "next\thandover keys touched %s\n", kid)
			})
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "compromised, lost or retired")
	return cmd
}

func (a *app) keysListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all keys of your agency that the hub knows, as its administrator",
		Args:  cobra.NoArgs,
		RunE: a.withPerson(func(ctx context.Context, c *client.Client, _ []string) error {
			found, err := c.HeldKeys(ctx)
			if err != nil {
				return err
			}
			return a.show(map[string]any{"keys": found}, func(w io.Writer) {
				for _, k := range found {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.Use, k.ID, k.Algorithm, standing(k), k.Client)
				}
			})
		}),
	}
}
