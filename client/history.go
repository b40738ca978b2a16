package client

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
)

// KeyChange is one change of a partner's public keys, with what proves it.
type KeyChange struct {
	Position  int64   `json:"position"`
	Statement string  `json:"statement,omitempty"` // the compact JWS that introduced the key
	Receipt   Receipt `json:"receipt"`
}

// examiner is what the history of a partner's keys is verified with.
type examiner struct {
	logKey LogKey
	hub    string
	keys   map[string]jose.PublicKey // as the hub shows them, by their true thumbprint
	kept   KnownKeys                 // what was known before; nothing is a first contact
	own    map[string]bool           // kids of our own keys
}

// misfit returns what does not fit. Whose history it is, whoever reads it adds.
func misfit(key, format string, args ...any) *SwappedKey {
	return &SwappedKey{Key: key, What: fmt.Sprintf(format, args...)}
}

// index returns the keys by thumbprint. A key that is shown under another's is refused: the
// database's row of one would otherwise carry the other.
func index(shown []Key) (map[string]jose.PublicKey, *SwappedKey) {
	keys := map[string]jose.PublicKey{}
	for _, k := range shown {
		if k.KeyID() != k.Thumbprint() {
			return nil, misfit(k.KeyID(), "under the fingerprint %s it shows another %s key, whose fingerprint is %s, and no entry of the log is of that one",
				k.KeyID(), k.Use, k.Thumbprint())
		}
		if _, twice := keys[k.KeyID()]; twice {
			return nil, misfit(k.KeyID(), "it shows the key %s twice", k.KeyID())
		}
		keys[k.KeyID()] = k.PublicKey
	}
	return keys, nil
}

// take verifies the next change and adds it to what is known, or says what does not fit. Its
// time is not before that of the change it follows: the hub chooses it, and would otherwise
// have a key that has ended sign for another, as of when it counted.
func (x *examiner) take(known *KnownKeys, c KeyChange) (proof.Entry, *SwappedKey) {
	number := int64(len(known.Entries)) + 1
	entry, err := c.Receipt.Verify(x.logKey)
	if err != nil {
		return entry, misfit("", "there is no entry in the log for change %d of its keys: %s", number, err)
	}
	k := entry.Key
	if k == nil || entry.Partner != known.Partner || entry.User != "" {
		return entry, misfit("", "what the hub shows as change %d of its keys is another entry of the log, of the act %s", number, entry.Act)
	}
	if k.Position != number || c.Position != number {
		return entry, misfit(k.Key, "what the hub shows as change %d of its keys is change %d, by the log", number, k.Position)
	}
	if entry.Time.Before(known.Last) {
		return entry, misfit(k.Key, "the log has change %d of its keys at an earlier time than the change before it", number)
	}
	var wrong *SwappedKey
	switch entry.Act {
	case proof.KeyAdded:
		wrong = x.added(known, entry, c.Statement)
	case proof.KeyEnded, proof.KeyRevoked:
		wrong = ended(known, entry)
	default:
		wrong = misfit(k.Key, "the log's entry of change %d is of the act %s", number, entry.Act)
	}
	if wrong == nil {
		known.Entries, known.Last = append(known.Entries, entry.ID), entry.Time
	}
	return entry, wrong
}

// ended takes an earlier end, or a revocation, of a key that is known.
func ended(known *KnownKeys, entry proof.Entry) *SwappedKey {
	k, at := entry.Key, known.find(entry.Key.Key)
	if at == nil || at.Use != k.Use || at.Client != k.Client || !at.From.Equal(k.From) || k.Introduced+k.By+k.Statement != "" {
		return misfit(k.Key, "the log ends a key %s that it has not added so", k.Key)
	}
	revokes := entry.Act == proof.KeyRevoked
	if !at.Revoked.IsZero() || revokes && !k.Until.Equal(at.Until) || !revokes && !k.Until.Before(at.Until) {
		return misfit(k.Key, "the log makes the end of the key %s later, or its revocation undone", k.Key)
	}
	at.Until = k.Until
	if revokes {
		at.Revoked, at.Reason = entry.Time, entry.Reason
	}
	return nil
}

// added takes a new key. It must not count from before the log had it: what was signed
// earlier would become its partner's afterwards.
func (x *examiner) added(known *KnownKeys, entry proof.Entry, statement string) *SwappedKey {
	k := entry.Key
	public, shown := x.keys[k.Key]
	switch {
	case known.find(k.Key) != nil:
		return misfit(k.Key, "the log adds the key %s twice", k.Key)
	case !shown:
		return misfit(k.Key, "it does not show the key %s, which the log has", k.Key)
	case !fits(k.Use, public.Algorithm()) || (k.Use == Authentication) != (k.Client != ""):
		return misfit(k.Key, "the key %s is not for what the log says: %s", k.Key, k.Use)
	case k.From.Before(entry.Time) || !k.From.Before(k.Until):
		return misfit(k.Key, "the key %s would count from before the log had it, or never", k.Key)
	}
	next := KnownKey{ID: k.Key, Use: k.Use, Client: k.Client, Custody: k.Custody, From: k.From, Until: k.Until,
		Introduced: k.Introduced, By: k.By, Replaces: k.Replaces}
	if wrong := x.vouched(known, &next, entry, statement); wrong != nil {
		return wrong
	}
	if was := x.kept.find(k.Key); was != nil {
		next.Unconfirmed, next.Confirmed = was.Unconfirmed, was.Confirmed
	}
	known.Keys = append(known.Keys, next)
	return nil
}

