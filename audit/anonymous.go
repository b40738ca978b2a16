package audit

import (
	"context"
	"regexp"

	"handover/audit/proof"
)

const (
	actRefused      = proof.Refused
	reasonAnonymous = "anonymous" // of the entry that stands for an hour of strangers
	otherCode       = "other"
)

// maxCodes bounds how many codes of anonymous refusals are told apart.
const maxCodes = 64

var codeForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)

// Refuse writes e as a refusal in a transaction of its own, because what was
// refused is rolled back. It sets Act and Time; the caller says who, what (Event,
// Referral…) and Outcome, the problem's code. An error means: answer 503 and do
// nothing, for what cannot be logged does not happen. It does not wait for the
// checkpoint.
func (l *Log) Refuse(ctx context.Context, e proof.Entry) error {
	e.Act = actRefused
	if _, err := l.store.refuse(ctx, e); err != nil {
		return err
	}
	l.Kick()
	return nil
}

// CountAnonymous counts a refusal of somebody nobody knows. It costs no database
// round trip and no entry of its own, so strangers can neither slow the hub nor
// flood the log: counts are written every second and become one entry an hour and
// code. code is the problem's code; beyond 64 different ones, and for what is not a
// code, "other" is counted.
func (l *Log) CountAnonymous(code string) {
	l.countsMu.Lock()
	defer l.countsMu.Unlock()
	if _, known := l.counts[code]; !known && (len(l.counts) >= maxCodes || !codeForm.MatchString(code)) {
		code = otherCode
	}
	l.counts[code]++
}

// writeCounts moves the counts to the database. What could not be written is
// counted again the next time.
func (l *Log) writeCounts(ctx context.Context) error {
	l.countsMu.Lock()
	taken := l.counts
	l.counts = map[string]int64{}
	l.countsMu.Unlock()
	if len(taken) == 0 {
		return nil
	}
	codes, counts := make([]string, 0, len(taken)), make([]int64, 0, len(taken))
	for code, n := range taken {
		codes, counts = append(codes, code), append(counts, n)
	}
	err := l.store.count(ctx, codes, counts)
	if err != nil {
		l.countsMu.Lock()
		for code, n := range taken {
			l.counts[code] += n
		}
		l.countsMu.Unlock()
	}
	return err
}

// count writes the counts, and closes the hours that have passed when this hub has
// not done so for the present one.
func (l *Log) count(ctx context.Context) error {
	if err := l.writeCounts(ctx); err != nil {
		return err
	}
	hour := l.now().UTC().Truncate(hourLength)
	if hour.Equal(l.closedFor) {
		return nil
	}
	if err := l.store.closeHours(ctx); err != nil {
		return err
	}
	l.closedFor = hour
	return nil
}
