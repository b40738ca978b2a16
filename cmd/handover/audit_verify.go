package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
)

// auditing is what the flags of audit verify say.
type auditing struct {
	logKey, policy, keep string
	kept                 []string
}

func (a *app) auditVerifyCommand() *cobra.Command {
	var f auditing
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Verify an audit export offline, and say in words what holds",
		Long: `Verify an audit export with no hub and no network, and say in words what was checked, what
holds, what does not and where, and what no log can show. The exit code is 6 when anything
does not hold.

The log's key is --log-key, else the one pinned in the profile, else the one in the file,
which then vouches for itself. The log has to continue each checkpoint that you kept from
before: those in the profile, or those named with --kept. Keep the one of this file with
--keep, for the next time; it is kept only if everything holds.`,
		Example: `  handover audit verify october.audit --kept september.checkpoint --keep october.checkpoint
  handover audit verify october.audit --policy witnesses.txt`,
		Args: cobra.ExactArgs(1),
		RunE: a.does(func(_ *cobra.Command, args []string) error { return a.auditVerify(args[0], f) }),
	}
	cmd.Flags().StringVar(&f.logKey, "log-key", "", "the key of the hub's log to trust, as name+hash+base64")
	cmd.Flags().StringVar(&f.policy, "policy", "", "a file with the policy of witnesses to demand")
	cmd.Flags().StringSliceVar(&f.kept, "kept", nil, "a checkpoint that you kept; may be repeated (default those in the profile)")
	cmd.Flags().StringVar(&f.keep, "keep", "", "the file to keep the export's checkpoint in, if everything holds")
	return cmd
}

func (a *app) auditVerify(path string, f auditing) error {
	trust, err := a.auditTrust(f)
	if err != nil {
		return err
	}
	file, err := os.Open(path) //nolint:gosec // the file that the caller names
	if err != nil {
		return fmt.Errorf("opening the export: %w", err)
	}
	defer func() { _ = file.Close() }()
	about, err := file.Stat()
	if err != nil {
		return fmt.Errorf("opening the export: %w", err)
	}
	if !about.Mode().IsRegular() {
		return usage("%s is no file: the export is read more than once, so save it first", path)
	}
	found, err := client.VerifyAudit(file, about.Size(), trust)
	if len(found.Checks) == 0 {
		return err
	}
	err = errors.Join(a.show(found, func(w io.Writer) { writeAudit(w, found, err) }), err)
	if err != nil {
		return err
	}
	if f.keep == "" {
		a.next("handover audit verify %s --keep FILE.checkpoint, which keeps this checkpoint for the next time", path)
		return nil
	}
	return keepAt(f.keep, found.Checkpoint)
}

// keepAt writes a checkpoint to a new file. One that is there was kept from before, and is
// what the log is held to.
func keepAt(path, note string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the file that the caller names
	if errors.Is(err, os.ErrExist) {
		return usage("%s is there already, and what was kept is not written over: name another file", path)
	}
	if err == nil {
		_, err = io.WriteString(file, note)
		err = errors.Join(err, file.Sync(), file.Close())
	}
	if err != nil {
		return fmt.Errorf("keeping the checkpoint: %w", err)
	}
	return nil
}

// auditTrust collects what an export is verified with. A profile is not needed.
func (a *app) auditTrust(f auditing) (t client.AuditTrust, err error) {
	if dir, err := a.folder(); err == nil {
		s, err := profile.Read(dir)
		if err != nil && !errors.Is(err, profile.ErrNone) {
			return t, err
		}
		t.LogKey = s.Trust().LogKey
	}
	if f.logKey != "" {
		if t.LogKey, err = client.ParseLogKey(f.logKey); err != nil {
			return t, usage("--log-key is no log key: it has the form name+hash+base64, as handover enrol printed it")
		}
	}
	if t.Kept, err = a.kept(f.kept); err != nil {
		return t, err
	}
	t.Policy, err = a.policy(f.policy)
	return t, err
}

// kept reads the checkpoints that are named, or those in the profile when none is.
func (a *app) kept(paths []string) (notes [][]byte, err error) {
	if len(paths) == 0 {
		dir, err := a.folder()
		if err != nil {
			return nil, nil //nolint:nilerr // no profile has kept any
		}
		return profile.KeptCheckpoints(dir)
	}
	for _, path := range paths {
		note, err := a.read(path, 64<<10)
		if err != nil {
			return nil, err
		}
		notes = append(notes, note)
	}
	return notes, nil
}

// policy reads a policy of witnesses; of no file it is the one pinned in the profile, or none.
func (a *app) policy(path string) (client.Policy, error) {
	if path == "" {
		return a.pinnedPolicy()
	}
	text, err := a.read(path, 64<<10)
	if err != nil {
		return client.Policy{}, err
	}
	p, err := client.ParsePolicy(string(text))
	if err != nil {
		return p, usage("%s is no policy of witnesses: %s", path, err)
	}
	return p, nil
}

// writeAudit says what was found, and then what the range holds in figures.
func writeAudit(w io.Writer, f client.AuditFindings, err error) {
	e := f.Export
	whose := "everything that the log has"
	if e.For != "" {
		whose = "what " + e.For + " may read (" + e.Scope + ")"
	}
	fmt.Fprintf(w, "An audit export of %s, made on %s: %s, from %s to %s.\n", line(e.Hub), minute(e.Made), line(whose), minute(e.From), minute(e.To))
	if e.First < e.End {
		fmt.Fprintf(w, "Entries %d to %d of a log of %d: %d shown, %d of others, %d erased, %d left out.\n", e.First, e.End-1, e.Size, e.Shown, e.Others, e.Erased, e.Missing)
	} else {
		fmt.Fprintf(w, "There is no entry of that time in it; the log has %d.\n", e.Size)
	}
	fmt.Fprintf(w, "Checkpoint: size %d, root %s\n\n", e.Size, e.Root)
	writeFindings(w, f.Findings, err)
	fmt.Fprint(w, "\nWhat was done in the range:\n")
	writeCounts(w, f.Acts)
	if len(f.Refusals) > 0 {
		fmt.Fprint(w, "\nWhat was refused, by the rule that refused it:\n")
		writeCounts(w, f.Refusals)
	}
	if len(f.Openings) > 0 {
		fmt.Fprint(w, "\nWho opened what is written about her:\n")
	}
	for _, o := range f.Openings {
		fmt.Fprintf(w, "  %s\n", line(openingLine(o)))
	}
}

func writeCounts(w io.Writer, all []client.AuditCount) {
	for _, c := range all {
		fmt.Fprintf(w, "  %d\t%s\t%s\n", c.Count, line(c.What), line(strings.TrimPrefix(c.Label, c.What)))
	}
}

func openingLine(o client.AuditOpening) string {
	who := o.Partner + ", its system"
	if o.User != "" {
		who = o.Partner + ", person " + o.User
	}
	line := fmt.Sprintf("%s: %s, once, on %s", who, o.Label, minute(o.First))
	if o.Times > 1 {
		line = fmt.Sprintf("%s: %s, %d times, from %s to %s", who, o.Label, o.Times, minute(o.First), minute(o.Last))
	}
	if o.Referrals > 0 {
		line += ", of " + several(o.Referrals, "one referral", "referrals")
	}
	if o.Override > 0 {
		line += fmt.Sprintf("; %d of them without her agreement, on an override", o.Override)
	}
	return line
}

// several counts in words.
func several(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func minute(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }
