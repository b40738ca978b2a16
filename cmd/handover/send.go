package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
	"handover/internal/codes"
	"handover/internal/strict"
)

// sending is what send is told.
type sending struct {
	request client.Request
	within  time.Duration
	hold    bool
	attach  []string // FILE:CLASS
}

func (a *app) sendCommand() *cobra.Command {
	var s sending
	cmd := &cobra.Command{
		Use:   "send FILE --to PARTNER --consent ID",
		Short: "Seal, sign and send a referral",
		Long: `Seal, sign and send a referral. FILE ("-" is standard input) holds one JSON object for
each section: {"need": {…}, "safe-contact": {…}}. Each is sealed on its own to the
recipient's current key, and to your own, so that you can read again what you sent.

Each section is held to its schema first (handover schema), and the whole to what its pathway
cannot be without (handover pathway), since nobody can look once it is sealed.

A file that is no section goes with --attach: sealed in chunks, 20 MiB at most, and judged
like the section that CLASS names. The hub learns neither its name nor what it is.

The packet is saved in the outbox before it is sent, with what is attached. If the answer does not come,
handover resend sends the same bytes again, and nothing happens twice.`,
		Example: "  handover send referral.json --to larkfield-housing --consent 0190a1b2-… --area E09000007 --urgency urgent",
		Args:    cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			var err error
			if s.request.Sections, err = a.sections(args[0]); err != nil {
				return err
			}
			if err := client.Fits(s.request.Sections); err != nil {
				return err
			}
			return a.send(cmd.Context(), s)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&s.request.To, "to", "", "the recipient's partner id")
	f.StringVar(&s.request.Consent, "consent", "", "the id of her consent, as handover consent new printed it")
	f.StringVar(&s.request.Override, "override", "", "or the id of an override, where she has not agreed")
	f.StringVar(&s.request.Service, "service", "", "the id of the recipient's service (default the one that takes this, if there is one)")
	f.StringVar(&s.request.Area, "area", "", "the authority she asks for, as a GSS code such as E09000007")
	f.StringVar(&s.request.Purpose, "purpose", "", "why (default the consent's purpose)")
	f.StringVar(&s.request.Urgency, "urgency", "", "emergency, urgent or routine")
	f.DurationVar(&s.within, "open-within", 0, "how long it can be opened, as 72h (default 28 days, at most 90)")
	f.StringVar(&s.request.ID, "id", "", "the packet's id, a UUIDv7 of your own system (default a new one)")
	f.StringVar(&s.request.OnwardFrom, "onward-from", "", "the id of the referral that this one continues")
	f.StringVar(&s.request.Act, "worker", "", "the worker who sends it, by an opaque id")
	f.BoolVar(&s.request.NoCopies, "no-copies", false, "leave out the copies sealed to your own key")
	f.StringArrayVar(&s.attach, "attach", nil, "FILE:CLASS, as scan.pdf:health; may be repeated, up to nine times")
	f.BoolVar(&s.hold, "hold", false, "keep it in the outbox: handover resend sends it")
	offer(cmd, "purpose", codes.Purposes())
	offer(cmd, "urgency", codes.Urgencies())
	a.offerPartners(cmd, "to")
	return cmd
}

// send seals, keeps, posts.
func (a *app) send(ctx context.Context, s sending) error {
	for _, need := range []struct{ value, flag string }{{s.request.To, "--to"}, {s.request.Consent + s.request.Override, "--consent"},
		{s.request.Area, "--area"}, {s.request.Urgency, "--urgency"}} {
		if need.value == "" {
			return usage("%s is missing", need.flag)
		}
	}
	s.request.OnwardFrom = strings.TrimPrefix(s.request.OnwardFrom, idMark)
	if s.within != 0 {
		s.request.Expires = a.now().Add(s.within)
	}
	p, c, err := a.client(ctx)
	if err != nil {
		return err
	}
	if s.request.Purpose == "" {
		if s.request.Purpose, err = c.PurposeOf(ctx, s.request.Consent, s.request.Override); err != nil {
			return err
		}
	}
	if s.request.Service == "" {
		if s.request.Service, err = a.service(ctx, c, s.request); err != nil {
			return err
		}
	}
	for _, advice := range client.Advise(s.request.Purpose, s.request.Sections) {
		a.say("note: %s", advice)
	}
	if err := a.attach(p, &s); err != nil {
		return err
	}
	packet, err := c.Seal(ctx, s.request)
	if err != nil {
		return errors.Join(err, p.DiscardAttachments(s.request.ID))
	}
	return a.deliver(ctx, p, c, packet, s.hold)
}

// service finds the one service of the recipient that takes the referral.
func (a *app) service(ctx context.Context, c *client.Client, q client.Request) (string, error) {
	offered, err := c.Services(ctx, q.Purpose, q.Area)
	if err != nil {
		return "", err
	}
	var ids, lines []string
	for _, s := range offered {
		if s.Partner == q.To && s.Capacity != "paused" {
			ids = append(ids, s.ID)
			lines = append(lines, s.ID+" "+s.Name)
		}
	}
	if len(ids) == 1 {
		return ids[0], nil
	}
	if len(ids) == 0 {
		return "", usage("%s offers nothing for %s in %s: look for another with handover services --need %s --area %s",
			q.To, q.Purpose, q.Area, q.Purpose, q.Area)
	}
	return "", usage("%s offers more than one service: say which with --service\n  %s", q.To, strings.Join(lines, "\n  "))
}

