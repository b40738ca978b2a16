package client

import "fmt"

// Findings say in words what was checked, what holds and what does not, and what no
// such document can show.
type Findings struct {
	Document string    `json:"document"` // receipt, packet, consent or bundle
	Checks   []Finding `json:"checks"`
	Limits   []string  `json:"limits"`
}

// Finding is one thing that was checked.
type Finding struct {
	About string `json:"about"` // such as "step 2, accept"
	Holds bool   `json:"holds"`
	Text  string `json:"text"`
}

// Hold reports whether everything that was checked holds. Findings without a check
// hold nothing.
func (f Findings) Hold() bool {
	for _, c := range f.Checks {
		if !c.Holds {
			return false
		}
	}
	return len(f.Checks) > 0
}

// verdict is nil or ErrVerification.
func (f Findings) verdict() error {
	if !f.Hold() {
		return ErrVerification
	}
	return nil
}

// holds notes something that holds.
func (f *Findings) holds(about, format string, args ...any) {
	f.Checks = append(f.Checks, Finding{about, true, fmt.Sprintf(format, args...)})
}

// fails notes something that does not hold.
func (f *Findings) fails(about, format string, args ...any) {
	f.Checks = append(f.Checks, Finding{about, false, fmt.Sprintf(format, args...)})
}

// check notes good when bad is "", else bad.
func (f *Findings) check(about, bad, good string, args ...any) {
	if bad != "" {
		f.fails(about, "%s", bad)
		return
	}
	f.holds(about, good, args...)
}

// limit notes what the document cannot show.
func (f *Findings) limit(format string, args ...any) {
	f.Limits = append(f.Limits, fmt.Sprintf(format, args...))
}

// The limits of every proof of this kind.
const (
	limitPeople = "Who sat at the keyboard, and whether she was asked as the record says, no signature can show."
	limitKeys   = "That a key belongs to the partner it is listed under is the hub's word: compare the thumbprint with the partner."
	limitView   = "That the hub shows everybody the same log is shown by comparing checkpoints with another partner, not by one receipt."
	limitRead   = "What a recipient did with a section after opening it, no log can show."
	limitLogKey = "The log's key came with the document itself: compare it with the one you pinned when you enrolled."
)
