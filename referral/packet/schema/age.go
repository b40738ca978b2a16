package schema

import (
	"time"

	"github.com/go-json-experiment/json"

	"handover/internal/fault"
)

// ErrUnderEighteen is a referral of somebody whose date of birth says that she is a child.
var ErrUnderEighteen = fault.New(fault.Unprocessable, "under-eighteen", fault.Sender,
	"By her date of birth she is under 18, and this exchange is for adults. Tell children's social care of the authority where she is, now; in immediate danger ring 999. Nothing was sealed or sent.")

// Adult returns ErrUnderEighteen if the identity among the sections says that she is under 18,
// whatever day the date of birth can mean: there are duties to a child that a referral between
// services for adults would pass over. A date that leaves it open, and none, are no obstacle.
func Adult[T ~[]byte](sections map[string]T, now time.Time) error {
	if eldest, ok := earliestBirth(sections["identity"]); ok && now.Before(eldest.AddDate(18, 0, 0)) {
		return ErrUnderEighteen
	}
	return nil
}

// earliestBirth returns the first day on which she may have been born, by what is said.
func earliestBirth(identity []byte) (time.Time, bool) {
	var said struct {
		Birth struct {
			Value string `json:"value"`
		} `json:"date_of_birth"`
	}
	if json.Unmarshal(identity, &said) != nil {
		return time.Time{}, false
	}
	for _, layout := range []string{dayLayout, "2006-01", "2006"} {
		if first, err := time.Parse(layout, said.Birth.Value); err == nil {
			return first, true
		}
	}
	return time.Time{}, false
}
