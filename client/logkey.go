package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"handover/audit/proof"
)

// verified verifies a receipt with the pinned log key, or one that follows it.
func (c *Client) verified(ctx context.Context, r Receipt) (proof.Entry, error) {
	entry, err := r.Verify(c.LogKey())
	if !errors.Is(err, proof.ErrSignature) {
		return entry, err
	}
	if followed := c.follow(ctx); followed != nil {
		return proof.Entry{}, followed
	}
	return r.Verify(c.LogKey())
}

// follow asks the hub for the statements by which its log's keys followed each other, and
// verifies them from the pinned one on. A key that nobody known has signed for is refused. A
// hub that says nothing changes nothing.
func (c *Client) follow(ctx context.Context) error {
	r, err := c.do(ctx, call{method: http.MethodGet, path: logPath + "/successions", stranger: true})
	if err != nil {
		return nil //nolint:nilerr // the receipt is not verified, and that is what is told
	}
	answer, err := read[struct {
		Successions []string `json:"successions"`
	}](r)
	if err != nil {
		return err
	}
	key := c.LogKey()
	if len(answer.Successions) <= len(key.Successions()) {
		return nil
	}
	line, err := key.Followed(answer.Successions)
	if err != nil {
		return fmt.Errorf("the hub's log has another key than the one you pinned, and that one has not signed for it: %w", err)
	}
	if c.followed != nil {
		if err := c.followed(answer.Successions); err != nil {
			return fmt.Errorf("keeping the log's new key: %w", err)
		}
	}
	c.logKey.Store(&line)
	return nil
}

// lineOf is a log key with the successions of a document, if it is one of their keys.
func lineOf(key LogKey, successions []string) LogKey {
	if len(successions) <= len(key.Successions()) {
		return key
	}
	line, err := key.Followed(successions)
	if err != nil {
		return key
	}
	return line
}
