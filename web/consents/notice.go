package consents

import (
	"strings"

	"handover/consent/record"
	"handover/internal/ids"
)

// NoticeVersion names the text of Notice. Whoever changes a word of it gives it another: the
// records of women who were told the earlier text name that one by its digest.
const NoticeVersion = "handover-2026-1"

// Notice is what every woman is told before she is asked, to be read aloud or by herself,
// whatever is asked. Who would get what, and until when, stands above it.
func Notice() []string {
	return []string{
		"You can say yes to all of it, to some of it, or no.",
		"If you say no, we still help you.",
		"Only the people that we named get it. They have to ask you before they pass it on.",
		"Each time they open it, that is written down. You can ask who did.",
		"You can stop it on any day. You do not have to say why. Then nobody can open any more. But we cannot make people forget what they have read.",
		"It ends by itself on the day that we told you.",
		"If we think that somebody could be badly hurt, we may have to tell others. We ask you first if we can.",
	}
}

// told is the notice as a record names it.
func told(language string) record.Notice {
	return record.Notice{Version: NoticeVersion, Digest: ids.Digest(strings.Join(Notice(), "\n")), Language: language}
}
