package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"handover/client"
	"handover/client/profile"
	"handover/consent/record"
	"handover/internal/codes"
)

// interview is the asking for one consent, in the order in which one would ask a tired
// caseworker: what she said first, the law last (consent_questions.go, consent_law.go).
type interview struct {
	a        *app
	d        *draft
	own      client.Partner   // the agency that records
	partners []client.Partner // and all others that take part
	told     notice           // what the last woman was told, who was asked through this profile
	brief    bool             // everything needed was said by flags: nothing else is asked
	again    map[string]bool  // the claims that were refused, to be asked again
	left     map[string]bool  // what may be left out and has been asked
	stop     error            // an answer that ends it
}

// consentQuestion is one thing that is asked about a consent.
type consentQuestion struct {
	claim   string     // of the record; its refusal asks again
	text    string     // in a caseworker's words
	hint    string     // what to write, and what not
	choices codes.List // its closed list, if it has one
	many    bool       // several answers, with commas
	preset  string     // what Enter takes
	may     bool       // it may be left out
	take    func(answers []string) (why string)
}

func (a *app) interview(ctx context.Context, p *profile.Profile, c *client.Client, d *draft) (*interview, error) {
	i := &interview{a: a, d: d, brief: len(d.missing()) == 0, left: map[string]bool{}}
	all, err := c.Directory(ctx)
	if err != nil {
		return nil, err
	}
	own := p.Settings().Partner
	for _, partner := range all {
		if partner.ID == own {
			i.own = partner
		} else {
			i.partners = append(i.partners, partner)
		}
	}
	i.own.ID = own
	i.told = lastNotice(p)
	return i, nil
}

// lastNotice is the notice of the last record that has one: a team has one notice, and nobody
// looks for its file at night.
func lastNotice(p *profile.Profile) notice {
	for _, kept := range p.Consents(20) {
		stated, err := record.ParseConsent(kept.Record)
		if told := stated.Unverified().Notice; err == nil && told.Version != "" {
			return notice(told)
		}
	}
	return notice{}
}

// walk asks every question that is open, in order.
func (i *interview) walk() error {
	if !i.brief && i.again == nil {
		i.a.say("This records what she said. Answer with the number or the word. Enter takes the answer\n" +
			"in brackets. Ctrl-C stops. Nothing is kept until you say yes at the end.")
	}
	for _, ask := range slices.Concat(i.herQuestions(), i.howQuestions(), i.lawQuestions(), i.timeQuestions()) {
		q := ask()
		if q == nil {
			continue
		}
		if err := errors.Join(i.put(q), i.stop); err != nil {
			return err
		}
	}
	i.again = nil
	return nil
}

// open reports whether a claim is to be asked: if it was refused, or if nothing has said it.
func (i *interview) open(claim string, said bool) bool {
	switch {
	case i.again[claim]:
		return true
	case said || i.left[claim]:
		return false
	}
	// What hangs on a refused answer is open again with it.
	return !i.brief || strings.HasPrefix(claim, "basis.") || strings.HasPrefix(claim, "gate.")
}

// put asks one question until it is answered.
func (i *interview) put(q *consentQuestion) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", q.text)
	if q.hint != "" {
		fmt.Fprintf(&b, "%s\n", q.hint)
	}
	columns := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	for n, c := range q.choices {
		number := strconv.Itoa(n + 1)
		if numbered(q.choices) {
			number = ""
		}
		fmt.Fprintf(columns, "  %s\t%s\t%s\n", number, c.Code, c.Label)
	}
	_ = columns.Flush() // into memory
	prompt := "> "
	if q.preset != "" {
		prompt = "[" + q.preset + "] > "
	}
	i.a.say("%s", strings.TrimRight(b.String(), "\n"))
	for {
		line, err := i.a.line(prompt)
		if err != nil {
			return fmt.Errorf("%w: %w", err, errNotRecorded)
		}
		why := i.answer(q, line)
		if why == "" {
			i.left[q.claim] = i.left[q.claim] || q.may
			return nil
		}
		i.a.say("%s", why)
	}
}

// answer takes an answer, or says why it is none.
func (i *interview) answer(q *consentQuestion, line string) (why string) {
	if line == "" {
		line = q.preset
	}
	if line == "" && q.may {
		return q.take(nil)
	}
	answers := []string{line}
	if q.many {
		answers = words(line)
	}
	for n, answer := range answers {
		if len(q.choices) > 0 {
			answers[n] = chosen(q.choices, answer)
		}
	}
	if len(answers) == 0 || slices.Contains(answers, "") {
		return whyOf(q)
	}
	return q.take(answers)
}

// chosen is the code that an answer names by its number, itself or its first letters; "" if
// it names none, or more than one.
func chosen(choices codes.List, answer string) string {
	if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= len(choices) && !numbered(choices) {
		return choices[n-1].Code
	}
	answer, found := strings.ToLower(answer), ""
	for _, c := range choices {
		if c.Code == answer {
			return c.Code
		}
		if strings.HasPrefix(c.Code, answer) && answer != "" {
			if found != "" {
				return ""
			}
			found = c.Code
		}
	}
	return found
}

// numbered reports whether the codes are numbers themselves, as the paragraphs of a schedule.
func numbered(choices codes.List) bool {
	_, err := strconv.Atoi(choices[0].Code)
	return err == nil
}

// whyOf says what an answer must be.
func whyOf(q *consentQuestion) string {
	if why := record.Why(q.claim); why != "" {
		return why
	}
	return "Answer with one of these: " + q.choices.String() + "."
}

// rejected takes a refusal that names a claim: it says why, and has it asked again.
func (i *interview) rejected(err error) bool {
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || p.Code != "consent-claim" {
		return false
	}
	claim := p.Members["claim"]
	if !slices.Contains(i.asks(), claim) {
		return false
	}
	i.a.say("\n%s", p.Members["why"])
	i.again = map[string]bool{claim: true}
	return true
}

// asks are the claims that a question can be put for.
func (i *interview) asks() []string {
	return []string{"act", "agreement", "purpose", "recipients", "sections", "withheld", "given_at", "method", "notice",
		"circumstances.seen_alone", "circumstances.coercion", "circumstances.interpreter", "circumstances.language", "circumstances.capacity",
		"sealed.capacity", "basis.art6", "basis.ea_condition", "basis.provision", "basis.art9", "basis.art10", "basis.schedule1",
		"basis.schedule1_18_reason", "basis.policy", "gate.pathway", "gate.agreements", "gate.authority", "onward", "expires_at", "review_at"}
}

// yesNo are the two answers to a plain question.
func yesNo() codes.List { return codes.List{{Code: "yes"}, {Code: "no"}} }
