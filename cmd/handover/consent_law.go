package main

import (
	"cmp"
	"slices"
	"strconv"

	"handover/client"
	"handover/consent/record"
	"handover/internal/codes"
)

// lawQuestions are about the law: what the agency itself relies on, and the statutory gate
// where the purpose has one. A no needs no lawful basis.
func (i *interview) lawQuestions() []func() *consentQuestion {
	ask := []func() *consentQuestion{i.article6, i.recognised, i.provision, i.article9, i.article10, i.schedule1, i.safeguarding, i.policy}
	for n, f := range ask {
		ask[n] = func() *consentQuestion {
			if !i.d.grants() {
				return nil
			}
			return f()
		}
	}
	return append(ask, i.pathway, i.agreedToReferral, i.agreedToContact, i.choseAuthority, i.authority)
}

// basis is the agency's own.
func (i *interview) basis() *client.Basis { return i.d.basis(i.own.ID) }

// usual is what agencies of the kind usually rely on for this.
func (i *interview) usual() record.Basis {
	shared := slices.DeleteFunc(slices.Clone(i.d.Sections), func(s string) bool { return slices.Contains(i.d.Withheld, s) })
	return record.UsualOf(i.own.Category, i.d.Purpose).Basis(i.own.Category, cmp.Or(i.d.Agreement, "agreed"), shared)
}

// public reports whether the agency counts as a public authority.
func (i *interview) public() bool { return slices.Contains(record.PublicAuthorities(), i.own.Category) }

func (i *interview) article6() *consentQuestion {
	if !i.open("basis.art6", i.basis().Article6 != "") {
		return nil
	}
	choices := slices.DeleteFunc(record.Articles6(), func(c codes.Code) bool {
		return i.public() && (c.Code == "ea" || c.Code == "f") || c.Code == "le-part3" && i.own.Category != "police"
	})
	return &consentQuestion{claim: "basis.art6", text: "Which lawful basis does your own agency rely on?", choices: choices, preset: i.usual().Article6,
		hint: "This is not what she said: it is your agency's own reason in data-protection law. Your data protection\n" +
			"lead has decided it. In brackets is what agencies of your kind often rely on.",
		take: func(answers []string) string {
			*i.basis() = client.Basis{Controller: i.own.ID, Article6: answers[0]}
			return ""
		}}
}

func (i *interview) recognised() *consentQuestion {
	b := i.basis()
	if b.Article6 != "ea" || !i.open("basis.ea_condition", b.Condition != "") {
		return nil
	}
	return &consentQuestion{claim: "basis.ea_condition", text: "Which recognised interest is it?", choices: record.Recognised(), preset: cmp.Or(i.usual().Condition, "safeguarding"),
		take: func(answers []string) string { i.basis().Condition = answers[0]; return "" }}
}

func (i *interview) provision() *consentQuestion {
	b := i.basis()
	if b.Article6 != "c" && b.Article6 != "e" || !i.open("basis.provision", b.Provision != "") {
		return nil
	}
	return &consentQuestion{claim: "basis.provision", text: "Which law do you act under?", preset: i.usual().Provision,
		hint: "The Act, its year and the section, and nothing else: Care Act 2014 s42, Housing Act 1996 s213B.",
		take: func(answers []string) string {
			if !record.IsProvision(answers[0]) {
				return record.Why("basis.provision")
			}
			i.basis().Provision = answers[0]
			return ""
		}}
}

// shares reports whether what may be shared has one of the classes.
func (i *interview) shares(classes []string) bool {
	return slices.ContainsFunc(i.d.Sections, func(s string) bool {
		return slices.Contains(classes, s) && !slices.Contains(i.d.Withheld, s)
	})
}

// enforcing reports whether the basis is law enforcement, to which no further condition
// applies.
func (i *interview) enforcing() bool { return i.basis().Article6 == "le-part3" }

