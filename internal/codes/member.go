package codes

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Members are what is in the sections, by section and member, with the words that a page or a
// form has for each. A member that has none here is called by its own name (Member).
func Members() List {
	all := List{}
	for _, m := range []struct{ name, label string }{
		{"safe-contact/channel", "How to reach her"},
		{"safe-contact/number", "Number"},
		{"safe-contact/app", "App"},
		{"safe-contact/worker", "Her worker"},
		{"safe-contact/device_shared", "Somebody else uses the phone"},
		{"safe-contact/device_monitored", "Somebody may follow what is on the phone"},
		{"safe-contact/safe_days", "Safe days"},
		{"safe-contact/safe_from", "Safe from"},
		{"safe-contact/safe_to", "Safe until"},
		{"safe-contact/voicemail", "Voicemail"},
		{"safe-contact/text", "Texts"},
		{"safe-contact/sender_name", "Name to give"},
		{"safe-contact/code_word_hint", "Hint at the code word"},
		{"safe-contact/if_someone_else_answers", "If somebody else answers"},
		{"safe-contact/if_dropped", "If the line drops"},
		{"safe-contact/do_not_visit", "Visits"},
		{"safe-contact/trusted_contact", "Somebody who may pass a message on"},
		{"safe-contact/may_be_told", "May be told"},
		{"safe-contact/not_safe_people", "People who must learn nothing"},
		{"safe-contact/last_confirmed", "She last said so on"},
		{"safe-contact/expires", "Counts until"},
		{"need/needs", "What she needs"},
		{"need/summary", "In short"},
		{"need/her_aim", "What she wants to come of it"},
		{"need/safe_tonight", "Somewhere safe tonight"},
		{"need/not_wanted", "What she has said no to"},
		{"risk/harms", "Harm"},
		{"risk/type", "Kind"},
		{"risk/basis", "How it is known"},
		{"risk/summary", "In short"},
		{"risk/immediate_danger", "In danger now"},
		{"risk/feared", "People she fears"},
		{"risk/why", "What this person may do"},
		{"risk/dash", "DASH checklist"},
		{"risk/count", "Answered yes"},
		{"risk/on", "Done on"},
		{"risk/because", "Held to be high because of"},
		{"risk/to_workers", "Risk to workers"},
		{"risk/protective", "What keeps her safe now"},
		{"identity/known_as", "She goes by"},
		{"identity/nhs_number", "NHS number"},
		{"contact/email", "E-mail"},
		{"health/summary", "In short"},
		{"health/due", "The child is due"},
		{"health/gp_practice", "GP practice (ODS code)"},
		{"access-needs/woman", "Interpreter must be a woman"},
		{"access-needs/not", "Interpreter must not be"},
		{"access-needs/reading", "Help with reading"},
		{"housing/eligibility", "Eligible for help with housing"},
		{"housing/now", "Where she sleeps now"},
		{"housing/reason", "Why she is homeless, or may be"},
		{"housing/ends_on", "She has to leave on"},
		{"housing/authority", "Housing authority"},
		{"housing/connections", "Local connections"},
		{"housing/not_safe_in", "Not safe in"},
		{"housing/wanted", "What she would live in"},
		{"children/expecting", "Expecting a child"},
		{"children/summary", "In short"},
		{"immigration/nrm", "National Referral Mechanism"},
		{"immigration/summary", "In short"},
		{"justice/orders", "Orders"},
		{"justice/for_her", "Protects her"},
		{"justice/summary", "In short"},
		{"location/area", "Area"},
		{"location/uprn", "UPRN"},
		{"location/seen", "Last seen"},
		{"history/summary", "In short"},
		{"history/came_of_it", "What came of it"},
		{"history/chain", "CHAIN"},
		{"note/text", "Note"},
	} {
		all = append(all, Code{Code: m.name, Label: m.label, Source: ours})
	}
	return all
}

// Member returns the words for a member of a section, whatever it is called: what nobody has
// words for is shown under its own name rather than not at all.
func Member(section, member string) string {
	if name := section + "/" + member; Members().Has(name) {
		return Members().Label(name)
	}
	words := strings.TrimSpace(strings.NewReplacer("_", " ", "-", " ").Replace(member))
	if words == "" {
		return "Without a name"
	}
	first, size := utf8.DecodeRuneInString(words)
	return string(unicode.ToUpper(first)) + words[size:]
}
