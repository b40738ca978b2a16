package send

import "slices"

// question is one page about a section: a few members of its schema that belong together.
type question struct {
	Section, Slug string
	Title         string // the page's heading, and its title: it names nobody
	Intro         string // what to think of before writing
	Members       []string
	List          string   // the list whose items the page asks for, one at a time; Members are then of an item
	Core          bool     // asked on the way through; the others are found on the section's page
	Channels      []string // of safe contact: asked if she is reached so
}

// labels are what is asked about a member that is not alone on its page, or whose page's
// heading does not say it.
func labels() map[string]string {
	return map[string]string{
		"safe-contact.channel": "How may she be reached?", "safe-contact.last_confirmed": "When did she last say that this is safe?",
		"safe-contact.number": "The number to use", "safe-contact.voicemail": "Has she said yes to a voicemail?", "safe-contact.text": "Has she said yes to a text?",
		"safe-contact.app": "The app, and her name there", "safe-contact.worker.called": "The worker’s name", "safe-contact.worker.agency": "The worker’s agency",
		"safe-contact.worker.phone": "The worker’s telephone number", "safe-contact.worker.email": "The worker’s e-mail address",
		"safe-contact.safe_days": "On which days is it safe?", "safe-contact.safe_from": "From", "safe-contact.safe_to": "Until",
		"safe-contact.device_shared": "Does somebody else use her telephone?", "safe-contact.device_monitored": "May somebody else read or follow what is on it?",
		"safe-contact.sender_name": "A name to give that means nothing to others", "safe-contact.code_word_hint": "A hint at her code word",
		"safe-contact.if_someone_else_answers": "If somebody else answers", "safe-contact.if_dropped": "If the line drops",
		"safe-contact.do_not_visit": "Is a visit unsafe?", "safe-contact.trusted_contact.called": "What to call this person",
		"safe-contact.trusted_contact.relation": "Who that is to her", "safe-contact.trusted_contact.phone": "This person’s number",
		"safe-contact.trusted_contact.may_be_told": "What this person may be told", "safe-contact.not_safe_people.called": "What this person is called",
		"safe-contact.not_safe_people.relation": "Who that is to her", "safe-contact.not_safe_people.note": "What to look out for",
		"need.summary": "What she needs, as she would say it", "need.safe_tonight": "Has she somewhere safe tonight?", "need.her_aim": "What she wants to come of it",
		"need.not_wanted": "What she has said no to", "need.needs.need": "What she needs", "need.needs.detail": "What exactly", "need.since": "Since when",
		"risk.immediate_danger": "Is she in danger now?", "risk.summary": "What could happen, and what makes it likely", "risk.harms.type": "What is done to her",
		"risk.harms.basis": "How is it known?", "risk.harms.detail": "What they must know to keep her safe", "risk.feared.called": "What this person is called",
		"risk.feared.relation": "Who that is to her", "risk.feared.why": "What this person may do", "risk.to_workers": "What could happen to a worker who meets her",
		"risk.protective": "What keeps her safe now", "risk.dash.count": "How many answers were yes", "risk.dash.on": "When it was done",
		"risk.dash.because": "Why the risk is held to be high", "identity.known_as": "What she wants to be called", "identity.given_name": "First name",
		"identity.family_name": "Last name", "identity.other_names": "Other names", "identity.pronouns": "How she is spoken of, if not as she and her",
		"identity.date_of_birth": "Date of birth", "identity.nhs_number": "NHS number", "contact.phone": "Her telephone number", "contact.email": "Her e-mail address",
		"contact.post.care_of": "Who takes a letter for her", "contact.post.lines": "The address", "contact.post.postcode": "Postcode",
		"access-needs.languages": "Languages that she speaks", "access-needs.interpreter.needed": "Does she need an interpreter?",
		"access-needs.interpreter.language": "In which language?", "access-needs.interpreter.woman": "Must it be a woman?", "access-needs.interpreter.not": "Who must not interpret",
		"access-needs.reading": "Does she need help with reading and forms?", "access-needs.hearing": "What helps her to hear", "access-needs.sight": "What helps her to see and read",
		"access-needs.mobility": "What can she use?", "access-needs.women_only": "Must it be for women alone?", "access-needs.pets": "Which animal she brings",
		"access-needs.support": "What else makes it possible", "housing.now": "Where does she sleep now?", "housing.eligibility": "Is she eligible for housing assistance and public funds?",
		"housing.reason": "Why she is homeless, or may be within 56 days", "housing.ends_on": "When she has to leave", "housing.since": "Since when",
		"housing.authority": "Which housing authority has she chosen?", "housing.household.adults": "How many adults, with her", "housing.household.children": "How many children",
		"housing.not_safe_in": "Where must she not be housed?", "housing.wanted": "What she would live in, and what not",
		"housing.connections.authority": "With which authority?", "housing.connections.why": "By what?",
		"health.summary": "What they must know of her health", "health.conditions": "Conditions", "health.medicines": "Medicines", "health.allergies": "Allergies",
		"health.pregnant": "Is she pregnant?", "health.due": "When the child is due", "health.mental_health": "Mental health", "health.substance_use": "What she uses",
		"health.gp_practice": "The code of her GP practice", "children.children.age": "Age", "children.children.called": "What the child is called",
		"children.children.lives_with": "With whom does the child live?", "children.children.school": "School or nursery", "children.children.safe": "Is the child safe?",
		"children.expecting": "Is she expecting a child?", "children.social_care.involved": "Is children’s social care involved?", "children.social_care.authority": "Which authority’s?",
		"children.summary": "What they must know", "immigration.status": "Her status, as far as she knows it", "immigration.public_funds": "May she use public funds?",
		"immigration.nationality": "Her nationality, in three letters", "immigration.leave_ends": "When her leave ends",
		"immigration.nrm": "How far is the National Referral Mechanism?", "immigration.adviser": "Her solicitor or adviser", "immigration.summary": "What an adviser must know",
		"justice.orders.kind": "Which order?", "justice.orders.for_her": "Does it protect her?", "justice.orders.ends": "When it ends", "justice.dates.on": "The day",
		"justice.dates.what": "What it is about", "justice.reference": "Crime or case reference", "justice.supporter": "Who supports her there", "justice.summary": "What they must know",
		"location.area": "In which authority is she?", "location.place": "Where she can be met", "location.postcode": "Postcode", "location.uprn": "Unique property reference number",
		"location.times": "When she is there", "location.seen": "When she was last seen there", "location.appearance": "What the outreach team needs to know her by",
		"location.approach": "How to approach her", "history.summary": "What happened before", "history.services.service": "Which service", "history.services.from": "From when",
		"history.services.still": "Is she still with it?", "history.services.came_of_it": "What came of it", "history.helped": "What helped",
		"history.did_not_help": "What did not help", "history.chain.state": "Has she a record on CHAIN?", "history.chain.number": "Her number there", "note.text": "Your note",
	}
}

