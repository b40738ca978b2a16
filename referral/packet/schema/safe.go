package schema

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"handover/internal/fault"
)

// SafeFor is how long what she said about safe contact counts: women are moved quickly, and
// what was safe a fortnight ago is asked again.
const SafeFor = 14 * 24 * time.Hour

const (
	safeContact = "safe-contact"
	dayLayout   = "2006-01-02"
)

// rules are what a document cannot say, since one member depends on the value of another.
func rules(section string, object map[string]any) []Misfit {
	switch section {
	case safeContact:
		return safeRules(object)
	case "gp-refusal":
		return refusalRules(object)
	}
	return nil
}

func safeRules(object map[string]any) (found []Misfit) {
	confirmed, ok := day(object["last_confirmed"])
	expires, there := day(object["expires"])
	if ok && there && (expires.Before(confirmed) || expires.After(confirmed.Add(SafeFor))) {
		found = append(found, Misfit{safeContact, "/expires", "must be within 14 days after last_confirmed: after that she is asked again"})
	}
	if from, to := object["safe_from"], object["safe_to"]; from != nil && from == to {
		found = append(found, Misfit{safeContact, "/safe_to", "must not be safe_from: leave both out if the whole day is safe"})
	}
	return found
}

// derived are defaults that follow from what was written.
func derived(section string, has map[string]jsontext.Value) []member {
	if section != safeContact {
		return nil
	}
	var text string
	if json.Unmarshal(has["last_confirmed"], &text) != nil {
		return nil
	}
	confirmed, ok := day(text)
	if !ok {
		return nil
	}
	return []member{{"expires", `"` + confirmed.Add(SafeFor).Format(dayLayout) + `"`}}
}

func day(value any) (time.Time, bool) {
	text, _ := value.(string)
	t, err := time.Parse(dayLayout, text)
	return t, err == nil
}

// Stale reports whether a safe-contact section counts no more at the time: nobody may act on
// it before she has been asked again. What cannot be read is stale.
func Stale(data []byte, now time.Time) bool {
	var said struct {
		Confirmed string `json:"last_confirmed"`
		Expires   string `json:"expires"`
	}
	if json.Unmarshal(data, &said) != nil {
		return true
	}
	until, ok := day(said.Expires)
	if confirmed, known := day(said.Confirmed); !known {
		return true
	} else if limit := confirmed.Add(SafeFor); !ok || until.After(limit) {
		until = limit
	}
	return !now.Before(until.AddDate(0, 0, 1)) // it counts for the whole of its last day
}

// Outside reports whether a time, on the clock of London, is outside the days and hours at which
// she has said that it is safe to reach her: nobody calls then. An end before the beginning
// is on the next day. What cannot be read is outside.
func Outside(data []byte, at time.Time) bool {
	var said struct {
		Days []string `json:"safe_days"`
		From string   `json:"safe_from"`
		To   string   `json:"safe_to"`
	}
	if json.Unmarshal(data, &said) != nil {
		return true
	}
	safe := func(day time.Weekday) bool {
		return len(said.Days) == 0 || slices.Contains(said.Days, strings.ToLower(day.String()))
	}
	from, to, now := cmp.Or(said.From, "00:00"), cmp.Or(said.To, "24:00"), at.Format("15:04")
	if from < to {
		return !safe(at.Weekday()) || now < from || now >= to
	}
	evening, morning := safe(at.Weekday()) && now >= from, safe(at.AddDate(0, 0, -1).Weekday()) && now < to
	return !evening && !morning
}

// ErrHersForPolice is safe contact of hers on its way to police.
var ErrHersForPolice = fault.New(fault.Unprocessable, "safe-contact-for-police", fault.Sender,
	"Police are given her worker's contact and never hers: of safe-contact only channel (via-worker or none), worker, last_confirmed and expires. Take the rest out and send again.")

// ForPolice refuses safe contact that says more than how to reach her worker. The firewall lets
// the section go to police for this alone; the hub cannot see inside it, so the rule is held
// here, where it can. Defaults that forbid (no voicemail, no text, no visit) may stay.
func ForPolice(data []byte) error {
	var object map[string]any
	if json.Unmarshal(data, &object) != nil {
		return ErrHersForPolice
	}
	channel, _ := object["channel"].(string)
	if channel != "via-worker" && channel != "none" {
		return ErrHersForPolice
	}
	for name, value := range object {
		forbids := value == false && (name == "voicemail" || name == "text") || value == true && name == "do_not_visit"
		if !forbids && !slices.Contains(strings.Fields("schema channel worker last_confirmed expires"), name) {
			return ErrHersForPolice
		}
	}
	return nil
}
