// Package helper has a name that says nothing, and brings a router to partners.
package helper

import (
	_ "database/sql"           // want seam behind-client
	_ "github.com/gorilla/mux" // want seam behind-client
)
