// Package oauth is the authorization server and the guard: how a partner's system
// proves who it is, what it is given for itself or by a person, and how each request
// with a token becomes a partners.Caller. How people sign in is oauth/signin.
//
// The profile is FAPI 2.0 (Final): private_key_jwt, pushed requests, PKCE, and tokens
// bound to a DPoP key (RFC 9449). fosite runs the endpoints and is seen by no other package;
// every rule that matters is decided here, since its defaults are not ours.
//
// A request of a client, in running order: http.go (routes, metadata, keys), endpoint.go
// (limits, form, answer), client.go (the client's assertion), proof.go and nonce.go (the
// DPoP proof), refusal.go (every answer but success); then what it asks for: token.go and
// grant.go (a token, bound to the proof's key), push.go (what it will ask a person),
// redeem.go (a person's code, a refresh token), revoke.go (a token given back, or
// examined), register.go (a new client). access.go makes and reads tokens; store.go has
// what is used once, store_grant.go what people have granted.
//
// A person's yes or no: authorize.go, for the page in web that asks her.
//
// An API request: guard.go, which asks limits.go, access.go and cache.go for the token,
// proof.go for the proof, and partners.Store.Admit for who may still act, in one
// round trip with store.go's replay check.
package oauth