// questions are all pages about sections, in the order in which they are asked.
func questions() []question {
	return slices.Concat(firstQuestions(), personQuestions(), lifeQuestions(), otherQuestions())
}

// firstQuestions are about what every referral has.
func firstQuestions() []question {
	return []question{
		{Section: "safe-contact", Slug: "how", Title: "How can she be reached safely?", Core: true, Members: []string{"channel", "number", "last_confirmed"},
			Intro: "Ask her, alone. What she does not say is not safe: no voicemail, no text, no visit."},
		{Section: "safe-contact", Slug: "voicemail", Title: "May a message be left?", Channels: []string{"call", "text"}, Members: []string{"voicemail", "text"}},
		{Section: "safe-contact", Slug: "app", Title: "Which app is safe?", Core: true, Channels: []string{"app"}, Members: []string{"app"}},
		{Section: "safe-contact", Slug: "worker", Title: "Which worker is she reached through?", Channels: []string{"via-worker"},
			Members: []string{"worker.called", "worker.phone", "worker.email", "worker.agency"}},
		{Section: "safe-contact", Slug: "times", Title: "When is it safe?", Members: []string{"safe_days", "safe_from", "safe_to"}},
		{Section: "safe-contact", Slug: "device", Title: "Is her telephone safe?", Members: []string{"device_shared", "device_monitored"}},
		{Section: "safe-contact", Slug: "call", Title: "What to do when calling her", Members: []string{"sender_name", "code_word_hint", "if_someone_else_answers", "if_dropped"}},
		{Section: "safe-contact", Slug: "visit", Title: "Is a visit unsafe?", Members: []string{"do_not_visit"}},
		{Section: "safe-contact", Slug: "trusted", Title: "Who may pass a message on?",
			Members: []string{"trusted_contact.called", "trusted_contact.relation", "trusted_contact.phone", "trusted_contact.may_be_told"}},
		{Section: "safe-contact", Slug: "not-safe", Title: "Who must learn nothing?", List: "not_safe_people", Members: []string{"called", "relation", "note"}},
		{Section: "need", Slug: "what", Title: "What does she need?", Core: true, Members: []string{"summary", "safe_tonight"},
			Intro: "Write it in words that she would agree with. You can leave the box empty: they see what kind of help you are asking for."},
		{Section: "need", Slug: "aim", Title: "What does she want to come of it?", Members: []string{"her_aim", "not_wanted"}},
		{Section: "need", Slug: "more", Title: "Which kinds of help does she need?", List: "needs", Members: []string{"need", "detail"}},
		{Section: "need", Slug: "since", Title: "Since when has she needed it?", Members: []string{"since"}},
		{Section: "risk", Slug: "danger", Title: "What could hurt her?", Members: []string{"immediate_danger", "summary"},
			Intro: "If she is in danger now, call 999 first."},
		{Section: "risk", Slug: "harm", Title: "What is done to her, or feared?", List: "harms", Members: []string{"type", "basis", "detail"}},
		{Section: "risk", Slug: "feared", Title: "Whom does she fear?", List: "feared", Members: []string{"called", "relation", "why"}},
		{Section: "risk", Slug: "workers", Title: "What could happen to a worker who meets her?", Members: []string{"to_workers"}},
		{Section: "risk", Slug: "protective", Title: "What keeps her safe now?", Members: []string{"protective"}},
		{Section: "risk", Slug: "dash", Title: "The DASH risk checklist", Intro: "Only if it was done. A count is a prompt, never a gate.", Members: []string{"dash.count", "dash.on", "dash.because"}},
	}
}

