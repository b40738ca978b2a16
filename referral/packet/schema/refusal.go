package schema

import "time"

// WrittenWithin is how long a GP practice has to give the reason of a refusal in writing.
const WrittenWithin = 14 * 24 * time.Hour

// refusalRules hold the dates of a GP refusal against each other.
func refusalRules(object map[string]any) (found []Misfit) {
	refused, ok := day(object["refused_on"])
	if !ok {
		return nil
	}
	if due, there := day(object["written_due"]); there && !due.Equal(refused.Add(WrittenWithin)) {
		found = append(found, Misfit{"gp-refusal", "/written_due", "must be 14 days after refused_on"})
	}
	for _, later := range []string{"written_received", "escalated_on"} {
		if on, there := day(object[later]); there && on.Before(refused) {
			found = append(found, Misfit{"gp-refusal", "/" + later, "is before the refusal"})
		}
	}
	return found
}
