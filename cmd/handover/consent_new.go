package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
	"handover/consent/record"
	"handover/internal/codes"
)

func (a *app) consentNewCommand() *cobra.Command {
	var d draft
	var said flags
	cmd := &cobra.Command{
		Use:   "new [FILE]",
		Short: "Record what she agreed to",
		Long: `Record what she agreed to: one purpose, to named partners, these sections. Whatever
is not named is not covered, and what she withholds wins. The record is signed by your
agency and logged; the id that is printed is what referrals rest on.

At a terminal, what is missing is asked for, in plain words; before anything is signed you
see what will be recorded and who can read what.

Or give it by flags, or as a JSON document in FILE ("-" is standard input) with the members
purpose, recipients, sections, withheld, agreement, method, onward, subject, supersedes, act, id,
notice {version, digest, language}, given_at, valid_from, expires_at or days, review_at or
review_days, basis [{controller, art6, ea_condition, provision, art9, art10, schedule1,
schedule1_18_reason, policy}], gate {pathway, agreements, authority}, circumstances
{seen_alone, coercion, interpreter, language, capacity} and words {her-words, capacity,
circumstances}, which are sealed: only your own agency can read them.

Police are never implied: name them as category:police. This exchange is for adults: for
somebody under 18 call children's social care.`,
		Example: `  handover consent new
  handover consent new --purpose housing --recipient larkfield-housing \
    --section need --section safe-contact --withhold health --method verbal-in-person \
    --basis f --seen-alone yes --coercion none --interpreter none --capacity presumed \
    --notice-version 2026-1 --notice-file notice.txt --her-words-file words.txt`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if err := a.readDraft(args[0], &d); err != nil {
					return err
				}
			}
			if err := said.into(a, &d); err != nil {
				return err
			}
			if missing := d.missing(); len(missing) > 0 && !a.asks {
				return usage("what she agreed to is not said in full: %s", strings.Join(missing, ", "))
			}
			return a.recordDraft(cmd.Context(), &d, said.yes)
		}),
	}
	said.define(a, cmd, &d)
	return cmd
}

// flags are what flags say that is not in a draft as it is said.
type flags struct {
	notice                     string // a file
	herWords, capacity, others string // files; "-" is standard input
	given, from, until, review string
	basis                      client.Basis
	others6                    []string // bases of other controllers
	yes                        bool
}

// define adds every flag. No text of hers is one: the shell would keep it in its history.
func (s *flags) define(a *app, cmd *cobra.Command, d *draft) {
	f := cmd.Flags()
	f.StringVar(&d.Agreement, "agreement", "", "what she said (default agreed): "+record.Agreements().String())
	f.StringVar(&d.Purpose, "purpose", "", "what it is for: "+codes.Purposes().String())
	f.StringSliceVar(&d.Recipients, "recipient", nil, "a partner's id, or category:NAME; may be repeated")
	f.StringSliceVar(&d.Sections, "section", nil, "a section she agrees to share; may be repeated: "+codes.Sections().String())
	f.StringSliceVar(&d.Withheld, "withhold", nil, "a section she does not; may be repeated")
	f.StringVar(&d.Method, "method", "", "how she said it: "+record.Methods().String())
	f.StringVar(&d.Onward, "onward", "", "whether it may travel on (default ask-each-time): "+record.Onwards().String())
	f.StringVar(&d.Subject, "subject", "", "her random reference, to link it to an earlier record (default a new one)")
	f.StringVar(&d.Supersedes, "supersedes", "", "the id of the earlier record that this one takes the place of")
	f.StringVar(&d.ID, "id", "", "the record's own id, a UUIDv7 (default a new one)")
	f.StringVar(&d.Act, "worker", "", "the worker who asked her, by an opaque id")
	f.StringVar(&d.Notice.Version, "notice-version", "", "the version of the notice she was shown or told")
	f.StringVar(&s.notice, "notice-file", "", "the notice itself: only its digest is recorded")
	f.StringVar(&d.Notice.Digest, "notice-digest", "", "the digest of the notice, in the place of the file")
	f.StringVar(&d.Notice.Language, "language", "", "the language she was told in (default en)")
	f.StringVar(&s.given, "given-at", "", "when she said it: now (default), 14:30, 2026-11-25 22:10, or RFC 3339")
	f.StringVar(&s.from, "valid-from", "", "when it begins to count (default when she said it)")
	f.StringVar(&s.until, "until", "", "when it ends, in the place of --days")
	f.IntVar(&d.Days, "days", 0, "how many days it stands (default 28)")
	f.StringVar(&s.review, "review-at", "", "when to look at it again, in the place of --review-days")
	f.IntVar(&d.ReviewDays, "review-days", 0, "after how many days to look at it again")
	f.StringVar(&s.herWords, "her-words-file", "", `a file with her own words, which are sealed to your agency; "-" is standard input`)
	f.StringVar(&s.capacity, "capacity-file", "", "a file with the decision, who assessed her and when, and the best-interests reference; sealed")
	f.StringVar(&s.others, "circumstances-file", "", "a file that says who else was there and what you saw; sealed")
	f.BoolVar(&s.yes, "yes", false, "record it without asking once more")
	s.defineLaw(cmd, d)
	defineHow(cmd, &d.Circumstances)
	offer(cmd, "purpose", codes.Purposes())
	offer(cmd, "section", codes.Sections())
	offer(cmd, "withhold", codes.Sections())
	offer(cmd, "agreement", record.Agreements())
	offer(cmd, "method", record.Methods())
	offer(cmd, "onward", record.Onwards())
	a.offerPartners(cmd, "recipient")
}

