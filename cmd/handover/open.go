package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/codes"
)

func (a *app) openCommand() *cobra.Command {
	var o client.Opening
	var step int
	var folder string
	cmd := &cobra.Command{
		Use:   "open ID --reason REASON",
		Short: "Open sections of a referral, and print them",
		Long: `Have sections released to you, open them with your key, and print them. Whether they
may still be released is decided anew, and that you opened them, and why, is logged before
you read them. The sender's signature over every section is verified.

Without --section all sections of the packet are opened; --step opens those of a later step,
such as the note of an answer, by its number in handover show.

Attachments are written to files, which nobody but you can read and which never take the place
of others. They are what the sender gave: look at them with care. ` + anID,
		Example: "  handover open R-7K3F-9Q2M --reason triage\n  handover open R-7K3F-9Q2M --section safe-contact --reason provide-service",
		Args:    cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			if !codes.OpenReasons().Has(o.Reason) {
				return usage("say why you open it, for the log: --reason %s", codes.OpenReasons())
			}
			return a.open(cmd.Context(), args[0], o, step, folder)
		}),
	}
	cmd.Flags().StringSliceVar(&o.Sections, "section", nil, "a section to open; may be repeated (default all)")
	cmd.Flags().StringVar(&o.Reason, "reason", "", "why, for the log: "+codes.OpenReasons().String())
	cmd.Flags().IntVar(&step, "step", 1, "the step whose sections are meant")
	cmd.Flags().StringVar(&folder, "to", ".", "the folder that attachments are written to")
	offer(cmd, "section", codes.Sections())
	offer(cmd, "reason", codes.OpenReasons())
	return cmd
}

func (a *app) open(ctx context.Context, name string, o client.Opening, step int, folder string) error {
	p, c, err := a.client(ctx)
	if err != nil {
		return err
	}
	if o.Referral, err = resolve(ctx, c, name); err != nil {
		return err
	}
	if step != 1 {
		r, err := c.Referral(ctx, o.Referral)
		if err != nil {
			return err
		}
		if step < 1 || step > len(r.Chain) {
			return usage("the referral has %d steps: handover show %s", len(r.Chain), name)
		}
		o.Envelope = r.Chain[step-1].Digest
	}
	opened, err := c.Open(ctx, o)
	if err != nil {
		return err
	}
	a.caution(opened)
	receipt := "open-" + opened.Envelope + "-" + strconv.FormatInt(opened.Receipt.Time.UnixMicro(), 10)
	if _, err := p.KeepReceipt(receipt, opened.Receipt); err != nil {
		return err
	}
	saved, err := saveAttachments(folder, step, opened)
	return errors.Join(a.show(asDocuments(opened, saved), func(w io.Writer) {
		writeContent(w, opened)
		for _, s := range saved {
			fmt.Fprintf(w, "%s (%s), from %s: %s\n", s.Name, codes.Sections().Label(s.Class), opened.From, s.File)
		}
	}), err)
}

// caution says what to know before what was opened is relied on.
func (a *app) caution(opened client.Opened) {
	if opened.SignedFor != "" {
		a.say("note: %s", opened.SignedFor)
	}
	if opened.Doubt != "" {
		a.say("warning: signed by %s, yet %s", opened.From, opened.Doubt)
	}
	if opened.Stale {
		a.say("warning: what she said about safe contact is out of date: ask her again, through her worker, before you do anything else")
	}
	if opened.Outside {
		a.say("warning: it is outside the days and hours at which she said it is safe to reach her: do not call or write now")
	}
	for _, m := range opened.Unfit {
		a.say("warning: not as its schema says, so read it with care: %s", m)
	}
}

// asDocuments is opened with its sections as the JSON that they are: content by itself
// prints as its length alone.
func asDocuments(opened client.Opened, saved []savedAttachment) any {
	sections := make(map[string]jsontext.Value, len(opened.Sections))
	for name, content := range opened.Sections {
		sections[name] = jsontext.Value(content)
	}
	return struct {
		client.Opened
		Sections    map[string]jsontext.Value `json:"sections"`
		Attachments []savedAttachment         `json:"attachments,omitempty"`
	}{opened, sections, saved}
}

// writeContent prints what was sealed: how to reach her safely before anything else.
func writeContent(w io.Writer, o client.Opened) {
	names := slices.Sorted(maps.Keys(o.Sections))
	if i := slices.Index(names, "safe-contact"); i > 0 {
		names = slices.Insert(slices.Delete(names, i, i+1), 0, "safe-contact")
	}
	for _, name := range names {
		value := jsontext.Value(slices.Clone([]byte(o.Sections[name])))
		_ = value.Indent(jsontext.WithIndent("  ")) // it was read as JSON
		fmt.Fprintf(w, "%s (%s), from %s:\n%s\n\n", name, codes.Sections().Label(name), o.From, value)
	}
}
