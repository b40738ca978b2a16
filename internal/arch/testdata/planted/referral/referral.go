// Package referral declares refusals, well and badly.
package referral

import (
	_ "handover/consent/record"
	f "handover/internal/fault"
	_ "handover/oauth" // want arrow
	_ "handover/referral/packet"
)

var (
	errFine   = f.New(1, "fine-code", "sender", "One sentence, "+"in two pieces.")
	errTwice  = f.New(1, "twice", "sender", "Once.")
	errAgain  = f.New(1, "twice", "sender", "Twice.")             // want fault-twice
	errCase   = f.New(1, "Not-Kebab", "sender", "A sentence.")    // want fault-form
	errSilent = f.New(1, "undocumented", "sender", "A sentence.") // want fault-docs
	errHalf   = f.New(1, "half", "sender", "no sentence")         // want fault-form fault-docs
	errByHand = &f.Fault{}                                        // want fault-form
)

func refuse(text string) error {
	f.New(1, "inside", "sender", text) // want fault-form fault-form fault-docs
	return nil
}