func personQuestions() []question {
	return []question{
		{Section: "identity", Slug: "name", Title: "What is she called?", Intro: "What she goes by is enough. No proof of any of it is asked for.", Members: []string{"known_as", "given_name", "family_name"}},
		{Section: "identity", Slug: "other", Title: "What else do they need to find her?", Members: []string{"other_names", "pronouns"}},
		{Section: "identity", Slug: "birth", Title: "When was she born?", Members: []string{"date_of_birth"}},
		{Section: "identity", Slug: "number", Title: "What is her NHS number?", Members: []string{"nhs_number"}},
		{Section: "contact", Slug: "phone", Title: "Her own number and address", Intro: "They must not use these before they have read how she can be reached safely.", Members: []string{"phone", "email"}},
		{Section: "contact", Slug: "post", Title: "Where does a letter reach her?", Members: []string{"post.care_of", "post.lines", "post.postcode"}},
		{Section: "access-needs", Slug: "language", Title: "Which languages does she speak?", Members: []string{"languages"}},
		{Section: "access-needs", Slug: "interpreter", Title: "Does she need an interpreter?",
			Members: []string{"interpreter.needed", "interpreter.language", "interpreter.woman", "interpreter.not"}},
		{Section: "access-needs", Slug: "help", Title: "What helps her to take part?", Members: []string{"reading", "hearing", "sight", "support"}},
		{Section: "access-needs", Slug: "place", Title: "What must the place be like?", Members: []string{"mobility", "women_only", "pets"}},
	}
}

