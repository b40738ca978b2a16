package main

import (
	"cmp"
	"slices"
	"strings"

	"handover/client"
	"handover/consent/record"
	"handover/internal/codes"
)

// herQuestions are about what she said: did she agree, to what, for whom.
func (i *interview) herQuestions() []func() *consentQuestion {
	return []func() *consentQuestion{i.adult, i.agreement, i.purpose, i.recipients, i.writeBack, i.sections, i.withheld}
}

func (i *interview) adult() *consentQuestion {
	if !i.open("adult", false) {
		return nil
	}
	return &consentQuestion{claim: "adult", text: "Is she 18 or over?",
		choices: codes.List{{Code: "yes"}, {Code: "no"}, {Code: "not-sure"}},
		take: func(answers []string) string {
			i.left["adult"] = true
			if answers[0] != "yes" {
				i.stop = errUnder18
			}
			return ""
		}}
}

func (i *interview) agreement() *consentQuestion {
	if !i.open("agreement", i.d.Agreement != "") {
		return nil
	}
	return &consentQuestion{claim: "agreement", text: "Has she agreed to this?",
		hint: "A no is an answer too. It must not cost her your help.", choices: record.Agreements(),
		take: func(answers []string) string {
			i.d.Agreement = answers[0]
			switch {
			case answers[0] == record.BestInterests:
				i.d.Circumstances.Capacity = "lacks"
				i.a.say("A manager of yours has to look at this before anything is shared on it.")
			case !i.d.grants():
				i.a.say("Nothing will be shared on this record. It shows what was said, or why nobody asked.")
			}
			return ""
		}}
}

func (i *interview) purpose() *consentQuestion {
	if !i.open("purpose", i.d.Purpose != "") {
		return nil
	}
	return &consentQuestion{claim: "purpose", text: "What is it for?",
		hint: "One thing. If she agreed to two things, make two records.", choices: codes.Purposes(),
		take: func(answers []string) string { i.d.Purpose = answers[0]; return "" }}
}

// recipients asks who may receive it, out of those that take part.
func (i *interview) recipients() *consentQuestion {
	if !i.open("recipients", len(i.d.Recipients) > 0) {
		return nil
	}
	text := "Who may receive it?"
	if !i.d.grants() {
		text = "Who would have received it?"
	}
	hint := "Those she named, with commas. There is no ‘everyone’; category:NAME is every agency of one kind.\n" +
		"Police are never included by themselves: write category:police, and only if she said yes to the police.\n"
	for _, p := range i.partners {
		hint += "  " + p.ID + "  " + p.Name + " (" + p.Category + ")\n"
	}
	return &consentQuestion{claim: "recipients", text: text, hint: strings.TrimSuffix(hint, "\n"), many: true, take: i.takeRecipients}
}

func (i *interview) takeRecipients(answers []string) string {
	for _, answer := range answers {
		category, byCategory := strings.CutPrefix(answer, record.CategoryPrefix)
		known := func(p client.Partner) bool {
			return byCategory && p.Category == category || !byCategory && p.ID == answer
		}
		if answer != i.own.ID && !slices.ContainsFunc(i.partners, known) {
			return "There is no such agency here. Write the short names as they stand in the list, with commas."
		}
		if !byCategory && slices.ContainsFunc(i.partners, func(p client.Partner) bool { return p.ID == answer && p.Category == "police" }) {
			return "That is a police force. If she said yes to the police, write category:police. If not, leave it out."
		}
	}
	i.d.Recipients = answers
	return ""
}

// writeBack asks whether the answer may tell of her: for that she has to name the agency
// that records, too.
func (i *interview) writeBack() *consentQuestion {
	if !i.d.grants() || slices.Contains(i.d.Recipients, i.own.ID) || !i.again["recipients"] && !i.open("answers", false) {
		return nil
	}
	return &consentQuestion{claim: "answers", text: "May they write back to you about her?",
		hint: "Without her yes they can say that they take her on, and nothing else.", choices: yesNo(),
		take: func(answers []string) string {
			i.left["answers"] = true
			if answers[0] == "yes" {
				i.d.Recipients = append(i.d.Recipients, i.own.ID)
			}
			return ""
		}}
}

func (i *interview) sections() *consentQuestion {
	if !i.d.grants() || !i.open("sections", i.d.Sections != nil) {
		return nil
	}
	return &consentQuestion{claim: "sections", text: "What may be shared?",
		hint: "Numbers with commas. What you do not name is not shared.", choices: codes.Sections(), many: true,
		take: func(answers []string) string { i.d.Sections = answers; return "" }}
}

