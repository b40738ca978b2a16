package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"handover/internal/fault"
	"handover/internal/pg"
	"handover/keys"
	"handover/oauth/signin"
	"handover/partners"
)

func providerCommand(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "provider", Short: "Let a partner's people sign in through their agency's own OpenID Connect provider"}
	cmd.AddCommand(setProviderCommand(environ), &cobra.Command{
		Use: "remove PARTNER", Short: "End it at once, and sign out who came through it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return operateSignIn(cmd.Context(), environ, func(_ Config, s *signin.Store, _ keys.Store) error {
				return s.RemoveProvider(cmd.Context(), partners.ID(args[0]))
			})
		},
	})
	return cmd
}

func setProviderCommand(environ []string) *cobra.Command {
	var p signin.Provider
	var secretFile string
	var roles []string
	set := &cobra.Command{
		Use:   "set PARTNER",
		Short: "Name the provider, whose people it may send, and what makes them what",
		Long: `Name a partner's OpenID Connect provider. At the provider, register the hub as a confidential client with the redirect
URI that this command prints. It must vouch for verified e-mail addresses of the domains, for a second factor (amr "mfa",
or one of --acr), and send the claim whose values say the role. It can only ever make people of this partner.`,
		Example: `  hub provider set camden-outreach --issuer https://login.camden.example --client-id handover --client-secret-file secret \
      --domain camden.example --claim groups --role outreach-team=caseworker --role outreach-lead=manager`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Partner = partners.ID(args[0])
			var err error
			if p.Roles, err = rolesOf(roles); err != nil {
				return err
			}
			secret, err := readSecret(secretFile)
			if err != nil {
				return fmt.Errorf("--client-secret-file: %w", err)
			}
			return operateSignIn(cmd.Context(), environ, func(cfg Config, s *signin.Store, wrap keys.Store) error {
				if err := s.SetProvider(cmd.Context(), wrap, p, secret); err != nil {
					return err
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "Redirect URI: %s\nIts people sign in at: %s/sign-in/%s\n",
					cfg.Issuer+signin.CallbackPath, cfg.Issuer, p.Partner)
				return err
			})
		},
	}
	set.Flags().StringVar(&p.Issuer, "issuer", "", "the provider's issuer, https")
	set.Flags().StringVar(&p.ClientID, "client-id", "", "what the provider calls the hub")
	set.Flags().StringVar(&secretFile, "client-secret-file", "", "the file that holds the client secret")
	set.Flags().StringSliceVar(&p.Domains, "domain", nil, "a domain of the agency's e-mail addresses; may be repeated")
	set.Flags().StringVar(&p.Claim, "claim", "", "the claim whose values say the role")
	set.Flags().StringArrayVar(&roles, "role", nil, "VALUE=ROLE, a value of the claim and what it stands for; may be repeated")
	set.Flags().StringSliceVar(&p.ACR, "acr", nil, "an acr value that means two factors; may be repeated; without any, amr must say mfa")
	return set
}

func rolesOf(pairs []string) (map[string]partners.Role, error) {
	roles := map[string]partners.Role{}
	for _, pair := range pairs {
		i := strings.LastIndex(pair, "=")
		if i < 1 {
			return nil, errors.New("--role: write it as VALUE=ROLE, as staff=caseworker")
		}
		roles[pair[:i]] = partners.Role(pair[i+1:])
	}
	return roles, nil
}

// operateSignIn is operate for what concerns signing in: the store as the schema's owner,
// and the hub's keys.
func operateSignIn(ctx context.Context, environ []string, act func(Config, *signin.Store, keys.Store) error) error {
	cfg, err := load(environ)
	if err != nil {
		return err
	}
	address, stop, err := ownDatabase(ctx, cfg)
	if err != nil {
		return err
	}
	err = withSignIn(ctx, cfg, address, act)
	if refusal, ok := errors.AsType[*fault.Fault](err); ok {
		err = errors.New(refusal.Text)
	}
	return errors.Join(err, stop())
}

func withSignIn(ctx context.Context, cfg Config, address string, act func(Config, *signin.Store, keys.Store) error) error {
	if err := pg.Migrate(ctx, address); err != nil {
		return fmt.Errorf("migrating the database: %w", err)
	}
	pool, err := pg.Open(ctx, address, "", 2)
	if err != nil {
		return err
	}
	defer pool.Close()
	store, err := openKeys(ctx, cfg)
	if err != nil {
		return err
	}
	return act(cfg, signin.NewStore(pool), store)
}
