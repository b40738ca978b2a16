package client

import (
	"fmt"
	"time"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/keys/jose"
)

// judged is what a bundle's decisions and reviews make of an override.
type judged struct {
	decision string
	decided  time.Time // when it was signed
	ended    time.Time
}

// override checks one override that steps rest on: who signed it, that another person decided
// it, and that it covered what was sent.
func (x *examination) override(o BundleOverride) {
	stated, err := record.ParseOverride(o.Override)
	if err != nil {
		x.fails("override", "an override is malformed")
		return
	}
	claims := stated.Unverified()
	about := "override " + claims.ID
	key, bad := x.signature(claims.Issuer, stated.KeyID(), claims.IssuedAt, func(k jose.PublicKey) error {
		_, err := record.VerifyOverride(stated, k)
		return err
	})
	x.check(about, bad, "%s signed with the key %s to share without her agreement (%s): %s, for %s, to %s, until %s", claims.Issuer, key.KeyID(),
		claims.Reason, list(claims.Sections), claims.Purpose, claims.Recipient, day(time.Unix(claims.Expires, 0)))
	x.custody(about, key, claims.Issuer, claims.Act)
	var j judged
	for _, token := range o.Steps {
		x.judge(about, stated, token, &j)
	}
	entry, _, bad := openReceipt(o.Receipt, x.logKey)
	if differs := difference(entry, proof.Entry{Override: claims.ID}); bad == "" && differs != "" {
		bad = "the receipt is of something else, by its " + differs
	}
	x.check(about, bad, "its newest step is in the log since %s", day(entry.Time))
	for i, e := range x.held.links {
		if e.Basis == nil || e.Basis.Override != claims.ID {
			continue
		}
		bad := j.stops(claims, x.logged[i].at)
		if e.Basis.Digest != stated.Digest() {
			bad = "it rests on another override with this id"
		}
		if bad == "" {
			first := x.held.links[0]
			err := claims.Covers(record.Passage{Subject: first.Subject, Purpose: first.Purpose, Sender: e.Issuer, Recipient: e.Audience,
				Classes: e.Claims.Classes(sectionNames(e.Claims)...), Now: x.logged[i].at})
			if err != nil {
				bad = fmt.Sprintf("it does not cover what was sent: %s", local(err))
			}
		}
		if bad != "" {
			bad = fmt.Sprintf("step %d: %s", i+1, bad)
		}
		x.check(about, bad, "covers what step %d sent: %s, to %s", i+1, list(sectionNames(e.Claims)), e.Audience)
	}
}

// judge checks one decision or review of an override.
func (x *examination) judge(about string, of record.Statement[record.OverrideClaims], token string, j *judged) {
	var said record.Said
	var kid string
	var verify func(Key) error
	what := "still needed"
	if d, err := record.ParseDecision(token); err == nil {
		said, kid = d.Unverified().Said, d.KeyID()
		verify = func(k Key) error { _, err := record.VerifyDecision(d, k.PublicKey); return err }
		what = d.Unverified().Decision
		j.decision, j.decided = what, time.Unix(said.IssuedAt, 0)
	} else if r, err := record.ParseReview(token); err == nil {
		said, kid = r.Unverified().Said, r.KeyID()
		verify = func(k Key) error { _, err := record.VerifyReview(r, k.PublicKey); return err }
		if r.Unverified().Outcome == record.Ended {
			what, j.ended = record.Ended, time.Unix(said.IssuedAt, 0)
		}
	} else {
		x.fails(about, "a decision about it is malformed")
		return
	}
	claims := of.Unverified()
	key, bad := x.signed(said.Issuer, kid, said.IssuedAt)
	switch {
	case bad != "":
	case said.Issuer != claims.Issuer, said.Of != claims.ID, said.Digest != of.Digest():
		bad = "a decision about it is of something else"
	case said.Act == claims.Act && what != record.Ended: // who proposed it may end it
		bad = "whoever proposed it decided it too"
	case verify(key) != nil:
		bad = "the signature of a decision is not that of " + said.Issuer
	}
	x.check(about, bad, "%s signed with the key %s what a manager decided: %s", said.Issuer, key.KeyID(), what)
	x.custody(about, key, said.Issuer, said.Act)
}

// stops says why nothing could be shared on the override at that time, or "". When the day of
// an emergency began, the bundle does not say: at the latest a day after it was signed.
func (j judged) stops(claims record.OverrideClaims, at time.Time) string {
	deadline := time.Unix(claims.IssuedAt, 0).Add(record.EmergencyLife + record.MaxAge)
	switch {
	case j.decision == record.Refused && !at.Before(j.decided):
		return "it was sent after a manager had refused it"
	case !j.ended.IsZero() && !at.Before(j.ended.Add(time.Second)):
		return "it was sent after a manager had ended it"
	case claims.Emergency && at.Before(deadline):
		return ""
	case j.decision != record.Approved, claims.Emergency && !j.decided.Before(deadline):
		return "nobody had approved it in time"
	case at.Before(j.decided.Add(-record.Skew)):
		return "it was sent before anybody had approved it"
	}
	return ""
}
