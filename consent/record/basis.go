package record

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"handover/internal/codes"
	"handover/internal/ids"
)

// Basis is what one controller relies on in data-protection law: axes 2 and 3. What she
// said (axis 1) is not it: the charity and the borough in one referral have different
// ones, and neither need be her consent.
type Basis struct {
	Controller   string `json:"controller"`                    // partner id, or category:NAME
	Article6     string `json:"art6"`                          // one of Articles6
	Condition    string `json:"ea_condition,omitempty"`        // of ea: one of Recognised
	Provision    string `json:"provision,omitempty"`           // of c and e: the Act, its year and section
	Article9     string `json:"art9,omitempty"`                // one of Articles9
	Article10    string `json:"art10,omitempty"`               // one of Articles10
	Schedule1    string `json:"schedule1,omitempty"`           // paragraph of DPA 2018 Schedule 1
	Safeguarding string `json:"schedule1_18_reason,omitempty"` // of paragraph 18: one of Safeguardings
	Policy       string `json:"policy,omitempty"`              // reference of the appropriate policy document
}

// Articles6 are the lawful bases.
func Articles6() codes.List {
	return codes.List{
		{Code: "a", Label: "consent, in the sense of data-protection law", Source: "UK GDPR Art 6(1)(a)"},
		{Code: "b", Label: "a contract with her", Source: "UK GDPR Art 6(1)(b)"},
		{Code: "c", Label: "a legal obligation", Source: "UK GDPR Art 6(1)(c)"},
		{Code: "d", Label: "vital interests", Source: "UK GDPR Art 6(1)(d)"},
		{Code: "e", Label: "a public task", Source: "UK GDPR Art 6(1)(e)"},
		{Code: "ea", Label: "a recognised legitimate interest", Source: "UK GDPR Art 6(1)(ea), Data (Use and Access) Act 2025 s70"},
		{Code: "f", Label: "legitimate interests", Source: "UK GDPR Art 6(1)(f)"},
		{Code: "le-part3", Label: "law enforcement, outside Articles 6 and 9", Source: "Data Protection Act 2018 Part 3"},
	}
}

// Recognised are the conditions of a recognised legitimate interest.
func Recognised() codes.List {
	return codes.List{
		{Code: "public-task-request", Label: "a public body asked for it for its task", Source: "UK GDPR Annex 1, disclosure for a public task"},
		{Code: "emergency", Label: "responding to an emergency", Source: "UK GDPR Annex 1, emergencies"},
		{Code: "crime", Label: "detecting, investigating or preventing crime", Source: "UK GDPR Annex 1, crime"},
		{Code: "safeguarding", Label: "safeguarding a vulnerable individual", Source: "UK GDPR Annex 1, safeguarding vulnerable individuals"},
	}
}

// Articles9 are the conditions for special category data. Article 9(2)(d), not-for-profit
// bodies, is not offered: it is for political, philosophical, religious or trade-union
// aims and forbids disclosure outside.
func Articles9() codes.List {
	return codes.List{
		{Code: "a", Label: "her explicit consent", Source: "UK GDPR Art 9(2)(a)"},
		{Code: "c", Label: "vital interests, where she cannot consent", Source: "UK GDPR Art 9(2)(c)"},
		{Code: "f", Label: "legal claims", Source: "UK GDPR Art 9(2)(f)"},
		{Code: "g", Label: "substantial public interest", Source: "UK GDPR Art 9(2)(g)"},
		{Code: "h", Label: "health or social care", Source: "UK GDPR Art 9(2)(h)"},
		{Code: "i", Label: "public health", Source: "UK GDPR Art 9(2)(i)"},
		{Code: "j", Label: "archiving, research or statistics", Source: "UK GDPR Art 9(2)(j)"},
	}
}

// Articles10 are the grounds for data about offences.
func Articles10() codes.List {
	return codes.List{
		{Code: "schedule-1", Label: "a condition of Schedule 1", Source: "UK GDPR Art 10, Data Protection Act 2018 s10(5)"},
		{Code: "official-authority", Label: "under the control of official authority", Source: "UK GDPR Art 10"},
	}
}

