// Package hubtest puts a whole hub together inside a test: the real router behind
// the real guard, over a database of its own, with the log running. Agencies are
// added, enrol and get tokens the way real ones do, so what a test sends here has
// passed every wall that stands in front of a handler.
//
// hub.go is the hub, as cmd/hub assembles it; agency.go a partner with its keys,
// tokens and requests; person.go somebody who works there, browser.go what she does in
// the hub's own pages; draft.go consents and packets in which all is right until a test
// spoils something; look.go what a test reads behind the hub's back. Every answer that
// passes through Agency.Do or Hub.Do is held against docs/openapi.json (contract.go).
package hubtest
