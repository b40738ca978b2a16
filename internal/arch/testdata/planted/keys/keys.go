package keys // want comment

import _ "handover/notify" // want arrow
