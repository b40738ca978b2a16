package record_test

import (
	"strings"

	"handover/consent/record"
)

// own gives the recorder one basis.
func (m *mold) own(b record.Basis) {
	b.Controller = "charity"
	m.claims.Bases = record.Bases{b}
}

// unasked takes away what belongs to asking her.
func (m *mold) unasked(agreement string) {
	c := &m.claims
	c.Agreement, c.Method, c.Notice, c.Bases = agreement, "", record.Notice{}, nil
	m.how = record.Circumstances{}
}

// decided makes it a decision for her, in her best interests.
func (m *mold) decided() {
	bases, how := m.claims.Bases, m.how
	m.unasked(record.BestInterests)
	m.claims.Bases, m.how = bases, how
	m.how.Capacity, m.texts["capacity"] = "lacks", "Assessed by a nurse on 30 September. Best interests: B-17."
}

func good() []cast {
	return []cast{
		{"ok/partial-yes", "She agrees to housing, and withholds health and immigration.", func(*mold) {}},
		{"ok/es256", "Signed with P-256.", func(m *mold) { m.signer = signingP256() }},
		{"ok/nothing-sealed", "Nothing need be sealed.", func(m *mold) { m.texts = map[string]string{} }},
		{"ok/supersedes", "It stands in the place of an earlier record.", func(m *mold) { m.claims.Supersedes = consent }},
		{"ok/refused", "A no needs no lawful basis, and lets nothing pass.", func(m *mold) { m.claims.Agreement, m.claims.Bases = "refused", nil }},
		{"ok/refused-through-a-friend", "A no may come through anybody.", func(m *mold) {
			m.claims.Agreement, m.claims.Bases, m.how.Interpreter = "refused", nil, "other"
		}},
		{"ok/not-asked-unsafe", "Not asked: no method, no notice, no circumstances.", func(m *mold) { m.unasked("not-asked-unsafe") }},
		{"ok/not-asked-impracticable", "Not asked: she could not be asked.", func(m *mold) { m.unasked("not-asked-impracticable") }},
		{"ok/best-interests", "Decided for her: its text is needed, and a manager looks at it.", (*mold).decided},
		{"ok/pressed", "Somebody may be pressing her: a manager looks at it.", func(m *mold) { m.how.Coercion = "suspected" }},
		{"ok/doubt", "It is in doubt whether she could decide: a manager looks at it.", func(m *mold) { m.how.Capacity = "doubt" }},
		{"ok/duty-to-refer", "A homelessness referral: three agreements, and the authority she chose.", func(m *mold) {
			m.claims.Purpose = "duty-to-refer"
			m.claims.Gate = record.Gate{Pathway: "duty-to-refer", Agreements: []string{"referral", "contact-details", "authority"}, Authority: "E09000007"}
		}},
		{"ok/nrm-adult", "A referral of an adult to the NRM.", func(m *mold) { m.claims.Purpose, m.claims.Gate.Pathway = "nrm", "nrm-adult" }},
		{"ok/marac-safeguarding", "Recognised legitimate interest, Article 9 g, and paragraph 18 with its reason and its policy document.", func(m *mold) {
			m.claims.Purpose, m.claims.Gate.Pathway, m.claims.Sections = "marac", "marac", []string{"risk"}
			m.own(record.Basis{Article6: "ea", Condition: "safeguarding", Article9: "g", Schedule1: "18", Safeguarding: "cannot-obtain", Policy: "APD-2026-1"})
		}},
		{"ok/health-care", "Legal obligation and health care, whose paragraph needs no policy document.", func(m *mold) {
			m.claims.Purpose, m.claims.Sections, m.claims.Withheld = "health-care", []string{"health"}, nil
			m.own(record.Basis{Article6: "c", Provision: "Care Act 2014 s42", Article9: "h", Schedule1: "2"})
		}},
		{"ok/justice", "Her consent in the sense of data-protection law, for special category data and data about offences.", func(m *mold) {
			m.claims.Sections = []string{"justice", "history"}
			m.own(record.Basis{Article6: "a", Article9: "a", Article10: "schedule-1", Schedule1: "29"})
		}},
		{"ok/withheld-needs-no-condition", "What is withheld is not shared, and needs no condition.", func(m *mold) {
			m.claims.Sections = []string{"need", "health"}
		}},
		{"ok/contract", "A contract with her.", func(m *mold) { m.own(record.Basis{Article6: "b"}) }},
		{"ok/police", "Police named as police, with their own basis for law enforcement.", func(m *mold) {
			m.claims.Purpose, m.claims.Recipients = "protect-from-harm", []string{"category:police"}
			m.claims.Bases = record.Bases{{Controller: "charity", Article6: "d"}, {Controller: "force", Article6: "le-part3"}}
		}},
	}
}

