package client

import (
	"cmp"
	"context"
	"slices"

	"handover/audit/proof"
)

// readOverrides reads the overrides, each with its texts where this agency wrote them.
func (x *subjectExport) readOverrides(ctx context.Context) error {
	for _, id := range x.overrides {
		stored, err := x.c.Override(ctx, id)
		if err != nil {
			if err := x.unsure("the override "+id, err); err != nil {
				return err
			}
			continue
		}
		held := HeldOverride{StoredOverride: stored, Review: overridePrompt}
		if held.Texts, err = x.c.OverrideTexts(stored); err != nil {
			x.out.Unchecked = append(x.out.Unchecked, "the texts of the override "+id+": "+err.Error())
		}
		x.out.Overrides = append(x.out.Overrides, held)
	}
	return nil
}

// readNevers takes those that name her out of all that this agency recorded.
func (x *subjectExport) readNevers(ctx context.Context) error {
	for n, err := range x.c.Nevers(ctx) {
		if err != nil {
			return x.unsure("with whom nothing is ever to be shared", err)
		}
		if slices.ContainsFunc(n.Claims.Subjects, x.hers) {
			x.out.Nevers = append(x.out.Nevers, n)
		}
	}
	return nil
}

// readLog adds what the log has of her referrals and consents: who opened what, what was
// refused, who looked.
func (x *subjectExport) readLog(ctx context.Context) error {
	for _, r := range x.out.Referrals {
		if err := x.entries(ctx, LogQuery{Referral: r.ID}, func(e proof.Entry) bool { return e.Referral == r.ID }); err != nil {
			return err
		}
	}
	for _, k := range x.out.Consents {
		if err := x.entries(ctx, LogQuery{Consent: k.ID}, func(e proof.Entry) bool { return e.Consent == k.ID }); err != nil {
			return err
		}
	}
	slices.SortStableFunc(x.out.Log, func(a, b proof.Entry) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID)) })
	return nil
}

func (x *subjectExport) entries(ctx context.Context, q LogQuery, of func(proof.Entry) bool) error {
	entries, unproved, err := x.c.provedEntries(ctx, q, of)
	if err != nil {
		return err
	}
	x.keep(entries, unproved)
	return nil
}

// overridePrompt stands beside every override.
const overridePrompt = "A person decides whether she is given this, and when: it may say who raised the alarm, who else is at risk, or what she has not been told because telling her was dangerous."

// reviewPrompts are what whoever reviews the export looks for. They are prompts for a data
// protection officer and no advice: whether an exemption applies is for a person to decide,
// about this woman and this paper.
func reviewPrompts() []string {
	return []string{
		"This is what is held, and not what she is given. A person reads all of it first: your data protection officer, with a manager who knows her.",
		"Is it she who asks, and of her own will? Somebody who controls her may make her ask, or ask in her name. Ask for no paper that she does not have. (UK GDPR Art 12(6))",
		"How can she be given it safely: read out, shown at your office, in parts? Not to an address, telephone or account that somebody else can read.",
		"Other people in it: who said something about her, who else is at risk, names of workers. (UK GDPR Art 15(4); DPA 2018 Sch 2 para 16 and 17)",
		"Would it do serious harm to her or to somebody else to read it? For health data ask the health professional first. (DPA 2018 Sch 3 Parts 2 and 3)",
		"Does it concern a child at risk of abuse? (DPA 2018 Sch 3 Part 5)",
		"Would telling her prejudice the prevention or detection of crime? Ask the police only whether it would, and tell them nothing new. (DPA 2018 Sch 2 para 2)",
		"Is any of it legal advice to her or to your agency? (DPA 2018 Sch 2 para 19)",
		"What is held back: write down what, why and who decided, and tell her that something is, unless that itself would do the harm.",
		"She is answered within one month of the day on which she asked. (UK GDPR Art 12(3))",
	}
}

// subjectLimits say what the export cannot have.
func subjectLimits() []string {
	return []string{
		"It has what this exchange holds. What your agency keeps elsewhere, in files, mail and case systems, is not in it.",
		"It is found by her references. One that is not among the subjects is not found: another agency may have chosen it.",
		"Police requests name nobody to the hub. Look through them: handover police-request list.",
		"What GP practices refused is kept with your program and not under her reference. Look through it: handover gp list.",
		"Other agencies hold what they were sent, and answer for it themselves.",
		"That the hub shows everything the log has, no proof of single entries can show: an auditor's export does.",
	}
}
