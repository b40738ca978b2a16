package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"handover/audit"
	"handover/internal/fault"
	"handover/internal/pg"
	"handover/keys"
	"handover/keys/jose"
	"handover/notify"
	"handover/oauth"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral/managed"
)

// wrappingKey is what the commands call the key under which secrets are wrapped.
const wrappingKey = "kek"

func keysInitCommand(environ []string) *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Make the hub's own keys that are missing",
		Long: `Make the hub's own keys that are missing, in Vault if VAULT_ADDR is set: a hub may make
none there, so this is run once, with the operator's AppRole. Run again, it changes nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withKeys(environ, func(_ Config, s stores) error {
				if err := s.make(cmd.Context()); err != nil {
					return err
				}
				return listKeys(cmd.Context(), cmd.OutOrStdout(), s)
			})
		},
	}
}

// make makes what is missing. A key that the store has from which keys are moving is not
// missing: hub keys migrate brings it.
func (s stores) make(ctx context.Context) error {
	if s.vault != nil {
		if err := s.vault.EnsureWrapping(ctx); err != nil {
			return err
		}
	}
	for _, k := range ownKeys() {
		if err := keys.Ensure(ctx, s, k.name, k.alg); err != nil {
			return fmt.Errorf("making the key of %s: %w", k.of, err)
		}
	}
	return nil
}

func keysListCommand(environ []string) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the keys that the hub signs with: versions, since when, and who holds them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withKeys(environ, func(_ Config, s stores) error {
				return listKeys(cmd.Context(), cmd.OutOrStdout(), s)
			})
		},
	}
}

// listKeys says what may be said of keys. Of one name the first line of each holder is the
// version that signs; the others are accepted until their overlap ends.
func listKeys(ctx context.Context, out io.Writer, s stores) error {
	all, err := s.List(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for i, v := range all {
		until := "newest"
		if i > 0 && all[i-1].Name == v.Name && all[i-1].Holder == v.Holder {
			until = "accepted until " + all[i-1].Made.Add(keys.Overlap).UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\tin %s\tsince %s\t%s\n", v.Name, v.Number, v.Key.KeyID(), v.Key.Algorithm(), v.Holder,
			v.Made.UTC().Format(time.RFC3339), until)
	}
	return w.Flush()
}

func keysRotateCommand(environ []string) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate NAME",
		Short: "Make a new version of access-token, checkpoint, hub-steps, webhooks or kek; the one before counts for another hour",
		Long: `Make a new version of one of the hub's own keys. access-token: new tokens are signed with it,
and tokens of the version before count until they end. checkpoint: the log goes over to it by
a statement that both keys sign; clients follow from the key they have pinned, and hubs that
run go over by themselves. hub-steps: the hub's own steps are signed with it; those of the
version before stay good, since the log has them. webhooks: messages are signed with both
for an hour, in which receivers read the new one. kek, in Vault: new secrets are wrapped with
it; hub keys rewrap then wraps the old ones anew.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			told, err := rotate(cmd.Context(), environ, args[0])
			if err == nil {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), told)
			}
			return err
		},
	}
}

var errRotatable = errors.New("the keys that this rotates are access-token, checkpoint, hub-steps, webhooks and, in Vault, kek")

func rotate(ctx context.Context, environ []string, name string) (told string, err error) {
	switch name {
	case checkpointKey:
		err = withWorkshop(ctx, environ, func(w workshop) error {
			kid, err := w.rotateLog(ctx)
			told = "checkpoint: the log is signed with " + kid
			return err
		})
		return told, err
	case hubStepsKey, webhookKey:
		err = withWorkshop(ctx, environ, func(w workshop) error {
			return w.rotating(ctx, name, func() error {
				k, err := w.Rotate(ctx, name, jose.EdDSA)
				told = fmt.Sprintf("%s: %s are signed with %s", name, map[string]string{hubStepsKey: "steps of the hub's own", webhookKey: "messages to webhooks"}[name], k.KeyID())
				return err
			})
		})
		return told, err
	case accessTokenKey, wrappingKey:
		err = withWorkshop(ctx, environ, func(w workshop) error {
			if name == wrappingKey && w.vault == nil {
				return errRotatable
			}
			return w.rotating(ctx, name, func() error {
				if name == wrappingKey {
					n, err := w.vault.RotateWrapping(ctx)
					told = fmt.Sprintf("%s: new secrets are wrapped with version %d. Next: hub keys rewrap", name, n)
					return err
				}
				k, err := w.Rotate(ctx, name, jose.ES256)
				told = fmt.Sprintf("%s: new tokens are signed with %s", name, k.KeyID())
				return err
			})
		})
		return told, err
	}
	return "", errRotatable
}

