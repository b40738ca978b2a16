// Package httpd is the one door: every request of the public API passes here
// before a domain sees it, and every answer leaves here.
//
// In running order: server.go (listeners, timeouts, drain), observe.go (request
// id, security headers, one log line, metrics, recovery), limit.go (how many
// requests are worked on at once), router.go (unknown path, wrong method), body.go
// (what may be read, and how fast), problem.go (the only place that turns a
// failure into an answer), private.go (metrics and profiles, on a listener that
// partners cannot reach).
//
// Nothing a caller sent is ever repeated: not in an answer, a log line or a
// metric. Routes appear as templates, methods from a closed list, errors that
// nobody classified as one bland sentence.
package httpd
