// Package packet is the wire format: an envelope, which is one signed routing
// statement, and sections, each a class of data sealed on its own to the
// recipient's key. It is pure: bytes, keys and a time go in, a verified value or a
// refusal comes out. docs/packet.md is the normative text; the vectors under
// testdata hold other implementations to it.
//
// A sender calls Seal (seal.go). Everyone else reads: Read takes the bytes of a
// packet apart without believing them, Unverified.Open believes them once the
// signature, the hub, the times and the manifest have been checked (read.go), and
// only Open makes an Opened. Unseal decrypts one section and holds its content
// against the envelope (unseal.go). ParseEnvelope and Statement.Verify do the same
// for an envelope alone, long after the fact (envelope.go). event.go says what each
// event must and must not state.
package packet
