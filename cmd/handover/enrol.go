package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"handover/client/profile"
)

func (a *app) enrolCommand() *cobra.Command {
	var hub, code string
	cmd := &cobra.Command{
		Use:   "enrol --hub URL",
		Short: "Join a hub with the one-time code from its operator",
		Long: `Register this profile's public keys with a hub. The one-time code is taken from
--code, else from HANDOVER_CODE, else it is asked for, or read from standard input.
What the hub answers is kept in the profile: your client id, and the key of the hub's log,
with which every receipt is verified from then on.`,
		Example: "  handover enrol --hub https://hub.example\n  hub invite camden-outreach | handover enrol --hub http://localhost:8080",
		Args:    cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			if hub == "" {
				return usage("name the hub: --hub https://hub.example")
			}
			p, err := a.profile(cmd.Context())
			if err != nil {
				return err
			}
			if p.Settings().ClientID != "" {
				return profile.ErrEnrolled // before a code is asked for in vain
			}
			if code, err = a.code("enrolment code", code); err != nil {
				return err
			}
			e, err := p.Enrol(cmd.Context(), hub, code)
			if err != nil {
				return err
			}
			if err := a.show(e, func(w io.Writer) {
				fmt.Fprintf(w, "partner\t%s\nclient id\t%s\nhub\t%s\nlog key\t%s\n", e.Partner, e.ClientID, e.Hub, e.LogKey)
			}); err != nil {
				return err
			}
			a.next("handover doctor")
			return nil
		}),
	}
	cmd.Flags().StringVar(&hub, "hub", "", "the hub's address, as https://hub.example")
	cmd.Flags().StringVar(&code, "code", "", "the one-time code; \"-\" reads it from standard input")
	return cmd
}

// code finds a one-time code. A flag can be seen by others on the machine, so the
// environment and standard input are there too.
func (a *app) code(what, given string) (string, error) {
	if given == "" {
		given = a.getenv("HANDOVER_CODE")
	}
	if given != "" && given != "-" {
		return given, nil
	}
	if a.asks {
		return a.ask(what)
	}
	line, err := bufio.NewReader(io.LimitReader(a.in, 1<<10)).ReadString('\n')
	if line = strings.TrimSpace(line); line == "" {
		return "", usage("there is no %s: put it in HANDOVER_CODE or on standard input (%v)", what, err)
	}
	return line, nil
}
