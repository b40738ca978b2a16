package partners

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"handover/audit/proof"
	"handover/internal/fault"
	"handover/internal/httpd"
)

// receiptWait is how long the history of keys waits for the checkpoint over a change that
// has just been made.
const receiptWait = 20 * time.Second

// keyHistory serves the changes of a partner's keys after a position, each with what proves
// it, and the keys as of the same moment. Whoever relies on the keys verifies them by it:
// docs/keys.md says how.
func (h *Handler) keyHistory(w http.ResponseWriter, r *http.Request, _ Caller) error {
	after, err := position(r.URL.RawQuery)
	if err != nil {
		return err
	}
	partner := ID(mux.Vars(r)["partner"])
	history, err := h.Store.KeyHistory(r.Context(), partner, after)
	if err != nil {
		return err
	}
	keys, err := jwks(history.Keys)
	if err != nil {
		return err
	}
	type change struct {
		Position  int64         `json:"position"`
		Statement string        `json:"statement,omitempty"`
		Receipt   proof.Receipt `json:"receipt"`
	}
	changes := make([]change, len(history.Changes))
	ctx, cancel := context.WithTimeout(r.Context(), receiptWait)
	defer cancel()
	for i, c := range history.Changes {
		receipt, err := h.Gate.Log.Receipt(ctx, c.Entry)
		if err != nil {
			return err
		}
		changes[i] = change{c.Position, c.Statement, receipt}
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"partner": partner, "digest": history.Digest, "changes": changes,
		"more": history.More, "keys": keys})
	return nil
}

// ErrKeysQuery is for a question about keys in no form that exists.
var ErrKeysQuery = fault.New(fault.Invalid, "keys-query-invalid", fault.Sender,
	"Ask for the history of keys with after=N at most, once, where N is the position of the last change that you have.")

// position reads the query of the history of keys.
func position(query string) (int64, error) {
	q, err := url.ParseQuery(query)
	if err != nil {
		return 0, ErrKeysQuery
	}
	after, given := q["after"]
	if !given && len(q) == 0 {
		return 0, nil
	}
	if len(q) != 1 || len(after) != 1 {
		return 0, ErrKeysQuery
	}
	n, err := strconv.ParseInt(after[0], 10, 64)
	if err != nil || n < 0 {
		return 0, ErrKeysQuery
	}
	return n, nil
}
