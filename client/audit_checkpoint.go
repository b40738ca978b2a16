package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"handover/audit/proof"
)

// Policy says whose cosignatures a checkpoint needs besides the log's own signature.
type Policy = proof.Policy

// ParsePolicy reads a policy of witnesses in the text form of C2SP tlog-policy.
func ParsePolicy(text string) (Policy, error) { return proof.ParsePolicy(text) }

// Checkpoint is a signed checkpoint of the hub's log: whoever keeps it finds out if anything
// that it covers is ever changed, by whoever has the log's key.
type Checkpoint struct {
	Origin string `json:"origin"`
	Size   int64  `json:"size"` // how many entries it covers
	Root   string `json:"root"`
	Note   string `json:"note"`

	Continues []int64 `json:"continues"` // sizes of the kept checkpoints that it was proved to continue
}

// OpenCheckpoint verifies a checkpoint that somebody kept, with the log's key.
func OpenCheckpoint(note []byte, key LogKey) (Checkpoint, error) {
	tree, err := proof.OpenCheckpoint(note, key)
	if err != nil {
		return Checkpoint{}, err
	}
	return Checkpoint{Origin: key.Origin(), Size: tree.N, Root: tree.Hash.String(), Note: string(note)}, nil
}

// ErrRewritten means that the log which the hub shows does not begin with what a checkpoint
// covers that was kept. Find the *Rewritten in the error's chain.
var ErrRewritten = errors.New("the hub cannot show that its log continues what it showed before")

// Rewritten are two checkpoints of one log that were not shown to agree, each signed by its
// key. Both have to be kept: they are what the hub is held to.
type Rewritten struct {
	Kept, Shown Checkpoint
	What        string
	// Certain means that the two alone prove that the log was rewritten: no proof that the hub
	// could still bring makes them agree.
	Certain bool
}

// Error says what happened, and what it means.
func (r *Rewritten) Error() string {
	return fmt.Sprintf("%s: %s. Kept is a checkpoint of %d entries with the root %s, shown is one of %d entries with the root %s",
		ErrRewritten, r.What, r.Kept.Size, r.Kept.Root, r.Shown.Size, r.Shown.Root)
}

// Unwrap returns ErrRewritten.
func (r *Rewritten) Unwrap() error { return ErrRewritten }

// Checkpoint asks the hub for its log's newest checkpoint, and has it proved that the log
// begins with all that each of the kept ones covers. policy is whose cosignatures it must
// have; the zero Policy asks for none. The error is a *Rewritten where the hub's answer does
// not prove that: what it shows must then be kept beside what was kept, and not in its place.
func (c *Client) Checkpoint(ctx context.Context, policy Policy, kept ...[]byte) (Checkpoint, error) {
	shown, err := c.newest(ctx, policy)
	if err != nil {
		return Checkpoint{}, err
	}
	shown.Continues = []int64{}
	for _, note := range kept {
		old, err := OpenCheckpoint(note, c.LogKey().Alone())
		if err != nil {
			return shown, fmt.Errorf("a kept checkpoint: %w", err)
		}
		if err := c.continues(ctx, old, shown); err != nil {
			return shown, err
		}
		shown.Continues = append(shown.Continues, old.Size)
	}
	return shown, nil
}

// saysNothing are the answers that say nothing about the log: who asks has to come again.
func saysNothing() []int {
	return []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout}
}

// newest is the checkpoint that the hub shows, by the pinned key or one that follows it.
func (c *Client) newest(ctx context.Context, policy Policy) (Checkpoint, error) {
	r, err := c.do(ctx, call{method: http.MethodGet, path: logPath + "/checkpoint", stranger: true})
	if err != nil {
		return Checkpoint{}, err
	}
	shown, err := c.opened(ctx, r.body)
	if err == nil && policy.Demands() {
		if _, err = OpenCheckpoint(r.body, c.LogKey().Witnessed(policy)); err != nil {
			err = fmt.Errorf("%w: the checkpoint that the hub shows: %w", ErrProof, err)
		}
	}
	if err != nil {
		return Checkpoint{}, err
	}
	return shown, nil
}

// opened verifies a checkpoint that the hub shows, with the pinned key or one that follows it.
func (c *Client) opened(ctx context.Context, note []byte) (Checkpoint, error) {
	shown, err := OpenCheckpoint(note, c.LogKey().Alone())
	if errors.Is(err, proof.ErrSignature) {
		if followed := c.follow(ctx); followed != nil {
			return Checkpoint{}, followed
		}
		shown, err = OpenCheckpoint(note, c.LogKey().Alone())
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: the checkpoint that the hub shows: %w", ErrProof, err)
	}
	return shown, nil
}

// continues has the hub prove that the log under shown begins with the log under old.
func (c *Client) continues(ctx context.Context, old, shown Checkpoint) error {
	refused := func(certain bool, what string) error {
		return &Rewritten{Kept: old, Shown: shown, What: what, Certain: certain}
	}
	switch {
	case old.Size == shown.Size && old.Root != shown.Root:
		return refused(true, "it has signed two logs of the same length that are not the same")
	case old.Size == shown.Size || old.Size == 0:
		return nil
	case old.Size > shown.Size:
		// With witnesses the hub shows what they have cosigned, which may be a little behind.
		if bad, err := c.joins(ctx, shown, old); err != nil || bad == "" {
			return err
		}
		return refused(false, "it shows a log that is shorter than it was")
	}
	bad, err := c.joins(ctx, old, shown)
	if bad != "" {
		return refused(false, bad)
	}
	return err
}

// joins has the hub prove that the log under the second checkpoint begins with the log under
// the first, and says what is wrong with its answer, or "". An error says nothing about the log.
func (c *Client) joins(ctx context.Context, first, second Checkpoint) (bad string, err error) {
	r, err := c.do(ctx, call{method: http.MethodGet, path: logPath + "/proof",
		query: url.Values{"old": {strconv.FormatInt(first.Size, 10)}, "new": {strconv.FormatInt(second.Size, 10)}}})
	if p, ok := errors.AsType[*Problem](err); ok && !slices.Contains(saysNothing(), p.Status) {
		return fmt.Sprintf("asked to prove it, it answers %d %s", p.Status, p.Code), nil
	}
	if err != nil {
		return "", err
	}
	size, hashes, _, err := proof.ParseConsistency(r.body)
	if err != nil || size != first.Size {
		return "what it answers is no proof of it", nil
	}
	if proof.VerifyConsistency([]byte(first.Note), []byte(second.Note), hashes, c.LogKey().Alone()) != nil {
		return "the proof that it gives does not hold", nil
	}
	return "", nil
}
