package main

import (
	"cmp"
	"slices"

	"handover/client"
	"handover/consent/record"
	"handover/internal/codes"
)

// described reports whether it is asked how she was asked, or decided for.
func (i *interview) described() bool { return i.d.asked() || i.d.Agreement == record.BestInterests }

func (i *interview) alone() *consentQuestion {
	if !i.described() || !i.open("circumstances.seen_alone", i.d.Circumstances.Alone != "") {
		return nil
	}
	return &consentQuestion{claim: "circumstances.seen_alone", text: "Did you see or speak to her alone?", choices: yesNo(),
		take: func(answers []string) string { i.d.Circumstances.Alone = answers[0]; return "" }}
}

func (i *interview) coercion() *consentQuestion {
	if !i.described() || !i.open("circumstances.coercion", i.d.Circumstances.Coercion != "") {
		return nil
	}
	return &consentQuestion{claim: "circumstances.coercion", text: "Did anybody press her?",
		hint: "Somebody in the room, on the phone, waiting outside. Who receives the referral cannot see your answer.", choices: record.Coercions(),
		take: func(answers []string) string {
			i.d.Circumstances.Coercion = answers[0]
			if answers[0] != "none" && i.d.Agreement == "agreed" {
				i.a.say("A manager of yours has to look at this before anything is shared on it.")
			}
			return ""
		}}
}

func (i *interview) spoken() *consentQuestion {
	if !i.described() || !i.open("circumstances.language", i.d.Circumstances.Language != "") {
		return nil
	}
	return i.language("circumstances.language", "Which language did she speak with you?", cmp.Or(i.d.Notice.Language, "en"),
		func(tag string) { i.d.Circumstances.Language = tag })
}

func (i *interview) interpreter() *consentQuestion {
	if !i.described() || !i.open("circumstances.interpreter", i.d.Circumstances.Interpreter != "") {
		return nil
	}
	return &consentQuestion{claim: "circumstances.interpreter", text: "Who interpreted?", choices: record.Interpreters(), preset: "none",
		take: func(answers []string) string {
			how := client.Circumstances{Interpreter: answers[0]}
			if i.d.Agreement == "agreed" && how.Suit("agreed", "somebody") != nil {
				return record.Why("circumstances.interpreter")
			}
			i.d.Circumstances.Interpreter = answers[0]
			return ""
		}}
}

// capacity asks whether she could decide it. Where it was decided for her, that is said.
func (i *interview) capacity() *consentQuestion {
	if !i.d.asked() || !i.open("circumstances.capacity", i.d.Circumstances.Capacity != "") {
		return nil
	}
	choices := slices.DeleteFunc(record.Capacities(), func(c codes.Code) bool { return c.Code == "lacks" })
	return &consentQuestion{claim: "circumstances.capacity", text: "Could she decide this, now?", choices: choices, preset: "presumed",
		hint: "The law presumes that she could. That her choice seems unwise is no reason to doubt it.",
		take: func(answers []string) string {
			i.d.Circumstances.Capacity = answers[0]
			if answers[0] == "doubt" && i.d.Agreement == "agreed" {
				i.a.say("A manager of yours has to look at this before anything is shared on it.")
			}
			return ""
		}}
}

// decision asks for what a decision made for her needs.
func (i *interview) decision() *consentQuestion {
	switch i.d.Circumstances.Capacity {
	case "lacks":
		return i.confided("capacity", "sealed.capacity",
			"What was decided for her? Who assessed her, and when? What is the best-interests reference?", false)
	case "doubt", "has":
		return i.confided("capacity", "sealed.capacity", "What made you look into whether she could decide? Who assessed her, and when?", true)
	}
	return nil
}

// worker asks who asked her, where a manager has to look at it.
func (i *interview) worker() *consentQuestion {
	how := client.Circumstances{Coercion: i.d.Circumstances.Coercion, Capacity: i.d.Circumstances.Capacity}
	if !i.d.grants() || how.Capacity == "" || !how.NeedReview(cmp.Or(i.d.Agreement, "agreed")) || !i.open("act", i.d.Act != "") {
		return nil
	}
	return &consentQuestion{claim: "act", text: "Who asked her? Your id, not your name.",
		hint: "A manager has to look at this, and it must be another person. handover people list shows the ids.",
		take: func(answers []string) string { i.d.Act = answers[0]; return "" }}
}

// seen asks who else was there, where somebody was or might have been.
func (i *interview) seen() *consentQuestion {
	how := i.d.Circumstances
	switch {
	case i.d.Agreement == "not-asked-unsafe":
		return i.confided("circumstances", "seen", "Why was it not safe to ask her?", true)
	case i.d.Agreement == "not-asked-impracticable":
		return i.confided("circumstances", "seen", "Why could she not be asked?", true)
	case how.Alone == "no" || how.Coercion != "none":
		return i.confided("circumstances", "seen", "Who else was there, and what did you see?", true)
	}
	return nil
}
