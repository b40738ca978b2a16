package consents

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/ids"
	"handover/referral/managed"
	"handover/web/ask"
)

// The answers of a draft. Those of the referral were given before she is asked; the others are
// what she said.
const (
	toKey       = "to"       // partner ids
	purposeKey  = "purpose"  // one of codes.Purposes
	sectionsKey = "sections" // that her worker wants to share
	areaKey     = "area"     // GSS code

	recordedKey = "consent" // the id of the record, once it is made

	agreementKey = "consent-agreement"
	agreedToKey  = "consent-to"       // of those she was asked about, to whom
	sharesKey    = "consent-sections" // and what
	backKey      = "consent-back"     // yes: they may write back about her
	dutyKey      = "consent-duty"     // of record.DutyAgreements
	methodKey    = "consent-method"
	aloneKey     = "consent-alone"
	coercionKey  = "consent-coercion"
	interpretKey = "consent-interpreter"
	languageKey  = "consent-language"
	capacityKey  = "consent-capacity"
	decisionKey  = "consent-decision" // sealed: how capacity was assessed, and what was decided
	wordsKey     = "consent-words"    // sealed: what she said
	seenKey      = "consent-seen"     // sealed: who else was there
	untilKey     = "consent-until"    // for how many days
	neverKey     = "consent-never"    // with whom never: partner ids, or category:NAME
	basisKey     = "consent-basis-"   // ask.Grounds

	idKey         = "consent-id"
	neverIDKey    = "consent-never-id"
	subjectKey    = "consent-subject"
	givenKey      = "consent-given" // NumericDate: when she said it
	supersedesKey = "consent-supersedes"
	aboutKey      = "consent-about" // what the answers are about: said.about
)

// notAsked is the answer on the page that stands for both reasons why she was not asked.
const notAsked = "not-asked"

// lasts is for how many days a record stands if nothing else is said.
const lasts = 28

// said is what a draft says of her agreement.
type said struct{ ask.Sheet }

// ready reports whether it is settled what she is asked: to whom, what for, and what.
func (s said) ready() bool {
	return len(s.All(toKey)) > 0 && codes.Purposes().Has(s.One(purposeKey)) && len(s.asked()) > 0
}

// asked are the classes that she is asked about, in the order of the format.
func (s said) asked() []string { return ask.Only(codes.Sections(), s.All(sectionsKey)).Codes() }

// about names what she is asked: her yes to one agency, purpose and list is none to another.
func (s said) about() string {
	return ids.Digest(strings.Join(slices.Concat(s.All(toKey), []string{"", s.One(purposeKey), ""}, s.asked()), "\n"))
}

func (s said) agreement() string { return s.One(agreementKey) }

// wasAsked reports whether she was asked; grants, whether anything can be shared on it.
func (s said) wasAsked() bool { return s.agreement() == "agreed" || s.agreement() == "refused" }
func (s said) grants() bool   { return s.agreement() == "agreed" || s.decidedForHer() }

func (s said) decidedForHer() bool { return s.agreement() == record.BestInterests }

// needsHerYes reports whether by law nothing else can stand in its place.
func (s said) needsHerYes() bool { return record.Passable(s.One(purposeKey), "") != nil }

// pathway is the statutory gate.
func (s said) pathway() string { return s.grounds("").Pathway() }

// shares are the classes that may be shared, or that she was asked about and refused.
func (s said) shares() []string {
	if s.agreement() != "agreed" {
		return s.asked()
	}
	return ask.Only(codes.Sections(), s.All(sharesKey)).Codes()
}

// how is how she was asked, or decided for; nil where nobody was.
func (s said) how() *record.Circumstances {
	if !s.wasAsked() && !s.decidedForHer() {
		return nil
	}
	return &record.Circumstances{Alone: s.One(aloneKey), Coercion: s.One(coercionKey), Interpreter: s.One(interpretKey),
		Language: s.One(languageKey), Capacity: s.One(capacityKey)}
}

// doubtful reports whether a manager has to look at it before anything is shared.
func (s said) doubtful() bool {
	how := s.how()
	return how != nil && how.NeedReview(s.agreement())
}

