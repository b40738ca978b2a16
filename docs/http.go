// Package docs serves the two documents that partners' programs are pointed at: the
// OpenAPI description, and the explanation that the type of every problem names.
package docs

import (
	_ "embed"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"handover/internal/httpd"
)

//go:embed openapi.json
var openAPI []byte

//go:embed problems.md
var problems string

// OpenAPI returns the OpenAPI 3.1 description of the API.
func OpenAPI() []byte { return openAPI }

// Handler serves the documents, to anybody.
type Handler struct{}

// Mount adds the routes.
func (h *Handler) Mount(r *mux.Router) {
	r.HandleFunc("/openapi.json", h.openAPI).Methods("GET")
	r.Handle("/problems/{code}", httpd.Handle(h.problem)).Methods("GET")
}

func (h *Handler) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
	_, _ = w.Write(openAPI) // a caller who left needs no answer
}

// problem answers with what docs/problems.md says under the code's heading.
func (h *Handler) problem(w http.ResponseWriter, r *http.Request) error {
	text, ok := Problem(mux.Vars(r)["code"])
	if !ok {
		return httpd.ErrNoSuchPath
	}
	w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
	_, _ = w.Write([]byte(text)) // a caller who left needs no answer
	return nil
}

// Problem returns the section of docs/problems.md about a code.
func Problem(code string) (string, bool) {
	_, after, ok := strings.Cut(problems, "\n## "+code+"\n")
	if !ok {
		return "", false
	}
	section, _, _ := strings.Cut(after, "\n## ")
	return "## " + code + "\n" + section, true
}
