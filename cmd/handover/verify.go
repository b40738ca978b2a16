package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
)

func (a *app) verifyCommand() *cobra.Command {
	var logKey, policy string
	var keyFiles, kept []string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Verify a receipt, packet, consent record or bundle, offline",
		Long: `Verify a receipt, a packet, a consent record or a bundle with no hub, and say in words
what was checked, what holds, what does not, and what no such document can show. FILE may
be "-". The exit code is 6 when it does not hold. Checkpoints in it must agree with those that
you kept; an audit export is verified with handover audit verify.

The log's key is --log-key, else the one pinned in the profile, else, for a bundle, the one
inside it. Packets and consent records of others need the signer's keys: save them with
handover partners PARTNER --json > keys.json, and give them with --keys keys.json.

With a policy of witnesses, --policy or the one pinned in the profile, a receipt fails that
too few of them have cosigned: ask the hub for it again.`,
		Example: "  handover verify bundle.json\n  handover verify receipt.json --log-key hub.example/v1/log+0a1b2c3d+A…",
		Args:    cobra.ExactArgs(1),
		RunE: a.does(func(_ *cobra.Command, args []string) error {
			document, err := a.read(args[0], 64<<20)
			if err != nil {
				return err
			}
			trust, err := a.trust(document, logKey, keyFiles)
			if err == nil {
				trust.Kept, err = a.kept(kept)
			}
			if err == nil && policy != "" {
				trust.Policy, err = a.policy(policy)
			}
			if err != nil {
				return err
			}
			findings, err := client.Verify(document, trust)
			if len(findings.Checks) == 0 {
				return err
			}
			return errors.Join(a.show(findings, func(w io.Writer) { writeFindings(w, findings, err) }), err)
		}),
	}
	cmd.Flags().StringVar(&logKey, "log-key", "", "the key of the hub's log to trust, as name+hash+base64")
	cmd.Flags().StringVar(&policy, "policy", "", "a file with the policy of witnesses to demand (default the one pinned in the profile)")
	cmd.Flags().StringSliceVar(&keyFiles, "keys", nil, "a file with a partner's public keys; may be repeated")
	cmd.Flags().StringSliceVar(&kept, "kept", nil, "a checkpoint that you kept; may be repeated (default those in the profile)")
	return cmd
}

// trust collects what is trusted: the profile's own, if there is one, and what was
// given. It needs no passphrase, since only public keys are read.
func (a *app) trust(document []byte, logKey string, keyFiles []string) (client.Trust, error) {
	t := client.Trust{Keys: map[string][]client.Key{}}
	if dir, err := a.folder(); err == nil {
		s, err := profile.Read(dir)
		if err != nil && !errors.Is(err, profile.ErrNone) {
			return t, err
		}
		if own := s.Trust(); own.Keys != nil {
			t = own
		}
		if b, err := client.ParseBundle(document); err == nil && b.Hub != s.Hub {
			t.LogKey, t.Policy = client.LogKey{}, client.Policy{} // another hub's: what is pinned is not for it
		}
	}
	if logKey != "" {
		key, err := client.ParseLogKey(logKey)
		if err != nil {
			return t, usage("--log-key is no log key: it has the form name+hash+base64, as handover enrol printed it")
		}
		t.LogKey = key
	}
	for _, path := range keyFiles {
		data, err := a.read(path, 1<<20)
		if err != nil {
			return t, err
		}
		var p partnerKeys
		if err := json.Unmarshal(data, &p); err != nil || p.Partner.ID == "" {
			return t, usage("%s does not hold a partner's keys: make it with handover partners PARTNER --json", path)
		}
		t.Keys[p.Partner.ID] = append(t.Keys[p.Partner.ID], p.Keys...)
	}
	return t, nil
}

func writeFindings(w io.Writer, f client.Findings, err error) {
	for _, c := range f.Checks {
		mark := "holds"
		if !c.Holds {
			mark = "FAILS"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", mark, line(c.About), line(c.Text))
	}
	verdict := "The " + f.Document + " holds."
	if err != nil {
		verdict = "The " + f.Document + " does NOT hold."
	}
	fmt.Fprintf(w, "\n%s\n", verdict)
	if len(f.Limits) > 0 {
		fmt.Fprint(w, "\nWhat it does not show:\n")
	}
	for _, l := range f.Limits {
		fmt.Fprintf(w, "  %s\n", line(l))
	}
}