func (i *interview) article9() *consentQuestion {
	if i.enforcing() || !i.shares(record.SpecialSections()) || !i.open("basis.art9", i.basis().Article9 != "") {
		return nil
	}
	return &consentQuestion{claim: "basis.art9", text: "Which condition for sensitive data?", choices: record.Articles9(), preset: i.usual().Article9,
		hint: "Health, access needs, what could hurt her and what happened before need one (Article 9).",
		take: func(answers []string) string {
			b := i.basis()
			b.Article9, b.Schedule1, b.Safeguarding, b.Policy = answers[0], "", "", ""
			return ""
		}}
}

func (i *interview) article10() *consentQuestion {
	if i.enforcing() || !i.shares(record.OffenceSections()) || !i.open("basis.art10", i.basis().Article10 != "") {
		return nil
	}
	return &consentQuestion{claim: "basis.art10", text: "Which ground for data about offences?", choices: record.Articles10(), preset: "schedule-1",
		hint: "Contact with the justice system needs one (Article 10).",
		take: func(answers []string) string {
			b := i.basis()
			b.Article10, b.Schedule1, b.Safeguarding, b.Policy = answers[0], "", "", ""
			return ""
		}}
}

func (i *interview) schedule1() *consentQuestion {
	b := i.basis()
	paragraphs := record.SchedulesFor(b.Article9, b.Article10)
	if len(paragraphs) == 0 || !i.open("basis.schedule1", b.Schedule1 != "") {
		return nil
	}
	choices := slices.DeleteFunc(record.Schedules1(), func(c codes.Code) bool { return !slices.Contains(paragraphs, c.Code) })
	preset := ""
	switch {
	case len(choices) == 1:
		preset = choices[0].Code
	case slices.Contains(paragraphs, i.usual().Schedule1):
		preset = i.usual().Schedule1
	}
	return &consentQuestion{claim: "basis.schedule1", text: "Which paragraph of Schedule 1 goes with it?", choices: choices, preset: preset,
		hint: "Of the Data Protection Act 2018. Write its number.",
		take: func(answers []string) string {
			b := i.basis()
			b.Schedule1, b.Safeguarding, b.Policy = answers[0], "", ""
			return ""
		}}
}

func (i *interview) safeguarding() *consentQuestion {
	b := i.basis()
	if b.Schedule1 != "18" || !i.open("basis.schedule1_18_reason", b.Safeguarding != "") {
		return nil
	}
	return &consentQuestion{claim: "basis.schedule1_18_reason", text: "Why without her consent? Paragraph 18 needs a reason.",
		hint: "It is no way round the no of somebody who can decide.", choices: record.Safeguardings(), preset: i.usual().Safeguarding,
		take: func(answers []string) string { i.basis().Safeguarding = answers[0]; return "" }}
}

func (i *interview) policy() *consentQuestion {
	b := i.basis()
	if !record.NeedsPolicy(b.Schedule1) || !i.open("basis.policy", b.Policy != "") {
		return nil
	}
	return &consentQuestion{claim: "basis.policy", text: "What is the reference of your appropriate policy document?",
		hint: "Your data protection lead knows it. Without spaces, such as APD-2026-1.",
		take: func(answers []string) string {
			if !record.IsPolicy(answers[0]) {
				return record.Why("basis.policy")
			}
			i.basis().Policy = answers[0]
			return ""
		}}
}

// pathway asks which statutory gate it is, where the purpose leaves it open to more than an
// enquiry about an adult at risk.
func (i *interview) pathway() *consentQuestion {
	paths := record.PathwaysFor(i.d.Purpose)
	if !i.again["gate.pathway"] && len(paths) <= 2 || !i.open("gate.pathway", i.d.Gate.Pathway != "") {
		return nil
	}
	choices := slices.DeleteFunc(record.Pathways(), func(c codes.Code) bool { return !slices.Contains(paths, c.Code) })
	return &consentQuestion{claim: "gate.pathway", text: "Is it one of these?", choices: choices, preset: paths[0],
		take: func(answers []string) string { i.d.Gate.Pathway = answers[0]; return "" }}
}

