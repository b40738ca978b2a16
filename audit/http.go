package audit

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gorilla/mux"
	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
	"handover/internal/fault"
	"handover/internal/httpd"
)

// ErrQuery means that a proof was asked for in no form that exists.
var ErrQuery = fault.New(fault.Invalid, "log-query-invalid", fault.Sender,
	"Ask for a proof by entry=ID, by index=N&size=N, or by old=N&new=N, each once, where size and new are sizes of checkpoints.")

// ErrNoWitnesses means that nobody cosigns this log.
var ErrNoWitnesses = fault.New(fault.NotFound, "log-has-no-witnesses", fault.Hub,
	"This hub has no witnesses, so its log is signed by the hub alone. Keep its checkpoints, and compare them with those that others keep.")

// Handler serves the log. Checkpoint, key and witnesses are for everybody; tiles and proofs
// show how much the hub has to do and when, so they are for authenticated callers.
type Handler struct {
	Log *Log
	// Authenticated lets only authenticated callers through to next, and records what next
	// refuses them.
	Authenticated func(next func(http.ResponseWriter, *http.Request) error) http.Handler
	// Partner returns the id of the authenticated caller's partner.
	Partner func(*http.Request) string
	// Readers lets authenticated callers through to next, and says what each may ask.
	Readers func(next func(http.ResponseWriter, *http.Request, Reader) error) http.Handler
	// Sources tell what there is to review that the log does not know of.
	Sources []Source
}

// Mount adds the log's routes to r.
func (h *Handler) Mount(r *mux.Router) {
	r.Handle("/v1/log/checkpoint", httpd.Handle(h.checkpoint)).Methods(http.MethodGet)
	r.Handle("/v1/log/key", httpd.Handle(h.key)).Methods(http.MethodGet)
	r.Handle("/v1/log/successions", httpd.Handle(h.successions)).Methods(http.MethodGet)
	r.Handle("/v1/log/witnesses", httpd.Handle(h.witnesses)).Methods(http.MethodGet)
	r.Handle("/v1/log/tile/{tile:.+}", h.Authenticated(h.tile)).Methods(http.MethodGet)
	r.Handle("/v1/log/entries", h.Readers(h.entries)).Methods(http.MethodGet)
	r.Handle("/v1/log/review", h.Readers(h.review)).Methods(http.MethodGet)
	r.Handle("/v1/log/proof", h.Authenticated(h.proof)).Methods(http.MethodGet)
}

// checkpoint answers with a signed checkpoint of all that is in the log now. With witnesses
// it is the first that they have cosigned, or the newest when too few of them answer.
func (h *Handler) checkpoint(w http.ResponseWriter, r *http.Request) error {
	signed, err := h.Log.newestCheckpoint(r.Context())
	if errors.Is(err, errNone) {
		return ErrReceiptPending
	}
	if err != nil {
		return err
	}
	text(w, signed)
	return nil
}

// key answers with the log's verifier keys, one a line: the current one first, then
// those that signed earlier checkpoints.
func (h *Handler) key(w http.ResponseWriter, _ *http.Request) error {
	var lines []byte
	for _, k := range h.Log.signer().keys {
		lines = append(append(lines, k.String()...), '\n')
	}
	text(w, lines)
	return nil
}

// successions answers with the statements by which the log's keys followed each other, so
// that whoever has pinned one of them gets to the others.
func (h *Handler) successions(w http.ResponseWriter, r *http.Request) error {
	texts, err := h.Log.Successions(r.Context())
	if err != nil {
		return err
	}
	if texts == nil {
		texts = []string{}
	}
	httpd.JSON(w, http.StatusOK, map[string][]string{"successions": texts})
	return nil
}

// witnesses answers with the policy of witnesses, for those who pin it: they compare it
// with what the witnesses themselves say, since a hub could name its own.
func (h *Handler) witnesses(w http.ResponseWriter, _ *http.Request) error {
	if h.Log.witnesses == nil {
		return ErrNoWitnesses
	}
	text(w, []byte(h.Log.witnesses.policy.WithoutURLs().String()))
	return nil
}

