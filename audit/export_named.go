package audit

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/strict"
)

// Named is what some entries name, each thing once.
type Named struct {
	Referrals []string // referral ids
	Consents  []string // ids of consent records
	Overrides []string // ids of overrides
	Targets   []string // other ids in the form of a UUID: of nevers, requests of the police, recalls
	Digests   []string // of statements
}

// Statement is a signed statement as a room keeps it.
type Statement struct {
	Kind   string // proof.StatementEnvelope…
	Signer string // partner id, or the hub's URL
	Text   string // compact JWS
}

// exported is an entry as the database holds it. salt and body are nil once erased.
type exported struct {
	index      int64
	salt, body []byte
}

// namedBy collects what the entries name. An entry that is erased, or is no entry, names
// nothing; who verifies the export says so.
func namedBy(entries []exported) Named {
	var n struct{ referrals, consents, overrides, targets, digests set }
	for _, x := range entries {
		e, err := proof.ParseEntry(x.body)
		if x.body == nil || err != nil {
			continue
		}
		n.referrals.add(e.Referral, ids.IsDigest)
		n.consents.add(e.Consent, ids.IsUUID)
		n.overrides.add(e.Override, ids.IsUUID)
		n.targets.add(e.Target, ids.IsUUID)
		n.digests.add(e.Envelope, ids.IsDigest)
		n.digests.add(e.Digest, ids.IsDigest)
	}
	return Named{n.referrals.list(), n.consents.list(), n.overrides.list(), n.targets.list(), n.digests.list()}
}

// set is a set of texts.
type set map[string]bool

func (s *set) add(text string, formed func(string) bool) {
	if !formed(text) {
		return
	}
	if *s == nil {
		*s = set{}
	}
	(*s)[text] = true
}

func (s set) list() []string { return slices.AppendSeq([]string{}, maps.Keys(s)) }

// PartnerKeys is what is known of a partner's keys at one moment.
type PartnerKeys struct {
	Category string
	Keys     []jsontext.Value // public JWKs with their validity, newest first
	Changes  []KeyStep        // of the first on
}

// KeyStep is one change of a partner's keys, with its entry.
type KeyStep struct {
	Position  int64
	Statement string // compact JWS, or ""
	Entry     EntryID
}

// HubKey is a public key of the hub's own, with the entry that says so.
type HubKey struct {
	JWK   jsontext.Value
	Entry EntryID
}

// partners writes the keys of whoever signed a statement; to oversight, of everybody.
func (e *export) partners(ctx context.Context) error {
	var signers []string
	for id := range e.signers {
		signers = append(signers, id)
	}
	if e.q.Scope == proof.ScopeOversight {
		var err error
		if signers, err = e.Keys.WithKeys(ctx, e.at.tx); err != nil {
			return err
		}
	}
	slices.Sort(signers)
	for _, id := range signers {
		if !ids.IsName(id) { // the hub itself: hubKeys
			continue
		}
		known, err := e.Keys.PartnerKeys(ctx, e.at.tx, id)
		if err != nil {
			return err
		}
		line := &proof.ExportPartner{ID: id, Category: known.Category, Keys: known.Keys}
		if line.History, err = e.history(ctx, known.Changes); err != nil {
			return err
		}
		if line.Keys == nil {
			line.Keys = []jsontext.Value{}
		}
		if err := e.to.Write(proof.ExportLine{Partner: line}); err != nil {
			return err
		}
	}
	return nil
}

// history adds to each change the receipt that proves it. At the first that the log cannot
// prove, because what is stored was changed, the history breaks off: who verifies it finds
// keys that no entry is of.
func (e *export) history(ctx context.Context, steps []KeyStep) ([]jsontext.Value, error) {
	var all []jsontext.Value
	for _, s := range steps {
		receipt, err := e.receipt(ctx, s.Entry)
		if unprovable(err) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := strict.Marshal(struct {
			Position  int64         `json:"position"`
			Statement string        `json:"statement,omitempty"`
			Receipt   proof.Receipt `json:"receipt"`
		}{s.Position, s.Statement, receipt})
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, nil
}

// unprovable reports whether the log cannot prove an entry, now or ever.
func unprovable(err error) bool {
	return errors.Is(err, ErrTampered) || errors.Is(err, ErrErased) || errors.Is(err, ErrReceiptPending)
}

// receiptTime is how long an export waits for the checkpoint over a change of keys that has
// just been made.
const receiptTime = 5 * time.Second

func (e *export) receipt(ctx context.Context, id EntryID) (proof.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, receiptTime)
	defer cancel()
	return e.Log.Receipt(ctx, id)
}

// hubKeys writes the keys that the hub signed steps of its own with.
func (e *export) hubKeys(ctx context.Context) error {
	known, err := e.OwnKeys.HubKeys(ctx, e.at.tx)
	if err != nil {
		return err
	}
	var all []jsontext.Value
	for _, k := range known {
		receipt, err := e.receipt(ctx, k.Entry)
		if unprovable(err) {
			continue
		}
		if err != nil {
			return err
		}
		members := map[string]jsontext.Value{}
		if err := strict.Unmarshal(k.JWK, &members); err != nil {
			return err
		}
		if members["receipt"], err = strict.Marshal(receipt); err != nil {
			return err
		}
		text, err := strict.Marshal(members)
		if err != nil {
			return err
		}
		all = append(all, text)
	}
	if len(all) == 0 {
		return nil
	}
	return e.to.Write(proof.ExportLine{HubKeys: all})
}

// Asker is who asks for an export over the wire.
type Asker struct {
	Partner   string
	Oversight bool        // whether the partner oversees the others
	By        proof.Entry // begins the entry that tells of it
}

func (a Asker) scope() string {
	if a.Oversight {
		return proof.ScopeOversight
	}
	return proof.ScopeAgency
}
