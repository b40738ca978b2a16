package record

import (
	"slices"

	"handover/internal/codes"
)

// Gate is the statutory gate of the pathway: axis 4. Some gates need her agreement, and
// no override passes them.
type Gate struct {
	Pathway    string   `json:"pathway"`              // one of Pathways
	Agreements []string `json:"agreements,omitempty"` // of duty-to-refer: all of DutyAgreements
	Authority  string   `json:"authority,omitempty"`  // of duty-to-refer: GSS code of the authority she chose
}

// Pathways are the statutory gates.
func Pathways() codes.List {
	return codes.List{
		{Code: "none", Label: "no statutory gate", Source: "Handover"},
		{Code: "duty-to-refer", Label: "homelessness referral to a housing authority", Source: "Housing Act 1996 s213B"},
		{Code: "nrm-adult", Label: "National Referral Mechanism, adult", Source: "Modern Slavery Act 2015 s49 statutory guidance"},
		{Code: "nrm-child", Label: "National Referral Mechanism, child", Source: "Modern Slavery Act 2015 s49 statutory guidance"},
		{Code: "duty-to-notify", Label: "duty to notify the Home Office, which can be anonymous", Source: "Modern Slavery Act 2015 s52"},
		{Code: "marac", Label: "multi-agency risk assessment conference", Source: "SafeLives MARAC guidance"},
		{Code: "care-act-s42", Label: "enquiry about an adult at risk", Source: "Care Act 2014 s42"},
		{Code: "gp-registration", Label: "registering with a GP practice", Source: "GMS Contracts Regulations 2015 Sch 3"},
	}
}

// DutyAgreements are the three things she must have agreed to for a homelessness referral
// (Housing Act 1996 s213B(2) and (3)).
func DutyAgreements() codes.List {
	return codes.List{
		{Code: "referral", Label: "to being referred", Source: "Housing Act 1996 s213B(2)(a)"},
		{Code: "contact-details", Label: "to her contact details being passed on", Source: "Housing Act 1996 s213B(2)(b)"},
		{Code: "authority", Label: "to which authority: she chose it", Source: "Housing Act 1996 s213B(3)(b)"},
	}
}

// pathwaysOf are the gates that each purpose can have. A purpose that is not here has
// none, or an enquiry about an adult at risk. Children's gates are in no row: this
// version is for adults.
func pathwaysOf() map[string][]string {
	return map[string][]string{
		"duty-to-refer":     {"duty-to-refer"},
		"nrm":               {"nrm-adult"},
		"marac":             {"marac"},
		"gp-registration":   {"gp-registration"},
		"protect-from-harm": {"none", "care-act-s42", "duty-to-notify", "marac"},
	}
}

// PathwaysFor lists the gates that a purpose can have.
func PathwaysFor(purpose string) []string {
	if paths, ok := pathwaysOf()[purpose]; ok {
		return paths
	}
	return []string{"none", "care-act-s42"}
}

// NeedsAgreement reports whether a pathway's gate needs her agreement, so that no override
// passes it.
func NeedsAgreement(pathway string) bool {
	return pathway == "duty-to-refer" || pathway == "nrm-adult"
}

// fault names the first member that is not as it must be for the purpose and what she said.
func (g Gate) fault(purpose, agreement string) string {
	switch {
	case !Pathways().Has(g.Pathway), !slices.Contains(PathwaysFor(purpose), g.Pathway):
		return "gate.pathway"
	case g.Pathway != "duty-to-refer":
		if len(g.Agreements) > 0 {
			return "gate.agreements"
		}
		if g.Authority != "" {
			return "gate.authority"
		}
		if g.Pathway == "nrm-adult" && !slices.Contains([]string{"agreed", "refused", BestInterests}, agreement) {
			return "gate.pathway"
		}
		return ""
	case agreement == "refused":
		return ""
	case agreement != "agreed":
		return "gate.pathway"
	case !slices.Equal(slices.Sorted(slices.Values(g.Agreements)), slices.Sorted(slices.Values(DutyAgreements().Codes()))):
		return "gate.agreements"
	case !codes.IsArea(g.Authority):
		return "gate.authority"
	}
	return ""
}
