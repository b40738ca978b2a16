package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"handover/audit"
	"handover/keys"
	"handover/keys/jose"
)

func keysMigrateCommand(environ []string) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Move the hub's keys between the local store and Vault, while hubs run",
		Long: `Move the hub's keys between the local store and Vault, while hubs run. First set VAULT_ADDR
with its files, and HUB_KEYS to where the keys go, for this command and for every hub, and
restart the hubs one after the other: from then on both places count. After this command and
another hour, take the other place's settings away, or move its folder.

To Vault the keys themselves are brought, and stay what they are. Vault gives none out, so to
the local store new ones are made: tokens of the old one count until they end, and the
log goes over to its new key by a statement that both sign. Then every secret in the
database is wrapped anew. Run again after a failure, it goes on.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withWorkshop(cmd.Context(), environ, func(w workshop) error {
				told, err := w.migrate(cmd.Context(), to)
				for _, line := range told {
					fmt.Fprintln(cmd.OutOrStdout(), line)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "vault or local")
	return cmd
}

func (w workshop) migrate(ctx context.Context, to string) (told []string, err error) {
	if to != inLocal && to != inVault {
		return nil, errors.New("--to: say vault or local")
	}
	if w.cfg.KeyStore != to || w.local == nil || w.vault == nil {
		return nil, fmt.Errorf("to move keys, both places must be set: VAULT_ADDR, a local store in HUB_DIR, and HUB_KEYS=%s; restart every hub with the same first", to)
	}
	if to == inVault {
		told, err = w.toVault(ctx)
	} else {
		told, err = w.toLocal(ctx)
	}
	if err != nil {
		return told, err
	}
	n, err := w.rewrap(ctx)
	if err != nil {
		return told, err
	}
	return append(told, fmt.Sprintf("%d secrets are wrapped anew", n),
		"Next: in an hour, when nothing is left that the old keys signed, take the other place away and restart the hubs"), nil
}

// toVault brings every key of the local store to Vault.
func (w workshop) toVault(ctx context.Context) (told []string, err error) {
	if err := w.vault.EnsureWrapping(ctx); err != nil {
		return nil, err
	}
	all, err := w.local.List(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, v := range all {
		if !slices.Contains(names, v.Name) {
			names = append(names, v.Name)
		}
	}
	for _, name := range names {
		private, err := w.local.Export(ctx, name)
		if err != nil {
			return told, err
		}
		if err := w.vault.Import(ctx, name, private); err != nil {
			return told, err
		}
		told = append(told, name+": in Vault, as it was")
	}
	return told, nil
}

// toLocal makes the hub's own keys anew in the local store. The log's goes last, since it
// is not its key before both have signed for that.
func (w workshop) toLocal(ctx context.Context) (told []string, err error) {
	if err := w.onlyOwn(ctx); err != nil {
		return nil, err
	}
	if err := keys.Ensure(ctx, w.local, accessTokenKey, jose.ES256); err != nil {
		return nil, err
	}
	told = append(told, accessTokenKey+": new tokens are signed here; those that Vault signed count until they end")
	if err := keys.Ensure(ctx, w.local, hubStepsKey, jose.EdDSA); err != nil {
		return told, err
	}
	told = append(told, hubStepsKey+": steps of the hub's own are signed here; those that Vault signed stay good")
	if err := keys.Ensure(ctx, w.local, webhookKey, jose.EdDSA); err != nil {
		return told, err
	}
	told = append(told, webhookKey+": messages to webhooks are signed here; receivers read the new key at /v1/hub/webhook-keys")
	kid, err := w.withLog(ctx, func(*audit.Log) error {
		return keys.Ensure(ctx, w.local, checkpointKey, jose.EdDSA)
	})
	if err != nil {
		return told, err
	}
	return append(told, checkpointKey+": the log is signed here, with "+kid), nil
}

// onlyOwn refuses while Vault has keys of partners: theirs are published, so the hub cannot
// make others in their place without them.
func (w workshop) onlyOwn(ctx context.Context) error {
	all, err := w.vault.List(ctx)
	if err != nil {
		return err
	}
	var others []string
	for _, v := range all {
		own := slices.ContainsFunc(ownKeys(), func(k ownKey) bool { return k.name == v.Name })
		if _, err := w.local.Public(ctx, v.Name); !own && errors.Is(err, keys.ErrUnknownKey) && !slices.Contains(others, v.Name) {
			others = append(others, v.Name)
		}
	}
	if len(others) == 0 {
		return nil
	}
	return fmt.Errorf("the signing keys of partners whose keys the hub holds are in Vault, which gives none out (%s): let those partners hold their own keys first, or stay with Vault", strings.Join(others, ", "))
}