// duty asks for one of the three agreements without which there is no homelessness referral.
func (i *interview) duty(code, text string) *consentQuestion {
	asked := i.d.Purpose == "duty-to-refer" && i.d.Agreement != "refused"
	if !asked || !i.open("gate.agreements", slices.Contains(i.d.Gate.Agreements, code)) {
		return nil
	}
	return &consentQuestion{claim: "gate.agreements", text: text, choices: yesNo(),
		take: func(answers []string) string {
			if answers[0] != "yes" {
				return record.Why("gate.agreements") + "\nIf she says no, stop here with Ctrl-C, and record what she does want: housing, for one."
			}
			if !slices.Contains(i.d.Gate.Agreements, code) {
				i.d.Gate.Agreements = append(i.d.Gate.Agreements, code)
			}
			return ""
		}}
}

func (i *interview) agreedToReferral() *consentQuestion {
	return i.duty("referral", "A homelessness referral needs three agreements. Did she agree to being referred to the council as homeless?")
}

func (i *interview) agreedToContact() *consentQuestion {
	return i.duty("contact-details", "Did she agree that the council is told how to contact her?")
}

func (i *interview) choseAuthority() *consentQuestion {
	return i.duty("authority", "Did she herself choose the council?")
}

func (i *interview) authority() *consentQuestion {
	if i.d.Purpose != "duty-to-refer" || i.d.Agreement == "refused" || !i.open("gate.authority", i.d.Gate.Authority != "") {
		return nil
	}
	return &consentQuestion{claim: "gate.authority", text: "Which council did she choose?",
		hint: "The name of the London borough, or the GSS code of any council in England. She may choose any.",
		take: func(answers []string) string {
			code, ok := authority(answers[0])
			if !ok {
				return record.Why("gate.authority") + " Or write the name of the London borough."
			}
			i.d.Gate.Authority = code
			return ""
		}}
}

// timeQuestions are about whether it travels on, and how long it stands.
func (i *interview) timeQuestions() []func() *consentQuestion {
	return []func() *consentQuestion{i.onward, i.days, i.review}
}

func (i *interview) onward() *consentQuestion {
	if !i.d.grants() || !i.open("onward", i.d.Onward != "") {
		return nil
	}
	return &consentQuestion{claim: "onward", text: "May it travel on from there?", choices: record.Onwards(), preset: "ask-each-time",
		take: func(answers []string) string { i.d.Onward = answers[0]; return "" }}
}

func (i *interview) days() *consentQuestion {
	if !i.d.grants() || !i.open("expires_at", i.d.Days != 0 || !i.d.Until.IsZero()) {
		return nil
	}
	return &consentQuestion{claim: "expires_at", text: "For how many days may they rely on it?", preset: strconv.Itoa(defaultDays),
		hint: "28 is usual for a referral, 365 for longer casework. She can take it back on any day.",
		take: func(answers []string) string {
			n, err := strconv.Atoi(answers[0])
			if err != nil || n < 1 || n > 366 {
				return record.Why("expires_at") + " Write a number of days."
			}
			i.d.Days = n
			return ""
		}}
}

func (i *interview) review() *consentQuestion {
	if !i.d.grants() || !i.open("review_at", i.d.ReviewDays != 0 || !i.d.Review.IsZero()) {
		return nil
	}
	return &consentQuestion{claim: "review_at", text: "After how many days do you ask her again how she feels about it?", may: true,
		hint: "Enter: not before it ends.",
		take: func(answers []string) string {
			if len(answers) == 0 {
				return ""
			}
			n, err := strconv.Atoi(answers[0])
			if err != nil || n < 1 || i.d.Days != 0 && n > i.d.Days {
				return record.Why("review_at") + " Write a number of days."
			}
			i.d.ReviewDays = n
			return ""
		}}
}

// defaultDays is how long a consent stands when nothing else is said.
const defaultDays = int(client.ConsentLife / (24 * 60 * 60 * 1e9))
