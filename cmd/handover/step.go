package main

import (
	"bytes"
	"context"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/codes"
	"handover/internal/strict"
)

// stepKind is one step as a command.
type stepKind struct {
	event    string
	short    string
	reasons  codes.List // it takes --reason
	outcomes codes.List // it takes --outcome
	note     bool       // it must carry a note
	service  bool       // it takes --service
	sections bool       // it may carry any section
	noNote   bool       // it carries none
}

// steps are the commands that take a referral one step on.
func steps() []stepKind {
	return []stepKind{
		{event: "receive", short: "Say that a person has seen a referral", noNote: true},
		{event: "accept", short: "Accept a referral"},
		{event: "decline", short: "Decline a referral, with a coded reason", reasons: codes.DeclineReasons()},
		{event: "redirect", short: "Say that another agency's service takes this better; its sender asks her, and sends it there", service: true},
		{event: "start", short: "Say that the first contact was made"},
		{event: "complete", short: "Close a referral with what came of it", outcomes: codes.Outcomes()},
		{event: "fail", short: "Close an accepted referral that led to nothing, with a coded reason", reasons: codes.FailReasons()},
		{event: "withdraw", short: "Take back a referral you sent", reasons: codes.WithdrawReasons()},
		{event: "ask", short: "Ask the sender something", note: true},
		{event: "answer", short: "Answer what the recipient asked", note: true, sections: true},
		{event: "message", short: "Send a note to the other side", note: true},
	}
}

// stepping is what a step is told.
type stepping struct {
	step     client.Step
	note     string
	sections string
}

func (a *app) stepCommand(k stepKind) *cobra.Command {
	s := stepping{step: client.Step{Event: k.event}}
	cmd := &cobra.Command{
		Use:     k.event + " ID",
		Short:   k.short,
		Long:    k.short + ".\n\nThe step is signed by your agency, chained to the step before it, and logged. A note is\nsealed to the other side, and rests on her consent like everything about her. " + anID,
		Example: k.example(),
		Args:    cobra.ExactArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			if err := k.check(s); err != nil {
				return err
			}
			return a.take(cmd.Context(), args[0], s)
		}),
	}
	f := cmd.Flags()
	if k.reasons != nil {
		f.StringVar(&s.step.Reason, "reason", "", "why: "+k.reasons.String())
		offer(cmd, "reason", k.reasons)
	}
	if k.outcomes != nil {
		f.StringVar(&s.step.Outcome, "outcome", "", "what came of it: "+k.outcomes.String())
		offer(cmd, "outcome", k.outcomes)
	}
	if k.service {
		f.StringVar(&s.step.Service, "service", "", "the id of the service, as handover services prints it")
	}
	if !k.noNote {
		f.StringVar(&s.note, "note", "", "a file with a note, as text or a JSON object; \"-\" is standard input")
		f.StringVar(&s.step.Consent, "consent", "", "the id of the consent that a note rests on")
		f.StringVar(&s.step.Override, "override", "", "or the id of an override of yours, where she has not agreed")
	}
	if k.sections {
		f.StringVar(&s.sections, "sections", "", "a file with more sections, as for handover send")
	}
	f.StringVar(&s.step.Prev, "prev", "", "the head you decided on (handover show prints it): refuse if anything has happened since")
	f.StringVar(&s.step.Act, "worker", "", "the worker who decided, by an opaque id")
	return cmd
}

func (k stepKind) example() string {
	line := "  handover " + k.event + " R-7K3F-9Q2M"
	switch {
	case k.reasons != nil:
		return line + " --reason " + k.reasons[0].Code
	case k.outcomes != nil:
		return line + " --outcome " + k.outcomes[0].Code
	case k.service:
		return line + " --service 0190a1b2-…"
	case k.note:
		return line + " --note note.txt --consent 0190a1b2-…"
	}
	return line
}

// check finds what is missing before anything is asked of the hub.
func (k stepKind) check(s stepping) error {
	switch {
	case k.reasons != nil && !k.reasons.Has(s.step.Reason):
		return usage("say why: --reason %s", k.reasons)
	case k.outcomes != nil && !k.outcomes.Has(s.step.Outcome):
		return usage("say what came of it: --outcome %s", k.outcomes)
	case k.note && s.note == "":
		return usage("there is nothing to say: --note FILE, or --note - for standard input")
	case (s.note != "" || s.sections != "") && s.step.Consent+s.step.Override == "":
		return usage("a note about her rests on her consent: --consent ID")
	case s.note == "" && s.sections == "" && s.step.Consent+s.step.Override != "":
		return usage("--consent is for a note, and there is none")
	}
	return nil
}

// take takes one step.
func (a *app) take(ctx context.Context, name string, s stepping) error {
	var err error
	if s.sections != "" {
		if s.step.Sections, err = a.sections(s.sections); err != nil {
			return err
		}
	}
	if s.note != "" {
		note, err := a.note(s.note)
		if err != nil {
			return err
		}
		if s.step.Sections == nil {
			s.step.Sections = map[string]client.Content{}
		}
		s.step.Sections["note"] = note
	}
	if err := client.Fits(s.step.Sections); err != nil {
		return err
	}
	p, c, err := a.client(ctx)
	if err != nil {
		return err
	}
	if s.step.Referral, err = resolve(ctx, c, name); err != nil {
		return err
	}
	s.step.Prev = strings.TrimPrefix(s.step.Prev, idMark)
	packet, err := c.SealStep(ctx, s.step)
	if err != nil {
		return err
	}
	return a.deliver(ctx, p, c, packet, false)
}

// note reads a note: a JSON object as it is, anything else as its text.
func (a *app) note(path string) (client.Content, error) {
	data, err := a.read(path, 128<<10)
	if err != nil {
		return nil, err
	}
	if value := jsontext.Value(bytes.TrimSpace(data)); value.IsValid() && value.Kind() == '{' {
		return client.Content(value), nil
	}
	text := strings.TrimSpace(strings.ToValidUTF8(string(data), "�"))
	if text == "" {
		return nil, usage("the note in %s is empty", path)
	}
	return strict.Marshal(map[string]string{"text": text})
}