// defineLaw adds the flags of the lawful basis and of the gate.
func (s *flags) defineLaw(cmd *cobra.Command, d *draft) {
	f := cmd.Flags()
	b := &s.basis
	f.StringVar(&b.Article6, "basis", "", "your agency's lawful basis: "+record.Articles6().String())
	f.StringVar(&b.Condition, "ea-condition", "", "of basis ea: "+record.Recognised().String())
	f.StringVar(&b.Provision, "provision", "", "of bases c and e: the law you act under, as 'Care Act 2014 s42'")
	f.StringVar(&b.Article9, "art9", "", "the condition for special category data: "+record.Articles9().String())
	f.StringVar(&b.Article10, "art10", "", "the ground for data about offences: "+record.Articles10().String())
	f.StringVar(&b.Schedule1, "schedule1", "", "the paragraph of Schedule 1: "+record.Schedules1().String())
	f.StringVar(&b.Safeguarding, "schedule1-18-reason", "", "of paragraph 18: "+record.Safeguardings().String())
	f.StringVar(&b.Policy, "policy", "", "the reference of your appropriate policy document")
	f.StringArrayVar(&s.others6, "basis-of", nil,
		"what another agency relies on, as 'controller=larkfield-housing; art6=e; provision=Housing Act 1996 s213B'; may be repeated")
	f.StringVar(&d.Gate.Pathway, "gate", "", "the statutory gate (default the one that the purpose needs): "+record.Pathways().String())
	f.StringVar(&d.Gate.Authority, "authority", "", "the housing authority that she chose, as a GSS code")
	f.StringSliceVar(&d.Gate.Agreements, "agreement-to", nil, "what she agreed to for a homelessness referral; may be repeated: "+record.DutyAgreements().String())
	offer(cmd, "basis", record.Articles6())
	offer(cmd, "gate", record.Pathways())
}

// defineHow adds the flags of how she was asked.
func defineHow(cmd *cobra.Command, how *circumstances) {
	f := cmd.Flags()
	f.StringVar(&how.Alone, "seen-alone", "", "whether you saw her alone: yes or no")
	f.StringVar(&how.Coercion, "coercion", "", "whether anybody pressed her: "+record.Coercions().String())
	f.StringVar(&how.Interpreter, "interpreter", "", "who interpreted: "+record.Interpreters().String())
	f.StringVar(&how.Language, "spoken", "", "the language she spoke (default the notice's)")
	f.StringVar(&how.Capacity, "capacity", "", "whether she could decide this: "+record.Capacities().String())
	offer(cmd, "coercion", record.Coercions())
	offer(cmd, "interpreter", record.Interpreters())
	offer(cmd, "capacity", record.Capacities())
}

