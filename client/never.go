package client

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"time"

	"github.com/google/uuid"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/ids"
)

// Never is with whom nothing about a woman may ever be shared: a hard stop for everybody who
// has anything about her under one of the subjects. Only your agency can read it.
type Never struct {
	ID         string   // UUIDv7; default a new one
	Subjects   []string // all references that you have of her
	Recipients []string // partner ids, or category:NAME
	Act        string   // the worker, by opaque id
}

// RecordedNever is a never with its proof.
type RecordedNever struct {
	ID        string  `json:"id"`
	Digest    string  `json:"digest"`
	Statement string  `json:"statement"` // the signed never
	Receipt   Receipt `json:"receipt"`
}

// StoredNever is a never of your agency as the hub keeps it, verified.
type StoredNever struct {
	ID         string             `json:"id"`
	Statement  string             `json:"statement"`
	Digest     string             `json:"digest"`
	RecordedAt time.Time          `json:"recorded_at"`
	LiftedAt   time.Time          `json:"lifted_at,omitzero"`
	Lift       string             `json:"lift,omitempty"`
	Claims     record.NeverClaims `json:"claims"` // what it states
}

// RecordNever signs and records a never. When it returns without error, nothing about her
// goes to any of the recipients any more. Codes of refusal: consent-claim, never-nobody,
// never-conflict, consent-stale.
func (c *Client) RecordNever(ctx context.Context, n Never) (RecordedNever, error) {
	if err := c.signs(); err != nil {
		return RecordedNever{}, err
	}
	id, err := newID(n.ID)
	if err != nil {
		return RecordedNever{}, err
	}
	token, err := record.NeverClaims{Hub: c.hub, Issuer: c.partner, ID: id, IssuedAt: c.now().Unix(), Act: n.Act,
		Subjects: n.Subjects, Recipients: n.Recipients}.Sign(c.keys.Signing)
	if err != nil {
		return RecordedNever{}, local(err)
	}
	recorded := RecordedNever{ID: id, Digest: ids.Digest(token), Statement: token}
	if recorded.Receipt, err = c.postSigned(ctx, "/v1/nevers", token); err != nil {
		return RecordedNever{}, err
	}
	return recorded, c.prove(ctx, recorded.Receipt, proof.Entry{Act: "never.record", Partner: c.partner, Target: id, Digest: recorded.Digest})
}

// Nevers lists what your agency recorded, newest first, page by page as the loop asks for more.
// An error is yielded once and ends the list.
func (c *Client) Nevers(ctx context.Context) iter.Seq2[StoredNever, error] {
	type page struct {
		Nevers []StoredNever `json:"nevers"`
	}
	return func(yield func(StoredNever, error) bool) {
		for n, err := range pages(ctx, c, "/v1/nevers", func(p page) []StoredNever { return p.Nevers }) {
			if err == nil {
				n.Claims, err = c.readNever(ctx, n)
			}
			if !yield(n, err) || err != nil {
				return
			}
		}
	}
}

func (c *Client) readNever(ctx context.Context, n StoredNever) (record.NeverClaims, error) {
	stated, err := record.ParseNever(n.Statement)
	if err != nil || stated.Unverified().ID != n.ID || stated.Unverified().Issuer != c.partner || stated.Digest() != n.Digest {
		return record.NeverClaims{}, fmt.Errorf("%w: a never of yours", ErrForged)
	}
	key, err := c.signingKey(ctx, c.partner, stated.KeyID())
	if err != nil {
		return record.NeverClaims{}, err
	}
	if _, err := record.VerifyNever(stated, key.PublicKey); err != nil {
		return record.NeverClaims{}, fmt.Errorf("%w: a never of yours", ErrForged)
	}
	return stated.Unverified(), nil
}

// LiftNever signs and records that she has changed her mind. Codes of refusal:
// never-not-found, never-lifted.
func (c *Client) LiftNever(ctx context.Context, id, digest, act string) (Receipt, error) {
	if err := c.signs(); err != nil {
		return Receipt{}, err
	}
	jti, err := uuid.NewV7()
	if err != nil {
		return Receipt{}, fmt.Errorf("choosing an id: %w", err)
	}
	token, err := record.LiftClaims{Hub: c.hub, Issuer: c.partner, ID: jti.String(), IssuedAt: c.now().Unix(), Act: act,
		Never: id, Digest: digest}.Sign(c.keys.Signing)
	if err != nil {
		return Receipt{}, local(err)
	}
	receipt, err := c.postSigned(ctx, "/v1/nevers/"+url.PathEscape(id)+"/lift", token)
	if err != nil {
		return Receipt{}, err
	}
	return receipt, c.prove(ctx, receipt, proof.Entry{Act: "never.lift", Partner: c.partner, Target: id, Digest: ids.Digest(token)})
}
