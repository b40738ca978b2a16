package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
)

// examined is one thing that doctor looked at.
type examined struct {
	What string `json:"what"`
	OK   bool   `json:"ok"`
	Text string `json:"text"`
	Fix  string `json:"fix,omitempty"` // the command that helps
}

var errUnwell = errors.New("something is wrong; the lines above say how to put it right")

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check profile, connection, clock, credentials and keys",
		Long: `Check that the profile can be read, that the hub answers, that the clocks agree, that the
hub accepts your credentials, and that it knows your keys and until when they count. Each
problem comes with the command that puts it right.`,
		Args: cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			found := a.examine(cmd.Context())
			err := a.show(map[string]any{"checks": found}, func(w io.Writer) {
				for _, e := range found {
					mark := "ok"
					if !e.OK {
						mark = "WRONG"
					}
					fmt.Fprintf(w, "%s\t%s\t%s\n", mark, e.What, e.Text)
					if e.Fix != "" {
						fmt.Fprintf(w, "\t\tfix: %s\n", e.Fix)
					}
				}
			})
			if slices.ContainsFunc(found, func(e examined) bool { return !e.OK }) {
				return errors.Join(errUnwell, err)
			}
			return err
		}),
	}
}

// examine looks at one thing after another, and ends where the next needs it.
func (a *app) examine(ctx context.Context) []examined {
	p, c, err := a.client(ctx)
	if err != nil {
		return []examined{unwell("profile", err)}
	}
	resumed, err := p.Resume(ctx)
	if err == nil && !resumed.IsZero() { // its key counts: the client is made anew with it
		c, err = p.Client()
	}
	if err != nil {
		return []examined{unwell("rotation", err)}
	}
	s := p.Settings()
	found := []examined{{What: "profile", OK: true, Text: fmt.Sprintf("%s, client %s, in %s", s.Partner, s.ClientID, p.Dir())}}
	ahead, err := c.Clock(ctx)
	if err != nil {
		return append(found, unwell("hub", err))
	}
	if s.Next != nil {
		found = append(found, examined{What: "rotation", OK: true, Text: "that of the " + s.Next.Use + " key was broken off", Fix: "handover keys rotate " + s.Next.Use})
	}
	found = append(found, examined{What: "hub", OK: true, Text: s.Hub + " answers"}, clock(ahead))
	scopes, err := c.SignIn(ctx)
	if err != nil {
		return append(found, unwell("credentials", err))
	}
	found = append(found, examined{What: "credentials", OK: true, Text: "accepted, with " + strings.Join(scopes, ", ")})
	keys, err := c.Keys(ctx, s.Partner)
	if err != nil {
		return append(found, unwell("keys", err))
	}
	history, err := c.KeyHistory(ctx, s.Partner)
	if err != nil {
		return append(found, unwell("keys", err))
	}
	found = append(append(found, a.examineKeys(s, keys)...), strangeKeys(s, history.Keys)...)
	return append(found, a.examineWitnesses(ctx, c, s), outbox(p))
}

func unwell(what string, err error) examined {
	fix := remedy(err)
	if strings.HasPrefix(fix, "handover doctor") {
		fix = "ask the hub's operator whether you take part and which of your keys it knows; handover keys show prints them"
		if what == "hub" {
			fix = "check the network and the hub's address, then handover doctor again"
		}
	}
	return examined{What: what, Text: plain(err.Error()), Fix: fix}
}

// clock judges how far the clocks differ: the hub takes proofs that are at most 10
// seconds ahead of it and 60 behind, and its own clock is told to the second.
func clock(ahead time.Duration) examined {
	e := examined{What: "clock", OK: ahead >= -8*time.Second && ahead <= 50*time.Second,
		Text: fmt.Sprintf("this machine is %v off the hub", ahead.Abs())}
	if !e.OK {
		e.Fix = "set the clock of this machine, as with: timedatectl set-ntp true"
	}
	return e
}

// examineKeys compares the profile's keys with those that the hub has of the partner.
func (a *app) examineKeys(s profile.Settings, enrolled []client.Key) []examined {
	var found []examined
	now := a.now()
	look := func(use, thumbprint string) {
		i := slices.IndexFunc(enrolled, func(k client.Key) bool { return k.Use == use && k.Thumbprint() == thumbprint })
		e := examined{What: use + " key", Fix: "handover keys rotate " + use + ", or ask the hub's operator for a new code, and enrol a new profile with it"}
		switch {
		case i < 0:
			e.Text = "the hub does not know it"
		case !enrolled[i].Revoked.IsZero():
			e.Text = "revoked on " + when(enrolled[i].Revoked)
		case !enrolled[i].ValidAt(now):
			e.Text = "counted until " + when(enrolled[i].NotAfter)
		default:
			e.OK, e.Fix, e.Text = true, "", "counts until "+when(enrolled[i].NotAfter)
		}
		found = append(found, e)
	}
	look(client.Authentication, s.Keys.Authentication.Thumbprint())
	if !s.Keys.Signing.IsZero() {
		look(client.Signing, s.Keys.Signing.Thumbprint())
		look(client.Encryption, s.Keys.Encryption[0].Thumbprint())
	}
	return found
}

// outbox says whether anything waits to be sent.
func outbox(p *profile.Profile) examined {
	waiting, err := p.Outbox()
	if err != nil {
		return unwell("outbox", err)
	}
	if len(waiting) == 0 {
		return examined{What: "outbox", OK: true, Text: "empty"}
	}
	return examined{What: "outbox", OK: true, Text: fmt.Sprintf("%d packets wait", len(waiting)), Fix: "handover resend"}
}