// Schedules1 are the paragraphs of Schedule 1 that the exchange offers.
func Schedules1() codes.List {
	return codes.List{
		{Code: "2", Label: "health or social care purposes", Source: "Data Protection Act 2018 Sch 1 para 2"},
		{Code: "3", Label: "public health", Source: "Data Protection Act 2018 Sch 1 para 3"},
		{Code: "4", Label: "research and statistics", Source: "Data Protection Act 2018 Sch 1 para 4"},
		{Code: "6", Label: "statutory and government purposes", Source: "Data Protection Act 2018 Sch 1 para 6"},
		{Code: "10", Label: "preventing or detecting unlawful acts", Source: "Data Protection Act 2018 Sch 1 para 10"},
		{Code: "17", Label: "counselling", Source: "Data Protection Act 2018 Sch 1 para 17"},
		{Code: "18", Label: "safeguarding of children and of individuals at risk", Source: "Data Protection Act 2018 Sch 1 para 18"},
		{Code: "29", Label: "consent, for data about offences", Source: "Data Protection Act 2018 Sch 1 para 29"},
		{Code: "30", Label: "vital interests, for data about offences", Source: "Data Protection Act 2018 Sch 1 para 30"},
		{Code: "33", Label: "legal claims, for data about offences", Source: "Data Protection Act 2018 Sch 1 para 33"},
	}
}

// Safeguardings are the three reasons of which paragraph 18 needs one. It is no way round
// a capable adult's no.
func Safeguardings() codes.List {
	return codes.List{
		{Code: "cannot-give", Label: "she cannot give consent", Source: "Data Protection Act 2018 Sch 1 para 18(2)(a)"},
		{Code: "cannot-obtain", Label: "her consent cannot reasonably be expected to be obtained", Source: "Data Protection Act 2018 Sch 1 para 18(2)(b)"},
		{Code: "would-prejudice", Label: "asking would prejudice the protection", Source: "Data Protection Act 2018 Sch 1 para 18(2)(c)"},
	}
}

// schedulesOf are the paragraphs that go with each letter of Article 9(2); a letter that
// is not here needs none.
func schedulesOf() map[string][]string {
	return map[string][]string{"g": {"6", "10", "17", "18"}, "h": {"2"}, "i": {"3"}, "j": {"4"}}
}

// SchedulesFor lists the paragraphs of Schedule 1 of which a condition of Article 9 and a
// ground of Article 10 need one; none if they need none.
func SchedulesFor(article9, article10 string) []string {
	paragraphs := slices.Clone(schedulesOf()[article9])
	if article10 == "schedule-1" {
		paragraphs = append(paragraphs, "6", "10", "17", "18", "29", "30", "33")
	}
	slices.SortFunc(paragraphs, func(a, b string) int { return cmp.Or(len(a)-len(b), cmp.Compare(a, b)) })
	return slices.Compact(paragraphs)
}

// NeedsPolicy reports whether a paragraph of Schedule 1 needs an appropriate policy document.
func NeedsPolicy(paragraph string) bool {
	return paragraph != "" && !slices.Contains(noPolicy(), paragraph)
}

// noPolicy are the paragraphs that need no appropriate policy document (Schedule 1 Part 1
// paras 2 to 4, and Part 3).
func noPolicy() []string { return []string{"2", "3", "4", "29", "30", "33"} }

// PublicAuthorities are the categories of partner that are judged as public authorities:
// for their own tasks neither ea nor f is theirs to rely on (UK GDPR Art 6(1), last
// paragraph, as amended). A charity that works under contract in one of these categories
// is judged so too, on the side of caution.
func PublicAuthorities() []string {
	return []string{"borough-outreach", "housing", "primary-care", "mental-health", "social-care", "police", "oversight"}
}

// SpecialSections are the classes that count as special category data (UK GDPR Art 9(1)):
// health, and what tells of her sex life or of harm done to her.
func SpecialSections() []string { return []string{"health", "access-needs", "risk", "history"} }

// OffenceSections are the classes that count as data about offences (UK GDPR Art 10).
func OffenceSections() []string { return []string{"justice"} }