// into adds to the draft what the flags say.
func (s *flags) into(a *app, d *draft) error {
	for flag, at := range map[string]struct {
		said string
		to   *time.Time
	}{"given-at": {s.given, &d.Given}, "valid-from": {s.from, &d.From}, "until": {s.until, &d.Until}, "review-at": {s.review, &d.Review}} {
		if at.said == "" {
			continue
		}
		var ok bool
		if *at.to, ok = moment(at.said, a.now()); !ok {
			return usage("--%s is no time: 14:30, 2026-11-25 22:10, or RFC 3339", flag)
		}
	}
	for part, path := range map[string]string{"her-words": s.herWords, "capacity": s.capacity, "circumstances": s.others} {
		if path == "" {
			continue
		}
		text, err := a.read(path, 8<<10)
		if err != nil {
			return err
		}
		d.seal(part, strings.TrimSpace(string(text)))
	}
	if s.basis != (client.Basis{}) {
		d.Basis = append(d.Basis, s.basis)
	}
	for _, line := range s.others6 {
		b, err := readBasis(line)
		if err != nil {
			return err
		}
		d.Basis = append(d.Basis, b)
	}
	if s.notice == "" {
		return nil
	}
	var err error
	d.Notice.Digest, err = fingerprint(s.notice)
	return err
}

// readBasis reads the basis of one controller out of a flag.
func readBasis(line string) (client.Basis, error) {
	var b client.Basis
	members := map[string]*string{"controller": &b.Controller, "art6": &b.Article6, "ea_condition": &b.Condition, "provision": &b.Provision,
		"art9": &b.Article9, "art10": &b.Article10, "schedule1": &b.Schedule1, "schedule1_18_reason": &b.Safeguarding, "policy": &b.Policy}
	for part := range strings.SplitSeq(line, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		member, known := members[name]
		if !ok || !known {
			return b, usage("--basis-of needs members as 'controller=larkfield-housing; art6=e'")
		}
		*member = value
	}
	return b, nil
}

var (
	errNotRecorded = errors.New("nothing was recorded")
	errUnder18     = errors.New("this exchange is for adults. For somebody under 18, or who may be, call children's social care of the council where she is now; in danger call 999. Nothing was recorded")
)

// recordDraft asks for what is missing, shows what will be recorded and by whom it can be
// read, and records it. What is refused for one answer is asked again.
func (a *app) recordDraft(ctx context.Context, d *draft, yes bool) error {
	p, c, err := a.client(ctx)
	if err != nil {
		return err
	}
	if !a.asks {
		recorded, err := c.RecordConsent(ctx, d.consent(a.now()))
		if err != nil {
			return err
		}
		return a.recorded(p, recorded)
	}
	i, err := a.interview(ctx, p, c, d)
	if err != nil {
		return err
	}
	if len(d.missing()) > 0 {
		if err := i.walk(); err != nil {
			return err
		}
	}
	for {
		if err := i.confirm(yes); err != nil {
			return err
		}
		recorded, err := c.RecordConsent(ctx, d.consent(a.now()))
		if err == nil {
			return a.recorded(p, recorded)
		}
		if again := i.rejected(err); !again {
			return err
		}
		if err := i.walk(); err != nil {
			return err
		}
	}
}

// recorded keeps a consent's receipt and prints what the next command needs.
func (a *app) recorded(p *profile.Profile, r client.RecordedConsent) error {
	if _, err := p.KeepReceipt("consent-"+r.ID, r); err != nil {
		return err
	}
	if err := a.show(r, func(w io.Writer) {
		fmt.Fprintf(w, "consent\t%s\nsubject\t%s\nstate\t%s\nlogged\t%s\n", r.ID, r.Subject, r.Receipt.State, when(r.Receipt.Time))
	}); err != nil {
		return err
	}
	if slices.Contains([]string{"agreed", record.BestInterests}, r.Receipt.State) {
		a.next("handover send FILE --to PARTNER --consent %s --area GSS --urgency URGENCY", r.ID)
	}
	return nil
}

// read reads a file of bounded size; "-" is standard input.
func (a *app) read(path string, limit int64) ([]byte, error) {
	source := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		defer f.Close()
		source = f
	}
	data, err := io.ReadAll(io.LimitReader(source, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return data, nil
}
