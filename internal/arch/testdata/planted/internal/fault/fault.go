// Package fault stands for the real one.
package fault

type Fault struct{}

func New(kind int, code, party, text string) *Fault { return nil }
