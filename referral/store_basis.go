package referral

import (
	"github.com/jackc/pgx/v5"

	"handover/consent"
	"handover/consent/record"
	"handover/referral/packet"
)

// lockBases queues the reading of what packets rest on, locked until the transaction ends
// against whatever would end it.
func lockBases(b *pgx.Batch, bases ...packet.Basis) *consent.Grants {
	var consents, overrides []string
	for _, basis := range bases {
		if basis.Override != "" {
			overrides = append(overrides, basis.Override)
		} else {
			consents = append(consents, basis.Consent)
		}
	}
	all := consent.Lock(b, consents...)
	all.LockOverrides(b, overrides...)
	return all
}

// covers decides whether the basis, exactly the statement that it names, covers the passage
// now. Firewall and agreement are decided besides: an override replaces her agreement and
// nothing else.
func covers(all *consent.Grants, b packet.Basis, p record.Passage) error {
	if b.Override != "" {
		return all.Override(b.Override).Covers(b.Digest, p)
	}
	return all.Of(b.Consent).Covers(b.Digest, p)
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
