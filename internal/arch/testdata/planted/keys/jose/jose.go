// Package jose is the one door to jwx.
package jose

import _ "github.com/lestrrat-go/jwx/v2/jwk"
