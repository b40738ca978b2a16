package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"handover/audit/proof"
)

// ErrUnwitnessed means that a receipt holds by the hub's signature alone: too few witnesses
// have cosigned its checkpoint. Its text says how many did. The same receipt asked for again, once
// they answer, is a witnessed one.
var ErrUnwitnessed = proof.ErrUnwitnessed

// Witnessed returns nil if a receipt that this client returned meets the pinned policy of
// witnesses, and ErrUnwitnessed if too few of them have signed.
func (c *Client) Witnessed(r Receipt) error {
	return Trust{LogKey: c.LogKey(), Policy: c.policy}.Witnessed(r)
}

// Witnessed returns nil if a receipt holds and meets the policy of t, and ErrUnwitnessed if it
// holds but too few witnesses have signed.
func (t Trust) Witnessed(r Receipt) error {
	_, err := r.Verify(t.LogKey.Witnessed(t.Policy))
	return err
}

// WitnessPolicy asks the hub whose cosignatures it gathers; the zero Policy if nobody's. Before you pin
// it, compare it with what the witnesses themselves say: a hub could name its own.
func (c *Client) WitnessPolicy(ctx context.Context) (Policy, error) {
	r, err := c.do(ctx, call{method: http.MethodGet, path: logPath + "/witnesses", stranger: true})
	if Code(err) == "log-has-no-witnesses" {
		return Policy{}, nil
	}
	if err != nil {
		return Policy{}, err
	}
	p, err := proof.ParsePolicy(string(r.body))
	if err != nil {
		return Policy{}, errors.Join(ErrAnswer, fmt.Errorf("the hub's policy of witnesses: %w", err))
	}
	return p, nil
}
