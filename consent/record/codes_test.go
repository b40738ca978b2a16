package record_test

import (
	"maps"
	"slices"
	"testing"

	"handover/consent/record"
	"handover/internal/codes"
)

// The lists that a record's codes come from, from the design: a code more or less is
// a change that a data protection officer signs off.
func TestCodesOfARecord(t *testing.T) {
	for name, row := range map[string]struct {
		list codes.List
		want []string
	}{
		"agreement": {record.Agreements(), []string{"agreed", "refused", "not-asked-unsafe", "not-asked-impracticable", "lacks-capacity-best-interests"}},
		"method":    {record.Methods(), []string{"verbal-in-person", "verbal-phone", "written", "digital", "signed-form"}},
		"onward":    {record.Onwards(), []string{"none", "ask-each-time", "named"}},

		"Article 6":            {record.Articles6(), []string{"a", "b", "c", "d", "e", "ea", "f", "le-part3"}},
		"recognised interests": {record.Recognised(), []string{"public-task-request", "emergency", "crime", "safeguarding"}},
		"Article 9":            {record.Articles9(), []string{"a", "c", "f", "g", "h", "i", "j"}},
		"Article 10":           {record.Articles10(), []string{"schedule-1", "official-authority"}},
		"Schedule 1":           {record.Schedules1(), []string{"2", "3", "4", "6", "10", "17", "18", "29", "30", "33"}},
		"paragraph 18":         {record.Safeguardings(), []string{"cannot-give", "cannot-obtain", "would-prejudice"}},
		"gate":                 {record.Pathways(), []string{"none", "duty-to-refer", "nrm-adult", "nrm-child", "duty-to-notify", "marac", "care-act-s42", "gp-registration"}},
		"duty to refer":        {record.DutyAgreements(), []string{"referral", "contact-details", "authority"}},
		"coercion":             {record.Coercions(), []string{"none", "suspected", "present"}},
		"interpreter":          {record.Interpreters(), []string{"none", "professional", "staff", "other"}},
		"capacity":             {record.Capacities(), []string{"presumed", "has", "doubt", "lacks"}},
		"answers":              {record.RecallAnswers(), []string{"deleted", "kept", "goes-on", "ends"}},
		"kept because":         {record.KeepReasons(), []string{"legal-obligation", "public-task", "health-record", "safeguarding", "legal-claims", "law-enforcement"}},
		"lines of enquiry":     {record.Enquiries(), []string{"what-happened", "who-did-it", "where-and-when", "other-victims", "points-away", "prevent-crime"}},
		"police need it":       {record.Necessities(), []string{"not-elsewhere", "she-cannot-say", "decides-the-enquiry", "risk-to-life", "probative"}},
		"ranks":                {record.Ranks(), []string{"inspector", "chief-inspector", "superintendent", "chief-officer", "equivalent"}},
		"notice":               {record.InquiryNotices(), []string{"given", "to-be-given", "withheld"}},
		"notice withheld":      {record.WithheldReasons(), []string{"not-practicable", "would-interfere", "serious-harm", "inappropriate"}},
		"yes to the police":    {record.InquiryReasons(), []string{"tests-met", "she-agrees", "life-at-risk", "obliged"}},
		"no to the police": {record.NoReasons(), []string{"no-such-person", "not-held", "no-line-of-enquiry", "not-necessary", "less-intrusive",
			"counselling", "she-objects", "safety", "no-notice", "not-checked"}},
		"not told of a no": {record.InquiryNotToldReasons(), append(record.NotToldReasons().Codes(), "nobody-to-tell")},
		"sealed":           {record.SealedParts(), []string{"her-words", "capacity", "circumstances"}},
	} {
		if !slices.Equal(row.list.Codes(), row.want) {
			t.Errorf("%s: %v, want %v", name, row.list.Codes(), row.want)
		}
		labels := map[string]bool{}
		for _, c := range row.list {
			labels[c.Label] = true
			if c.Source == "" {
				t.Errorf("%s: %s comes from nowhere", name, c.Code)
			}
		}
		if len(labels) != len(row.list) || slices.Contains(slices.Collect(maps.Keys(labels)), "") {
			t.Errorf("%s: a label is empty or there twice", name)
		}
	}
}
