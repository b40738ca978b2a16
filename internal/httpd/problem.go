package httpd

import (
	"errors"
	"net/http"
	"strings"

	"handover/internal/fault"
	"handover/internal/strict"
)

// What a caller can cause before any domain is asked.
var (
	ErrNoSuchPath = fault.New(fault.NotFound, "no-such-path", fault.Sender,
		"The hub has nothing at this address. Check it against /openapi.json.")
	ErrMethod = fault.New(fault.NotAllowed, "method-not-allowed", fault.Sender,
		"This address does not take that method. The Allow header names those that it takes.")
	ErrTooLarge = fault.New(fault.TooLarge, "body-too-large", fault.Sender,
		"The body is larger than this address takes. The limit is given in bytes.")
	ErrTooSlow = fault.New(fault.Invalid, "body-too-slow", fault.Sender,
		"The body did not arrive in time. Send it again over a better connection.").Retryable()
	ErrCutShort = fault.New(fault.Invalid, "body-incomplete", fault.Sender,
		"The body ended before its stated end. Send it again.").Retryable()
	ErrMediaType = fault.New(fault.Unsupported, "unsupported-media-type", fault.Sender,
		"Send the body as the media type named in expected, without a content encoding.")
	ErrJSON = fault.New(fault.Invalid, "malformed-json", fault.Sender,
		"The body is not the JSON that this address takes: one value in UTF-8, no name twice, no unknown member, nothing after it.")
	ErrBusy = fault.New(fault.Unavailable, "hub-busy", fault.Hub,
		"The hub has as much to do as it takes on at once. Send the same request again after the time in Retry-After.").Retryable()
	ErrNotReady = fault.New(fault.Unavailable, "hub-not-ready", fault.Hub,
		"The hub is starting, stopping or without its database. Try again after the time in Retry-After.").Retryable()
)

// CodeInternal is the code of every failure that nobody classified. It stands in
// docs/problems.md beside the declared ones.
const CodeInternal = "internal"

const textInternal = "Something failed at the hub. The very same request may be sent again later; " +
	"if it fails again, give the hub's operator the instance of this problem."

// statusGone is what the log and the metrics say when the caller left before the
// answer. It is registered nowhere; nobody is there to read it.
const statusGone = 499

// status maps a kind of refusal to its HTTP status. No other place knows both.
func status(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.NotAllowed:
		return http.StatusMethodNotAllowed
	case fault.Conflict:
		return http.StatusConflict
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Unsupported:
		return http.StatusUnsupportedMediaType
	case fault.Unprocessable:
		return http.StatusUnprocessableEntity
	case fault.TooMany:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Problem answers r with err as an RFC 9457 problem. A declared refusal anywhere
// in err's chain is answered by its own status, code and sentence. Any other error
// is answered by 500 and a sentence that says nothing: its text goes to the log
// line of the request and nowhere else, since it may name tables, files or what
// somebody sent.
//
// When part of an answer has already left, Problem cuts the connection, so that
// the part cannot be taken for the whole.
func Problem(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeFrom(r.Context())
	if x == nil {
		x = &exchange{}
	}
	_, declared := errors.AsType[*fault.Fault](err)
	if !declared && r.Context().Err() != nil {
		gone(w, x)
		return
	}
	answer(w, x, err)
}

// gone ends a request whose caller left before the answer, which then fails for
// that reason alone and is nobody's error. A caller who only closed her sending
// half reads a status that cannot be taken for success.
func gone(w http.ResponseWriter, x *exchange) {
	x.setCode("caller-gone")
	if begun(w) {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(statusGone)
}

// begun reports whether part of the answer has left.
func begun(w http.ResponseWriter) bool {
	rec := recorderOf(w)
	return rec != nil && rec.status != 0
}

func answer(w http.ResponseWriter, x *exchange, err error) {
	f, declared := errors.AsType[*fault.Fault](err)
	if !declared {
		f = &fault.Fault{Code: CodeInternal, Party: fault.Hub, Text: textInternal, Retry: true}
		x.blame(causeText(err))
	}
	x.setCode(f.Code)
	if begun(w) {
		panic(http.ErrAbortHandler)
	}
	writeProblem(w, x, f)
}

func writeProblem(w http.ResponseWriter, x *exchange, f *fault.Fault) {
	code := status(f.Kind)
	body := make(map[string]any, 8+len(f.Members()))
	for name, value := range f.Members() {
		body[name] = value
	}
	// Written last: an extension member cannot replace one of the problem's own.
	body["type"] = x.issuer + "/problems/" + f.Code
	body["title"] = f.Text
	body["status"] = code
	if x.id != "" {
		body["instance"] = "urn:uuid:" + x.id
	}
	body["code"] = f.Code
	body["party"] = string(f.Party)
	body["retry"] = f.Retry

	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if code == http.StatusUnauthorized && h.Get("WWW-Authenticate") == "" {
		h.Set("WWW-Authenticate", `DPoP algs="ES256 EdDSA PS256"`) // RFC 9110 §11.6.1, RFC 9449 §7.1
	}
	if (code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable) && h.Get("Retry-After") == "" {
		h.Set("Retry-After", "1")
	}
	data, err := strict.Marshal(body)
	if err != nil { // an extension member that is not UTF-8
		x.blame("encoding the problem: " + err.Error())
		data = []byte(`{"status":500,"code":"internal","party":"hub","retry":true}`)
		code = http.StatusInternalServerError
	}
	w.WriteHeader(code)
	_, _ = w.Write(data) // nobody is left to tell
}

// causeText is err's text for the log. PostgreSQL's messages quote the value they
// refuse, so its part is reduced to the SQLSTATE.
func causeText(err error) string {
	text := err.Error()
	if sql, ok := errors.AsType[sqlError](err); ok {
		text = strings.ReplaceAll(text, sql.Error(), "SQLSTATE "+sql.SQLState())
	}
	return text
}

// sqlError is what a PostgreSQL driver's error can say of itself.
type sqlError interface {
	error
	SQLState() string
}

// Explain notes err in the request's log line as Problem does, and returns the status and
// the one sentence that may be said of it, for who answers with a page.
func Explain(r *http.Request, err error) (code int, text string) {
	x := exchangeFrom(r.Context())
	if x == nil {
		x = &exchange{}
	}
	if f, declared := errors.AsType[*fault.Fault](err); declared {
		x.setCode(f.Code)
		return status(f.Kind), f.Text
	}
	if r.Context().Err() != nil {
		x.setCode("caller-gone")
		return statusGone, textInternal
	}
	x.setCode(CodeInternal)
	x.blame(causeText(err))
	return http.StatusInternalServerError, "Something failed at the hub. Try again. If it fails again, tell the hub's operator."
}
