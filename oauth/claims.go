package oauth

import (
	"errors"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// readClaims decodes the claims of somebody else's JWT: names exactly as written,
// none twice, valid UTF-8, one value. Unlike internal/strict it lets unknown
// members pass, as readers of JWTs must (RFC 7519 §4).
func readClaims(payload []byte, v any) error {
	return json.Unmarshal(payload, v)
}

// numericDate is a NumericDate (RFC 7519 §2): seconds since 1970, which may have a
// fraction. The zero value is an absent one.
type numericDate struct{ time.Time }

// latest is the last second that a NumericDate may name, the end of the year 9999:
// far beyond every limit, and within what all clocks and databases can hold.
const latest = 253402300799

// UnmarshalJSON reads a JSON number. Zero and negative times are refused: no token
// is that old, and zero means absent.
func (d *numericDate) UnmarshalJSON(b []byte) error {
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(seconds > 0 && seconds <= latest) {
		return errors.New("not a NumericDate")
	}
	whole := int64(seconds)
	d.Time = time.Unix(whole, int64((seconds-float64(whole))*1e9)).UTC().Round(time.Microsecond)
	return nil
}

// MarshalJSON writes the time to the microsecond, as the database keeps it.
func (d numericDate) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(d.UnixMicro())/1e6, 'f', -1, 64), nil
}

// How far clocks may differ. FAPI 2.0 §5.3.2.1 wants times up to 10 seconds ahead
// accepted and those more than 60 seconds ahead refused.
const (
	ahead  = 10 * time.Second
	behind = 60 * time.Second
)
