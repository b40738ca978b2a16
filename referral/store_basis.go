package referral

import (
	"github.com/jackc/pgx/v5"

	"handover/consent"
	"handover/consent/record"
	"handover/referral/packet"
)

// reliance is what a packet rests on, and whom it goes to.
type reliance struct {
	basis packet.Basis
	to    string
}

func (r reliance) on() consent.Reliance {
	return consent.Reliance{Basis: r.basis.Consent + r.basis.Override, Recipient: r.to} // it has one of the two
}

// lockBases queues the reading of what packets rest on, locked until the transaction ends
// against whatever would end it.
func lockBases(b *pgx.Batch, relied ...reliance) *consent.Grants {
	var consents, overrides []string
	on := make([]consent.Reliance, len(relied))
	for i, r := range relied {
		basis := r.basis
		if on[i] = r.on(); basis.Override != "" {
			overrides = append(overrides, basis.Override)
		} else {
			consents = append(consents, basis.Consent)
		}
	}
	all := consent.Lock(b, consents...)
	all.LockOverrides(b, overrides...)
	all.LockNevers(b, on...)
	return all
}

// covers decides whether the basis, exactly the statement that it names, covers the passage
// now. Firewall and agreement are decided besides: an override replaces her agreement and
// nothing else. With whom she never wants anything shared, neither shares anything.
func covers(all *consent.Grants, b packet.Basis, p record.Passage) error {
	var err error
	if b.Override != "" {
		err = all.Override(b.Override).Covers(b.Digest, p)
	} else {
		err = all.Of(b.Consent).Covers(b.Digest, p)
	}
	if err != nil {
		return err
	}
	return all.Stops(reliance{b, p.Recipient}.on())
}

// basisColumns are the ids of what a packet rests on, as the table has them.
func basisColumns(b *packet.Basis) (given, override *string) {
	switch {
	case b == nil:
		return nil, nil
	case b.Override != "":
		return nil, &b.Override
	}
	return &b.Consent, nil
}