func (i *interview) withheld() *consentQuestion {
	if !i.d.grants() || !i.open("withheld", i.d.Withheld != nil) {
		return nil
	}
	return &consentQuestion{claim: "withheld", text: "Did she say what must not be shared?", may: true, many: true, choices: codes.Sections(),
		hint: "A partial yes is normal: housing, not police; where to reach her, not her health.\nIt wins over what may be shared. Enter: she named nothing.",
		take: func(answers []string) string { i.d.Withheld = append([]string{}, answers...); return "" }}
}

// howQuestions are about how she was asked.
func (i *interview) howQuestions() []func() *consentQuestion {
	return []func() *consentQuestion{i.given, i.method, i.herWords, i.noticeVersion, i.noticeFile, i.noticeLanguage,
		i.alone, i.coercion, i.spoken, i.interpreter, i.capacity, i.decision, i.seen, i.worker}
}

func (i *interview) given() *consentQuestion {
	if !i.open("given_at", !i.d.Given.IsZero()) {
		return nil
	}
	text := "When did she say it?"
	if !i.d.asked() {
		text = "When was this?"
	}
	return &consentQuestion{claim: "given_at", text: text, hint: "now, 14:30 for today, or 2026-11-25 22:10.", preset: "now",
		take: func(answers []string) string {
			at, ok := moment(answers[0], i.a.now())
			if !ok || at.After(i.a.now()) {
				return record.Why("given_at") + " Write now, 14:30, or 2026-11-25 22:10."
			}
			i.d.Given = at
			return ""
		}}
}

func (i *interview) method() *consentQuestion {
	if !i.d.asked() || !i.open("method", i.d.Method != "") {
		return nil
	}
	return &consentQuestion{claim: "method", text: "How did she say it?", choices: record.Methods(),
		take: func(answers []string) string { i.d.Method = answers[0]; return "" }}
}

// confided asks for a text that is sealed.
func (i *interview) confided(part, claim, text string, may bool) *consentQuestion {
	if !i.open(claim, i.d.Words[part] != "") {
		return nil
	}
	hint := "One line. It is sealed: only your own agency can read it, not who receives the referral, and not the hub.\n" +
		"Leave out names, addresses and phone numbers."
	if may {
		hint += " Enter: leave it out."
	}
	return &consentQuestion{claim: claim, text: text, hint: hint, may: may,
		take: func(answers []string) string {
			if len(answers) > 0 {
				i.d.seal(part, answers[0])
			}
			return ""
		}}
}

func (i *interview) herWords() *consentQuestion {
	if !i.d.asked() {
		return nil
	}
	return i.confided("her-words", "her-words", "In her own words: what did she say?", true)
}

func (i *interview) noticeVersion() *consentQuestion {
	if !i.d.asked() || !i.open("notice", i.d.Notice.Version != "") {
		return nil
	}
	hint := "Its version, as it stands on the notice, such as 2026-1."
	if i.told.Version != "" {
		hint += " In brackets is the one of last time."
	}
	return &consentQuestion{claim: "notice", text: "Which notice did you give or read to her?", preset: i.told.Version, hint: hint,
		take: func(answers []string) string {
			if len(answers[0]) > 40 {
				return "Its version alone, in at most 40 characters."
			}
			i.d.Notice.Version = answers[0]
			if answers[0] == i.told.Version {
				i.d.Notice.Digest = i.told.Digest // the same notice: its text is known
			}
			return ""
		}}
}

func (i *interview) noticeFile() *consentQuestion {
	if !i.d.asked() || !i.open("notice", i.d.Notice.Digest != "") {
		return nil
	}
	return &consentQuestion{claim: "notice", text: "Where is the text of that notice?", hint: "The name of a file. Only its fingerprint is recorded.",
		take: func(answers []string) string {
			digest, err := fingerprint(answers[0])
			if err != nil {
				return "That file cannot be read. Write its name, with its folder."
			}
			i.d.Notice.Digest = digest
			return ""
		}}
}

func (i *interview) noticeLanguage() *consentQuestion {
	if !i.d.asked() || !i.open("notice", i.d.Notice.Language != "") {
		return nil
	}
	return i.language("notice", "In which language did she read or hear it?", cmp.Or(i.told.Language, "en"), func(tag string) { i.d.Notice.Language = tag })
}

func (i *interview) language(claim, text, preset string, take func(tag string)) *consentQuestion {
	return &consentQuestion{claim: claim, text: text, hint: "A language code: en, ro, sq, pl, vi, ar, …", preset: preset,
		take: func(answers []string) string {
			if !record.IsLanguage(answers[0]) {
				return record.Why("circumstances.language")
			}
			take(answers[0])
			return ""
		}}
}
