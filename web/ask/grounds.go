package ask

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"handover/consent/record"
	"handover/internal/codes"
	"handover/web/shell"
)

// Grounds are what an agency relies on in data protection law for something that it shares:
// what its worker chose, or what agencies of its kind usually do. They are apart from what the
// woman said, since neither answers the other's question.
type Grounds struct {
	Sheet     Sheet
	Prefix    string // of its answers in the draft
	Category  string // of the agency
	Purpose   string
	Agreement string
	Sections  []string
}

// The members of a basis that a draft keeps, in the order of the page.
const (
	article6     = "art6"
	condition    = "ea_condition"
	provision    = "provision"
	article9     = "art9"
	article10    = "art10"
	schedule1    = "schedule1"
	safeguarding = "schedule1_18_reason"
	policy       = "policy"
	pathway      = "pathway"
)

func (g Grounds) said(member string) string { return g.Sheet.One(g.Prefix + member) }

// Basis is what the agency relies on. Whose it is, whoever records it says.
func (g Grounds) Basis() record.Basis {
	if g.said(article6) == "" {
		return g.usual().Basis(g.Category, g.Agreement, g.Sections)
	}
	return record.Basis{Article6: g.said(article6), Condition: g.said(condition), Provision: g.said(provision), Article9: g.said(article9),
		Article10: g.said(article10), Schedule1: g.said(schedule1), Safeguarding: g.said(safeguarding), Policy: g.said(policy)}
}

func (g Grounds) usual() record.Usual { return record.UsualOf(g.Category, g.Purpose) }

// Source is where that comes from which is usual.
func (g Grounds) Source() string { return g.usual().Source }

// Pathway is the statutory gate.
func (g Grounds) Pathway() string {
	return cmp.Or(g.said(pathway), record.PathwaysFor(g.Purpose)[0])
}

// Lacks returns what is missing, as the field of the page and in words; "" if nothing is.
func (g Grounds) Lacks() (field, why string) {
	lacks := g.Basis().Lacks(g.Category, g.Sections)
	if lacks == "" {
		return "", ""
	}
	return g.Prefix + strings.TrimPrefix(lacks, "basis."), record.Why(lacks)
}

// Questions are those of the page on which a worker chooses otherwise than is usual. Where she
// did not agree, nothing that is called her consent is among the answers: to name it and share
// against her word would deceive her twice.
func (g Grounds) Questions() Questions {
	b := g.Basis()
	articles, nine, paragraphs := record.Articles6(), record.Articles9(), record.Schedules1()
	if slices.Contains(record.PublicAuthorities(), g.Category) {
		articles = Without(articles, "ea", "f")
	}
	if g.Category != "police" {
		articles = Without(articles, "le-part3")
	}
	if g.Agreement != "agreed" {
		articles, nine, paragraphs = Without(articles, "a"), Without(nine, "a"), Without(paragraphs, "29")
	}
	pick := func(member, label, none string, list codes.List, chosen string) shell.Field {
		return Select(g.Prefix+member, label, none, list, chosen)
	}
	q := Questions{
		pick(article6, "Lawful basis", "Choose one", articles, b.Article6),
		pick(condition, "Which recognised interest", "None: it is another basis", record.Recognised(), b.Condition),
		{Kind: "text", Name: g.Prefix + provision, Label: "The law your agency acts under", Value: b.Provision, Max: 120,
			Hint: "For a legal obligation or a public task: the Act, its year and the section, such as Care Act 2014 s42. Write nothing about her."},
		pick(article9, "Condition for sensitive information", "None: nothing sensitive is shared", nine, b.Article9),
		pick(article10, "Ground for contact with the justice system", "None: it is not shared", record.Articles10(), b.Article10),
		pick(schedule1, "Paragraph of Schedule 1", "None", paragraphs, b.Schedule1),
		pick(safeguarding, "Reason, if it is paragraph 18", "None", record.Safeguardings(), b.Safeguarding),
		{Kind: "text", Name: g.Prefix + policy, Label: "Your appropriate policy document", Value: b.Policy, Max: 60, Width: "govuk-input--width-20",
			Hint: "Its reference, without spaces, such as APD-2026-1. Your data protection lead knows it. Write nothing about her."},
	}
	if paths := record.PathwaysFor(g.Purpose); len(paths) > 1 {
		q = append(q, Radios(g.Prefix+pathway, "Does one of these stand before it?", Only(record.Pathways(), paths), g.Pathway()))
	}
	return q
}

// Take takes what was chosen, and returns the questions with what is wrong with it.
func (g Grounds) Take(form url.Values) Questions {
	for _, f := range g.Questions() {
		g.Sheet.Set(f.Name, strings.TrimSpace(form.Get(f.Name)))
	}
	if !record.Articles6().Has(g.said(article6)) {
		g.Sheet.Set(g.Prefix+article6, "")
		q := g.Questions()
		q.Wrong(g.Prefix+article6, record.Why("basis.art6"))
		return q
	}
	if !slices.Contains(record.PathwaysFor(g.Purpose), g.said(pathway)) {
		delete(g.Sheet.Answers, g.Prefix+pathway)
	}
	q := g.Questions()
	if field, why := g.Lacks(); field != "" {
		q.Wrong(field, why)
	}
	return q
}

// BasisInWords says what an agency relies on, the law last.
func BasisInWords(b record.Basis) []string {
	words := []string{Upper(record.Articles6().Label(b.Article6)) + " (Article 6 " + b.Article6 + ")"}
	add := func(said, text string) {
		if said != "" {
			words = append(words, text)
		}
	}
	add(b.Condition, Upper(record.Recognised().Label(b.Condition)))
	add(b.Provision, b.Provision)
	add(b.Article9, "For sensitive information: "+record.Articles9().Label(b.Article9)+" (Article 9 "+b.Article9+")")
	add(b.Article10, "For contact with the justice system: "+record.Articles10().Label(b.Article10)+" (Article 10)")
	add(b.Schedule1, "Data Protection Act 2018 Schedule 1 paragraph "+b.Schedule1+": "+record.Schedules1().Label(b.Schedule1))
	add(b.Safeguarding, Upper(record.Safeguardings().Label(b.Safeguarding)))
	add(b.Policy, "Policy document "+b.Policy)
	return words
}
