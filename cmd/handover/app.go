package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
	"handover/internal/strict"
)

// app is one run of the program.
type app struct {
	surroundings
	home  string
	json  bool
	began bool // a command has begun: what fails from now on is not the command line
	root  *cobra.Command
	lines *bufio.Reader // of the answers to questions
}

// command is the whole program as a value.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "handover",
		Short: "Send, collect and answer referrals between agencies, and verify them",
		Long: `handover is your agency's side of the exchange.

Begin with:
  handover keys new
  handover enrol --hub https://hub.example
  handover doctor`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		DisableAutoGenTag: true,
	}
	root.PersistentFlags().StringVar(&a.home, "home", "",
		"the profile's directory (default $HANDOVER_HOME, else handover in your configuration directory)")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON, as is done anyway when the output is piped")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("%s", err) })
	root.AddCommand(a.keysCommand(), a.enrolCommand(), a.consentCommand(), a.overrideCommand(), a.recallCommand(), a.neverCommand(), a.policeCommand(), a.sendCommand(), a.resendCommand(),
		a.inboxCommand(), a.sentCommand(), a.showCommand(), a.openCommand(), a.watchCommand(), a.historyCommand(),
		a.verifyCommand(), a.slipCommand(), a.subjectAccessCommand(), a.servicesCommand(), a.partnersCommand(), a.doctorCommand(),
		a.signInCommand(), a.signOutCommand(), a.whoAmICommand(), a.peopleCommand(), a.agreementsCommand(), a.clientsCommand(), a.custodyCommand(),
		a.pathwayCommand(), a.schemaCommand(), a.firewallCommand(), a.gpCommand(), a.auditCommand(), exitCodes())
	for _, s := range steps() {
		root.AddCommand(a.stepCommand(s))
	}
	a.root = root
	return root
}

// does makes a command's body.
func (a *app) does(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.began = true
		return f(cmd, args)
	}
}

// folder is the profile's directory.
func (a *app) folder() (string, error) {
	for _, dir := range []string{a.home, a.getenv("HANDOVER_HOME")} {
		if dir != "" {
			return dir, nil
		}
	}
	if dir := a.getenv("XDG_CONFIG_HOME"); dir != "" {
		return filepath.Join(dir, "handover"), nil
	}
	if dir := a.getenv("HOME"); dir != "" {
		return filepath.Join(dir, ".config", "handover"), nil
	}
	return "", usage("say where the profile is: --home DIR or HANDOVER_HOME")
}

// options are the profile's, with the passphrase if there is one.
func (a *app) options() (profile.Options, error) {
	path := a.getenv("HANDOVER_PASSPHRASE_FILE")
	if path == "" {
		return profile.Options{HTTP: a.http}, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return profile.Options{}, fmt.Errorf("reading the passphrase: %w", err)
	}
	return profile.Options{HTTP: a.http, Passphrase: strings.TrimRight(string(data), "\r\n")}, nil
}

// profile opens the profile.
func (a *app) profile(ctx context.Context) (*profile.Profile, error) {
	dir, err := a.folder()
	if err != nil {
		return nil, err
	}
	options, err := a.options()
	if err != nil {
		return nil, err
	}
	return profile.Open(ctx, dir, options)
}

// client opens the profile and makes its client.
func (a *app) client(ctx context.Context) (*profile.Profile, *client.Client, error) {
	p, err := a.profile(ctx)
	if err != nil {
		return nil, nil, err
	}
	c, err := p.Client()
	return p, c, err
}

// withClient makes the body of a command that talks to the hub.
func (a *app) withClient(f func(ctx context.Context, c *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return a.does(func(cmd *cobra.Command, args []string) error {
		_, c, err := a.client(cmd.Context())
		if err != nil {
			return err
		}
		return f(cmd.Context(), c, args)
	})
}

// idMark stands before an id while the command line is taken apart.
const idMark = "id:"

// guard marks the ids in a command line: one in 64 begins with a hyphen, and would be
// taken for a flag. So does a woman's reference, which elsewhere is the value of a flag.
func guard(args []string) []string {
	out := slices.Clone(args)
	subjects := slices.Contains(args, "subject-access")
	for i, arg := range out {
		id, err := base64.RawURLEncoding.DecodeString(arg)
		if err == nil && (len(id) == 32 || subjects && len(id) == 16) && arg[0] == '-' {
			out[i] = idMark + arg
		}
	}
	return out
}

// resolve finds a referral's id by what was typed.
func resolve(ctx context.Context, c *client.Client, typed string) (string, error) {
	return c.Resolve(ctx, strings.TrimPrefix(typed, idMark))
}

// asJSON reports whether data is printed as JSON: --json and --json=false decide,
// else who reads it.
func (a *app) asJSON() bool {
	if f := a.root.PersistentFlags().Lookup("json"); f.Changed {
		return a.json
	}
	return !a.people
}

// show prints data: v as JSON, or what text writes, in columns where it has tabs.
func (a *app) show(v any, text func(w io.Writer)) error {
	if a.asJSON() {
		return a.showJSON(v)
	}
	var b strings.Builder
	columns := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	text(columns)
	_ = columns.Flush() // into memory
	_, err := io.WriteString(a.out, plain(b.String()))
	return err
}

// showJSON prints v, indented.
func (a *app) showJSON(v any) error {
	data, err := strict.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	value := jsontext.Value(data)
	if err := value.Indent(jsontext.WithIndent("  ")); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	_, err = fmt.Fprintf(a.out, "%s\n", value)
	return err
}

// say prints talk.
func (a *app) say(format string, args ...any) {
	_, _ = fmt.Fprintln(a.talk, plain(fmt.Sprintf(format, args...)))
}

// next says which command comes next, to people.
func (a *app) next(format string, args ...any) {
	if a.people {
		a.say("next: "+format, args...)
	}
}

// line is somebody else's text on one line: a hub that lies could else write lines of its own
// among what was found, and columns among columns.
func line(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, s)
}

// plain takes out of somebody else's text what a terminal would obey, and the marks
// that make text read in another order than it is written.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		turns := r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
		if turns || unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}
