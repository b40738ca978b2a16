package main

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"handover/client"
	"handover/client/profile"
	"handover/keys"
)

// The exit codes, as main.go documents them.
const (
	exitOK       = 0
	exitError    = 1
	exitUsage    = 2
	exitAuth     = 3
	exitNotFound = 4
	exitConflict = 5
	exitFalse    = 6
	exitRefused  = 7
)

// usageError is a mistake in the command line.
type usageError struct{ text string }

func (u usageError) Error() string { return u.text }

func usage(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// exitCodes is the help topic.
func exitCodes() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `What the exit codes mean

  0  it was done
  1  it failed; the message says what to do
  2  the command line is wrong
  3  the hub does not accept who you are, or you are not enrolled yet
  4  there is no such thing that you may see
  5  it conflicts with what has happened in the meantime
  6  what was checked does not hold
  7  the hub refused it: a rule, an agreement or her consent stands against it`,
	}
}

// exit tells what went wrong and what to do next, and returns the exit code.
func (a *app) exit(err error) int {
	if err == nil {
		return exitOK
	}
	if !a.began && !errors.As(err, new(usageError)) {
		err = usageError{err.Error()} // cobra's own: an unknown command, too many arguments
	}
	a.say("handover: %s", err)
	if p, ok := errors.AsType[*client.Problem](err); ok {
		if p.Detail != "" {
			a.say("          %s", p.Detail)
		}
		if p.Instance != "" && p.Status >= 500 {
			a.say("          the request was %s", p.Instance)
		}
	}
	if next := remedy(err); next != "" {
		a.say("next: %s", next)
	}
	return codeOf(err)
}

// codeOf is the exit code of a failure.
func codeOf(err error) int {
	switch {
	case errors.As(err, new(usageError)):
		return exitUsage
	case errors.Is(err, client.ErrProof), errors.Is(err, client.ErrForged), errors.Is(err, client.ErrVerification),
		errors.Is(err, client.ErrKeySwapped), errors.Is(err, errStrangeKey), errors.Is(err, client.ErrRewritten):
		return exitFalse
	case errors.Is(err, client.ErrNoSuchKey), errors.Is(err, profile.ErrNoRefusal):
		return exitNotFound
	case errors.Is(err, profile.ErrNone), errors.Is(err, profile.ErrNotEnrolled), errors.Is(err, profile.ErrNotSignedIn), errors.Is(err, keys.ErrRoot):
		return exitAuth
	case errors.Is(err, profile.ErrExists), errors.Is(err, profile.ErrEnrolled), errors.Is(err, profile.ErrRotating):
		return exitConflict
	}
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return codeOfProblem(p)
	}
	return exitError
}

func codeOfProblem(p *client.Problem) int {
	switch {
	case p.Code == "section-unreadable", p.Code == "attachment-unreadable":
		return exitFalse
	case p.Status == 401, p.Code == "insufficient-scope", p.Code == "invalid_client", p.Code == "invalid_dpop_proof",
		p.Code == "invalid_grant", p.Code == "access_denied", p.Code == "invalid_scope":
		return exitAuth
	case p.Code == "list-query-invalid", p.Code == "recall-query-invalid", p.Code == "service-query-invalid", p.Code == "open-malformed":
		return exitUsage // a flag's value that only the hub could judge
	case p.Status == 404:
		return exitNotFound
	case p.Status == 409:
		return exitConflict
	case p.Status == 403, p.Status == 422, p.Code == "recipient-inactive",
		p.Code == "invalid_client_metadata", p.Code == "invalid_redirect_uri":
		return exitRefused
	case p.Status == 0:
		return exitUsage // refused here, before anything was sent
	}
	return exitError
}

// remedy is the command that helps, where there is one. The message itself has said
// what is wrong.
func remedy(err error) string {
	switch {
	case errors.As(err, new(usageError)):
		return "handover help, or the command with --help"
	case errors.Is(err, profile.ErrNone):
		return "handover keys new, or name the profile's directory with --home"
	case errors.Is(err, profile.ErrExists):
		return "handover keys show, or choose another directory with --home"
	case errors.Is(err, profile.ErrNotEnrolled):
		return "handover enrol --hub URL, with the code from the hub's operator"
	case errors.Is(err, profile.ErrEnrolled):
		return "handover doctor; a second system of yours has a profile of its own"
	case errors.Is(err, profile.ErrNotSignedIn), errors.Is(err, errNobodyCame), errors.Is(err, client.ErrSignIn):
		return signIn
	case errors.Is(err, profile.ErrRotating):
		return "handover keys rotate, of the key that is named"
	case errors.Is(err, keys.ErrRoot):
		return "name the file with the passphrase in HANDOVER_PASSPHRASE_FILE, or restore root.key from its backup"
	case errors.Is(err, client.ErrProof), errors.Is(err, client.ErrForged):
		return "keep your files as they are, and tell the hub's operator and the other partner"
	case errors.Is(err, errStrangeKey):
		return "ask your colleagues who made it. Nobody: handover keys revoke it --reason compromised, and tell the hub's operator. One of you: handover keys accept it"
	case errors.Is(err, client.ErrNoSuchKey):
		return "handover keys check PARTNER, and compare again"
	case errors.Is(err, profile.ErrNoRefusal):
		return "handover gp list"
	case errors.Is(err, client.ErrDocument):
		return "give a receipt, a packet, a consent record, or a bundle made by handover history"
	}
	if s, ok := errors.AsType[*client.SwappedKey](err); ok {
		return askThem(s)
	}
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return remedies()[p.Code]
	}
	if errors.As(err, new(*url.Error)) {
		return "handover doctor, which finds out what is wrong with the connection"
	}
	return ""
}

