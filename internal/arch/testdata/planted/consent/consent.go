// Package consent does not call up.
package consent

import _ "handover/referral" // want arrow
