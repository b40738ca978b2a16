package httpd

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"handover/internal/strict"
)

// eager is how much memory a stated Content-Length may claim before the bytes
// are there, so that a thousand empty promises do not cost a thousand buffers.
const eager = 64 << 10

// Body reads the whole body of r, at most limit bytes of exactly the given media
// type. The only parameter it takes is charset=utf-8, and no content encoding: a
// few compressed bytes could otherwise grow past any limit. A body that takes longer
// than Options.ReadTime is ErrTooSlow.
func Body(w http.ResponseWriter, r *http.Request, limit int64, mediaType string) ([]byte, error) {
	if !isMediaType(r.Header, mediaType) {
		return nil, ErrMediaType.With("expected", mediaType)
	}
	tooLarge := ErrTooLarge.With("limit", strconv.FormatInt(limit, 10))
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close") // what is on its way will not be read
		return nil, tooLarge
	}
	var buf bytes.Buffer
	buf.Grow(int(min(max(r.ContentLength, 0), eager)) + bytes.MinRead)
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	if err == nil {
		return buf.Bytes(), nil
	}
	w.Header().Set("Connection", "close")
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, tooLarge
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, ErrTooSlow
	}
	return nil, ErrCutShort
}

// isMediaType reports whether the headers declare exactly want, once, in clear.
func isMediaType(h http.Header, want string) bool {
	declared := h.Values("Content-Type")
	if len(declared) != 1 {
		return false
	}
	for _, encoding := range h.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(encoding), "identity") {
			return false
		}
	}
	got, params, err := mime.ParseMediaType(declared[0])
	if err != nil || got != want {
		return false
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return false
		}
	}
	return true
}

// Decode reads a body of application/json into a T by the strict reader: a name
// given twice, an unknown member, trailing data, invalid UTF-8 and a bare null are
// ErrJSON, with the byte offset at which reading stopped.
func Decode[T any](w http.ResponseWriter, r *http.Request, limit int64) (T, error) {
	var v T
	data, err := Body(w, r, limit, "application/json")
	if err != nil {
		return v, err
	}
	defer clear(data) // what was read of it is copies; it may hold a secret, or somebody's words
	if string(bytes.TrimSpace(data)) == "null" {
		return v, ErrJSON.With("offset", "0")
	}
	if err := strict.Unmarshal(data, &v); err != nil {
		var none T
		return none, ErrJSON.With("offset", strconv.FormatInt(offset(err), 10))
	}
	return v, nil
}

// offset is where in the body reading stopped. The reader's own message is not
// passed on: it quotes what was sent.
func offset(err error) int64 {
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		return e.ByteOffset
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return e.ByteOffset
	}
	return 0
}

// JSON answers with v as canonical JSON (internal/strict) of type application/json,
// or of the Content-Type that the handler has already set.
func JSON(w http.ResponseWriter, status int, v any) {
	data, err := strict.Marshal(v)
	if err != nil {
		x := &exchange{}
		if rec := recorderOf(w); rec != nil {
			x = rec.exchange
		}
		answer(w, x, err)
		return
	}
	h := w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(data)
	clear(data)
}
