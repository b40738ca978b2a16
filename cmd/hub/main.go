// Command hub is the exchange itself: the server, and the operator's commands.
//
//	hub run      everything on this machine: a private PostgreSQL, sample partners, one referral
//	hub serve    the server, configured by HUB_… variables (deploy/hub.env.example)
//	hub witness  somebody else's server: cosigns the checkpoints of a hub whose log it follows
//	hub partner, hub agreement, hub service, hub invite, hub user, hub provider, hub keys    the operator's acts, each one logged
//
// config.go reads the configuration, assemble.go puts the hub together (the only
// place that knows every part), serve.go runs it, run.go and seed.go are the
// demonstration, operator.go, people.go and provider.go the operator's commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"handover/internal/coredump"
)

func main() {
	// Before there is any key to dump.
	if err := errors.Join(coredump.Refuse(os.Getenv("GOTRACEBACK")), coredump.Disable()); err != nil {
		fmt.Fprintln(os.Stderr, "hub:", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(os.Environ()).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "hub:", err)
		os.Exit(1)
	}
}

// command is the whole program as a value, so that a test can run it.
func command(environ []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "hub",
		Short:         "The Handover exchange: server and operator's commands",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(serveCommand(environ), runCommand(environ), partnerCommand(environ),
		agreementCommand(environ), serviceCommand(environ), inviteCommand(environ), userCommand(environ), providerCommand(environ), keysCommand(environ), witnessCommand(),
		auditCommand(environ), logCommand(environ))
	return root
}
