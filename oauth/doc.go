// Package oauth is the authorization server and the guard: how a partner's system
// proves who it is, what token it is given, and how each request with that token
// becomes a partners.Caller.
//
// The profile is FAPI 2.0 (Final): client_credentials with private_key_jwt and
// access tokens bound to a DPoP key (RFC 9449). fosite does the grants and is seen
// by no other package; every rule that matters is decided here, since its defaults
// are not ours.
//
// A token request, in running order: http.go (routes, metadata, keys), token.go
// (limits, form, fosite, answer), client.go (the client's assertion), proof.go (the
// DPoP proof), grant.go (what is granted, bound to the proof's key), access.go (the
// token), store.go (nothing is used twice), refusal.go (every answer but success).
//
// A registration (RFC 7591): register.go, which asks partners.Store.Register.
//
// An API request: guard.go, which asks access.go and cache.go for the token,
// proof.go for the proof, and partners.Store.Admit for who may still act, in one
// round trip with store.go's replay check.
package oauth
