// Command handover stands on the client alone.
package main

import (
	_ "handover/client"
	_ "handover/keys/jose"
	_ "handover/referral" // want arrow
)

func main() {}