// tile answers with a tile or an entry bundle (C2SP tlog-tiles). Neither ever
// changes, so they may be kept for good.
func (h *Handler) tile(w http.ResponseWriter, r *http.Request) error {
	t, err := parseTile(mux.Vars(r)["tile"])
	if err != nil {
		return err
	}
	var data []byte
	if t.L < 0 {
		data, err = h.bundle(r, t)
	} else {
		var found [][]byte
		if found, err = h.Log.store.tiles(r.Context(), []tlog.Tile{t}); err == nil {
			data = found[0]
		}
	}
	if err != nil {
		return err
	}
	if data == nil {
		return ErrNoEntry
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	_, _ = w.Write(data)
	return nil
}

// parseTile reads C2SP's path of a tile, which is x/mod's without the height. An
// entry bundle is a tile of level -1.
func parseTile(path string) (tlog.Tile, error) {
	if rest, ok := strings.CutPrefix(path, "entries/"); ok {
		path = "data/" + rest
	} else if strings.HasPrefix(path, "data/") {
		return tlog.Tile{}, ErrNoEntry
	}
	t, err := tlog.ParseTilePath("tile/8/" + path)
	if err != nil || t.L > maxTileLevel {
		return tlog.Tile{}, ErrNoEntry
	}
	return t, nil
}

// bundle returns the leaves under a tile, each after its length in two bytes. They
// are salted commitments and tell nothing of the entries.
func (h *Handler) bundle(r *http.Request, t tlog.Tile) ([]byte, error) {
	leaves, err := h.Log.store.leaves(r.Context(), t.N<<tileHeight, t.W)
	if err != nil || len(leaves) != t.W {
		return nil, err
	}
	data := make([]byte, 0, t.W*(2+proof.LeafSize))
	for _, leaf := range leaves {
		data = binary.BigEndian.AppendUint16(data, uint16(len(leaf)))
		data = append(data, leaf...)
	}
	return data, nil
}

// proof answers with an inclusion proof (C2SP tlog-proof) or a consistency proof.
func (h *Handler) proof(w http.ResponseWriter, r *http.Request) error {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return ErrQuery
	}
	switch {
	case exactly(q, "entry"):
		return h.ofEntry(w, r, q.Get("entry"))
	case exactly(q, "index", "size"):
		return h.inclusion(w, r, q.Get("index"), q.Get("size"))
	case exactly(q, "old", "new"):
		return h.consistency(w, r, q.Get("old"), q.Get("new"))
	}
	return ErrQuery
}

// exactly reports whether the query has these members, each once, and no other.
func exactly(q url.Values, names ...string) bool {
	for _, name := range names {
		if len(q[name]) != 1 {
			return false
		}
	}
	return len(q) == len(names)
}

// ofEntry proves an entry that the caller's partner made or is named in, under the
// first checkpoint that covered it. Of others' entries it says what it says of none.
func (h *Handler) ofEntry(w http.ResponseWriter, r *http.Request, id string) error {
	entry, err := ParseEntryID(id)
	if err != nil {
		return ErrQuery
	}
	visible, err := h.Log.store.visible(r.Context(), h.Partner(r), entry)
	if err != nil {
		return err
	}
	if !visible {
		return ErrNoEntry
	}
	answer, err := h.Log.proofOf(r.Context(), entry)
	if err != nil {
		return err
	}
	text(w, answer)
	return nil
}

// proofOf proves an entry under the first checkpoint that covered it.
func (l *Log) proofOf(ctx context.Context, entry EntryID) ([]byte, error) {
	at, err := l.store.places(ctx, []EntryID{entry})
	if err != nil {
		return nil, err
	}
	if len(at) == 0 {
		return nil, ErrReceiptPending
	}
	size, err := l.firstCovering(ctx, at[0])
	if err != nil {
		return nil, err
	}
	return l.inclusion(ctx, at[0].Index, size)
}

func (h *Handler) inclusion(w http.ResponseWriter, r *http.Request, index, size string) error {
	i, errIndex := strconv.ParseInt(index, 10, 64)
	n, errSize := strconv.ParseInt(size, 10, 64)
	if errIndex != nil || errSize != nil || i < 0 || i >= n {
		return ErrQuery
	}
	answer, err := h.Log.inclusion(r.Context(), i, n)
	if err != nil {
		return err
	}
	text(w, answer)
	return nil
}

func (h *Handler) consistency(w http.ResponseWriter, r *http.Request, old, new string) error {
	o, errOld := strconv.ParseInt(old, 10, 64)
	n, errNew := strconv.ParseInt(new, 10, 64)
	if errOld != nil || errNew != nil || o < 0 || o > n {
		return ErrQuery
	}
	answer, err := h.Log.consistency(r.Context(), o, n)
	if err != nil {
		return err
	}
	text(w, answer)
	return nil
}

func text(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(body)
}
