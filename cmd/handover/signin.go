package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
)

// administers are the rights that the administration commands need.
const administers = "partner:admin,services:write"

func (a *app) signInCommand() *cobra.Command {
	var scope string
	var open bool
	cmd := &cobra.Command{
		Use:   "sign-in",
		Short: "Sign in as yourself, to administer your agency",
		Long: `Sign in as yourself through your browser. The address is printed: open it on this machine,
say yes, and come back. What the administration commands (people, clients, keys rotate and
revoke) do from then on they do in your name, and the log says so. Referrals are still sent
and collected by the system itself.

What the hub lends is kept sealed in the profile, and works with this profile alone. Acts
that change something need a sign-in that is at most 15 minutes old.`,
		Example: "  handover sign-in\n  handover sign-in --open --scope partner:admin",
		Args:    cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			p, c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			return a.signIn(cmd.Context(), p, c, strings.FieldsFunc(scope, func(r rune) bool { return r == ',' || r == ' ' }), open)
		}),
	}
	cmd.Flags().StringVar(&scope, "scope", administers, "the rights to ask for, separated by commas")
	cmd.Flags().BoolVar(&open, "open", false, "open the address in your browser")
	return cmd
}

// signInTime is how long a person has to say yes: as long as the hub keeps the question.
const signInTime = 5 * time.Minute

// signIn waits on this machine alone for what the browser brings back (RFC 8252 §7.3).
func (a *app) signIn(ctx context.Context, p *profile.Profile, c *client.Client, scopes []string, open bool) error {
	ctx, cancel := context.WithTimeout(ctx, signInTime)
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("waiting for the browser: %w", err)
	}
	defer listener.Close()
	begun, err := c.BeginSignIn(ctx, "http://"+listener.Addr().String()+"/callback", scopes...)
	if err != nil {
		return err
	}
	a.say("open this address in your browser, on this machine:\n\n  %s\n", begun.Address())
	if open {
		if err := browse(ctx, begun.Address()); err != nil {
			a.say("it does not open by itself (%s)", err)
		}
	}
	answer, err := awaitAnswer(ctx, listener, begun.Mine)
	if err != nil {
		return err
	}
	session, err := begun.Finish(ctx, answer)
	if err != nil {
		return err
	}
	if err := p.KeepSession(ctx, session); err != nil {
		return err
	}
	return a.whoAmI(ctx, p)
}

var errNobodyCame = errors.New("nobody answered in the browser in time")

// awaitAnswer serves the address that the browser is sent back to, until an answer of this
// sign-in comes. Any page can send a browser here, so what is not of this sign-in is
// turned away and waited past. Nothing of the answer is shown, and the code that the
// browser's history keeps is used a moment later.
func awaitAnswer(ctx context.Context, listener net.Listener, mine func(url.Values) bool) (url.Values, error) {
	came := make(chan url.Values, 1)
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := r.URL.Query()
			status, text := http.StatusOK, "You can close this window."
			if r.Method != http.MethodGet || r.URL.Path != "/callback" || !mine(answer) {
				status, text = http.StatusNotFound, "This is not the sign-in that waits here."
			}
			h := w.Header()
			h.Set("Content-Type", "text/html; charset=utf-8")
			h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
			h.Set("Cache-Control", "no-store")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("X-Content-Type-Options", "nosniff")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<!doctype html><html lang=\"en\"><title>Handover</title><p>"+text+"</p></html>\n")
			if status == http.StatusOK {
				select {
				case came <- answer:
				default: // one is enough
				}
			}
		})}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(stop) // lets the browser have its page
	}()
	select {
	case answer := <-came:
		return answer, nil
	case err := <-ended:
		return nil, fmt.Errorf("waiting for the browser: %w", err)
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, errNobodyCame
		}
		return nil, ctx.Err()
	}
}

// browse opens an address, which is one of the hub's own, in the person's browser.
func browse(ctx context.Context, address string) error {
	command := map[string][]string{"darwin": {"open"}, "windows": {"rundll32", "url.dll,FileProtocolHandler"}}[runtime.GOOS]
	if command == nil {
		command = []string{"xdg-open"}
	}
	return exec.CommandContext(context.WithoutCancel(ctx), command[0], append(command[1:], address)...).Start()
}

func (a *app) signOutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sign-out",
		Short: "Give back what sign-in was lent, and forget it",
		Args:  cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			p, err := a.profile(cmd.Context())
			if err != nil {
				return err
			}
			c, err := p.PersonClient(cmd.Context())
			if err != nil {
				return errors.Join(err, p.ForgetSession())
			}
			// Given back first: a hub that cannot be reached would go on honouring what is
			// forgotten here. One that refuses honours it no more.
			if err := c.SignOut(cmd.Context()); errors.As(err, new(*client.Problem)) {
				return errors.Join(err, p.ForgetSession())
			} else if err != nil {
				return err
			}
			if err := p.ForgetSession(); err != nil {
				return err
			}
			return a.show(map[string]any{"signed_out": true}, func(w io.Writer) { fmt.Fprintln(w, "signed out") })
		}),
	}
}

func (a *app) whoAmICommand() *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Say who is signed in here",
		Args:  cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			p, err := a.profile(cmd.Context())
			if err != nil {
				return err
			}
			return a.whoAmI(cmd.Context(), p)
		}),
	}
}

// whoAmI asks the hub, since the profile alone does not know whether a session counts.
func (a *app) whoAmI(ctx context.Context, p *profile.Profile) error {
	kept, err := p.SignedIn()
	if err != nil {
		return err
	}
	c, err := p.PersonClient(ctx)
	if err != nil {
		return err
	}
	who, err := c.WhoAmI(ctx)
	if err != nil {
		return err
	}
	s := p.Settings()
	shown := struct {
		client.Identity
		Partner  string    `json:"partner"`
		ClientID string    `json:"client_id"`
		Hub      string    `json:"hub"`
		SignedIn time.Time `json:"signed_in"`
	}{who, s.Partner, s.ClientID, s.Hub, kept.At}
	return a.show(shown, func(w io.Writer) {
		fmt.Fprintf(w, "you\t%s of %s\nthrough\t%s at %s\nmay\t%s\nsigned in\t%s\n", who.User, s.Partner, s.ClientID, s.Hub,
			strings.Join(who.Scopes, ", "), when(kept.At))
	})
}

// withPerson makes the body of a command that acts for who is signed in.
func (a *app) withPerson(f func(ctx context.Context, c *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return a.does(func(cmd *cobra.Command, args []string) error {
		p, err := a.profile(cmd.Context())
		if err != nil {
			return err
		}
		if p.Settings().ClientID == "" {
			return profile.ErrNotEnrolled
		}
		c, err := p.PersonClient(cmd.Context())
		if err != nil {
			return err
		}
		return f(cmd.Context(), c, args)
	})
}
