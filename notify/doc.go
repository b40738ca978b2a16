// Package notify tells agencies, outside the hub's own pages, that something awaits them. What it
// tells is an event, a time, an id and an urgency: never a name, a need, a purpose, a service or
// an area. Whoever is told asks the hub for the rest, as herself, and that is logged.
//
// Webhooks, in running order: an administrator adds an address (http.go, store.go; address.go
// says which there may be). The log is the outbox: store_work.go has the database read each
// entry once it is under a signed checkpoint, in order, and make a delivery for each webhook that
// it concerns. worker.go takes turns at the webhooks with the other hubs, makes each
// message (message.go), signs it twice (sign.go) and posts it by egress.go, which connects to
// no address inside anybody's network. schedule.go says when a failure is tried again, and when
// the hub gives up.
//
// feed.go follows the same log for those who are at the hub, a page or a stream: it says to
// whoever listens to a partner's news that there is some, and not what. http_stream.go is that stream for
// systems that cannot be reached from outside.
package notify
