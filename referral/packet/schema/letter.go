package schema

import _ "embed"

//go:embed letter.txt
var letter string

// RightToRegister returns the letter that a woman, or her worker, shows at the desk of a GP
// practice: nothing has to be proved to be registered. It names nobody, so that it can be
// printed in stacks, and found on her without telling anything.
func RightToRegister() string { return letter }
