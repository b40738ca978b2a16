// Package httpd stands for the real one: it may answer, and count.
package httpd

import (
	"net/http"

	_ "github.com/gorilla/mux"
	_ "github.com/prometheus/client_golang/prometheus"

	"handover/internal/fault"
	_ "handover/partners" // want arrow
)

func answer(w http.ResponseWriter) {
	http.Error(w, "no", 500)
	_ = &fault.Fault{}
}