// sections reads the file of a referral: section to object.
func (a *app) sections(path string) (map[string]client.Content, error) {
	data, err := a.read(path, 4<<20)
	if err != nil {
		return nil, err
	}
	raw := map[string]jsontext.Value{}
	if err := strict.Unmarshal(data, &raw); err != nil || len(raw) == 0 {
		return nil, usage(`%s does not hold one JSON object of sections: {"need": {…}}`, path)
	}
	sections := map[string]client.Content{}
	for name, value := range raw {
		if !codes.Sections().Has(name) || value.Kind() != '{' {
			return nil, usage("a section of %s has no known name or is no JSON object; known are %s", path, codes.Sections())
		}
		sections[name] = client.Content(value)
	}
	return sections, nil
}

// deliver saves a packet, posts it and keeps its receipt.
func (a *app) deliver(ctx context.Context, p *profile.Profile, c *client.Client, packet []byte, hold bool) error {
	kept, err := p.Keep(packet)
	if err != nil {
		return err
	}
	if hold {
		if err := a.show(kept, func(w io.Writer) { writeLetter(w, kept) }); err != nil {
			return err
		}
		a.next("handover resend")
		return nil
	}
	receipt, err := a.post(ctx, p, c, kept)
	if err != nil {
		return err
	}
	return a.showReceipt(receipt)
}

func writeLetter(w io.Writer, k profile.Kept) {
	fmt.Fprintf(w, "%s\tto %s\tkept in the outbox\tuntil %s\n", k.Event, k.To, when(k.Expires))
}

// post posts a packet of the outbox. What the hub has refused for good leaves the
// outbox; what it may have stored, or may yet store, stays.
func (a *app) post(ctx context.Context, p *profile.Profile, c *client.Client, k profile.Kept) (client.Receipt, error) {
	receipt, err := a.upload(ctx, p, c, k)
	for sealings := 1; client.Code(err) == "recipient-key-retired" && sealings < mostSealings; sealings++ {
		fresh, unsealed := a.reseal(ctx, p, c, k)
		if errors.Is(unsealed, client.ErrNoCopy) {
			break
		}
		if unsealed != nil {
			return client.Receipt{}, unsealed
		}
		k = fresh
		receipt, err = c.Post(ctx, k.Packet)
	}
	if err == nil {
		_, err = p.Settle(receipt)
		return receipt, errors.Join(err, p.DiscardAttachments(k.ID))
	}
	problem, refused := errors.AsType[*client.Problem](err)
	if refused && !problem.Retry && problem.Status >= 400 && problem.Status < 500 &&
		problem.Status != http.StatusUnauthorized && problem.Code != "insufficient-scope" && problem.Code != "unexpected-answer" {
		return client.Receipt{}, errors.Join(err, p.Discard(k.Envelope), p.DiscardAttachments(k.ID))
	}
	a.say("the packet is kept in the outbox; handover resend sends the same bytes again")
	return client.Receipt{}, err
}

// mostSealings is how often a packet is sealed before its sender is told that the
// recipient's key will not stay.
const mostSealings = 3

// reseal puts a packet for the recipient's current key in the place of one that was sealed
// to a key replaced since, of which the hub has said that it stored nothing. The new one
// is kept before the old one goes.
func (a *app) reseal(ctx context.Context, p *profile.Profile, c *client.Client, k profile.Kept) (profile.Kept, error) {
	packet, err := c.Reseal(ctx, k.Packet)
	if err != nil {
		return k, err
	}
	fresh, err := p.Keep(packet)
	if err != nil {
		return k, err
	}
	a.say("%s has replaced its key since this was sealed: sealed anew to the current one", k.To)
	return fresh, p.Discard(k.Envelope)
}

func (a *app) resendCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resend",
		Short: "Send the packets of the outbox, the same bytes again",
		Long: `Send what waits in the outbox: packets that were held, or whose answer never came. A
packet that the hub has stored already finds the receipt it had; nothing happens twice.`,
		Args: cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			p, c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			waiting, err := p.Outbox()
			if err != nil {
				return err
			}
			receipts := []client.Receipt{}
			var failed []error
			for _, k := range waiting {
				receipt, err := a.post(cmd.Context(), p, c, k)
				if err != nil {
					failed = append(failed, fmt.Errorf("%s to %s: %w", k.Event, k.To, err))
					continue
				}
				receipts = append(receipts, receipt)
			}
			err = a.show(map[string]any{"receipts": receipts}, func(w io.Writer) {
				if len(waiting) == 0 {
					fmt.Fprintln(w, "the outbox is empty")
				}
				for _, r := range receipts {
					fmt.Fprintf(w, "%s\t%s\t%s\n", r.Reference, r.Event, r.State)
				}
			})
			return errors.Join(append(failed, err)...)
		}),
	}
}
