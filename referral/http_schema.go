package referral

import (
	"net/http"

	"github.com/gorilla/mux"

	"handover/internal/httpd"
	"handover/referral/packet/schema"
)

// Documents serves what a referral may say: the schemas of sections and what the pathways need.
// Anybody may read them, since nothing in them is anybody's: a board, a developer before her
// agency has joined, another implementation.
type Documents struct{}

// Mount adds the routes.
func (d *Documents) Mount(r *mux.Router) {
	r.Handle("/v1/schemas", httpd.Handle(d.schemas)).Methods("GET")
	r.Handle("/v1/schemas/{describes}/{version}", httpd.Handle(d.schema)).Methods("GET")
	r.Handle("/v1/pathways", httpd.Handle(d.pathways)).Methods("GET")
}

// keepable lets what is the same for everybody be kept for an hour, by proxies too.
const keepable = "public, max-age=3600"

func (d *Documents) schemas(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", keepable)
	httpd.JSON(w, http.StatusOK, map[string]any{"schemas": schema.All(), "formats": schema.Formats()})
	return nil
}

func (d *Documents) schema(w http.ResponseWriter, r *http.Request) error {
	found, ok := schema.Find(mux.Vars(r)["describes"] + "/" + mux.Vars(r)["version"])
	if !ok {
		return httpd.ErrNoSuchPath
	}
	w.Header().Set("Cache-Control", keepable)
	w.Header().Set("Content-Type", "application/schema+json") // JSON Schema 2020-12 §14
	_, _ = w.Write(found.Text)                                // a caller who left needs no answer
	return nil
}

func (d *Documents) pathways(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", keepable)
	httpd.JSON(w, http.StatusOK, map[string]any{"pathways": schema.Pathways()})
	return nil
}
