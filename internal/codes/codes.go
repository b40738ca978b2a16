// Package codes holds the coded vocabulary of the exchange as data: each code
// with a plain label, in one place, so that a DPO can read the lists and a new
// code is one more row.
package codes

import (
	"regexp"
	"slices"
	"strings"
)

// Code is one value of a list, with the words a caseworker reads for it and where it comes
// from: a statute and its section, a standard, or this exchange itself.
type Code struct {
	Code   string
	Label  string
	Source string
}

// ours is the source of a code that this exchange defines, for want of a standard one.
const ours = "Handover"

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
		{"emergency-accommodation", "somewhere safe to sleep tonight", ours},
		{"housing", "a home, or keeping one", ours},
		{"duty-to-refer", "homelessness referral to a housing authority", "Housing Act 1996 s213B"},
		{"gp-registration", "registering with a GP practice", "GMS Contracts Regulations 2015 Sch 3"},
		{"health-care", "physical health care", ours},
		{"mental-health", "mental health care", ours},
		{"substance-use", "help with drugs or alcohol", ours},
		{"advocacy", "someone on her side", ours},
		{"exiting-support", "support to leave exploitation", ours},
		{"outreach", "being met where she is", ours},
		{"legal-advice", "legal advice", ours},
		{"immigration-advice", "immigration advice", ours},
		{"benefits", "benefits and money", ours},
		{"nrm", "National Referral Mechanism", "Modern Slavery Act 2015 s49 guidance"},
		{"marac", "multi-agency risk assessment conference", "SafeLives MARAC guidance"},
		{"protect-from-harm", "protecting her or others from harm", ours},
		{"handover", "another agency taking over", ours},
	}
}

// Sections are the classes of data a packet can carry. Attachments are judged as
// the class they declare.
func Sections() List {
	return List{
		{"identity", "who she is", ours},
		{"contact", "how to reach her", ours},
		{"safe-contact", "how to reach her safely", ours},
		{"need", "what she needs", ours},
		{"risk", "what could hurt her", ours},
		{"health", "health", ours},
		{"access-needs", "what she needs to take part", ours},
		{"housing", "her housing", ours},
		{"children", "her children", ours},
		{"immigration", "immigration", ours},
		{"justice", "contact with the justice system", ours},
		{"location", "where she is", ours},
		{"history", "what happened before", ours},
		{"note", "a note between workers", ours},
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
		{"emergency", "emergency", ours},
		{"urgent", "urgent", ours},
		{"routine", "routine", ours},
	}
}

// DeclineReasons are why a recipient cannot take a referral.
func DeclineReasons() List {
	return List{
		{"no-capacity", "no capacity now", ours},
		{"out-of-area", "outside the area served", ours},
		{"not-eligible", "not eligible for this service", ours},
		{"already-known", "already being helped here", ours},
		{"conflict-of-interest", "conflict of interest", ours},
		{"unsafe", "not safe for her here", ours},
		{"unreadable", "could not be opened: seal it again", ours},
		{"other", "another reason", ours},
	}
}

// FailReasons are why accepted help ended without its outcome.
func FailReasons() List {
	return List{
		{"could-not-reach", "she could not be reached", ours},
		{"she-declined", "she declined", ours},
		{"moved-away", "she moved away", ours},
		{"service-ended", "the service ended", ours},
		{"other", "another reason", ours},
	}
}

// WithdrawReasons are why a sender takes a referral back.
func WithdrawReasons() List {
	return List{
		{"consent-withdrawn", "she withdrew her agreement", ours},
		{"no-longer-needed", "no longer needed", ours},
		{"sent-in-error", "sent in error", ours},
		{"other", "another reason", ours},
	}
}

// OpenReasons are why someone opens a section. They are for the log: who reads why
// it was read.
func OpenReasons() List {
	return List{
		{"triage", "to see who should take it", ours},
		{"decide", "to decide whether to take it", ours},
		{"provide-service", "to help her", ours},
		{"safeguard", "to keep her or others safe", ours},
		{"resend", "to send it again", ours},
		{"subject-access", "to give her a copy of what is held about her", "UK GDPR Art 15"},
	}
}

// Outcomes are what came of a completed referral.
func Outcomes() List {
	return List{
		{"housed", "housed", ours},
		{"accommodated-temporarily", "temporary accommodation", ours},
		{"registered", "registered", ours},
		{"engaged", "engaged with the service", ours},
		{"advice-given", "advice given", ours},
		{"protected", "protected", ours},
		{"referred-on", "referred on", ours},
		{"need-met-otherwise", "need met in another way", ours},
		{"partly-met", "partly met", ours},
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
