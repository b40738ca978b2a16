package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"handover/referral/packet"
)

// retiredKey is the code that the hub answers when a section is sealed to a key that does
// not count any more. Nothing of the packet has been stored then.
const retiredKey = "recipient-key-retired"

// mostSealings is how often a packet is sealed for one Send: a partner whose key is
// replaced during each of them has more to mend than we can.
const mostSealings = 3

// ErrNoCopy means that the content of a packet cannot be had from the packet: there is no
// copy in it. One that is there and does not open now may yet, so it is another error.
var ErrNoCopy = errors.New("the packet holds no copy of its content: send it anew from where the content is")

// sendFresh posts what seal makes. When the recipient's key has been replaced since, it
// has it made anew, for the current key: the same packet id, because the hub stored
// nothing under it.
func (c *Client) sendFresh(ctx context.Context, seal func() ([]byte, error)) (Receipt, error) {
	for sealings := 1; ; sealings++ {
		sealed, err := seal()
		if err != nil {
			return Receipt{}, err
		}
		receipt, err := c.Post(ctx, sealed)
		if Code(err) != retiredKey || sealings == mostSealings {
			return receipt, err
		}
	}
}

// Reseal makes a packet anew that the hub refused as recipient-key-retired: the same
// packet id, claims and content, sealed to the recipient's current key and signed now.
// The content comes from your own copies in the packet; one that was sealed without them
// has to be made from where the content is. Post the old bytes first: only that answer
// says that nothing is stored under the id.
func (c *Client) Reseal(ctx context.Context, sealed []byte) ([]byte, error) {
	u, err := packet.Read(sealed)
	if err != nil {
		return nil, local(err)
	}
	claims := u.Unverified()
	if claims.Issuer != c.partner {
		return nil, fmt.Errorf("%w: it is not yours", ErrForged)
	}
	key, err := c.signingKey(ctx, claims.Issuer, u.KeyID())
	if err != nil {
		return nil, err
	}
	envelope, err := u.Verify(key.PublicKey)
	if err != nil {
		return nil, local(err)
	}
	content := map[string]Content{}
	for name := range claims.Sections {
		own := u.Copy(name)
		if own == "" {
			return nil, ErrNoCopy
		}
		if content[name], err = c.unseal(envelope, name, own); err != nil {
			return nil, fmt.Errorf("opening your own copy, for which an earlier key of yours may be missing here: %w", local(err))
		}
	}
	claims.IssuedAt = 0
	return c.seal(ctx, claims, content, true)
}

// newID is an id for a packet that may have to be sealed more than once.
func newID(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("choosing a packet id: %w", err)
	}
	return id.String(), nil
}
