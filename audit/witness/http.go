package witness

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/gorilla/mux"

	"handover/internal/httpd"
)

// maxBody bounds a request: a checkpoint with all its cosignatures and a proof.
const maxBody = 128 << 10

// Mount adds add-checkpoint to r (C2SP tlog-witness). Nobody is asked who he is: a
// checkpoint counts by the log's signature, whoever brings it.
func (w *Witness) Mount(r *mux.Router) {
	r.Handle("/add-checkpoint", httpd.Handle(w.addCheckpoint)).Methods(http.MethodPost)
}

func (w *Witness) addCheckpoint(out http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(http.MaxBytesReader(out, r.Body, maxBody))
	if err != nil {
		say(out, http.StatusBadRequest, "text/plain; charset=utf-8", ErrMalformed.Error()+"\n")
		return nil
	}
	line, err := w.Add(body)
	if conflict, ok := errors.AsType[*ConflictError](err); ok {
		say(out, http.StatusConflict, "text/x.tlog.size", strconv.FormatInt(conflict.Size, 10)+"\n")
		return nil
	}
	if err != nil {
		for refusal, status := range map[error]int{
			ErrMalformed: http.StatusBadRequest, ErrSignature: http.StatusForbidden, ErrUnknownLog: http.StatusNotFound,
			ErrForked: http.StatusConflict, ErrProof: http.StatusUnprocessableEntity,
		} {
			if errors.Is(err, refusal) {
				say(out, status, "text/plain; charset=utf-8", err.Error()+"\n")
				return nil
			}
		}
		w.Logger.ErrorContext(r.Context(), "no cosignature can be given", slog.Any("err", err))
		return err
	}
	say(out, http.StatusOK, "text/plain; charset=utf-8", string(line))
	return nil
}

func say(out http.ResponseWriter, status int, mediaType, text string) {
	out.Header().Set("Content-Type", mediaType)
	out.WriteHeader(status)
	_, _ = io.WriteString(out, text)
}
