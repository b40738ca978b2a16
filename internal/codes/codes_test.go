package codes_test

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"handover/internal/codes"
)

// TestMain makes the properties draw the same values in every run; -rapid.seed on the
// command line draws others.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.seed", "20261001"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// The lists as the design has them: a code more or less, or in another place, is a
// change of the format that partners build on, and is to be seen here.
func TestListsAreThoseOfTheDesign(t *testing.T) {
	for _, row := range []struct {
		name string
		list codes.List
		want string
	}{
		{"purposes", codes.Purposes(), "emergency-accommodation, housing, duty-to-refer, gp-registration, health-care, mental-health, substance-use, advocacy, exiting-support, outreach, legal-advice, immigration-advice, benefits, nrm, marac, protect-from-harm, handover"},
		{"sections", codes.Sections(), "identity, contact, safe-contact, need, risk, health, access-needs, housing, children, immigration, justice, location, history, note"},
		{"urgencies", codes.Urgencies(), "emergency, urgent, routine"},
		{"decline reasons", codes.DeclineReasons(), "no-capacity, out-of-area, not-eligible, already-known, conflict-of-interest, unsafe, unreadable, other"},
		{"fail reasons", codes.FailReasons(), "could-not-reach, she-declined, moved-away, service-ended, other"},
		{"withdraw reasons", codes.WithdrawReasons(), "consent-withdrawn, no-longer-needed, sent-in-error, other"},
		{"open reasons", codes.OpenReasons(), "triage, decide, provide-service, safeguard, resend, subject-access"},
		{"outcomes", codes.Outcomes(), "housed, accommodated-temporarily, registered, engaged, advice-given, protected, referred-on, need-met-otherwise, partly-met"},
		{"capacities", codes.Capacities(), "open, waiting-list, paused"},
		{"waits", codes.Waits(), "under-one-month, one-to-three-months, over-three-months"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.list.String() != row.want {
				t.Errorf("got  %s\nwant %s", row.list, row.want)
			}
			if strings.Join(row.list.Codes(), ", ") != row.want {
				t.Errorf("Codes gives %v", row.list.Codes())
			}
			seen := map[string]bool{}
			for _, c := range row.list {
				if !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(c.Code) || seen[c.Code] {
					t.Errorf("%q is no code, or there twice", c.Code)
				}
				if c.Label == "" || strings.TrimSpace(c.Label) != c.Label || seen["label "+c.Label] {
					t.Errorf("the label of %s is empty or another's: %q", c.Code, c.Label)
				}
				seen[c.Code], seen["label "+c.Label] = true, true
				if !row.list.Has(c.Code) || row.list.Label(c.Code) != c.Label {
					t.Errorf("%s is not found", c.Code)
				}
			}
		})
	}
}

func TestListHasWhatItHasAndNothingElse(t *testing.T) {
	for _, no := range []string{"", "*", "Housing", "housing ", " housing", "housing,benefits", "hous", "hоusing" /* with a Cyrillic о */} {
		if codes.Purposes().Has(no) {
			t.Errorf("%q is a purpose", no)
		}
		if got := codes.Purposes().Label(no); got != no {
			t.Errorf("the label of %q is %q", no, got)
		}
	}
	if (codes.List{}).Has("") || (codes.List{}).String() != "" {
		t.Error("the empty list has something")
	}
}

// Nobody can change a list for everybody.
func TestListsAreCopies(t *testing.T) {
	codes.Purposes()[0].Code = "everything"
	codes.Purposes().Codes()[0] = "everything"
	if codes.Purposes().Has("everything") {
		t.Error("a list was changed from outside")
	}
}

// The 33 London authorities, 5-field of the design.
var london = []string{
	"City of London", "Barking and Dagenham", "Barnet", "Bexley", "Brent", "Bromley", "Camden", "Croydon", "Ealing", "Enfield", "Greenwich",
	"Hackney", "Hammersmith and Fulham", "Haringey", "Harrow", "Havering", "Hillingdon", "Hounslow", "Islington", "Kensington and Chelsea",
	"Kingston upon Thames", "Lambeth", "Lewisham", "Merton", "Newham", "Redbridge", "Richmond upon Thames", "Southwark", "Sutton",
	"Tower Hamlets", "Waltham Forest", "Wandsworth", "Westminster",
}

func TestEveryLondonAuthorityIsAnArea(t *testing.T) {
	if len(london) != 33 {
		t.Fatalf("%d authorities", len(london))
	}
	for i, name := range london {
		code := "E090000" + string(rune('0'+(i+1)/10)) + string(rune('0'+(i+1)%10))
		if !codes.IsArea(code) {
			t.Errorf("%s, %s, is no area", code, name)
		}
		if codes.Areas()[i].Code != code || codes.Areas().Label(code) != name {
			t.Errorf("%s is called %s, want %s", code, codes.Areas().Label(code), name)
		}
	}
}

func TestAreas(t *testing.T) {
	for code, what := range map[string]string{
		"E06000001": "Hartlepool, a unitary authority", "E06000023": "Bristol", "E06000066": "Somerset", "E07000008": "Cambridge, a district",
		"E07000243": "Stevenage", "E08000003": "Manchester, a metropolitan district", "E08000025": "Birmingham", "E08000035": "Leeds",
	} {
		if !codes.IsArea(code) {
			t.Errorf("%s (%s) is no area", code, what)
		}
	}
	for code, what := range map[string]string{
		"": "nothing", "E09000000": "before the first", "E09000034": "after the last", "E09000099": "far after the last", "E09000330": "a digit too far",
		"E09001001": "no local authority", "E05000001": "a ward", "E10000002": "a county", "E12000007": "the region of London", "E92000001": "England",
		"E06001001": "out of form", "S12000036": "Edinburgh", "S12000049": "Glasgow", "W06000015": "Cardiff", "W06000001": "Isle of Anglesey", "N09000003": "Belfast",
		"K02000001": "the United Kingdom", "e09000012": "small letters", "E0900012": "too short", "E090000120": "too long", " E09000012": "white space before",
		"E09000012 ": "white space after", "E09000012\n": "a line break after", "E09000012\x00": "a null byte after", "E0900001２": "a wide digit", "Hackney": "a name",
		"E09000001E09000002": "two", "00AM": "an old code", "E08000012\nE09000012": "two lines", "E0900001\u0661": "an Arabic digit",
	} {
		if codes.IsArea(code) {
			t.Errorf("%q (%s) is an area", code, what)
		}
	}
}

// An area has nine characters and begins E06, E07, E08 or E09; of those that begin
// E09, 33 are areas.
func TestAreasHaveOneForm(t *testing.T) {
	boroughs := 0
	for n := range 1000 {
		code := "E09000" + string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
		if codes.IsArea(code) {
			boroughs++
		}
	}
	if boroughs != 33 {
		t.Errorf("%d London boroughs", boroughs)
	}
	form := rapid.StringMatching(`[EWSNe]?0?[0-9]?[0-9]{0,7}`)
	kinds := []string{"E06000", "E07000", "E08000", "E09000"}
	rapid.Check(t, func(r *rapid.T) {
		code := form.Draw(r, "code")
		if codes.IsArea(code) && (len(code) != 9 || !slices.Contains(kinds, code[:6])) {
			r.Fatalf("%q is an area", code)
		}
	})
}