func claimsRefused() []cast {
	of := func(claim, why string, change func(*record.Claims)) cast {
		return cast{"consent-claim " + claim, why, func(m *mold) { change(&m.claims) }}
	}
	return []cast{
		of("hub", "Without a hub.", func(c *record.Claims) { c.Hub = "" }),
		of("iss", "An issuer that is no partner id.", func(c *record.Claims) { c.Issuer = "Charity" }),
		of("jti", "A UUID of version 4.", func(c *record.Claims) { c.ID = "0199a000-0000-4000-8000-0000000000aa" }),
		of("iat", "Signed at no time.", func(c *record.Claims) { c.IssuedAt = 0 }),
		of("act", "A worker by her e-mail address.", func(c *record.Claims) { c.Act = "cass@charity.example" }),
		of("sub", "A subject by what is no random reference.", func(c *record.Claims) { c.Subject = "Wren" }),
		of("supersedes", "A record cannot supersede itself.", func(c *record.Claims) { c.Supersedes = c.ID }),
		of("jurisdiction", "The law of Scotland.", func(c *record.Claims) { c.Jurisdiction = "GB-SCT" }),
		of("agreement", "A code that is none.", func(c *record.Claims) { c.Agreement = "yes" }),
		of("method", "She was asked, and nothing says how she answered.", func(c *record.Claims) { c.Method = "" }),
		of("method/not-asked", "She was not asked, and a method says how she answered.", func(c *record.Claims) { c.Agreement, c.Bases, c.Notice = "not-asked-unsafe", nil, record.Notice{} }),
		of("purpose", "A purpose that is none.", func(c *record.Claims) { c.Purpose = "anything" }),
		of("recipients", "A wildcard.", func(c *record.Claims) { c.Recipients = []string{"*"} }),
		of("recipients/twice", "A recipient twice.", func(c *record.Claims) { c.Recipients = []string{"borough", "borough"} }),
		of("recipients/none", "Nobody.", func(c *record.Claims) { c.Recipients = []string{} }),
		of("sections", "A section that is none.", func(c *record.Claims) { c.Sections = []string{"everything"} }),
		of("withheld", "A section twice.", func(c *record.Claims) { c.Withheld = []string{"health", "health"} }),
		of("onward", "A code that is none.", func(c *record.Claims) { c.Onward = "all" }),
		of("notice", "A notice without its digest.", func(c *record.Claims) { c.Notice.Digest = "" }),
		of("given_at", "Said in the future.", func(c *record.Claims) { c.GivenAt = c.IssuedAt + 61; c.ValidFrom = c.GivenAt }),
		of("valid_from", "It begins before she said it.", func(c *record.Claims) { c.ValidFrom = c.GivenAt - 1 }),
		of("expires_at", "It stands for longer than 366 days.", func(c *record.Claims) { c.Expires = c.GivenAt + 366*day + 1 }),
		of("review_at", "Looked at again after it has ended.", func(c *record.Claims) { c.ReviewAt = c.Expires + 1 }),
	}
}

