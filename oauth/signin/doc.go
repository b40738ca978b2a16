// Package signin is how people sign in: with a passkey, or through their agency's own
// OpenID Connect provider. What it makes is a session in one browser; each request with
// that session's cookie becomes a partners.Caller, judged by the database at that moment.
//
// A person's way, in running order:
//
//   - She opens her one-time link: join.go makes her passkey, and redeems the link in the
//     transaction that stores it.
//   - She signs in: assert.go asks the browser for any passkey of this hub (nobody types a
//     name, so no name can be tried) and finds out whose it is.
//   - Before an act that needs it she proves herself again: assert.go, step-up.
//   - Through her agency: provider.go and claims.go.
//
// ceremony.go holds the challenges on their way, each good for one answer; session.go is
// the cookie and what it stands for; passkeys.go is adding and removing passkeys; passkey.go
// is the only use of the WebAuthn library; http.go has the routes and what stands before
// each. The pages are in web.
package signin
