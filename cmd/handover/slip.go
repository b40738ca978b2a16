package main

import (
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"handover/client"
)

//go:embed slip.html
var slipPage string

// slipOptions say how a slip is made.
type slipOptions struct {
	file                      string
	html, noNames, yes, tells bool
}

func (a *app) slipCommand() *cobra.Command {
	var o slipOptions
	cmd := &cobra.Command{
		Use:   "slip REFERRAL",
		Short: "Tell her who opened her referral, when and on what basis, in plain English",
		Long: `Make a slip for the woman herself: who opened her referral, when, on what basis, what is
sealed still, how to stop it and how to complain. It is in plain English and short sentences,
to be read out to her, which is safest, or printed.

Think before you print. Somebody who hurts her may find the paper. It says which agencies help
her, of what kind they are, and when. --no-names leaves that out. If you are not sure that she
can keep it safe, read it to her and give her nothing; you can do so again on any day. Where she
needs an interpreter, take no partner, relative or friend.

With --html it is a page to print on A4, on one side or both. Fold it in half so that "For you"
is outside: nothing else can be seen then. Call the file by a name that says nothing, print it
where nobody else collects paper, and delete the file.

Every line rests on an entry of the log whose proof was verified, or on a signed statement. What
could not be checked is said, and ends with exit code 6. What people did after they read
something, and what another agency tried that yours is not shown, no slip can say. The hub logs
that you looked. REFERRAL is its id, or its reference R-XXXX-XXXX.`,
		Example: "  handover slip R-7K3F-9Q2M\n  handover slip R-7K3F-9Q2M --no-names --html -o for-you.html",
		Args:    cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			if o.html && o.file == "" {
				return usage("say where the page goes: -o FILE, by a name that says nothing, such as for-you.html")
			}
			_, c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			return a.slip(cmd.Context(), c, args[0], o)
		}),
	}
	cmd.Flags().StringVarP(&o.file, "out", "o", "", "the file to write (default the terminal, to be read out)")
	cmd.Flags().BoolVar(&o.html, "html", false, "a page to be printed and folded")
	cmd.Flags().BoolVar(&o.noNames, "no-names", false, "leave out what the agencies are called, and of what kind they are")
	cmd.Flags().BoolVar(&o.tells, "tell-her", false, "a manager has decided that she may learn now what she has not been told")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "she can carry it safely: do not ask")
	return cmd
}

func (a *app) slip(ctx context.Context, c *client.Client, name string, o slipOptions) error {
	id, err := resolve(ctx, c, name)
	if err != nil {
		return err
	}
	facts, err := c.SlipFacts(ctx, id)
	if err != nil {
		return err
	}
	facts.NoNames = o.noNames
	slip := facts.Slip()
	if len(slip.NotTold) > 0 && !o.tells {
		return usage("something was shared without her yes, and the record says that she has not been told: %s. This slip would tell her. Ask a manager; when it is right that she learns it now, say --tell-her",
			client.NotToldReasons().Label(slip.NotTold[0]))
	}
	a.say("Is it safe for her to have this? Somebody who hurts her may find it. If you are not sure, read it to her and give her no paper.")
	if !o.noNames {
		a.say("It names the agencies: --no-names leaves them out.")
	}
	if o.file == "" {
		err = a.show(slip, func(w io.Writer) { _, _ = io.WriteString(w, slip.Text()) })
	} else {
		err = a.writeSlip(slip, o)
	}
	if err == nil && slip.Unchecked > 0 {
		err = fmt.Errorf("%w: %d things that the hub shows could not be checked. The slip says so, and may leave something out", client.ErrVerification, slip.Unchecked)
	}
	return err
}

// writeSlip writes the file, once her worker has said that it is safe.
func (a *app) writeSlip(slip client.Slip, o slipOptions) error {
	if err := a.confirmSafe(o.yes); err != nil {
		return err
	}
	text := plain(slip.Text())
	if o.html {
		var err error
		if text, err = pageOf(slip); err != nil {
			return err
		}
	}
	if err := save(o.file, strings.NewReader(text)); err != nil {
		return err
	}
	a.say("It is in %s. Print it, fold it so that “For you” is outside, and delete the file.", o.file)
	return nil
}

// confirmSafe asks whether she can carry the paper.
func (a *app) confirmSafe(yes bool) error {
	if yes {
		return nil
	}
	if !a.asks {
		return usage("nobody is there to ask whether she can carry it safely: say --yes if she can")
	}
	answer, err := a.ask("can she carry it safely? (yes/no)")
	if err != nil {
		return err
	}
	if !strings.EqualFold(answer, "yes") {
		return usage("nothing was written: read it to her instead, without -o")
	}
	return nil
}

// pageOf is the slip as one page of HTML that loads nothing. Its first sheet says the title
// alone, and so does everything that can be seen once it is folded, however it was printed.
func pageOf(slip client.Slip) (string, error) {
	page, err := template.New("slip").Parse(slipPage)
	if err != nil {
		return "", fmt.Errorf("reading the page: %w", err)
	}
	var b strings.Builder
	if err := page.Execute(&b, slip); err != nil {
		return "", fmt.Errorf("writing the page: %w", err)
	}
	return b.String(), nil
}
