package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/internal/strict"
)

// watching is what watch is told.
type watching struct {
	exec  string
	count int
}

func (a *app) watchCommand() *cobra.Command {
	var w watching
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Print one line for each change of your referrals, as it happens",
		Long: `Print one line for each change of the referrals you sent or received, as it happens, until
Ctrl-C: what is new, each step of the other side, and that a packet was delivered or opened.
What has been told is remembered in the profile, so that the next watch tells what happened
in between, and nothing twice.

--exec runs a command of your shell for each change, with HANDOVER_ID, HANDOVER_REFERENCE,
HANDOVER_STATE, HANDOVER_URGENCY and HANDOVER_SIDE (sent or received) in its environment. A
change whose command fails is told again.`,
		Example: "  handover watch\n  handover watch --exec 'notify-send \"Handover\" \"$HANDOVER_REFERENCE: $HANDOVER_STATE\"'",
		Args:    cobra.NoArgs,
		RunE: a.does(func(cmd *cobra.Command, _ []string) error {
			err := a.watch(cmd.Context(), w)
			if errors.Is(err, context.Canceled) {
				return nil // Ctrl-C is how it ends
			}
			return err
		}),
	}
	cmd.Flags().StringVar(&w.exec, "exec", "", "a command to run for each change")
	cmd.Flags().IntVar(&w.count, "count", 0, "end after so many changes (default never)")
	return cmd
}

// told is what has been told of each referral, by its id.
type told map[string]string

const (
	pollTime  = 25 * time.Second // that the hub waits for something new
	restTime  = 3 * time.Second  // between answers that come at once and bring nothing
	toldFile  = "watched.json"
	watchPage = 100
)

func (a *app) watch(ctx context.Context, w watching) error {
	p, c, err := a.client(ctx)
	if err != nil {
		return err
	}
	a.remindOfRecalls(ctx, c)
	r := &watcher{app: a, client: c, watching: w, left: w.count, path: filepath.Join(p.Dir(), toldFile)}
	if r.seen, err = readTold(r.path); err != nil {
		return err
	}
	for {
		done, err := r.round(ctx)
		if passes(err) && ctx.Err() == nil {
			a.say("warning: %s; trying again", err)
			err = rest(ctx)
		}
		if done || err != nil {
			return err
		}
	}
}

// passes reports whether a failure is one that a watch waits out: the hub is away or
// has too much to do.
func passes(err error) bool {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p.Status >= 500 || p.Status == http.StatusTooManyRequests
	}
	return errors.As(err, new(*url.Error))
}

// watcher is one watch at work.
type watcher struct {
	*app
	watching
	client *client.Client
	path   string
	seen   told
	left   int  // changes yet to be told, when they are counted
	quick  bool // the hub answered the last wait at once
}

// round looks, tells, and waits for something new.
func (r *watcher) round(ctx context.Context) (done bool, err error) {
	found, err := look(ctx, r.client, r.seen)
	if err != nil {
		return false, err
	}
	changes, failed := r.tellAll(ctx, found)
	r.seen = r.seen.of(found)
	if err := writeTold(r.path, r.seen); err != nil {
		return false, err
	}
	if r.count > 0 {
		if r.left -= changes; r.left == 0 {
			return true, nil
		}
	}
	if failed > 0 {
		return false, rest(ctx) // and then tell it again
	}
	if r.quick && changes == 0 {
		if err := rest(ctx); err != nil {
			return false, err
		}
	}
	asked := r.now()
	err = news(ctx, r.client)
	r.quick = r.now().Sub(asked) < restTime
	return false, err
}

