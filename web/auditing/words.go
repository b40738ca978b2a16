package auditing

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"handover/audit"
	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/codes"
)

// number writes a count so that its size can be read: 48,211.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// capital begins a label as a heading does.
func capital(s string) string {
	if s == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

// reasonOf says the coded reason of an entry in words, by the list that its act takes it from.
func reasonOf(e proof.Entry) string {
	act, _ := proof.ActOf(e.Act)
	lists := map[string]codes.List{
		"referral.decline": codes.DeclineReasons(), "referral.fail": codes.FailReasons(), "referral.withdraw": codes.WithdrawReasons(),
		"referral.complete": codes.Outcomes(), "override.propose": record.Reasons(), "recall.answered": record.KeepReasons(),
	}
	switch {
	case e.Reason == "":
		return ""
	case e.Act == "log.read":
		return askedFor(e.Reason)
	case act.Opens:
		return codes.OpenReasons().Label(e.Reason)
	case lists[e.Act] != nil:
		return lists[e.Act].Label(e.Reason)
	}
	return e.Reason
}

// askedFor says what somebody asked the log for: by what, and not for what.
func askedFor(reason string) string {
	switch reason {
	case "review":
		return "to see what deserves a second look"
	case "entry":
		return "to read one entry"
	}
	return "to list entries by " + strings.Join(strings.Fields(reason), ", ")
}

// alarmOf says what is wrong with an entry that the log does not prove, or "".
func alarmOf(s audit.Standing) string {
	switch s {
	case audit.Proved, audit.Waiting:
		return ""
	case audit.Changed:
		return "The log has another entry at this place. What you read here was changed after it was logged."
	case audit.Gone:
		return "What this entry said was deleted. Nothing in Handover deletes an entry."
	}
	return "No proof leads to this entry. A part of the log that would prove it is missing, or was changed."
}

// stateOf says where an override stands.
func stateOf(state string) string {
	words := map[string]string{
		"proposed": "waits for a manager: nothing is shared on it", "emergency": "emergency: shared on it now, waits for a manager",
		"approved": "approved", "refused": "refused by a manager", "lapsed": "nobody decided in 24 hours: sharing stopped",
		"ended": "ended by a manager", "expired": "its time is over",
	}
	if said, ok := words[state]; ok {
		return said
	}
	return state
}

// statementOf names a kind of signed statement.
func statementOf(kind string) string {
	words := map[string]string{
		proof.StatementEnvelope: "The envelope of a step of the referral", proof.StatementConsent: "The consent record",
		proof.StatementWithdrawal: "The withdrawal of consent", proof.StatementOverride: "The override",
		proof.StatementDecision: "What a manager decided", proof.StatementReview: "The review of an override",
		proof.StatementNever: "With whom nothing is ever shared", proof.StatementLift: "The end of a never",
		proof.StatementRecall:        "The answer about what is still held",
		proof.StatementPoliceRequest: "A request of the police", proof.StatementPoliceDecision: "The decision about a request of the police",
	}
	if said, ok := words[kind]; ok {
		return said
	}
	return capital(kind)
}