func lifeQuestions() []question {
	return []question{
		{Section: "housing", Slug: "now", Title: "Where does she sleep now?", Intro: "Her immigration status does not belong here: whether she is eligible is all that is asked.", Members: []string{"now", "since", "eligibility"}},
		{Section: "housing", Slug: "why", Title: "Why is she homeless, or may be soon?", Members: []string{"reason", "ends_on"}},
		{Section: "housing", Slug: "authority", Title: "Which housing authority has she chosen?", Members: []string{"authority"}},
		{Section: "housing", Slug: "connection", Title: "Local connections", Intro: "None is needed to be referred.", List: "connections", Members: []string{"authority", "why"}},
		{Section: "housing", Slug: "not-safe", Title: "Where must she not be housed?", Members: []string{"not_safe_in"}},
		{Section: "housing", Slug: "household", Title: "Who is to be housed?", Members: []string{"household.adults", "household.children", "wanted"}},
		{Section: "health", Slug: "what", Title: "What must they know of her health?", Members: []string{"summary"}},
		{Section: "health", Slug: "lists", Title: "Conditions, medicines and allergies", Members: []string{"conditions", "medicines", "allergies"}},
		{Section: "health", Slug: "pregnant", Title: "Is she pregnant?", Members: []string{"pregnant", "due"}},
		{Section: "health", Slug: "mind", Title: "Mental health, and what she uses", Members: []string{"mental_health", "substance_use"}},
		{Section: "health", Slug: "practice", Title: "Where is she registered with a GP?", Members: []string{"gp_practice"}},
		{Section: "children", Slug: "child", Title: "Her children under 18", Intro: "If a child is at risk, tell children’s social care now: do not wait for this referral.",
			List: "children", Members: []string{"age", "called", "lives_with", "school", "safe"}},
		{Section: "children", Slug: "more", Title: "What else about children?", Members: []string{"expecting", "social_care.involved", "social_care.authority", "summary"}},
	}
}

func otherQuestions() []question {
	return []question{
		{Section: "immigration", Slug: "status", Title: "What is her immigration status?", Members: []string{"status", "public_funds", "nationality", "leave_ends"}},
		{Section: "immigration", Slug: "advice", Title: "What must an adviser know?", Members: []string{"nrm", "adviser", "summary"}},
		{Section: "justice", Slug: "order", Title: "Which orders are in force?", List: "orders", Members: []string{"kind", "for_her", "ends"}},
		{Section: "justice", Slug: "date", Title: "When does she have to be somewhere?", List: "dates", Members: []string{"on", "what"}},
		{Section: "justice", Slug: "more", Title: "What else must they know?", Members: []string{"reference", "supporter", "summary"}},
		{Section: "location", Slug: "where", Title: "Where can she be met?", Intro: "Enough to find her is enough to harm her. Write what they need, and nothing more.",
			Members: []string{"area", "place", "postcode", "uprn", "times", "seen"}},
		{Section: "location", Slug: "approach", Title: "How is she approached?", Members: []string{"appearance", "approach"}},
		{Section: "history", Slug: "what", Title: "What happened before?", Members: []string{"summary"}},
		{Section: "history", Slug: "service", Title: "Which services has she been with?", List: "services", Members: []string{"service", "from", "still", "came_of_it"}},
		{Section: "history", Slug: "helped", Title: "What helped, and what did not?", Members: []string{"helped", "did_not_help"}},
		{Section: "history", Slug: "chain", Title: "Has she a record on CHAIN?", Intro: "It never matters to whether she is helped.", Members: []string{"chain.state", "chain.number"}},
		{Section: "note", Slug: "note", Title: "A note to the worker who receives this", Members: []string{"text"}},
	}
}

// questionOf returns the question of that address.
func questionOf(section, slug string) (question, bool) {
	for _, q := range questions() {
		if q.Section == section && q.Slug == slug {
			return q, true
		}
	}
	return question{}, false
}

// of are the questions about a section that can be asked of her: which, her answers say, and to
// whom it goes.
func questionsOf(section string, a answers, police bool) (asked []question) {
	for _, q := range questions() {
		if q.Section == section && q.applies(a, police) {
			asked = append(asked, q)
		}
	}
	return asked
}

// applies reports whether the question is asked. Police are told how to reach her worker and
// nothing else of how to reach her.
func (q question) applies(a answers, police bool) bool {
	if police && q.Section == safeContact && q.Slug != "how" && q.Slug != "worker" {
		return false
	}
	return q.Channels == nil || slices.Contains(q.Channels, a.one("safe-contact.channel"))
}
