package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
)

// shownPolicy is a policy of witnesses as the command prints it.
type shownPolicy struct {
	Hub    string `json:"hub,omitempty"`    // as the hub has it; "" when it has no witnesses
	Pinned string `json:"pinned,omitempty"` // as the profile has it
	Digest string `json:"digest,omitempty"` // of the pinned one, else of the hub's: to be compared by telephone
	Same   bool   `json:"same"`             // both accept the same cosignatures
}

func (a *app) auditPolicyCommand() *cobra.Command {
	var pin string
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Show whose cosignatures the hub gathers under its log, and pin what you demand",
		Long: `Show the policy of witnesses: whose cosignatures the hub gathers under its log's checkpoints,
and how many of them. Compare the keys in it with what the witnesses themselves say, by
telephone or on their sites: a hub could name its own. Then pin the file with --pin. From then on
receipts, bundles and audit exports that too few of these witnesses have cosigned do not hold.`,
		Example: "  handover audit policy --json=false > witnesses.txt\n  handover audit policy --pin witnesses.txt",
		Args:    cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			if pin != "" {
				return a.pinPolicy(pin)
			}
			return a.showPolicy(cmd.Context())
		}),
	}
	cmd.Flags().StringVar(&pin, "pin", "", "a file with the policy to demand from now on")
	return cmd
}

// pinPolicy pins a policy that demands something, of the log of this profile.
func (a *app) pinPolicy(path string) error {
	dir, err := a.folder()
	if err != nil {
		return err
	}
	p, err := a.policy(path)
	if err != nil {
		return err
	}
	if !p.Demands() {
		return usage("%s asks for no witness", path)
	}
	if s, err := profile.Read(dir); err == nil && !p.Concerns(s.Trust().LogKey) {
		return usage("%s is a policy for another log than the one pinned in this profile", path)
	}
	if err := profile.PinPolicy(dir, p); err != nil {
		return err
	}
	return a.show(shownPolicy{Pinned: p.String(), Digest: p.Digest()}, func(w io.Writer) {
		fmt.Fprintf(w, "%s\nThis is pinned. Its digest, to be compared with other agencies, is %s.\n", p, p.Digest())
	})
}

func (a *app) showPolicy(ctx context.Context) error {
	_, c, err := a.client(ctx)
	if err != nil {
		return err
	}
	hubs, err := c.WitnessPolicy(ctx)
	if err != nil {
		return err
	}
	pinned, err := a.pinnedPolicy()
	if err != nil {
		return err
	}
	v := shownPolicy{Hub: hubs.String(), Pinned: pinned.String(), Same: pinned.Digest() == hubs.Digest(), Digest: pinned.Digest()}
	if pinned.IsZero() {
		v.Digest = hubs.Digest()
	}
	if hubs.IsZero() && pinned.IsZero() {
		v.Digest = ""
	}
	return a.show(v, func(w io.Writer) { writePolicy(w, v) })
}

// writePolicy writes the policy, and what is to be said of it as comments: the output is
// a policy file itself.
func writePolicy(w io.Writer, v shownPolicy) {
	switch {
	case v.Hub == "" && v.Pinned == "":
		fmt.Fprintln(w, "# The hub has no witnesses: its log is signed by the hub alone. None are pinned here.")
		return
	case v.Hub == "":
		fmt.Fprintln(w, "# THE HUB HAS NO WITNESSES NOW. What is pinned here:")
	case v.Pinned == "":
		fmt.Fprintln(w, "# Whose cosignatures the hub gathers. Nothing is pinned here: compare the keys with the\n# witnesses, then: handover audit policy --pin FILE")
	case v.Same:
		fmt.Fprintln(w, "# Pinned here, and what the hub gathers.")
	default:
		fmt.Fprintln(w, "# THE HUB GATHERS OTHER COSIGNATURES THAN ARE PINNED HERE. What is pinned:")
	}
	fmt.Fprintf(w, "# Its digest, to be compared: %s\n", v.Digest)
	if v.Pinned != "" {
		fmt.Fprint(w, v.Pinned)
		return
	}
	fmt.Fprint(w, v.Hub)
}

// pinnedPolicy is the policy of witnesses pinned in the profile, or none.
func (a *app) pinnedPolicy() (client.Policy, error) {
	dir, err := a.folder()
	if err != nil {
		return client.Policy{}, nil //nolint:nilerr // no profile has pinned any
	}
	s, err := profile.Read(dir)
	if errors.Is(err, profile.ErrNone) {
		return client.Policy{}, nil
	}
	return s.Policy(), err
}

// sayUnwitnessed says when a receipt holds by the hub's word alone.
func (a *app) sayUnwitnessed(r client.Receipt) {
	dir, err := a.folder()
	if err != nil {
		return
	}
	s, err := profile.Read(dir)
	if err != nil || s.Policy().IsZero() {
		return
	}
	if err := s.Trust().Witnessed(r); errors.Is(err, client.ErrUnwitnessed) {
		a.say("note: it is logged, and not yet witnessed (%s). Nothing is lost: the same receipt, asked for again later, is. "+
			"Of a referral: handover history ID --out FILE", err)
	}
}

// examineWitnesses compares the pinned policy with the hub's.
func (a *app) examineWitnesses(ctx context.Context, c *client.Client, s profile.Settings) examined {
	hubs, err := c.WitnessPolicy(ctx)
	pinned := s.Policy()
	switch {
	case err != nil:
		return unwell("witnesses", err)
	case hubs.IsZero() && pinned.IsZero():
		return examined{What: "witnesses", OK: true, Text: "the hub has none: its log is signed by the hub alone"}
	case pinned.IsZero():
		return examined{What: "witnesses", OK: true, Text: "the hub has some, and none are pinned here: handover audit policy shows them"}
	case pinned.Digest() != hubs.Digest():
		return examined{What: "witnesses", Text: "the hub gathers other cosignatures than are pinned here",
			Fix: "ask the witnesses, not the hub, which are right; then handover audit policy --pin FILE"}
	}
	return examined{What: "witnesses", OK: true, Text: "pinned, and what the hub gathers: " + pinned.Digest()}
}
