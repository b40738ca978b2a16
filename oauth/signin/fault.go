package signin

import (
	"errors"

	"handover/audit/proof"
	"handover/internal/fault"
)

// What a browser, or the person before it, can cause.
var (
	ErrRefused = fault.New(fault.Unauthenticated, "sign-in-refused", fault.Sender,
		"You could not be signed in. Try again, or ask your agency's administrator for a new link.")
	ErrSignedOut = fault.New(fault.Unauthenticated, "signed-out", fault.Sender,
		"You are signed out. Sign in again.")
	ErrStale = fault.New(fault.Conflict, "sign-in-stale", fault.Sender,
		"This took too long, or was answered before. Start again.")
	ErrCrossSite = fault.New(fault.Forbidden, "cross-site", fault.Sender,
		"This was sent by a page of another site. Open the hub's own page and try again.")
	ErrTooMany = fault.New(fault.TooMany, "too-many-attempts", fault.Sender,
		"There were too many attempts. Wait a little and try again.").Retryable()
	ErrPasskeyInvalid = fault.New(fault.Unprocessable, "passkey-invalid", fault.Sender,
		"Your device did not make a passkey that can be used here. Try again, or use another device.")
	ErrPasskeyExists = fault.New(fault.Conflict, "passkey-exists", fault.Sender,
		"This passkey is set up already. Use it to sign in.")
	ErrPasskeyNotThere = fault.New(fault.NotFound, "passkey-not-found", fault.Sender,
		"You have no such passkey.")
	ErrPasskeyLast = fault.New(fault.Conflict, "passkey-last", fault.Sender,
		"This is your only passkey. Add another one before you remove it.")
	ErrPasskeyNone = fault.New(fault.Conflict, "passkey-none", fault.Sender,
		"You sign in through your agency, which decides how. You need no passkey here.")
	ErrPasskeySecret = fault.New(fault.Invalid, "passkey-secret", fault.Sender,
		"The body carries results of passkey extensions. They can hold keys that must not leave the browser: send none.")
	ErrSessionNotThere = fault.New(fault.NotFound, "session-not-found", fault.Sender,
		"You are not signed in there any more.")
	ErrNoticeNotThere = fault.New(fault.NotFound, "notice-not-found", fault.Sender,
		"You have read this message already.")
	ErrProvider = fault.New(fault.Unauthenticated, "provider-refused", fault.Sender,
		"Your agency's sign-in did not let you in here. Try again, or ask your agency's administrator.")
	ErrProviderDown = fault.New(fault.Unavailable, "provider-unavailable", fault.Sender,
		"Your agency's sign-in does not answer. Try again in a few minutes.").Retryable()
	ErrProviderInvalid = fault.New(fault.Unprocessable, "provider-invalid", fault.Sender,
		"A provider needs an https issuer, a client id and secret, at least one e-mail domain, the name of a claim, and its values for known roles.")
)

// refusal is a declared fault with what the log is told of it: of somebody known an entry
// of her own, of a stranger a count under the reason.
type refusal struct {
	error
	entry  proof.Entry // Partner and User, if it is known whom it concerns
	reason string      // kebab-case, never sent
}

func (r *refusal) Unwrap() error { return r.error }

// because refuses a stranger for a reason that she is not told.
func because(f *fault.Fault, reason string) error { return &refusal{error: f, reason: reason} }

// Refused is err, if it is a declared refusal, as one of the person who is signed in.
func (s Session) Refused(err error) error {
	f, declared := errors.AsType[*fault.Fault](err)
	why, ok := errors.AsType[*refusal](err)
	if !declared || ok && why.entry.Partner != "" {
		return err
	}
	reason := f.Code
	if ok {
		reason = why.reason
	}
	return &refusal{error: err, reason: reason, entry: s.Caller.Entry("refused")}
}

// RefusedAbout is Refused with the id of what it was about: a person, a system, a key, a service.
// It is one that was found: nothing a caller invents reaches the log.
func (s Session) RefusedAbout(err error, found string) error {
	why, ok := errors.AsType[*refusal](s.Refused(err))
	if !ok {
		return err
	}
	about := *why
	about.entry.Target = found
	return &about
}

// refused refuses somebody known: who proved it, or whose passkey was brought.
func (p person) refused(f *fault.Fault, reason string) error {
	return &refusal{error: f, reason: reason, entry: proof.Entry{Partner: string(p.partner), User: p.id}}
}
