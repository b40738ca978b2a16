package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/strict"
)

// draft is a consent as flags, a JSON document or answers give it.
type draft struct {
	Subject    string   `json:"subject,omitempty"`
	Purpose    string   `json:"purpose,omitempty"`
	Recipients []string `json:"recipients,omitempty"`
	Sections   []string `json:"sections,omitempty"`
	Withheld   []string `json:"withheld,omitempty"`
	Agreement  string   `json:"agreement,omitempty"`
	Method     string   `json:"method,omitempty"`
	Onward     string   `json:"onward,omitempty"`
	Days       int      `json:"days,omitempty"`
	ReviewDays int      `json:"review_days,omitempty"`
	Supersedes string   `json:"supersedes,omitempty"`

	Basis         []client.Basis    `json:"basis,omitempty"`
	Gate          client.Gate       `json:"gate,omitzero"`
	Circumstances circumstances     `json:"circumstances,omitzero"`
	Words         map[string]string `json:"words,omitempty"` // sealed to the agency's own key

	Act    string `json:"act,omitempty"`
	Notice struct {
		Version  string `json:"version,omitempty"`
		Digest   string `json:"digest,omitempty"`
		Language string `json:"language,omitempty"`
	} `json:"notice"`
}

// circumstances are how she was asked, in codes.
type circumstances struct {
	Alone       string `json:"seen_alone,omitempty"`
	Coercion    string `json:"coercion,omitempty"`
	Interpreter string `json:"interpreter,omitempty"`
	Language    string `json:"language,omitempty"` // default the notice's
	Capacity    string `json:"capacity,omitempty"`
}

func (a *app) consentNewCommand() *cobra.Command {
	var d draft
	var notice, art6 string
	cmd := &cobra.Command{
		Use:   "new [FILE]",
		Short: "Record what she agreed to",
		Long: `Record what she agreed to: one purpose, to named partners, these sections. Whatever
is not named is not covered, and what she withholds wins. The record is signed by your
agency and logged; the id that is printed is what referrals rest on.

Give it by flags, or as a JSON document in FILE ("-" is standard input) with the members
purpose, recipients, sections, withheld, method, days, review_days, subject, supersedes,
onward, agreement, act, notice {version, digest, language}, basis [{controller, art6, …}],
gate {pathway, agreements, authority}, circumstances {seen_alone, coercion, interpreter,
language, capacity} and words {her-words, capacity, circumstances}. At a terminal, what is missing is asked for.

Police are never implied: name them as category:police.`,
		Example: `  handover consent new --purpose housing --recipient larkfield-housing \
    --section need --section safe-contact --withhold health --method verbal-in-person \
    --basis f --seen-alone yes --coercion none --interpreter none --capacity presumed \
    --notice-version 2026-1 --notice-file notice.txt`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.does(func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if err := a.readDraft(args[0], &d); err != nil {
					return err
				}
			}
			if art6 != "" {
				d.Basis = append(d.Basis, client.Basis{Article6: art6})
			}
			if err := a.complete(&d, notice); err != nil {
				return err
			}
			p, c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			recorded, err := c.RecordConsent(cmd.Context(), d.consent(a.now()))
			if err != nil {
				return err
			}
			return a.recorded(p, recorded)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&d.Purpose, "purpose", "", "what it is for: "+codes.Purposes().String())
	f.StringSliceVar(&d.Recipients, "recipient", nil, "a partner's id, or category:NAME; may be repeated")
	f.StringSliceVar(&d.Sections, "section", nil, "a section she agrees to share; may be repeated: "+codes.Sections().String())
	f.StringSliceVar(&d.Withheld, "withhold", nil, "a section she does not; may be repeated")
	f.StringVar(&d.Method, "method", "", "how she said it: "+methods())
	f.StringVar(&d.Agreement, "agreement", "", "agreed (default) or refused")
	f.StringVar(&d.Onward, "onward", "", "whether it may travel on: none, ask-each-time (default) or named")
	f.IntVar(&d.Days, "days", 0, "how many days it stands (default 28)")
	f.StringVar(&d.Subject, "subject", "", "her random reference, to link it to an earlier record (default a new one)")
	f.StringVar(&d.Act, "worker", "", "the worker who asked her, by an opaque id")
	f.StringVar(&d.Notice.Version, "notice-version", "", "the version of the notice she was shown or told")
	f.StringVar(&notice, "notice-file", "", "the notice itself: its digest is recorded")
	f.StringVar(&d.Notice.Language, "language", "", "the language she was told in (default en)")
	f.StringVar(&d.Supersedes, "supersedes", "", "the id of the earlier record that this one takes the place of")
	f.IntVar(&d.ReviewDays, "review-days", 0, "after how many days to look at it again")
	f.StringVar(&art6, "basis", "", "your agency's lawful basis: "+record.Articles6().String())
	f.StringVar(&d.Gate.Pathway, "gate", "", "the statutory gate (default the one that the purpose needs): "+record.Pathways().String())
	f.StringVar(&d.Gate.Authority, "authority", "", "the housing authority that she chose, as a GSS code")
	f.StringSliceVar(&d.Gate.Agreements, "agreement-to", nil, "what she agreed to for a homelessness referral; may be repeated: "+record.DutyAgreements().String())
	f.StringVar(&d.Circumstances.Alone, "seen-alone", "", "whether you saw her alone: yes or no")
	f.StringVar(&d.Circumstances.Coercion, "coercion", "", "whether anybody pressed her: "+record.Coercions().String())
	f.StringVar(&d.Circumstances.Interpreter, "interpreter", "", "who interpreted: "+record.Interpreters().String())
	f.StringVar(&d.Circumstances.Capacity, "capacity", "", "whether she could decide this: "+record.Capacities().String())
	offer(cmd, "purpose", codes.Purposes())
	offer(cmd, "section", codes.Sections())
	offer(cmd, "withhold", codes.Sections())
	_ = cmd.RegisterFlagCompletionFunc("method", cobra.FixedCompletions(client.Methods(), cobra.ShellCompDirectiveNoFileComp))
	a.offerPartners(cmd, "recipient")
	return cmd
}