// given is when she said it.
func (s said) given() int64 {
	n, _ := strconv.ParseInt(s.One(givenKey), 10, 64) // written by begin
	return n
}

// until is when it ends: when the day is over that is so many days after she said it.
func (s said) until(zone *time.Location) time.Time {
	days, err := strconv.Atoi(s.One(untilKey))
	if err != nil {
		days = lasts
	}
	said := time.Unix(s.given(), 0).In(zone)
	return time.Date(said.Year(), said.Month(), said.Day()+days+1, 0, 0, 0, 0, zone)
}

// recipients are who may receive it as a record names them. A police force she names as
// police, since its short name alone would not tell her that it is one.
func (s said) recipients(own string, police func(id string) bool) []string {
	chosen := s.All(toKey)
	if s.agreement() == "agreed" && len(chosen) > 1 {
		chosen = s.All(agreedToKey)
	}
	var all []string
	for _, id := range chosen {
		if police(id) {
			id = record.CategoryPrefix + "police"
		}
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	if s.grants() && s.One(backKey) == "yes" && !slices.Contains(all, own) {
		all = append(all, own)
	}
	return all
}

// words are the texts that are sealed to her agency's own key.
func (s said) words() map[string]string {
	words := map[string]string{}
	if s.how() == nil {
		return words
	}
	for part, key := range map[string]string{"her-words": wordsKey, "circumstances": seenKey, "capacity": decisionKey} {
		if text := s.One(key); text != "" {
			words[part] = text
		}
	}
	return words
}

// asker is the agency that asks, as a record needs it.
type asker struct {
	id, category string
	police       func(id string) bool // whether a partner is a police force
	zone         *time.Location
}

// saying is what is recorded. Everything in it is in the draft, so that two taps are one record.
func (s said) saying(by asker) managed.Saying {
	c := record.Claims{ID: s.One(idKey), Subject: s.One(subjectKey), Supersedes: s.One(supersedesKey), Jurisdiction: "GB-ENG",
		Agreement: s.agreement(), Purpose: s.One(purposeKey), Recipients: s.recipients(by.id, by.police), Sections: s.shares(),
		Onward: "ask-each-time", Gate: record.Gate{Pathway: s.pathway()}, GivenAt: s.given(), ValidFrom: s.given(), Expires: s.until(by.zone).Unix()}
	if s.wasAsked() {
		c.Method, c.Notice = s.One(methodKey), told(s.One(languageKey))
	}
	if s.grants() {
		c.Bases = record.Bases{s.grounds(by.category).Basis()}
	}
	if c.Gate.Pathway == "duty-to-refer" && s.agreement() == "agreed" {
		c.Gate.Agreements, c.Gate.Authority = s.All(dutyKey), s.One(areaKey)
	}
	return managed.Saying{Claims: c, How: s.how(), Words: s.words()}
}

// Progress returns how many of the pages about her agreement are done, and how many there are
// for a plain yes.
func Progress(d managed.Draft) (done, total int) {
	s := said{ask.Sheet{Draft: d}}
	for _, is := range []bool{s.agreement() != "", s.One(aloneKey) != "", s.Has(wordsKey), s.One(recordedKey) != ""} {
		if is {
			done++
		}
	}
	if s.One(recordedKey) != "" {
		done = 4
	}
	return done, 4
}

// Row is one line of a summary, with the page on which it is changed.
type Row struct{ Label, Text, Change string }

// Summary is what she said, in a few lines. It says nothing of how she was asked: that is for
// her agency's own page of the record.
func Summary(d managed.Draft) []Row {
	s := said{ask.Sheet{Draft: d}}
	if s.agreement() == "" {
		return nil
	}
	rows := []Row{{Label: "What she said", Text: ask.Upper(record.Agreements().Label(s.agreement()))}}
	if s.grants() {
		for _, label := range ask.Labels(codes.Sections(), s.shares()) {
			rows = append(rows, Row{Label: "May be shared", Text: ask.Upper(label)})
		}
	}
	return rows
}
