package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/spf13/cobra"

	"handover/audit/proof"
	"handover/audit/witness"
	"handover/internal/httpd"
	"handover/internal/strict"
)

// witnessFlags say which witness is served.
type witnessFlags struct {
	key, state, listen, successions string
	logs                            []string
}

// witnessCommand serves a witness. It needs nothing of a hub: no database, no HUB_
// variable. A partner runs it on a machine of her own.
func witnessCommand() *cobra.Command {
	var f witnessFlags
	cmd := &cobra.Command{
		Use:   "witness",
		Short: "Follow a hub's log and cosign its checkpoints (docs/witness.md)",
		Long: `Follow the log of one or more hubs and cosign their checkpoints, so that nobody, the hub's
operator included, can show one history to some and another to others. A witness sees
sizes, hashes and signatures, and nothing of what is in the log.`,
		Example: `  hub witness new-key charity.example/witness --key witness.key --state witness.state
  hub witness --key witness.key --state witness.state --log hub.example/v1/log+1c2d3e4f+AQ… --listen 0.0.0.0:8086`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.serve(cmd.Context(), cmd) },
	}
	cmd.Flags().StringVar(&f.key, "key", "", "the file of the witness's private key")
	cmd.Flags().StringVar(&f.state, "state", "", "the file that says what was cosigned; made with the key")
	cmd.Flags().StringArrayVar(&f.logs, "log", nil, "the key of a log to follow, as its hub shows it under /v1/log/key; may be repeated")
	cmd.Flags().StringVar(&f.successions, "successions", "", "a file of what a hub shows under /v1/log/successions: the keys that follow a given one")
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8086", "the address to listen on")
	for _, name := range []string{"key", "state", "log"} {
		_ = cmd.MarkFlagRequired(name) // fails only for a flag that is not there
	}
	cmd.AddCommand(witnessKeyCommand())
	return cmd
}

func witnessKeyCommand() *cobra.Command {
	var key, state string
	cmd := &cobra.Command{
		Use:   "new-key NAME",
		Short: "Make a witness's key and the state that belongs to it, and print its line for a policy",
		Long: `Make a witness's key and the state that belongs to it. NAME is a domain of yours and a path,
without https://, as charity.example/witness. A state that is lost makes the key useless: make another,
under another name, and have the policy changed.`,
		Example: `  hub witness new-key charity.example/witness --key witness.key --state witness.state`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.OpenFile(key, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return fmt.Errorf("making the key file: %w", err)
			}
			defer file.Close()
			private, public, err := witness.NewKey(args[0], state)
			if err != nil {
				return errors.Join(err, os.Remove(key))
			}
			if _, err := fmt.Fprintln(file, private); err != nil {
				return fmt.Errorf("writing the key file: %w", err)
			}
			if err := file.Sync(); err != nil {
				return fmt.Errorf("writing the key file: %w", err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), public)
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the file to make for the private key")
	cmd.Flags().StringVar(&state, "state", "", "the file to make for the state")
	for _, name := range []string{"key", "state"} {
		_ = cmd.MarkFlagRequired(name)
	}
	return cmd
}

func (f witnessFlags) serve(ctx context.Context, cmd *cobra.Command) error {
	logs, err := f.logKeys()
	if err != nil {
		return err
	}
	private, err := readSecret(f.key)
	if err != nil {
		return fmt.Errorf("--key: %w", err)
	}
	w, err := witness.Open(private, f.state, logs)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil))
	w.Logger = logger
	l, err := net.Listen("tcp", f.listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", f.listen, err)
	}
	router := httpd.Router()
	server := httpd.New(httpd.Options{Log: logger, MaxInFlight: 64, Ready: func(context.Context) error { return w.Ready() }})
	server.Mount(router)
	w.Mount(router)
	fmt.Fprintf(cmd.OutOrStdout(), "ready: http://%s as %s\n", l.Addr(), w.Self().Key)
	return server.Serve(ctx, l, nil, router)
}

// logKeys are the keys of the logs to follow, each with those that a statement of its own
// or of a later one brings in.
func (f witnessFlags) logKeys() ([]proof.LogKey, error) {
	var shown struct {
		Successions []string `json:"successions"`
	}
	if f.successions != "" {
		text, err := os.ReadFile(f.successions)
		if err != nil {
			return nil, fmt.Errorf("--successions: %w", reason(err))
		}
		if err := strict.Unmarshal(text, &shown); err != nil {
			return nil, errors.New("--successions: it is not what a hub shows under /v1/log/successions")
		}
	}
	var keys []proof.LogKey
	for _, text := range f.logs {
		key, err := proof.ParseLogKey(text)
		if err != nil {
			return nil, fmt.Errorf("--log: it is no key as a hub shows it under /v1/log/key: %w", err)
		}
		if key, err = followedBy(key, shown.Successions); err != nil {
			return nil, fmt.Errorf("--successions: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// followedBy is key with those that follow it, if the statements are of its log.
func followedBy(key proof.LogKey, statements []string) (proof.LogKey, error) {
	if len(statements) == 0 {
		return key, nil
	}
	first, err := proof.OpenSuccession([]byte(statements[0]))
	if err != nil || first.From.Origin() != key.Origin() {
		return key, err
	}
	return key.Followed(statements)
}