// signIn is the remedy for a person's sign-in that is missing or too old.
const signIn = "run handover sign-in, then this again"

// remedies are by the code of the refusal.
func remedies() map[string]string {
	doctor, again := "handover doctor", "handover resend"
	ask := "ask her, and record it: handover consent new"
	look := "handover show ID, then decide again"
	return map[string]string{
		"unauthenticated": doctor, "invalid_client": doctor, "invalid_dpop_proof": doctor, "insufficient-scope": doctor,
		"no-consent": ask, "not-covered": ask, "consent-expired": "ask her; if she still agrees: handover consent renew ID",
		"onward-not-allowed": ask, "authority-not-chosen": "send it to the authority that she chose: handover consent show ID",
		"consent-review-awaited": "ask a manager: handover consent review ID",
		"gate-not-passable":      ask,
		"override-not-approved":  "a manager, another than who proposed it: handover override approve ID",
		"override-lapsed":        "if it is still needed: handover override new, and have it approved",
		"override-expired":       "if it is still needed: handover override new",
		"override-not-covered":   "handover override show ID, which says what it is for",
		"second-person-needed":   "ask another manager",
		"manager-needed":         "ask a manager",
		"consent-superseded":     "handover consent show ID, and supersede the newest",
		"consent-of-another":     "handover consent show ID, which names the subject of the earlier record",
		"consent-conflict":       "record it without --id",
		"consent-withdrawn":      "ask her; if she agrees again: handover consent new",
		"consent-not-found":      "check the id: handover consent new printed it, and receipts/ in the profile has it",
		"never-not-found":        "handover never list",
		"never-lifted":           "handover never new, if she wants it back",
		"section-unfit":          "handover schema NAME, which describes the section; put it right in the file",
		"pathway-incomplete":     "handover pathway NAME, which says what it needs and where it goes",
		"firewall":               "take the section out of the file and send again",
		"no-agreement":           "take out what the agreement does not cover, or ask both administrators",
		"not-found":              "handover partners",
		"recipient-inactive":     "handover services, to find another",
		"packet-conflict":        "send it again without --id",
		"referral-moved":         look,
		"step-not-possible":      look,
		"not-your-step":          look,
		"referral-not-found":     "handover inbox --state all, and handover sent --state all",
		"section-not-found":      look,
		"attachment-incomplete":  again, "attachment-uploads": again,
		"attachment-conflict":     "send it anew from where its content is",
		"attachment-not-released": "handover open ID, again: fetching took longer than an hour",
		"attachment-unreadable":   "handover decline ID --reason unreadable, so that it is sealed again",
		"section-unreadable":      "handover decline ID --reason unreadable, so that it is sealed again",
		"receipt-pending":         again, "hub-busy": again, "hub-not-ready": again, "credentials-unavailable": again,
		"envelope-expired":                 "send it anew",
		"envelope-stale":                   "handover doctor, which compares the clocks; then send it anew",
		"recipient-key-retired":            "send it anew from where its content is: the packet holds no copy of yours",
		"service-unavailable-for-referral": "handover services --need PURPOSE --area GSS",
		"unexpected-answer":                doctor,
		"invitation-invalid":               "ask the hub's operator for a new code",
		"step-up-required":                 signIn,
		"invalid_grant":                    signIn,
		"access_denied":                    signIn,
		"invalid_scope":                    "handover sign-in --scope, with rights that this system and your role have",
		"invalid_token":                    "ask your administrator for a new token: handover clients invite",
		"user-not-found":                   "handover people list",
		"client-not-found":                 "handover clients list",
		"key-not-found":                    "handover keys list",
		"last-key":                         "handover keys rotate USE",
		"custody-move-invalid":             "handover custody begin or give, anew",
		"custody-key-missing":              "give from the profile that has all keys, or handover keys revoke KID --reason lost",
		"not-managed":                      "handover partners PARTNER, which says who holds its keys",
	}
}
