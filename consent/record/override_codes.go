package record

import "handover/internal/codes"

// Where the codes of an override come from.
const (
	adults    = "SCIE, Safeguarding adults: sharing information"
	care      = "Care and Support Statutory Guidance ch. 14"
	schedule2 = "Data Protection Act 2018 Sch 2 para 2"
)

// Reasons are why something may be shared about her without her agreement.
func Reasons() codes.List {
	return codes.List{
		{Code: CannotConsent, Label: "she cannot decide this now, or cannot be asked", Source: "Mental Capacity Act 2005 s5"},
		{Code: OthersAtRisk, Label: "somebody else is at risk", Source: adults},
		{Code: ChildAtRisk, Label: "a child is at risk", Source: "Children Act 2004 s11, Working Together to Safeguard Children"},
		{Code: "serious-crime", Label: "it may prevent a serious crime", Source: adults},
		{Code: "coercion", Label: "somebody controls her, so her no may not be her own", Source: adults},
		{Code: "marac-high-risk", Label: "the risk to her meets the threshold of a MARAC", Source: "SafeLives MARAC guidance"},
		{Code: "court-or-statute", Label: "a court or a statute requires it", Source: "UK GDPR Art 6(1)(c)"},
		{Code: "emergency", Label: "an emergency: life or serious harm", Source: "ICO data sharing code, urgent or emergency situations"},
	}
}

// The reasons that have to go with something else an override states.
const (
	CannotConsent = "cannot-consent"
	OthersAtRisk  = "others-at-risk"
	ChildAtRisk   = "child-at-risk"
)

// AtRisks are who is at risk.
func AtRisks() codes.List {
	return codes.List{
		{Code: Herself, Label: "she herself", Source: "Care Act 2014 s42"},
		{Code: Child, Label: "a child", Source: "Children Act 1989 s47"},
		{Code: "unborn-child", Label: "an unborn child", Source: "Working Together to Safeguard Children"},
		{Code: "another-adult", Label: "another adult with needs for care or support", Source: "Care Act 2014 s42"},
		{Code: "staff", Label: "a worker", Source: care},
		{Code: "public", Label: "somebody else, or the public", Source: care},
	}
}

// The codes of AtRisks that a reason asks for.
const (
	Herself = "herself"
	Child   = "child"
)

// NotToldReasons are why she has not been told. She is told unless that is dangerous.
func NotToldReasons() codes.List {
	return codes.List{
		{Code: "unsafe", Label: "telling her would put her or somebody else in danger", Source: adults},
		{Code: "would-prejudice", Label: "telling her would prejudice the prevention or detection of crime", Source: schedule2},
		{Code: "could-not-reach", Label: "she could not be reached yet", Source: "UK GDPR Art 14(3)"},
		{Code: "could-not-understand", Label: "she could not understand it now", Source: "Mental Capacity Act 2005 s3"},
		{Code: "forbidden", Label: "a court or a statute forbids telling her", Source: "UK GDPR Art 14(5)(d)"},
	}
}

// OverrideParts are the texts that an override has, each sealed to the recorder's own key.
func OverrideParts() codes.List {
	return codes.List{
		{Code: "necessity", Label: "why this has to be shared without her agreement", Source: "UK GDPR Art 6(1), necessity"},
		{Code: "minimum", Label: "what is shared, and why it is the least that does", Source: "UK GDPR Art 5(1)(c)"},
		{Code: "at-risk", Label: "who is at risk, and of what", Source: adults},
	}
}
