package partners

import (
	"context"
	"slices"
	"time"

	"handover/audit/proof"
)

// Scope is one right that a token can carry. Scopes say what an agency's system
// may do; they never carry consent.
type Scope string

// The scopes. None implies another.
const (
	ReferralsSend    Scope = "referrals:send"
	ReferralsReceive Scope = "referrals:receive"
	ConsentsWrite    Scope = "consents:write"
	ConsentsOverride Scope = "consents:override"
	ServicesWrite    Scope = "services:write"
	AuditRead        Scope = "audit:read"
	PartnerAdmin     Scope = "partner:admin"
	HubAdmin         Scope = "hub:admin"
)

// Words say what whoever has the scope may do, as somebody would say it who lets a system do it.
func (s Scope) Words() string {
	switch s {
	case ReferralsSend:
		return "send referrals, and write to the agency that has them"
	case ReferralsReceive:
		return "read and answer the referrals your agency receives"
	case ConsentsWrite:
		return "record what a woman agrees to, and when she changes her mind"
	case ConsentsOverride:
		return "propose to share without her agreement, where the law allows it, or decide what a colleague proposed"
	case ServicesWrite:
		return "change what your agency offers"
	case AuditRead:
		return "read the record of who did what"
	case PartnerAdmin:
		return "manage your agency’s people, keys and systems"
	case HubAdmin:
		return "run the hub"
	}
	return string(s)
}

// Scopes lists every scope.
func Scopes() []Scope {
	return []Scope{ReferralsSend, ReferralsReceive, ConsentsWrite, ConsentsOverride, ServicesWrite, AuditRead, PartnerAdmin, HubAdmin}
}

// SystemScopes lists what a partner's own system may be granted. Overrides and
// administration are acts of people, so no system token carries them.
func SystemScopes() []Scope {
	return []Scope{ReferralsSend, ReferralsReceive, ConsentsWrite, ServicesWrite, AuditRead}
}

// Caller is the authenticated party of one request. Only Store.Admit makes one,
// from what the database says at that request, so a function that takes a Caller
// cannot be reached by a stranger, nor by a partner suspended a second ago.
type Caller struct {
	partner  ID
	category Category
	client   string
	user     string
	role     Role
	scopes   []Scope
	proved   time.Time
}

// Partner is the agency the caller acts for.
func (c Caller) Partner() ID { return c.partner }

// Category is that agency's category.
func (c Caller) Category() Category { return c.category }

// Client is the id of the agency's system that sent the request, or "" for a person in
// the hub's own pages.
func (c Caller) Client() string { return c.client }

// User is the opaque id of the person who acts, or "" for a system alone.
func (c Caller) User() string { return c.user }

// Role is the role of the person who acts, or "" for a system alone.
func (c Caller) Role() Role { return c.role }

// Proved is when the person who acts last proved who she is; zero for a system alone.
func (c Caller) Proved() time.Time { return c.proved }

// Recent is how long a proof of who she is stands for acts that need one.
const Recent = 15 * time.Minute

// ProvedSince reports whether the person who acts proved who she is at t or later. A
// system alone never has.
func (c Caller) ProvedSince(t time.Time) bool { return c.user != "" && !c.proved.Before(t) }

// Has reports whether the caller's token carries the scope and her partner still
// grants it.
func (c Caller) Has(s Scope) bool { return slices.Contains(c.scopes, s) }

// Signs returns ErrAct unless a signed statement with this act may be sent by the caller.
// Where a person acts, the statement itself must name her: else an agency could later say
// that nobody, or somebody else, had done it. A system alone signs for its agency; whom it
// names is the agency's word.
func (c Caller) Signs(act string) error {
	if c.user != "" && act != c.user {
		return ErrAct
	}
	return nil
}

// Entry begins a log entry with the caller as its actor.
func (c Caller) Entry(act string) proof.Entry {
	return proof.Entry{Act: act, Partner: string(c.partner), Client: c.client, User: c.user}
}

type callerKey struct{}

// WithCaller returns a context that carries c.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller that the guard admitted, if it admitted one.
func CallerFrom(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}