func lawRefused() []cast {
	basis := func(claim, why string, b record.Basis, sections ...string) cast {
		return cast{"consent-claim basis" + claim, why, func(m *mold) {
			m.own(b)
			if len(sections) > 0 {
				m.claims.Sections, m.claims.Withheld = sections, nil
			}
		}}
	}
	gate := func(claim, why string, g record.Gate) cast {
		return cast{"consent-claim gate." + claim, why, func(m *mold) { m.claims.Purpose, m.claims.Gate = "duty-to-refer", g }}
	}
	three := []string{"referral", "contact-details", "authority"}
	return []cast{
		{"consent-claim basis", "The recorder's own basis is missing.", func(m *mold) { m.claims.Bases = m.claims.Bases[1:] }},
		{"consent-claim basis.controller", "A controller twice.", func(m *mold) { m.claims.Bases = append(m.claims.Bases, m.claims.Bases[0]) }},
		basis(".art6", "A basis that is none.", record.Basis{Article6: "g"}),
		{"consent-claim basis.art6/public-authority", "Legitimate interests of a public authority.", func(m *mold) {
			m.claims.Bases = append(m.claims.Bases, record.Basis{Controller: "borough", Article6: "f"})
		}},
		{"consent-claim basis.art6/public-authorities", "A recognised legitimate interest of a kind of public authority.", func(m *mold) {
			m.claims.Bases[1] = record.Basis{Controller: "category:housing", Article6: "ea", Condition: "safeguarding"}
		}},
		basis(".art6/no-police", "Law enforcement by a charity.", record.Basis{Article6: "le-part3"}),
		basis(".ea_condition", "A recognised legitimate interest without its condition.", record.Basis{Article6: "ea"}),
		basis(".ea_condition/other", "A condition of ea with another basis.", record.Basis{Article6: "f", Condition: "crime"}),
		basis(".provision", "A public task without the law.", record.Basis{Article6: "e"}),
		basis(".provision/prose", "Prose in the place of a law.", record.Basis{Article6: "c", Provision: "because she is in danger"}),
		basis(".art9", "Health without a condition of Article 9.", record.Basis{Article6: "f"}, "health"),
		basis(".art9/not-for-profit", "Article 9(2)(d) is not offered.", record.Basis{Article6: "f", Article9: "d"}, "health"),
		basis(".art10", "Contact with the justice system without a ground of Article 10.", record.Basis{Article6: "f"}, "justice"),
		basis(".schedule1", "Substantial public interest without a paragraph.", record.Basis{Article6: "f", Article9: "g"}, "risk"),
		basis(".schedule1/other", "A paragraph that does not go with the condition.", record.Basis{Article6: "f", Article9: "h", Schedule1: "18"}, "risk"),
		basis(".schedule1_18_reason", "Paragraph 18 without its reason.", record.Basis{Article6: "f", Article9: "g", Schedule1: "18", Policy: "APD"}, "risk"),
		basis(".policy", "A paragraph without its appropriate policy document.", record.Basis{Article6: "f", Article9: "g", Schedule1: "10"}, "risk"),
		{"consent-claim gate.pathway", "A gate that does not go with the purpose.", func(m *mold) { m.claims.Gate.Pathway = "marac" }},
		{"consent-claim gate.pathway/child", "The gate of a child goes with no purpose.", func(m *mold) { m.claims.Purpose, m.claims.Gate.Pathway = "nrm", "nrm-child" }},
		gate("agreements", "Two of the three agreements.", record.Gate{Pathway: "duty-to-refer", Agreements: three[:2], Authority: "E09000007"}),
		gate("authority", "No authority that she chose.", record.Gate{Pathway: "duty-to-refer", Agreements: three}),
		{"consent-claim gate.pathway/decided", "Nobody decides a homelessness referral for her.", func(m *mold) {
			m.decided()
			m.claims.Purpose, m.claims.Gate = "duty-to-refer", record.Gate{Pathway: "duty-to-refer", Agreements: three, Authority: "E09000007"}
		}},
	}
}

