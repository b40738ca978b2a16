// Package client is a partner's side of Handover in Go: what an agency's own
// system imports to send referrals through a hub, to collect, open and answer
// them, and to verify afterwards, without trusting the hub, that it all happened.
//
// A Client is made once and may be used by many goroutines:
//
//	c, err := client.New(client.Options{
//		Hub: "https://hub.example", Partner: "camden-outreach", ClientID: "camden-outreach.ab3d5",
//		Keys: keys, LogKey: logKey,
//	})
//	receipt, err := c.Send(ctx, client.Request{To: "westside-aid", Consent: id, …})
//
// client/profile keeps keys, hub and log key in a directory and makes the Client
// from it; Enrol is how a system gets its client id in the first place.
//
// What the package guarantees:
//
//   - A private key never leaves the process. Sections are sealed here and opened
//     here; the hub is given ciphertext and signed routing statements.
//   - A receipt that is returned has been verified against the pinned log key, and
//     says what was asked for. A hub that answers with another proof is an error
//     that is ErrProof.
//   - A key of a partner is used after its history has been verified: in the log, signed
//     for by a key that counted, and going on from what was seen before. A hub that swaps
//     one is an error that is ErrKeySwapped, and nothing is sent.
//   - An envelope that is returned has been verified with a key of the partner it
//     names, and stands where its chain says it does.
//   - What is repeated is safe to repeat: the same bytes, or a question.
//
// Read it in the order of one referral: client.go (Options), token.go and http.go
// (how a request is made), enrol.go, directory.go, keys.go, known.go, history.go and
// keyhistory.go (who is there),
// consent.go, send.go, attach.go, list.go, referral.go, open.go, step.go; then bundle.go and
// verify.go, which need no hub at all. Errors are in problem.go. What an agency's
// administrator does is apart: signin.go (a Client that acts for a person), people.go,
// systems.go, register.go.
package client
