// Package scripts is in no room.
package scripts

import _ "handover/keys" // want arrow
