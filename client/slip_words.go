package client

import (
	"strings"
	"time"
)

// The words of the slip. They say "you" to her, where the lists of internal/codes say "she" to
// workers, and less where the paper could be found: none of them says that somebody controls
// her, or what she needs help with.

// dayInWords is a day by London's clock: "Tuesday 3 March 2026".
func dayInWords(t time.Time) string { return inLondon(t).Format("Monday 2 January 2006") }

// openedInWords says why something was opened, after "opened this".
func openedInWords(reason string) string {
	return map[string]string{
		"triage": " to see who can help", "decide": " to see if it can help", "provide-service": " to help you",
		"safeguard": " to keep you or others safe", "resend": " to send it again", "subject-access": " because you asked for it",
	}[reason]
}

// notYesInWords says what she said, where it was no yes.
func notYesInWords(agreement string) string {
	switch agreement {
	case "refused":
		return "You said no."
	case "not-asked-unsafe":
		return "Nobody asked you first."
	case "not-asked-impracticable":
		return "Nobody could ask you at that time."
	}
	return "You could not decide this at that time."
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// overrideInWords says why it was shared without her yes. Whoever controls her, or is the
// danger, may find the paper: those reasons are put as worry about her, and her worker tells
// her the rest.
func overrideInWords(reason string) string {
	switch reason {
	case "cannot-consent":
		return "you could not say yes or no at that time"
	case "others-at-risk":
		return "another person could have been hurt"
	case "child-at-risk":
		return "a child could have been hurt"
	case "serious-crime":
		return "it could stop a bad crime"
	case "court-or-statute":
		return "a court or the law said that it must be sent"
	case "emergency":
		return "it could not wait"
	}
	return "people were worried that you were not safe"
}

// refusalInWords says why something was stopped, where her yes or the lack of it stopped it, or
// a rule that guards her; "" for what is of no use to her. A review of a doubtful yes and a
// never are not told apart from the rest: what she said in confidence is not on paper.
func refusalInWords(outcome string) string {
	switch outcome {
	case "consent-withdrawn":
		return "you had taken back your yes"
	case "consent-expired":
		return "your yes had ended"
	case "no-consent", "not-covered", "consent-superseded", "onward-not-allowed", "consent-review-awaited":
		return "your yes did not allow it"
	case "firewall", "no-agreement":
		return "the rules do not allow it"
	case "override-not-approved", "override-lapsed", "override-ended", "override-expired", "override-not-covered", "override-refused":
		return "no manager had agreed to it"
	}
	return ""
}
