package client

import "fmt"

// The custodies of a key: who holds its private part.
const (
	HeldByPartner = "partner"
	HeldByHub     = "hub" // for an agency with nowhere to keep its own; the hub could have signed unasked
)

// signedFor says that it was the hub that signed with the key, and for whom; "" where the
// partner has signed itself.
func (k Key) signedFor(partner, act string) string {
	if k.Custody != HeldByHub {
		return ""
	}
	if act == "" {
		act = "nobody whom it names"
	}
	return fmt.Sprintf("the hub signed this for %s of %s, which does not hold its own keys", act, partner)
}

// custody says of a good signature whose it is, where it is the hub's. One that names
// nobody does not hold: the hub signs for somebody, and says for whom.
func (f *Findings) custody(about string, k Key, partner, act string) {
	said := k.signedFor(partner, act)
	switch {
	case said == "":
	case act == "":
		f.fails(about, "%s", said)
	default:
		f.holds(about, "%s", said)
	}
}
