package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"handover/client/profile"
	"handover/keys/jose"
)

func (a *app) keysCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Make, show, rotate and revoke your agency's keys, and check anybody's"}
	cmd.AddCommand(a.keysNewCommand(), a.keysRotateCommand(), a.keysRevokeCommand(), a.keysTouchedCommand(), a.keysListCommand(),
		a.keysCheckCommand(), a.keysAcceptCommand(), &cobra.Command{
			Use:   "show",
			Short: "Show your public keys, to be compared with what others see of you",
			Args:  cobra.NoArgs,
			RunE: a.does(func(*cobra.Command, []string) error {
				dir, err := a.folder()
				if err != nil {
					return err
				}
				s, err := profile.Read(dir)
				if err != nil {
					return err
				}
				return a.showKeys(dir, s)
			}),
		})
	return cmd
}

func (a *app) keysNewCommand() *cobra.Command {
	var signing, encryption string
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Make your three keys in a new profile",
		Long: `Make a new profile with three keys: one to authenticate, one to sign, one to open
what is sealed to you. They never leave the profile.

They are encrypted at rest under root.key in the profile, or under the passphrase in the
file that HANDOVER_PASSPHRASE_FILE names (16 characters or more). Back up both the profile
and root.key, each in another place: without the encryption key, what was sealed to you
can be opened by nobody.`,
		Example: "  handover keys new\n  handover --home /srv/agency keys new --signing EdDSA",
		Args:    cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			dir, err := a.folder()
			if err != nil {
				return err
			}
			o, err := a.options()
			if err != nil {
				return err
			}
			if o.Signing, err = pick(signing, "--signing", jose.ES256, jose.EdDSA); err != nil {
				return err
			}
			if o.Encryption, err = pick(encryption, "--encryption", jose.P256, jose.X25519); err != nil {
				return err
			}
			p, err := profile.Create(cmd.Context(), dir, o)
			if err != nil {
				return err
			}
			if err := a.showKeys(dir, p.Settings()); err != nil {
				return err
			}
			a.next("handover enrol --hub URL, with the code from the hub's operator")
			return nil
		}),
	}
	cmd.Flags().StringVar(&signing, "signing", string(jose.ES256), "ES256 or EdDSA")
	cmd.Flags().StringVar(&encryption, "encryption", string(jose.P256), "P-256 or X25519")
	return cmd
}

// pick finds the choice that was typed, however its letters were.
func pick[T ~string](typed, flag string, choices ...T) (T, error) {
	for _, c := range choices {
		if strings.EqualFold(typed, string(c)) {
			return c, nil
		}
	}
	return "", usage("%s is one of %v", flag, choices)
}

// showKeys prints the public side of a profile.
func (a *app) showKeys(dir string, s profile.Settings) error {
	type shown struct {
		Home string `json:"home"`
		profile.Settings
	}
	return a.show(shown{dir, s}, func(w io.Writer) {
		fmt.Fprintf(w, "profile\t%s\n", dir)
		if s.ClientID != "" {
			fmt.Fprintf(w, "partner\t%s at %s\n", s.Partner, s.Hub)
		}
		fmt.Fprintf(w, "authentication\t%s\t%s\n", s.Keys.Authentication.Thumbprint(), s.Keys.Authentication.Algorithm())
		if !s.Keys.Signing.IsZero() {
			fmt.Fprintf(w, "signing\t%s\t%s\n", s.Keys.Signing.Thumbprint(), s.Keys.Signing.Algorithm())
		}
		for _, k := range s.Keys.Encryption {
			fmt.Fprintf(w, "encryption\t%s\t%s on %s\n", k.Thumbprint(), k.Algorithm(), k.Curve())
		}
	})
}