// readDraft reads the JSON document over what the flags said.
func (a *app) readDraft(path string, d *draft) error {
	data, err := a.read(path, 64<<10)
	if err != nil {
		return err
	}
	if err := strict.Unmarshal(data, d); err != nil {
		return usage("%s is not the JSON of a consent: handover consent new --help names its members", path)
	}
	return nil
}

// complete asks for what is missing, or says so.
func (a *app) complete(d *draft, notice string) error {
	asked := d.Agreement == "" || d.Agreement == "agreed" || d.Agreement == "refused"
	how := &d.Circumstances
	questions := []struct {
		missing bool
		what    string
		take    func(answer string)
	}{
		{d.Purpose == "", "--purpose (" + codes.Purposes().String() + ")", func(s string) { d.Purpose = s }},
		{len(d.Recipients) == 0, "--recipient (partner ids, with commas)", func(s string) { d.Recipients = words(s) }},
		{d.Sections == nil && d.Agreement != "refused", "--section (" + codes.Sections().String() + ", with commas)", func(s string) { d.Sections = words(s) }},
		{asked && d.Method == "", "--method (" + methods() + ")", func(s string) { d.Method = s }},
		{asked && d.Notice.Version == "", "--notice-version (of the notice she was shown)", func(s string) { d.Notice.Version = s }},
		{asked && d.Notice.Digest == "" && notice == "", "--notice-file (the notice she was shown)", func(s string) { notice = s }},
		{len(d.Basis) == 0 && d.Agreement != "refused", "--basis (" + record.Articles6().String() + ")", func(s string) { d.Basis = []client.Basis{{Article6: s}} }},
		{asked && how.Alone == "", "--seen-alone (yes or no)", func(s string) { how.Alone = s }},
		{asked && how.Coercion == "", "--coercion (" + record.Coercions().String() + ")", func(s string) { how.Coercion = s }},
		{asked && how.Interpreter == "", "--interpreter (" + record.Interpreters().String() + ")", func(s string) { how.Interpreter = s }},
		{asked && how.Capacity == "", "--capacity (" + record.Capacities().String() + ")", func(s string) { how.Capacity = s }},
	}
	var missing []string
	for _, q := range questions {
		if !q.missing {
			continue
		}
		if !a.asks {
			flag, _, _ := strings.Cut(q.what, " ")
			missing = append(missing, flag)
			continue
		}
		answer, err := a.ask(q.what)
		if err != nil {
			return err
		}
		q.take(answer)
	}
	if len(missing) > 0 {
		return usage("what she agreed to is not said in full: %s", strings.Join(missing, ", "))
	}
	if notice == "" {
		return nil
	}
	text, err := os.ReadFile(notice)
	if err != nil {
		return fmt.Errorf("reading the notice: %w", err)
	}
	sum := sha256.Sum256(text)
	d.Notice.Digest = base64.RawURLEncoding.EncodeToString(sum[:])
	return nil
}

func methods() string { return strings.Join(client.Methods(), ", ") }

// words takes a line apart at commas and spaces.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func (d draft) consent(now time.Time) client.Consent {
	c := client.Consent{Subject: d.Subject, Purpose: d.Purpose, Recipients: d.Recipients, Sections: d.Sections,
		Withheld: d.Withheld, Agreement: d.Agreement, Method: d.Method, Onward: d.Onward, Act: d.Act,
		Notice:     client.Notice{Version: d.Notice.Version, Digest: d.Notice.Digest, Language: d.Notice.Language},
		Supersedes: d.Supersedes, Bases: d.Basis, Gate: d.Gate, Words: d.Words}
	if c.Notice.Language == "" && c.Notice.Version != "" {
		c.Notice.Language = "en"
	}
	if how := d.Circumstances; how != (circumstances{}) {
		c.How = client.Circumstances{Alone: how.Alone, Coercion: how.Coercion, Interpreter: how.Interpreter,
			Capacity: how.Capacity, Language: cmp.Or(how.Language, c.Notice.Language)}
	}
	if d.ReviewDays != 0 {
		c.Review = now.AddDate(0, 0, d.ReviewDays)
	}
	if d.Days != 0 {
		c.Expires = now.AddDate(0, 0, d.Days)
	}
	return c
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
	a.next("handover send FILE --to PARTNER --consent %s --area GSS --urgency URGENCY", r.ID)
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
