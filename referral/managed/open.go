package managed

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"time"
	_ "time/tzdata" // London's clock, also where the machine has none

	"github.com/go-json-experiment/json"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/fault"
	"handover/keys/jose"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
	"handover/referral/packet/schema"
)

// Opened is content of a packet, opened for one person.
type Opened struct {
	Content map[string]packet.Content // by section
	Signed  Signature
	Unfit   []schema.Misfit // what is not as its schema says: shown all the same, to be read with care
	Stale   bool            // safe-contact counts no more: she is asked again before anything else
	Outside bool            // now is outside the times that she said are safe: nobody calls
	Receipt proof.Receipt   // of the opening
}

// inLondon is the time on the clock by which she said what is safe.
func inLondon(t time.Time) time.Time {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic("time zones are built in: " + err.Error())
	}
	return t.In(london)
}

// judge holds what was opened to its schemas. Whoever was sent it must read it, whatever program
// its sender used, so nothing is held back.
func (o *Opened) judge(now time.Time) {
	for _, name := range slices.Sorted(maps.Keys(o.Content)) {
		o.Unfit = append(o.Unfit, schema.Misfits(name, o.Content[name])...)
	}
	if safe, there := o.Content["safe-contact"]; there {
		o.Stale, o.Outside = schema.Stale(safe, now), schema.Outside(safe, now)
	}
}

// Signature is who signed what was opened, and what that is worth today.
type Signature struct {
	Partner string           `json:"partner"`
	Key     string           `json:"kid"`
	Custody partners.Custody `json:"custody"`       // hub: the hub signed it for the partner's user act
	Act     string           `json:"act,omitempty"` // the user it names
	Counts  bool             `json:"counts"`        // false: made outside the key's time, or the key was revoked since
}

// Open opens sections for the caller: released and logged as by everybody, and not a byte
// decrypted before that entry is under a signed checkpoint. The recipient's people open what
// was sealed to their agency, the sender's her own copies. Whoever gets them clears them
// when they have been shown. Besides what referral.Store.Open refuses: partners.ErrNoPerson,
// partners.ErrNotManaged, packet.ErrUnseal.
func (d *Desk) Open(ctx context.Context, c partners.Caller, id string, o referral.Opening) (Opened, error) {
	if err := person(c); err != nil {
		return Opened{}, err
	}
	l, err := d.look(ctx, c, asked{})
	if err != nil {
		return Opened{}, err
	}
	if err := l.held.Opens(); err != nil {
		return Opened{}, err
	}
	var u unlocking
	defer func() { partners.Destroy(u.keys) }()
	released, err := d.Referrals.OpenHere(ctx, c, id, o, func(r referral.Releasing) (err error) {
		u, err = d.unlock(ctx, c, r)
		return err
	})
	if err != nil {
		return Opened{}, err
	}
	receipt, err := d.receipt(ctx, released.Entry)
	if err != nil {
		return Opened{}, err
	}
	content, err := u.unseal(released)
	if err != nil {
		return Opened{}, err
	}
	e := u.envelope
	opened := Opened{Content: content, Receipt: receipt, Signed: Signature{Partner: e.Issuer, Key: u.signed.KeyID(), Custody: u.signed.Custody,
		Act: e.Act, Counts: u.signed.ValidAt(time.Unix(e.IssuedAt, 0))}}
	opened.judge(inLondon(l.now))
	return opened, nil
}

// receipt waits until the entry is under a signed checkpoint.
func (d *Desk) receipt(ctx context.Context, entry audit.EntryID) (proof.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, d.Wait)
	defer cancel()
	return d.Log.Receipt(ctx, entry)
}

// unlocking is what released sections are opened with.
type unlocking struct {
	envelope packet.Envelope
	signed   partners.Key // by which the envelope verifies
	keys     map[string]jose.PrivateKey
}

// unlock unwraps the keys that the sections name, and verifies the envelope that says what
// they are: it comes out of the database, and so does not vouch for itself.
func (d *Desk) unlock(ctx context.Context, c partners.Caller, r referral.Releasing) (u unlocking, err error) {
	stated, err := packet.ParseEnvelope(r.Envelope)
	if err != nil {
		return unlocking{}, fmt.Errorf("reading a stored envelope: %w", concealed(err))
	}
	var kids []string
	for _, header := range r.Headers {
		kid, err := kidOf(header)
		if err != nil {
			return unlocking{}, err
		}
		if !slices.Contains(kids, kid) {
			kids = append(kids, kid)
		}
	}
	wrapped, ring, err := d.openers(ctx, c, r.Issuer, stated.KeyID(), kids)
	if err != nil {
		return unlocking{}, err
	}
	var known bool
	if u.signed, known = ring.Named(stated.KeyID()); !known {
		return unlocking{}, fmt.Errorf("a stored envelope names a signing key that %s does not have", r.Issuer)
	}
	if u.envelope, err = stated.Verify(u.signed.PublicKey); err != nil {
		return unlocking{}, fmt.Errorf("verifying a stored envelope: %w", concealed(err))
	}
	if u.keys, err = wrapped.Unwrap(ctx, d.Keys); err == nil && len(u.keys) < len(kids) {
		err = packet.ErrUnseal // sealed to a key that the hub does not hold: a partner's own of earlier times
	}
	return u, err
}

// kidOf is the key that the header of a stored section names.
func kidOf(header string) (string, error) {
	text, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		return "", fmt.Errorf("reading a stored section: %w", err)
	}
	var members struct {
		Kid string `json:"kid"`
	}
	if err := json.Unmarshal(text, &members); err != nil {
		return "", fmt.Errorf("reading a stored section: %w", err)
	}
	return members.Kid, nil
}

// concealed is a refusal that the caller has not caused: what is wrong is wrong in the hub.
func concealed(err error) error {
	if f, ok := err.(*fault.Fault); ok {
		return fmt.Errorf("%s", f.Code)
	}
	return err
}

// unseal decrypts the sections. All open or none is shown.
func (u unlocking) unseal(r referral.Released) (map[string]packet.Content, error) {
	content := make(map[string]packet.Content, len(r.Sections))
	for name, sealed := range r.Sections {
		e, err := jose.ParseEncrypted(sealed, packet.SectionLimit)
		if err == nil {
			content[name], err = u.envelope.Unseal(name, sealed, u.keys[e.KeyID()])
		}
		if err != nil {
			wipe(content)
			return nil, err
		}
	}
	return content, nil
}