var (
	// A provision is an Act or instrument as it is titled, its year, and where in it: no room
	// for prose.
	provisionPattern = regexp.MustCompile(`^[A-Z][A-Za-z'-]+,?( \(?([A-Z][A-Za-z'-]*|of|and|the|for|in|to|etc\.)[),]?){0,12} (Act|Regulations|Order|Rules) (19|20)[0-9]{2}( (s|ss|reg|regs|art|Sch|para) ?[0-9A-Za-z().-]{1,20}){0,3}$`)
	policyPattern    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$`)
)

// IsProvision reports whether s names a law as a basis states it: the Act or instrument, its
// year, and where in it.
func IsProvision(s string) bool { return provisionPattern.MatchString(s) }

// IsPolicy reports whether s has the form of the reference of a policy document.
func IsPolicy(s string) bool { return policyPattern.MatchString(s) }

// fault names the first member that is not as it must be, for what is shared.
func (b Basis) fault(sections []string) string {
	switch {
	case !ids.IsName(strings.TrimPrefix(b.Controller, CategoryPrefix)):
		return "basis.controller"
	case !Articles6().Has(b.Article6):
		return "basis.art6"
	case (b.Article6 == "ea") != (b.Condition != ""), b.Condition != "" && !Recognised().Has(b.Condition):
		return "basis.ea_condition"
	case slices.Contains([]string{"c", "e"}, b.Article6) && b.Provision == "", b.Provision != "" && !IsProvision(b.Provision):
		return "basis.provision"
	}
	if b.Article6 == "le-part3" {
		return b.enforcement()
	}
	if bad := b.category(); bad != "" {
		return bad
	}
	special := slices.ContainsFunc(sections, func(s string) bool { return slices.Contains(SpecialSections(), s) })
	offence := slices.ContainsFunc(sections, func(s string) bool { return slices.Contains(OffenceSections(), s) })
	switch {
	case special && b.Article9 == "":
		return "basis.art9"
	case offence && b.Article10 == "":
		return "basis.art10"
	}
	return ""
}

// enforcement checks a basis for law enforcement, to which Articles 6, 9 and 10 do not apply.
func (b Basis) enforcement() string {
	if b.Article9 != "" || b.Article10 != "" || b.Schedule1 != "" || b.Safeguarding != "" || b.Policy != "" {
		return "basis.art9"
	}
	return ""
}

// category checks the conditions for special category data and data about offences, and
// the paragraph of Schedule 1 that they need.
func (b Basis) category() string {
	paragraphs := SchedulesFor(b.Article9, b.Article10)
	switch {
	case b.Article9 != "" && !Articles9().Has(b.Article9):
		return "basis.art9"
	case b.Article10 != "" && !Articles10().Has(b.Article10):
		return "basis.art10"
	case (len(paragraphs) > 0) != (b.Schedule1 != ""), b.Schedule1 != "" && !slices.Contains(paragraphs, b.Schedule1):
		return "basis.schedule1"
	case (b.Schedule1 == "18") != (b.Safeguarding != ""), b.Safeguarding != "" && !Safeguardings().Has(b.Safeguarding):
		return "basis.schedule1_18_reason"
	case NeedsPolicy(b.Schedule1) && b.Policy == "", b.Policy != "" && !IsPolicy(b.Policy):
		return "basis.policy"
	}
	return ""
}

// Bases are the bases of a statement, one for each controller.
type Bases []Basis

// fault checks them for what the issuer shares: the issuer's own is needed, nobody has two.
func (b Bases) fault(issuer string, sections []string) string {
	seen := map[string]bool{}
	for _, basis := range b {
		if bad := basis.fault(sections); bad != "" {
			return bad
		}
		if seen[basis.Controller] {
			return "basis.controller"
		}
		seen[basis.Controller] = true
	}
	if !seen[issuer] || len(b) > 33 {
		return "basis"
	}
	return ""
}

// SuitCategory refuses a basis that is not its controller's to rely on, given the category of each
// controller that is a partner: ea and f for the own tasks of a public authority, and
// law-enforcement processing for anybody but the police.
func (b Bases) SuitCategory(of func(partner string) (category string)) error {
	for _, basis := range b {
		category, named := strings.CutPrefix(basis.Controller, CategoryPrefix)
		if !named {
			category = of(basis.Controller)
		}
		public := slices.Contains(PublicAuthorities(), category)
		if public && (basis.Article6 == "ea" || basis.Article6 == "f") || (basis.Article6 == "le-part3") && category != "police" {
			return bad("basis.art6")
		}
	}
	return nil
}
