// Package fault is the vocabulary of refusals: what a caller can cause has a
// stable code, a party who must act, and one sentence that partner may read.
//
// A Fault is declared once, as a package-level variable beside the rule that
// raises it, and listed in docs/problems.md; a test compares the two lists.
// Everything that is not a Fault is ours, and shows none of its text outside.
package fault

import (
	"fmt"
	"maps"
)

// Kind is the class of a refusal. internal/httpd maps each kind to one HTTP
// status; no domain package knows a status code.
type Kind int

// The kinds of refusal.
const (
	Invalid         Kind = iota + 1 // the request cannot be read
	Unauthenticated                 // who is asking is not established
	Forbidden                       // the caller may not do this
	NotFound                        // not there, or not hers to see: the same answer
	NotAllowed                      // the path is known, the method is not
	Conflict                        // true when it was sent, no longer true now
	TooLarge                        // over a stated limit
	Unsupported                     // wrong media type
	Unprocessable                   // readable, yet not acceptable as it stands
	TooMany                         // over a rate
	Unavailable                     // the hub cannot now; the same bytes may be sent again
)

// Party names who has to act before the same wish can succeed.
type Party string

// The parties to a refusal.
const (
	Sender    Party = "sender"    // who sent the refused request
	Recipient Party = "recipient" // the partner it was addressed to
	Hub       Party = "hub"       // whoever runs the hub
)

// Fault is a refusal that a caller can cause. Its text is fixed at declaration,
// so nothing personal can be echoed through it.
type Fault struct {
	Kind  Kind
	Code  string // stable, the last part of the problem's type
	Party Party
	Text  string // one sentence a partner may read: what is wrong, what to do
	Retry bool   // whether the very same request may succeed later

	members map[string]any
}

// New declares a refusal. Codes are kebab-case and never reused.
func New(kind Kind, code string, party Party, text string) *Fault {
	return &Fault{Kind: kind, Code: code, Party: party, Text: text}
}

// Retryable marks, at declaration, that the very same request may succeed later.
func (f *Fault) Retryable() *Fault {
	f.Retry = true
	return f
}

// With returns a copy of f that carries an extension member of the problem
// (RFC 9457 §3.2), such as the section that was refused. Values are codes and
// digests that the caller already knows, or public keys; never content.
func (f *Fault) With(member string, value any) *Fault {
	c := *f
	c.members = maps.Clone(f.members)
	if c.members == nil {
		c.members = map[string]any{}
	}
	c.members[member] = value
	return &c
}

// Members returns the extension members. The map must not be changed.
func (f *Fault) Members() map[string]any { return f.members }

// Error gives the code and the text.
func (f *Fault) Error() string { return fmt.Sprintf("%s: %s", f.Code, f.Text) }

// Is reports whether target is the same declared refusal, so that errors.Is
// works through With.
func (f *Fault) Is(target error) bool {
	t, ok := target.(*Fault)
	return ok && t.Code == f.Code
}