func rest(ctx context.Context) error {
	select {
	case <-time.After(restTime):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// news returns when one of the two lists has something new, or has waited for long.
func news(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 2)
	wait := client.Filter{State: "all", Page: watchPage, Wait: pollTime}
	for _, list := range []iter.Seq2[client.Summary, error]{c.Inbox(ctx, wait), c.Sent(ctx, wait)} {
		go func() {
			for _, err := range list {
				ended <- err
				return
			}
			ended <- nil // the list is empty
		}()
	}
	return <-ended
}

// tellAll tells what has changed, no more of it than is left to be told, and notes
// what it has told.
func (r *watcher) tellAll(ctx context.Context, found []client.Summary) (changes, failed int) {
	for _, s := range found {
		if r.seen[s.ID] == mark(s, r.client) || r.count > 0 && changes == r.left {
			continue
		}
		if err := r.tell(ctx, r.client, s, r.exec); err != nil {
			r.say("warning: %s: %s; it will be told again", s.Reference, err)
			failed++
			continue
		}
		r.seen[s.ID] = mark(s, r.client)
		changes++
	}
	return changes, failed
}

// of keeps what is known of the referrals found, and forgets what is closed and gone.
func (t told) of(found []client.Summary) told {
	kept := told{}
	for _, s := range found {
		if said, ok := t[s.ID]; ok {
			kept[s.ID] = said
		}
	}
	return kept
}

// mark is what of a referral counts as a change: its newest step, and for what was
// sent also how far it has come.
func mark(s client.Summary, c *client.Client) string {
	if s.Sender == c.PartnerID() {
		return s.Head + " " + s.Transport + " " + s.State
	}
	return s.Head + " " + s.State
}

// look lists what is open on both sides and the newest of what is closed, oldest
// change first. What was open and is in neither list has been closed, and is read by
// itself.
func look(ctx context.Context, c *client.Client, seen told) ([]client.Summary, error) {
	found := map[string]client.Summary{}
	for _, list := range []struct {
		of   iter.Seq2[client.Summary, error]
		most int
	}{
		{c.Inbox(ctx, client.Filter{Page: watchPage}), -1},
		{c.Inbox(ctx, client.Filter{Page: watchPage, State: "all"}), watchPage},
		{c.Sent(ctx, client.Filter{Page: watchPage}), -1},
		{c.Sent(ctx, client.Filter{Page: watchPage, State: "all"}), watchPage},
	} {
		n := 0
		for s, err := range list.of {
			if err != nil {
				return nil, err
			}
			found[s.ID] = s
			if n++; n == list.most {
				break
			}
		}
	}
	for id := range seen {
		if _, ok := found[id]; ok {
			continue
		}
		r, err := c.Referral(ctx, id)
		if client.Code(err) == "referral-not-found" {
			continue
		}
		if err != nil {
			return nil, err
		}
		if seen[id] != mark(r.Summary, c) {
			found[id] = r.Summary
		}
	}
	changed := make([]client.Summary, 0, len(found))
	for _, s := range found {
		changed = append(changed, s)
	}
	slices.SortFunc(changed, func(a, b client.Summary) int {
		return cmp.Or(a.Changed.Compare(b.Changed), cmp.Compare(a.ID, b.ID))
	})
	return changed, nil
}

// tell prints one change and runs the command for it.
func (a *app) tell(ctx context.Context, c *client.Client, s client.Summary, command string) error {
	side, other := "received", "from "+s.Sender
	if s.Sender == c.PartnerID() {
		side, other = "sent", "to "+s.Recipient
	}
	if command != "" {
		run := exec.CommandContext(ctx, "/bin/sh", "-c", command)
		run.Env = append(os.Environ(), "HANDOVER_ID="+s.ID, "HANDOVER_REFERENCE="+s.Reference,
			"HANDOVER_STATE="+s.State, "HANDOVER_URGENCY="+s.Urgency, "HANDOVER_SIDE="+side)
		run.Stdout, run.Stderr = a.talk, a.talk
		if err := run.Run(); err != nil {
			return fmt.Errorf("the command failed: %w", err)
		}
	}
	if a.asJSON() {
		line, err := strict.Marshal(s)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.out, "%s\n", line)
		return err
	}
	if s.Withdrawn {
		other += ": she withdrew her consent, and the hub cancelled it"
	}
	_, err := fmt.Fprintln(a.out, plain(fmt.Sprintf("%s  %s  %-9s  %-11s  %-9s  %s", when(s.Changed), s.Reference, s.Urgency,
		s.State, s.Transport, other)))
	return err
}

func readTold(path string) (told, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return told{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what was watched: %w", err)
	}
	seen := told{}
	if err := strict.Unmarshal(data, &seen); err != nil {
		return nil, fmt.Errorf("%s is damaged: remove it, and everything is told again", path)
	}
	return seen, nil
}

// writeTold puts the file in place as a whole or not at all.
func writeTold(path string, seen told) error {
	data, err := strict.Marshal(seen)
	if err == nil {
		err = os.WriteFile(path+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("remembering what was watched: %w", err)
	}
	return nil
}
