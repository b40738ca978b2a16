package client

import (
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"handover/internal/fault"
)

// Problem is a refusal: an RFC 9457 problem of the hub, an OAuth error of its token
// endpoint, or the same refusal found here before anything was sent (Status 0).
// Find it with errors.As, and decide by Code, which is stable and documented.
type Problem struct {
	Type     string // URI; its last part is Code
	Title    string // one sentence: what is wrong, what to do
	Status   int    // of the answer; 0 when nothing was sent
	Detail   string
	Instance string // names the request for the hub's operator
	Code     string
	Party    string            // who has to act: sender, recipient or hub
	Retry    bool              // whether the very same request may succeed later
	Members  map[string]string // what else the problem says, such as section or state
}

// Error gives the sentence, the code and what the problem says besides.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Title)
	b.WriteString(" (")
	b.WriteString(p.Code)
	for _, name := range slices.Sorted(maps.Keys(p.Members)) {
		b.WriteString(", " + name + " " + p.Members[name])
	}
	b.WriteString(")")
	return b.String()
}

// Code returns the code of the Problem in err's chain, or "".
func Code(err error) string {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Code
	}
	return ""
}

// What can be wrong with an answer or a document, as opposed to being refused.
var (
	// ErrProof means that the hub answered with a receipt that does not verify with
	// the pinned log key, or is of something else. Nothing it confirmed counts: keep
	// what you sent, and tell the hub's operator and the partner concerned.
	ErrProof = errors.New("the hub's proof does not hold")
	// ErrForged means that a signed statement the hub showed is not its issuer's, or
	// does not stand where the chain says it does.
	ErrForged = errors.New("what the hub showed is not what the partner signed")
	// ErrAnswer means that the hub's answer cannot be read.
	ErrAnswer = errors.New("the hub's answer cannot be read")
	// ErrVerification means that a document does not hold; the Findings say why.
	ErrVerification = errors.New("the document does not hold")
	// ErrDocument means that a file is none of the kinds that can be verified.
	ErrDocument = errors.New("this is no receipt, packet, consent record or bundle")
)

// problemOf reads an answer that is not a success.
func problemOf(r response) *Problem {
	p := &Problem{Status: r.status, Retry: r.status == http.StatusTooManyRequests || r.status == http.StatusServiceUnavailable}
	members := map[string]any{}
	media, _, _ := mime.ParseMediaType(r.header.Get("Content-Type"))
	if strings.HasSuffix(media, "json") {
		_ = json.Unmarshal(r.body, &members) // what cannot be read is described below
	}
	for name, value := range members {
		p.take(name, value)
	}
	if p.Code == "" {
		p.Code = "unexpected-answer"
	}
	if p.Title == "" {
		p.Title = fmt.Sprintf("The hub answered %d %s and nothing else. Check its address, or ask its operator.",
			r.status, strings.ToLower(http.StatusText(r.status)))
	}
	if _, said, ok := strings.Cut(r.header.Get("WWW-Authenticate"), `error_description="`); ok && p.Detail == "" {
		p.Detail, _, _ = strings.Cut(said, `"`) // RFC 6750 §3
	}
	return p
}

// take reads one member of a problem (RFC 9457 §3) or of an OAuth error
// (RFC 6749 §5.2).
func (p *Problem) take(name string, value any) {
	text, isText := value.(string)
	switch name {
	case "type":
		p.Type = text
	case "title", "error_description":
		p.Title = text
	case "detail":
		p.Detail = text
	case "instance":
		p.Instance = text
	case "code", "error":
		p.Code = text
	case "party":
		p.Party = text
	case "retry":
		p.Retry, _ = value.(bool)
	case "status":
	default:
		if isText {
			if p.Members == nil {
				p.Members = map[string]string{}
			}
			p.Members[name] = text
		}
	}
}

// local turns a refusal that was found here into a Problem, so that callers see
// one type whoever refused.
func local(err error) error {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		return err
	}
	p := &Problem{}
	for name, value := range f.Members() {
		p.take(name, value)
	}
	p.Type, p.Title, p.Code, p.Party, p.Retry = "about:blank", f.Text, f.Code, string(f.Party), f.Retry
	return p
}
