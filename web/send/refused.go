package send

import (
	"net/http"
	"strings"

	"handover/internal/fault"
)

// mending is what to do about a refusal, and where.
type mending struct {
	Says  string // what is wrong, and who must do what
	Path  string // the page on which it is put right
	Link  string
	Draft string // the draft is there still
	Again string // where the same can be tried again; "" if that cannot help
}

// mend says what to do about a refusal of sending. The draft is kept, whatever it is.
func mend(d work, f *fault.Fault) mending {
	m := mending{Says: f.Text, Path: d.path("check"), Link: "Check it again", Draft: d.path("")}
	ask := func(says string) mending {
		return mending{Says: says, Path: d.asks(), Link: "Ask her again", Draft: d.path("")}
	}
	other := func(says string) mending {
		return mending{Says: says, Path: d.path("choose"), Link: "Choose another service", Draft: d.path("")}
	}
	switch f.Code {
	case "section-unfit":
		return unfit(d, f, m)
	case "pathway-incomplete":
		m.Says, m.Path, m.Link = saidOf(f), d.path(""), "Add what is missing"
	case "safe-contact-for-police":
		m.Says = "The police are given her worker’s contact and never hers. Say which worker she is reached through."
		m.Path, m.Link = d.about("safe-contact/how"), "Change safe contact"
	case "under-eighteen":
		m.Says, m.Path, m.Link = f.Text, "/send/under-18", "What to do now"
	case "firewall":
		m.Says = about1(f, "may not go to them, whatever she has agreed to. Take it out, or choose another service.")
		m.Path, m.Link = d.path(""), "Take it out"
	case "no-agreement":
		return other(about1(f, "is not covered by an agreement between your agencies now. Ask your administrator to make one, take the part out, or choose another service."))
	case "not-covered", "no-consent", "consent-expired", "consent-superseded", "consent-of-another":
		return ask("What she has agreed to does not cover this: another agency, another purpose, another part, or a time that is over. Ask her again.")
	case "consent-withdrawn":
		return ask("She has taken her agreement back. Send nothing unless she agrees anew.")
	case "authority-not-chosen":
		return ask("She has chosen another housing authority. Send it there, or ask her again.")
	case "onward-not-allowed":
		return ask("What she agreed to does not let this travel on. Ask her, and record what she says to this agency.")
	case "consent-review-awaited":
		m.Says = "A manager of your agency has to look at how she was asked before anything is sent. Tell your manager. Your draft waits."
	case "service-unavailable-for-referral", "recipient-inactive":
		return other("They take no referrals for this now. It changed while you were writing.")
	case "recipient-key-retired":
		m.Says, m.Again = "They have changed their key while this was being sent. Send it again: it is sealed to the new key.", d.path("send")
	case "packet-conflict":
		m.Says = "This draft was sent already, as it was then. Find it under Sent. To send what you have changed since, write to them there."
		m.Path, m.Link = "/sent", "Go to Sent"
	case "override-not-approved", "override-lapsed", "override-refused", "override-ended", "no-override", "override-not-found",
		"override-not-covered", "override-expired":
		m.Path, m.Link = "/overrides/"+d.a.one(overrideKey), "Look at the decision"
	case "keys-unavailable":
		m.Says, m.Again = "The hub cannot sign and seal at this moment. Nothing was sent. Try again in a minute.", d.path("send")
	case "not-managed":
		m.Says, m.Path, m.Link = "Your agency now holds its own keys, so the hub cannot send for it.", "/send", "How to send now"
	}
	if f.Kind == fault.Unavailable {
		m.Again = d.path("send")
	}
	return m
}

// about1 begins a sentence with the section that a refusal names.
func about1(f *fault.Fault, rest string) string {
	if section, ok := f.Members()["section"].(string); ok && section != "" {
		return "“" + title(section) + "” " + rest
	}
	return "This " + rest
}

// unfit leads to the question whose answer a section's schema does not take.
func unfit(d work, f *fault.Fault, m mending) mending {
	section, _ := f.Members()["section"].(string)
	member, _ := f.Members()["member"].(string)
	m.Says, m.Path, m.Link = "An answer in “"+title(section)+"” is missing or cannot be read.", d.about(section), "Put it right"
	at := strings.ReplaceAll(strings.TrimPrefix(member, "/"), "/", ".")
	for _, q := range questionsOf(section, d.a, d.police) {
		for _, asks := range q.Members {
			if whole := q.member(asks); at == asks || strings.HasPrefix(at, asks+".") || q.List != "" && strings.HasPrefix(at, q.List) && strings.HasSuffix(whole, at[strings.LastIndex(at, ".")+1:]) {
				m.Path = d.about(q.key())
				return m
			}
		}
	}
	return m
}

// status is that of the page.
func (m mending) status(f *fault.Fault) int {
	if f.Kind == fault.Unavailable {
		return http.StatusServiceUnavailable
	}
	return http.StatusUnprocessableEntity
}
