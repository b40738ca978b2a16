package record_test

import (
	"testing"

	"handover/consent/record"
)

// may changes what she agreed to and returns what is then refused of it, "" for nothing.
type lawRow struct {
	name  string
	claim string // that is refused; "" for none
	set   func(c *record.Claims)
}

// basis states what the recorder relies on, alone.
func basis(b record.Basis) func(*record.Claims) {
	return func(c *record.Claims) {
		b.Controller = "charity"
		c.Bases = record.Bases{b}
	}
}

// sharing is basis for a record that shares one section.
func sharing(section string, b record.Basis) func(*record.Claims) {
	return func(c *record.Claims) {
		c.Sections, c.Withheld = []string{section}, nil
		basis(b)(c)
	}
}

func pathway(purpose string, g record.Gate) func(*record.Claims) {
	return func(c *record.Claims) { c.Purpose, c.Gate = purpose, g }
}

// notAsked makes of the record one of somebody who was not asked.
func notAsked(agreement string) func(*record.Claims) {
	return func(c *record.Claims) {
		c.Agreement, c.Method, c.Notice, c.Circumstances, c.Bases = agreement, "", record.Notice{}, "", nil
	}
}

// The rows are from the design (axes 2 to 4) and the statutes it names, not from the code.
func TestTheLawOfARecord(t *testing.T) {
	all := record.Gate{Pathway: "duty-to-refer", Agreements: []string{"authority", "referral", "contact-details"}, Authority: "E09000007"}
	gate := func(change func(*record.Gate)) record.Gate {
		g := all
		change(&g)
		return g
	}
	rows := []lawRow{
		{"no basis", "basis", func(c *record.Claims) { c.Bases = nil }},
		{"another's basis alone", "basis", func(c *record.Claims) { c.Bases = record.Bases{{Controller: "borough", Article6: "d"}} }},
		{"two of one controller", "basis.controller", func(c *record.Claims) { c.Bases = append(c.Bases, c.Bases[0]) }},
		{"of nobody", "basis.controller", func(c *record.Claims) { c.Bases[0].Controller = "The Charity" }},
		{"consent", "", basis(record.Basis{Article6: "a"})},
		{"a letter that is none", "basis.art6", basis(record.Basis{Article6: "g"})},
		{"no letter", "basis.art6", basis(record.Basis{})},
		{"ea without its condition", "basis.ea_condition", basis(record.Basis{Article6: "ea"})},
		{"ea with another", "basis.ea_condition", basis(record.Basis{Article6: "ea", Condition: "marketing"})},
		{"ea, safeguarding", "", basis(record.Basis{Article6: "ea", Condition: "safeguarding"})},
		{"f with the condition of ea", "basis.ea_condition", basis(record.Basis{Article6: "f", Condition: "safeguarding"})},
		{"c without a law", "basis.provision", basis(record.Basis{Article6: "c"})},
		{"e without a law", "basis.provision", basis(record.Basis{Article6: "e"})},
		{"e, Care Act", "", basis(record.Basis{Article6: "e", Provision: "Care Act 2014 s42"})},
		{"c, regulations", "", basis(record.Basis{Article6: "c", Provision: "Homelessness (Review Procedure etc.) Regulations 2018 reg 10"})},
		{"prose for a law", "basis.provision", basis(record.Basis{Article6: "e", Provision: "she told me to"})},
		{"prose before a law", "basis.provision", basis(record.Basis{Article6: "e", Provision: "Her brother beats her, Care Act 2014 s42"})},
		{"e, a long title", "", basis(record.Basis{Article6: "e", Provision: "Police, Crime, Sentencing and Courts Act 2022 s44"})},
		{"a name behind a law", "basis.provision", basis(record.Basis{Article6: "e", Provision: "Care Act 2014 s42 Jane Roe"})},
		{"law enforcement", "", basis(record.Basis{Article6: "le-part3"})},
		{"law enforcement with Article 9", "basis.art9", basis(record.Basis{Article6: "le-part3", Article9: "a"})},

		{"health without a condition", "basis.art9", sharing("health", record.Basis{Article6: "f"})},
		{"risk without a condition", "basis.art9", sharing("risk", record.Basis{Article6: "f"})},
		{"access needs without a condition", "basis.art9", sharing("access-needs", record.Basis{Article6: "f"})},
		{"history without a condition", "basis.art9", sharing("history", record.Basis{Article6: "f"})},
		{"health that is withheld", "", func(c *record.Claims) {
			sharing("health", record.Basis{Article6: "f"})(c)
			c.Withheld = []string{"health"}
		}},
		{"health, explicit consent", "", sharing("health", record.Basis{Article6: "f", Article9: "a"})},
		{"not-for-profit bodies", "basis.art9", sharing("health", record.Basis{Article6: "f", Article9: "d"})},
		{"g without a paragraph", "basis.schedule1", sharing("health", record.Basis{Article6: "f", Article9: "g"})},
		{"g with that of h", "basis.schedule1", sharing("health", record.Basis{Article6: "f", Article9: "g", Schedule1: "2"})},
		{"h with its own", "", sharing("health", record.Basis{Article6: "f", Article9: "h", Schedule1: "2"})},
		{"a with a paragraph", "basis.schedule1", sharing("health", record.Basis{Article6: "f", Article9: "a", Schedule1: "18"})},
		{"safeguarding without its reason", "basis.schedule1_18_reason", sharing("risk", record.Basis{Article6: "f", Article9: "g", Schedule1: "18", Policy: "APD-1"})},
		{"safeguarding with another", "basis.schedule1_18_reason", sharing("risk", record.Basis{Article6: "f", Article9: "g", Schedule1: "18", Safeguarding: "she said no", Policy: "APD-1"})},
		{"safeguarding without a policy", "basis.policy", sharing("risk", record.Basis{Article6: "f", Article9: "g", Schedule1: "18", Safeguarding: "cannot-give"})},
		{"safeguarding", "", sharing("risk", record.Basis{Article6: "f", Article9: "g", Schedule1: "18", Safeguarding: "would-prejudice", Policy: "APD-1"})},
		{"its reason elsewhere", "basis.schedule1_18_reason", sharing("risk", record.Basis{Article6: "f", Article9: "g", Schedule1: "10", Safeguarding: "cannot-give", Policy: "APD-1"})},
		{"prose for a policy", "basis.policy", sharing("risk", record.Basis{Article6: "f", Article9: "g", Schedule1: "10", Policy: "our policy"})},
		{"justice without Article 10", "basis.art10", sharing("justice", record.Basis{Article6: "f"})},
		{"justice, official authority", "", sharing("justice", record.Basis{Article6: "f", Article10: "official-authority"})},
		{"justice, Schedule 1 without a paragraph", "basis.schedule1", sharing("justice", record.Basis{Article6: "f", Article10: "schedule-1"})},
		{"justice, Schedule 1", "", sharing("justice", record.Basis{Article6: "f", Article10: "schedule-1", Schedule1: "33"})},
		{"another ground for Article 10", "basis.art10", sharing("justice", record.Basis{Article6: "f", Article10: "interest"})},

		{"no gate", "gate.pathway", pathway("housing", record.Gate{})},
		{"a homelessness referral without its gate", "gate.pathway", pathway("duty-to-refer", record.Gate{Pathway: "none"})},
		{"its gate for something else", "gate.pathway", pathway("housing", all)},
		{"a homelessness referral", "", pathway("duty-to-refer", all)},
		{"two of three agreements", "gate.agreements", pathway("duty-to-refer", gate(func(g *record.Gate) { g.Agreements = []string{"referral", "authority"} }))},
		{"one three times", "gate.agreements", pathway("duty-to-refer", gate(func(g *record.Gate) { g.Agreements = []string{"referral", "referral", "referral"} }))},
		{"no authority", "gate.authority", pathway("duty-to-refer", gate(func(g *record.Gate) { g.Authority = "" }))},
		{"an authority by name", "gate.authority", pathway("duty-to-refer", gate(func(g *record.Gate) { g.Authority = "Camden" }))},
		{"an authority elsewhere in England", "", pathway("duty-to-refer", gate(func(g *record.Gate) { g.Authority = "E08000003" }))},
		{"an authority where no gate needs one", "gate.authority", pathway("housing", record.Gate{Pathway: "none", Authority: "E09000007"})},
		{"agreements where no gate needs them", "gate.agreements", pathway("housing", record.Gate{Pathway: "none", Agreements: []string{"referral"}})},
		{"a homelessness referral decided for her", "gate.pathway", func(c *record.Claims) {
			pathway("duty-to-refer", all)(c)
			c.Agreement, c.Method, c.Notice, c.Sealed = record.BestInterests, "", record.Notice{}, map[string]string{"capacity": digestOf("x")}
		}},
		{"NRM without its gate", "gate.pathway", pathway("nrm", record.Gate{Pathway: "none"})},
		{"NRM of a child", "gate.pathway", pathway("nrm", record.Gate{Pathway: "nrm-child"})},
		{"NRM of an adult", "", pathway("nrm", record.Gate{Pathway: "nrm-adult"})},
		{"NRM decided for her", "", func(c *record.Claims) {
			pathway("nrm", record.Gate{Pathway: "nrm-adult"})(c)
			c.Agreement, c.Method, c.Notice, c.Sealed = record.BestInterests, "", record.Notice{}, map[string]string{"capacity": digestOf("x")}
		}},
		{"NRM, not asked", "gate.pathway", func(c *record.Claims) {
			pathway("nrm", record.Gate{Pathway: "nrm-adult"})(c)
			notAsked("not-asked-unsafe")(c)
		}},
		{"MARAC", "", pathway("marac", record.Gate{Pathway: "marac"})},
		{"GP registration", "", pathway("gp-registration", record.Gate{Pathway: "gp-registration"})},
		{"an adult at risk", "", pathway("housing", record.Gate{Pathway: "care-act-s42"})},
		{"protection from harm, an adult at risk", "", pathway("protect-from-harm", record.Gate{Pathway: "care-act-s42"})},

		{"asking was unsafe", "", notAsked("not-asked-unsafe")},
		{"asking was impossible", "", notAsked("not-asked-impracticable")},
		{"not asked, by phone", "method", func(c *record.Claims) { notAsked("not-asked-unsafe")(c); c.Method = "verbal-phone" }},
		{"not asked, with a notice", "notice", func(c *record.Claims) {
			notice := c.Notice
			notAsked("not-asked-unsafe")(c)
			c.Notice = notice
		}},
		{"decided for her without the decision", "sealed.capacity", func(c *record.Claims) {
			c.Agreement, c.Method, c.Notice = record.BestInterests, "", record.Notice{}
		}},
		{"a no needs no basis", "", func(c *record.Claims) { c.Agreement, c.Bases = "refused", nil }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := agreed()
			row.set(&c)
			err := consentOf(t, membersOf(t, c))
			if row.claim == "" && err != nil {
				t.Error(err)
			} else if row.claim != "" {
				refused(t, err, record.ErrClaim, "claim", row.claim)
			}
		})
	}
}

func TestABasisIsItsControllersToRelyOn(t *testing.T) {
	categories := map[string]string{"charity": "vawg-service", "borough": "housing", "met": "police"}
	of := func(partner string) string { return categories[partner] }
	for _, row := range []struct {
		controller, art6 string
		ok               bool
	}{
		{"charity", "ea", true}, {"charity", "f", true}, {"charity", "e", true}, {"charity", "le-part3", false},
		{"borough", "ea", false}, {"borough", "f", false}, {"borough", "e", true}, {"borough", "le-part3", false},
		{"category:housing", "ea", false}, {"category:primary-care", "f", false}, {"category:vawg-service", "ea", true},
		{"met", "le-part3", true}, {"met", "ea", false}, {"met", "e", true}, {"category:police", "le-part3", true},
		{"stranger", "le-part3", false},
	} {
		err := record.Bases{{Controller: row.controller, Article6: row.art6}}.SuitCategory(of)
		if row.ok && err != nil {
			t.Errorf("%s %s: %v", row.controller, row.art6, err)
		} else if !row.ok {
			refused(t, err, record.ErrClaim, "claim", "basis.art6")
		}
	}
}