func keysRewrapCommand(environ []string) *cobra.Command {
	return &cobra.Command{
		Use:   "rewrap",
		Short: "Wrap every secret in the database anew, with the newest key",
		Long: `Wrap every secret in the database anew, with the newest key that wraps. Hubs that run
meanwhile open both the old and the new ones. Run again after a failure, it goes on.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withWorkshop(cmd.Context(), environ, func(w workshop) error {
				n, err := w.rewrap(cmd.Context())
				if err == nil {
					_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d secrets are wrapped anew\n", n)
				}
				return err
			})
		},
	}
}

// workshop is what work on keys needs besides the stores: the database, as the schema's
// owner.
type workshop struct {
	stores
	cfg      Config
	pool     *pgxpool.Pool
	registry *partners.Store
}

// rewrap wraps anew what each room keeps wrapped.
func (w workshop) rewrap(ctx context.Context) (int, error) {
	total := 0
	for _, room := range []interface {
		Rewrap(context.Context, keys.Store) (int, error)
	}{oauth.NewStore(w.pool), signin.NewStore(w.pool), w.registry, &managed.Desk{Pool: w.pool}, &notify.Store{Pool: w.pool}} {
		n, err := room.Rewrap(ctx, w)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// rotateLog makes a new version of the key of checkpoints, unless one was left by a rotation
// that came to no end, and gives it to the log.
func (w workshop) rotateLog(ctx context.Context) (kid string, err error) {
	return w.withLog(ctx, func(log *audit.Log) error {
		candidates, err := logKeys{ctx, w}.candidates()
		if err == nil && log.SignsWith(candidates[0]) {
			_, err = w.Rotate(ctx, checkpointKey, jose.EdDSA)
		}
		return err
	})
}

// withLog opens the log, lets prepare act, and gives the log the newest version of its key.
func (w workshop) withLog(ctx context.Context, prepare func(*audit.Log) error) (kid string, err error) {
	pool, err := pg.Open(ctx, w.pool.Config().ConnString(), pg.RoleLog, logConnections)
	if err != nil {
		return "", err
	}
	defer pool.Close()
	log, err := openLog(ctx, w.cfg, w, pool, pool)
	if err != nil {
		return "", err
	}
	if err := prepare(log); err != nil {
		return "", err
	}
	return catchUp(ctx, log, w)
}

// withKeys opens the configured stores for an operator's command.
func withKeys(environ []string, act func(Config, stores) error) error {
	cfg, err := load(environ)
	if err != nil {
		return err
	}
	s, err := openStores(cfg)
	if err != nil {
		return err
	}
	return plainly(act(cfg, s))
}

func withWorkshop(ctx context.Context, environ []string, act func(workshop) error) error {
	return withKeys(environ, func(cfg Config, s stores) error {
		return operateOn(ctx, environ, func(pool *pgxpool.Pool, registry *partners.Store) error {
			return act(workshop{s, cfg, pool, registry})
		})
	})
}

// plainly says to the operator what a refusal of the key store's is about: here its
// reason helps, and no partner reads it.
func plainly(err error) error {
	if errors.Is(err, keys.ErrUnavailable) {
		_, why, _ := strings.Cut(err.Error(), keys.ErrUnavailable.Error()+": ")
		return fmt.Errorf("the hub's keys cannot be used now: %s", why)
	}
	if refusal, ok := errors.AsType[*fault.Fault](err); ok {
		return errors.New(refusal.Text)
	}
	return err
}