func howRefused() []cast {
	of := func(member, why string, change func(*record.Circumstances)) cast {
		return cast{"consent-claim circumstances." + member, why, func(m *mold) { change(&m.how) }}
	}
	return []cast{
		{"consent-claim circumstances", "She was asked, and nothing says how.", func(m *mold) { m.how = record.Circumstances{} }},
		{"consent-claim circumstances/other", "Other circumstances than those that were signed.", func(m *mold) {
			m.whole = func(p *record.Posted) {
				other := asked()
				other.Salt, other.Alone = b64([]byte("sixteen of bytes")), "no"
				p.Circumstances, _ = must2(other.Text())
			}
		}},
		of("salt", "A salt of fewer bytes.", func(c *record.Circumstances) { c.Salt = "c2hvcnQ" }),
		of("seen_alone", "Neither yes nor no.", func(c *record.Circumstances) { c.Alone = "maybe" }),
		of("coercion", "A code that is none.", func(c *record.Circumstances) { c.Coercion = "" }),
		of("interpreter", "Her partner says yes for her.", func(c *record.Circumstances) { c.Interpreter = "other" }),
		of("language", "A language that is no tag.", func(c *record.Circumstances) { c.Language = "Romanian, some English" }),
		of("capacity", "A yes of somebody who could not decide.", func(c *record.Circumstances) { c.Capacity = "lacks" }),
		{"consent-claim circumstances.capacity/decided", "Decided for somebody who could.", func(m *mold) { m.decided(); m.how.Capacity = "has" }},
		{"consent-claim act/review", "A manager has to look at it, and nobody is named who asked.", func(m *mold) {
			m.how.Coercion, m.claims.Act = "present", ""
		}},
		{"consent-claim sealed.capacity", "Decided for her without the decision.", func(m *mold) { m.decided(); delete(m.texts, "capacity") }},
		{"consent-claim sealed", "A part that is none.", func(m *mold) { m.sealed = func(s map[string]string) { s["diary"] = s["her-words"] } }},
		{"consent-claim sealed/other", "Another text than the one that was signed.", func(m *mold) {
			m.whole = func(p *record.Posted) { p.Sealed["capacity"] = p.Sealed["her-words"] }
		}},
		{"consent-claim sealed/missing", "A text that was signed and is not there.", func(m *mold) { m.whole = func(p *record.Posted) { delete(p.Sealed, "her-words") } }},
		{"consent-claim sealed/in-clear", "A text in clear.", func(m *mold) {
			m.texts = map[string]string{}
			m.sealed = func(s map[string]string) { s["her-words"] = digestOf("not the police") }
			m.whole = func(p *record.Posted) { p.Sealed["her-words"] = "not the police" }
		}},
	}
}

func formRefused() []cast {
	return []cast{
		{"consent-malformed/type", "Signed as something else.", func(m *mold) { m.typ = record.WithdrawalType }},
		{"consent-malformed/four-parts", "A record of four parts.", func(m *mold) {
			m.whole = func(p *record.Posted) { p.Record = strings.Replace(p.Record, ".", "..", 1) }
		}},
		{"consent-signature/another-key", "Signed by another key under the name of the recorder's.", func(m *mold) {
			m.whole = func(p *record.Posted) {
				p.Record = p.Record[:strings.LastIndex(p.Record, ".")+1] + strings.Repeat("A", 86)
			}
		}},
		{"consent-stale/hub", "For another hub.", func(m *mold) { m.claims.Hub = "https://staging.hub.example" }},
		{"consent-stale/old", "Signed more than 24 hours ago.", func(m *mold) { m.later(-day - 1) }},
		{"consent-stale/future", "Signed more than 60 seconds ahead.", func(m *mold) { m.later(61) }},
		{"ok/oldest", "Signed 24 hours ago.", func(m *mold) { m.later(-day) }},
		{"ok/newest", "Signed 60 seconds ahead.", func(m *mold) { m.later(60) }},
	}
}

// later moves every time of the record.
func (m *mold) later(seconds int64) {
	for _, at := range []*int64{&m.claims.IssuedAt, &m.claims.GivenAt, &m.claims.ValidFrom, &m.claims.Expires, &m.claims.ReviewAt} {
		*at += seconds
	}
}
