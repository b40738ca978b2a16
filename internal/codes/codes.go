// Package codes holds the coded vocabulary of the exchange as data: each code
// with a plain label, in one place, so that a DPO can read the lists and a new
// code is one more row.
package codes

import (
	"regexp"
	"slices"
	"strings"
)

// Code is one value of a list with the words a caseworker reads for it.
type Code struct {
	Code  string
	Label string
}

// List is a closed list of codes, in reading order.
type List []Code

// Has reports whether the list contains the code.
func (l List) Has(code string) bool {
	return slices.ContainsFunc(l, func(c Code) bool { return c.Code == code })
}

// Label returns the plain words for a code, or the code itself when unknown.
func (l List) Label(code string) string {
	for _, c := range l {
		if c.Code == code {
			return c.Label
		}
	}
	return code
}

// Codes returns the bare codes in reading order.
func (l List) Codes() []string {
	out := make([]string, len(l))
	for i, c := range l {
		out[i] = c.Code
	}
	return out
}

// String joins the codes for a message.
func (l List) String() string { return strings.Join(l.Codes(), ", ") }

// Purposes are why information moves.
func Purposes() List {
	return List{
		{"emergency-accommodation", "somewhere safe to sleep tonight"},
		{"housing", "a home, or keeping one"},
		{"duty-to-refer", "homelessness referral to a housing authority (Housing Act 1996 s213B)"},
		{"gp-registration", "registering with a GP practice"},
		{"health-care", "physical health care"},
		{"mental-health", "mental health care"},
		{"substance-use", "help with drugs or alcohol"},
		{"advocacy", "someone on her side"},
		{"exiting-support", "support to leave exploitation"},
		{"outreach", "being met where she is"},
		{"legal-advice", "legal advice"},
		{"immigration-advice", "immigration advice"},
		{"benefits", "benefits and money"},
		{"nrm", "National Referral Mechanism"},
		{"marac", "multi-agency risk assessment conference"},
		{"protect-from-harm", "protecting her or others from harm"},
		{"handover", "another agency taking over"},
	}
}

// Sections are the classes of data a packet can carry. Attachments are judged as
// the class they declare.
func Sections() List {
	return List{
		{"identity", "who she is"},
		{"contact", "how to reach her"},
		{"safe-contact", "how to reach her safely"},
		{"need", "what she needs"},
		{"risk", "what could hurt her"},
		{"health", "health"},
		{"access-needs", "what she needs to take part"},
		{"housing", "her housing"},
		{"children", "her children"},
		{"immigration", "immigration"},
		{"justice", "contact with the justice system"},
		{"location", "where she is"},
		{"history", "what happened before"},
		{"note", "a note between workers"},
	}
}

// IsAttachment reports whether a section of that name is an attachment: attachment-1 to
// attachment-9. It is no class of data; it declares the one that it is judged as.
func IsAttachment(name string) bool {
	n, ok := strings.CutPrefix(name, "attachment-")
	return ok && len(n) == 1 && n >= "1" && n <= "9"
}

// Urgencies are how soon she must be answered.
func Urgencies() List {
	return List{
		{"emergency", "emergency"},
		{"urgent", "urgent"},
		{"routine", "routine"},
	}
}

// DeclineReasons are why a recipient cannot take a referral.
func DeclineReasons() List {
	return List{
		{"no-capacity", "no capacity now"},
		{"out-of-area", "outside the area served"},
		{"not-eligible", "not eligible for this service"},
		{"already-known", "already being helped here"},
		{"conflict-of-interest", "conflict of interest"},
		{"unsafe", "not safe for her here"},
		{"unreadable", "could not be opened: seal it again"},
		{"other", "another reason"},
	}
}

// FailReasons are why accepted help ended without its outcome.
func FailReasons() List {
	return List{
		{"could-not-reach", "she could not be reached"},
		{"she-declined", "she declined"},
		{"moved-away", "she moved away"},
		{"service-ended", "the service ended"},
		{"other", "another reason"},
	}
}

// WithdrawReasons are why a sender takes a referral back.
func WithdrawReasons() List {
	return List{
		{"consent-withdrawn", "she withdrew her agreement"},
		{"no-longer-needed", "no longer needed"},
		{"sent-in-error", "sent in error"},
		{"other", "another reason"},
	}
}

// OpenReasons are why someone opens a section. They are for the log: who reads why
// it was read.
func OpenReasons() List {
	return List{
		{"triage", "to see who should take it"},
		{"decide", "to decide whether to take it"},
		{"provide-service", "to help her"},
		{"safeguard", "to keep her or others safe"},
		{"resend", "to send it again"},
	}
}

// Outcomes are what came of a completed referral.
func Outcomes() List {
	return List{
		{"housed", "housed"},
		{"accommodated-temporarily", "temporary accommodation"},
		{"registered", "registered"},
		{"engaged", "engaged with the service"},
		{"advice-given", "advice given"},
		{"protected", "protected"},
		{"referred-on", "referred on"},
		{"need-met-otherwise", "need met in another way"},
		{"partly-met", "partly met"},
	}
}

var areaPattern = regexp.MustCompile(`^E0[6-9]000[0-9]{3}$`)

// IsArea reports whether code has the form of a GSS code of an English local
// authority: unitary (E06), non-metropolitan (E07) or metropolitan (E08) district,
// or London borough (E09, of which there are 33). She may ask for any of them.
func IsArea(code string) bool {
	if !areaPattern.MatchString(code) {
		return false
	}
	return !strings.HasPrefix(code, "E09") || (code >= "E09000001" && code <= "E09000033")
}
