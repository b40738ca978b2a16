package schema

import (
	"errors"
	"regexp"
	"strings"
	"time"

	"handover/internal/codes"
	"handover/internal/ids"
)

// Format is a check that a pattern cannot say, or that is said better in words.
type Format struct {
	Name   string `json:"format"` // as the documents name it
	Says   string `json:"says"`   // what is told when it is not kept to: why, and what to write
	Source string `json:"source"`

	fits func(text string) bool
}

var errFormat = errors.New("not in this format")

// validate is for the validator. A value that is no text is another keyword's to refuse.
func (f Format) validate(value any) error {
	if text, ok := value.(string); ok && !f.fits(text) {
		return errFormat
	}
	return nil
}

// Formats are those of the field, each with its source.
func Formats() []Format {
	return []Format{
		{"nhs-number", "is no NHS number: ten digits, the last of which checks the others. Leave it out if she does not know it", "NHS Data Dictionary: modulus 11 check digit; a digit ten times over is refused", IsNHSNumber},
		{"ods-code", "is no ODS code: 1 to 9 capital letters and digits, as the NHS directory has it", "NHS Organisation Data Service; the kind of organisation is never inferred from it", matches(`^[A-Z0-9]{1,9}$`)},
		{"uprn", "is no UPRN: up to 12 digits, no zero in front", "GeoPlace; it is an exact address, so it stands in location and nowhere else", matches(`^[1-9][0-9]{0,11}$`)},
		{"postcode", "is no postcode: capital letters and one space, as NW1 0DU; ZZ99 3VZ for no fixed abode", "BS 7666; NHS Data Dictionary for ZZ99 3VZ", IsPostcode},
		{"gss-code", "is no English local authority: its GSS code, as E09000007 for Camden", "ONS: E06, E07, E08 and the 33 of London, E09000001 to E09000033", codes.IsArea},
		{"e164", "is no telephone number: a plus sign, the country and the number, as +447700900123", "ITU-T E.164", matches(`^\+[1-9][0-9]{6,14}$`)},
		{"email", "is no e-mail address", "RFC 5321, without quoted names", isEmail},
		{"date", "is no day: write it as 2026-11-30", "RFC 3339 full-date, 1900 to 2100", isDate("2006-01-02")},
		{"year-month", "is no month: write it as 2026-11", "ISO 8601, 1900 to 2100", isDate("2006-01")},
		{"year", "is no year: write it as 1998", "ISO 8601, 1900 to 2100", isDate("2006")},
		{"partial-date", "is no date: write it as 1998, 1998-05 or 1998-05-31", "ISO 8601, 1900 to 2100", isPartialDate},
		{"time-of-day", "is no time of day: write it as 17:30", "ISO 8601, the time in London", matches(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)},
		{"language", "is no language tag: write en, so or pt-BR", "BCP 47, its form", matches(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)},
		{"country", "is no nationality: three capital letters, as GBR; XXX if it is unknown", "ISO 3166-1 alpha-3, its form; ICAO 9303 for XXA and XXX", matches(`^[A-Z]{3}$`)},
		{"chain-number", "is no CHAIN number: digits alone", "Handover", matches(`^[0-9]{1,10}$`)},
		{"reference", "is no reference: as R-7K3F-9Q2M", "packet.md", matches(`^R-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$`)},
		{"uuid", "is no id", "RFC 9562", ids.IsUUID},
	}
}

func formatWords(name string) string {
	for _, f := range Formats() {
		if f.Name == name {
			return f.Says
		}
	}
	return "is not in the form that its schema describes"
}

func matches(pattern string) func(string) bool {
	compiled := regexp.MustCompile(pattern)
	return compiled.MatchString
}

// IsNHSNumber reports whether text is an NHS number: ten digits, of which the last is 11 less
// the remainder of the others, weighted 10 to 2, by 11 (NHS Data Dictionary). A check digit of
// 10 is none. A digit ten times over passes the check and is refused: it is what is typed
// where a form will not take an empty field.
func IsNHSNumber(text string) bool {
	if len(text) != 10 || strings.Count(text, text[:1]) == 10 {
		return false
	}
	sum := 0
	for i := range 9 {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
		sum += int(text[i]-'0') * (10 - i)
	}
	check := (11 - sum%11) % 11
	return check != 10 && text[9] == byte('0'+check)
}

var postcodePattern = regexp.MustCompile(`^(GIR 0AA|ZZ99 3VZ|[A-PR-UWYZ]([0-9]{1,2}|[A-HK-Y][0-9]([0-9]|[ABEHMNPRVWXY])?|[0-9][A-HJKPSTUW]) [0-9][ABD-HJLNP-UW-Z]{2})$`)

// IsPostcode reports whether text has the form of a postcode (BS 7666), or is the one that
// the NHS writes for no fixed abode, ZZ99 3VZ.
func IsPostcode(text string) bool { return postcodePattern.MatchString(text) }

func isDate(layout string) func(string) bool {
	return func(text string) bool {
		t, err := time.Parse(layout, text)
		return err == nil && t.Year() >= 1900 && t.Year() <= 2100
	}
}

func isPartialDate(text string) bool {
	return isDate("2006")(text) || isDate("2006-01")(text) || isDate("2006-01-02")(text)
}

// emailPattern is narrower than RFC 5321: no quoted names, no addresses of machines.
var emailPattern = regexp.MustCompile(`^[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$`)

func isEmail(text string) bool { return emailPattern.MatchString(text) }
