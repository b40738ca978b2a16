package partners

import (
	_ "net/http"

	_ "github.com/gorilla/mux"
)