// vouched notes who has signed for a new key. One that nobody known has signed for stays in
// the history, so that what came before it can be used still, and is marked: it is for a
// person to confirm. A key to authenticate is relied on by the hub alone, and needs nobody.
func (x *examiner) vouched(known *KnownKeys, next *KnownKey, entry proof.Entry, statement string) *SwappedKey {
	k := entry.Key
	if k.Use == Authentication {
		if k.Introduced != proof.Registered || k.By+k.Statement+statement != "" {
			return misfit(k.Key, "the log introduces the authentication key %s as one of another use", k.Key)
		}
		return nil
	}
	signer := known.find(k.By)
	switch {
	case ids.Digest(statement) != k.Statement || !x.states(statement, x.keys[k.By], entry):
		next.Introduced, next.Unconfirmed = unsigned, true
	case k.Introduced == proof.SelfSigned && k.Use == Signing && k.By == k.Key:
		next.Unconfirmed = len(x.kept.Entries) > 0
	case k.Introduced == proof.Countersigned && signer != nil && signer.Use == Signing && signer.ValidAt(entry.Time) && !x.spent(k, entry.Time):
		next.Unconfirmed = signer.Unconfirmed
	default:
		next.Introduced, next.Unconfirmed = unsigned, true
	}
	next.Unconfirmed = next.Unconfirmed && !x.own[k.Key]
	return nil
}

// spent reports whether a key that is new here has for its signer one whose end or revocation
// was seen here, which another history does not undo.
func (x *examiner) spent(k *proof.KeyChange, at time.Time) bool {
	if x.kept.find(k.Key) != nil {
		return false // what it signed for while it counted
	}
	for _, seen := range slices.Concat(x.kept.standing(), x.kept.gone()) {
		if seen.ID == k.By {
			return !seen.ValidAt(at)
		}
	}
	return false
}

// unsigned is how a key was introduced for which no key of the partner's that counted signed.
const unsigned = "unsigned"

// statementLimit is the most bytes of a statement about keys.
const statementLimit = 8 << 10

// states reports whether a statement signed with the key by introduces the key of the entry:
// for this hub and partner, at that time, by a rotation or by an enrolment.
func (x *examiner) states(statement string, by jose.PublicKey, entry proof.Entry) bool {
	k := entry.Key
	if signed, err := jose.ParseSigned(statement, statementLimit, enrolmentType); err == nil {
		var e enrolmentClaims
		payload, err := signed.Verify(by)
		if err != nil || strict.Unmarshal(payload, &e) != nil || e.Hub != x.hub || k.Replaces != "" {
			return false
		}
		brought := map[string]jose.PublicKey{Signing: e.Keys.Signing, Encryption: e.Keys.Encryption}[k.Use]
		return brought.Thumbprint() == k.Key && e.Keys.Signing.Thumbprint() == k.By && recent(e.IssuedAt, entry.Time)
	}
	signed, err := jose.ParseSigned(statement, statementLimit, rotationType)
	if err != nil {
		return false
	}
	var r rotationClaims
	payload, err := signed.Verify(by)
	if err != nil || strict.Unmarshal(payload, &r) != nil {
		return false
	}
	if r.Hub != x.hub || r.Partner != entry.Partner || r.Use != k.Use || r.Key.Thumbprint() != k.Key || r.Retire != k.Replaces ||
		!recent(r.IssuedAt, entry.Time) {
		return false
	}
	return k.Use != Signing || k.Introduced == proof.SelfSigned || x.possessed(r)
}

// recent reports whether a statement was signed at most a day before its entry, and an hour
// that the hub may have taken.
func recent(issuedAt int64, at time.Time) bool {
	signed := time.Unix(issuedAt, 0)
	return !signed.After(at.Add(skew)) && signed.After(at.Add(-25*time.Hour))
}

// possessed reports whether the new signing key has signed that it is to be this partner's:
// nobody has what another agency's key signed taken for hers.
func (x *examiner) possessed(r rotationClaims) bool {
	signed, err := jose.ParseSigned(r.Possession, statementLimit, possessionType)
	if err != nil {
		return false
	}
	payload, err := signed.Verify(r.Key)
	var p possession
	return err == nil && strict.Unmarshal(payload, &p) == nil && p == possession{r.Hub, r.Partner, r.Key.KeyID()}
}

// match returns the keys as the history has them, if the hub shows exactly these.
func match(known KnownKeys, shown []Key) ([]Key, *SwappedKey) {
	for _, k := range shown {
		at := known.find(k.KeyID())
		if at == nil {
			return nil, misfit(k.KeyID(), "there is no entry in the log for the %s key %s", k.Use, k.KeyID())
		}
		revoked := at.Revoked.IsZero() == k.Revoked.IsZero() && (k.Revoked.IsZero() || at.Revoked.Unix() == k.Revoked.Unix())
		if cmp.Or(at.Custody, HeldByPartner) != cmp.Or(k.Custody, HeldByPartner) {
			return nil, misfit(k.KeyID(), "the log says otherwise of the %s key %s: who holds its private part", k.Use, k.KeyID())
		}
		if at.Use != k.Use || at.From.Unix() != k.NotBefore.Unix() || at.Until.Unix() != k.NotAfter.Unix() || !revoked {
			return nil, misfit(k.KeyID(), "the log says otherwise of the %s key %s: what it is for, when it counts, or that it was revoked", k.Use, k.KeyID())
		}
	}
	if len(shown) != len(known.Keys) {
		return nil, misfit("", "it does not show all keys that the log has")
	}
	known.Keys = known.standing()
	keys := make([]Key, len(shown))
	for i, k := range shown {
		at := known.find(k.KeyID())
		keys[i] = Key{PublicKey: k.PublicKey, Use: k.Use, Custody: cmp.Or(at.Custody, HeldByPartner), NotBefore: at.From, NotAfter: at.Until, Revoked: at.Revoked}
	}
	return keys, nil
}
