package record

import "slices"

// Usual is what agencies of some kinds most often rely on. It is a suggestion for the one who
// asks, who may choose another; what each agency relies on, its data protection lead decides.
type Usual struct {
	Categories []string // of the agency that relies on it
	Purposes   []string // for which it counts; none: any
	Article6   string
	Condition  string
	Provision  string
	Source     string // why it is suggested
}

// Usuals are the suggestions, the first that fits counts. Kinds of agency that are not here
// rely on legitimate interests (Article 6(1)(f)).
func Usuals() []Usual {
	health := []string{"primary-care", "mental-health", "social-care"}
	return []Usual{
		{Categories: PublicAuthorities(), Purposes: []string{"duty-to-refer"}, Article6: "e", Provision: "Housing Act 1996 s213B",
			Source: "Housing Act 1996 s213B(2): the duty to notify a housing authority"},
		{Categories: []string{"social-care", "borough-outreach"}, Purposes: []string{"protect-from-harm"}, Article6: "e", Provision: "Care Act 2014 s42",
			Source: "Care Act 2014 s42: enquiry about an adult at risk"},
		{Categories: health, Article6: "e", Provision: "Health and Social Care Act 2012 s251B",
			Source: "Health and Social Care Act 2012 s251B: the duty to share information about a person's care"},
		{Categories: []string{"housing"}, Article6: "e", Provision: "Housing Act 1996 s179",
			Source: "Housing Act 1996 s179: advice and information about homelessness"},
		{Categories: []string{"borough-outreach"}, Article6: "e", Provision: "Localism Act 2011 s1",
			Source: "Localism Act 2011 s1: a local authority's general power of competence"},
		{Categories: []string{"police"}, Article6: "e", Provision: "Domestic Violence, Crime and Victims Act 2004 s32",
			Source: "the Code of Practice for Victims of Crime, under the Domestic Violence, Crime and Victims Act 2004 s32"},
		{Purposes: []string{"protect-from-harm", "marac"}, Article6: "ea", Condition: "safeguarding",
			Source: "UK GDPR Annex 1, safeguarding vulnerable individuals"},
		{Article6: "f", Source: "ICO, Legitimate interests"},
	}
}

// UsualOf returns what an agency of the category most often relies on for the purpose.
func UsualOf(category, purpose string) Usual {
	for _, u := range Usuals() {
		public := slices.Contains(PublicAuthorities(), category)
		switch {
		case u.Categories != nil && !slices.Contains(u.Categories, category), u.Purposes != nil && !slices.Contains(u.Purposes, purpose):
		case public && (u.Article6 == "ea" || u.Article6 == "f"):
		default:
			return u
		}
	}
	return Usual{Article6: "e", Source: "UK GDPR Art 6(1)(e)"} // which law, it has to say itself
}

// Basis is the suggestion made a basis for what is shared, where she said yes to it, or, with
// another agreement, without her consent in it. It leaves out what only the agency can say: the
// reference of its policy document, and for a kind that is not in the list the law it acts under.
func (u Usual) Basis(category, agreement string, sections []string) Basis {
	b := Basis{Article6: u.Article6, Condition: u.Condition, Provision: u.Provision}
	has := func(classes []string) bool {
		return slices.ContainsFunc(sections, func(s string) bool { return slices.Contains(classes, s) })
	}
	special, offence, agreed := has(SpecialSections()), has(OffenceSections()), agreement == "agreed"
	if !agreed && b.Article6 == "f" {
		b.Article6, b.Condition = "ea", "safeguarding"
	}
	if special {
		b.Article9 = "a"
		switch {
		case slices.Contains([]string{"primary-care", "mental-health", "social-care", "substance-use"}, category):
			b.Article9, b.Schedule1 = "h", "2"
		case !agreed:
			b.Article9, b.Schedule1 = "g", "18"
		}
	}
	if offence {
		b.Article10, b.Schedule1 = "schedule-1", "29"
		if !agreed {
			b.Schedule1 = "18"
		}
	}
	if b.Schedule1 == "18" {
		b.Safeguarding = map[string]string{BestInterests: "cannot-give", "not-asked-impracticable": "cannot-obtain"}[agreement]
		if b.Safeguarding == "" {
			b.Safeguarding = "would-prejudice"
		}
	}
	return b
}

// Lacks returns the claim of the first thing that the basis lacks for what is shared, or "".
func (b Basis) Lacks(category string, sections []string) string {
	if b.Controller == "" {
		b.Controller = "agency" // whose it is, whoever records it says
	}
	if name := b.fault(sections); name != "" {
		return name
	}
	if (Bases{b}).SuitCategory(func(string) string { return category }) != nil {
		return "basis.art6"
	}
	return ""
}
