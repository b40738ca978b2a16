package consent

import (
	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/consent/record"
)

// Basis is a record as somebody needs it who composes what rests on it, or takes it back,
// in a session that may see it. Until its batch has run there is none.
type Basis struct {
	Record           string // the signed record; "" if there is none to be seen
	Digest           string
	Subject          string
	Withdrawal       string        // the signed withdrawal; "" while the record stands
	Entry, Withdrawn audit.EntryID // of the record, and of its withdrawal if there is one
}

// QueueBasis queues the reading of a record, into a batch that is bound to the reader's
// partner. It locks nothing and decides nothing: whether the record covers what is sent,
// the transaction that stores it decides.
func QueueBasis(b *pgx.Batch, id string) *Basis {
	found := &Basis{}
	if !isID(id) {
		return found
	}
	b.Queue(`
		SELECT c.token, c.digest, c.subject, coalesce(s.withdrawal, ''), c.log_entry, s.log_entry
		FROM consent c JOIN consent_state s ON s.id = c.id WHERE c.id = $1`, id).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&found.Record, &found.Digest, &found.Subject, &found.Withdrawal,
			&found.Entry, &found.Withdrawn}, func() error { return nil })
		return err
	})
	return found
}

// NeverSaid is what is never to be shared, as its recorder needs it who says it again or lifts
// it. Until its batch has run there is none.
type NeverSaid struct {
	Statement, Digest string        // "" if there is none of hers
	Lift              string        // the signed end; "" while it stands
	Entry, Lifted     audit.EntryID // of it, and of its end if there is one
}

// QueueNeverSaid queues the reading of it, into a batch that is bound to the recorder's partner.
func QueueNeverSaid(b *pgx.Batch, id string) *NeverSaid {
	found := &NeverSaid{}
	if !isID(id) {
		return found
	}
	b.Queue(`
		SELECT n.token, n.digest, coalesce(s.lift, ''), n.log_entry, s.log_entry
		FROM consent_never n JOIN consent_never_state s ON s.id = n.id WHERE n.id = $1`, id).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&found.Statement, &found.Digest, &found.Lift, &found.Entry, &found.Lifted}, func() error { return nil })
		return err
	})
	return found
}

// SaysAgain reports whether what is stored says what claims say, signed at whatever time.
// A subject that claims leave out is whoever the stored record is about.
func (b *Basis) SaysAgain(claims record.Claims) bool {
	stated, err := record.ParseConsent(b.Record)
	if err != nil {
		return false
	}
	before := stated.Unverified()
	return before.SameAs(claims)
}

// TakenBackBy reports whether what is stored was taken back by what claims say, signed at
// whatever time.
func (b *Basis) TakenBackBy(claims record.WithdrawalClaims) bool {
	stated, err := record.ParseWithdrawal(b.Withdrawal)
	if err != nil {
		return false
	}
	before := stated.Unverified()
	before.IssuedAt = claims.IssuedAt
	return before == claims
}

// OverrideSaid is an override as its own agency needs it that proposes it again, relies on it
// or decides it. Until its batch has run there is none.
type OverrideSaid struct {
	Statement, Digest, Subject string            // "" if there is none of hers
	Sealed                     map[string]string // its texts
	Entry                      audit.EntryID     // of the proposal
	Steps                      map[string]OverrideStep
}

// OverrideStep is a decision or a review of an override, kept by the id of its statement.
type OverrideStep struct {
	Token string
	Entry audit.EntryID
}

// QueueOverrideSaid queues the reading of it, into a batch that is bound to its agency.
func QueueOverrideSaid(b *pgx.Batch, id string) *OverrideSaid {
	found := &OverrideSaid{Steps: map[string]OverrideStep{}}
	if !isID(id) {
		return found
	}
	b.Queue(`
		SELECT o.token, o.digest, o.subject, p.sealed, o.log_entry
		FROM consent_override o JOIN consent_override_private p ON p.id = o.id WHERE o.id = $1`, id).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&found.Statement, &found.Digest, &found.Subject, &found.Sealed, &found.Entry}, func() error { return nil })
		return err
	})
	b.Queue(`SELECT id::text, token, log_entry FROM consent_override_step WHERE override = $1`, id).Query(func(rows pgx.Rows) error {
		var jti string
		var s OverrideStep
		_, err := pgx.ForEachRow(rows, []any{&jti, &s.Token, &s.Entry}, func() error {
			found.Steps[jti] = s
			return nil
		})
		return err
	})
	return found
}
