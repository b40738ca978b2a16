package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"handover/audit/proof"
	"handover/internal/fault"
	"handover/internal/httpd"
	"handover/oauth/limit"
	"handover/partners"
)

// maxForm bounds the body of a client's request: an assertion and a few parameters.
const maxForm = 16 << 10

// endpoint is an address at which clients authenticate themselves: what they find there,
// and what it wants of a DPoP proof.
type endpoint struct {
	name   string // as the log names what was refused there
	proofs proofs
	act    func(*http.Request, *clientRequest) (answer, error)
}

// proofs says whether an endpoint takes DPoP proofs.
type proofs int

const (
	proofIgnored  proofs = iota
	proofWelcome         // it binds what is asked for to its key
	proofDemanded        // nothing is given without it
)

// answer is what a client is told when all went well; body nil is none.
type answer struct {
	status int
	body   any
}

// clientRequest is what one request of a client has shown so far. It travels in the
// context, since fosite passes nothing else through.
type clientRequest struct {
	endpoint *endpoint
	from     string // network of the connection
	nonces   *nonceSet
	verdict  limit.Verdict // on the claimed client
	client   *client       // nil until its signature is verified
	proof    dpopProof
	state    string          // of a pushed request
	grant    grantRow        // that the request is about
	person   partners.Caller // who says yes to it
}

type requestKey struct{}

func requestFrom(ctx context.Context) (*clientRequest, bool) {
	r, ok := ctx.Value(requestKey{}).(*clientRequest)
	return r, ok
}

var errTooMany = &refusal{code: temporarilyUnavailable, reason: "token-rate", status: http.StatusTooManyRequests,
	hint: "Too many requests. An access token is good for ten minutes: keep it, and ask again after the time in Retry-After."}

// serve answers at an endpoint. The limits come before anything that costs: the address
// here, the claimed client before its signature (authenticate).
func (h *Handler) serve(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store") // RFC 6749 §5.1
		header.Set("Pragma", "no-cache")
		req := &clientRequest{endpoint: &e, from: h.origin.Network(r)}
		a, err := h.answer(w, r, req)
		req.verdict.Write(header)
		if err != nil {
			h.refuse(w, r, req, err)
			return
		}
		if req.proof.outdated && e.proofs != proofIgnored {
			header.Set("DPoP-Nonce", req.nonces.newest) // RFC 9449 §8.2
		}
		h.annotate(r.Context(), req)
		if a.body == nil {
			w.WriteHeader(a.status)
			return
		}
		httpd.JSON(w, a.status, a.body)
	})
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, req *clientRequest) (answer, error) {
	v := h.perNetwork.Allow(req.from)
	if v.Write(w.Header()); v.Refused() {
		return answer{}, errTooMany
	}
	form, err := readForm(w, r)
	if err != nil {
		return answer{}, err
	}
	if req.nonces, err = h.nonces.set(r.Context()); err != nil {
		return answer{}, err
	}
	r.Form, r.PostForm = form, form
	return req.endpoint.act(r.WithContext(context.WithValue(r.Context(), requestKey{}, req)), req)
}

func (h *Handler) annotate(ctx context.Context, req *clientRequest) {
	httpd.Annotate(ctx, httpd.Partner, string(req.client.Partner))
	httpd.Annotate(ctx, httpd.Client, req.client.ID)
}

// readForm reads a request's parameters from its body: one media type (a multipart body
// has other readers' rules), each parameter once (RFC 6749 §3.2), none in the address,
// where logs would keep them.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.URL.RawQuery != "" {
		return nil, badRequest("token-query", "Send the parameters in the body, not in the address.")
	}
	body, err := httpd.Body(w, r, maxForm, "application/x-www-form-urlencoded")
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		bad := badRequest("token-"+f.Code, "The body must be application/x-www-form-urlencoded, of at most 16 KiB.")
		if f.Kind == fault.TooLarge {
			bad.status = http.StatusRequestEntityTooLarge
		}
		return nil, bad
	}
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, badRequest("token-form", "The body is not well-formed application/x-www-form-urlencoded.")
	}
	for _, values := range form {
		if len(values) != 1 {
			return nil, badRequest("token-repeated", "A parameter is given twice.")
		}
	}
	return form, nil
}

// target refuses a resource that is not this hub, the one there is (RFC 8707 §2).
func (h *Handler) target(form url.Values) error {
	if form.Has("resource") && form.Get("resource") != h.issuer {
		return &refusal{code: invalidTarget, reason: "token-target", status: http.StatusBadRequest,
			hint: "resource may only be the issuer."}
	}
	return nil
}

// refuse answers a request that failed. Of a client that has proved itself the refusal
// goes into the log, and what cannot be logged is not answered as decided; strangers are
// counted, so that they cannot flood the log nor, by its time, find out which clients
// exist.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, req *clientRequest, err error) {
	f := asRefusal(err)
	switch {
	case f == nil:
		f = h.failed(r.Context(), err)
	case req.client == nil:
		h.count(f.reason)
	case f.code == useNonce:
		h.annotate(r.Context(), req) // an errand of every client, and no refusal of what it wants
	default:
		h.annotate(r.Context(), req)
		e := proof.Entry{Act: "refused", Partner: string(req.client.Partner), Client: req.client.ID,
			Target: req.endpoint.name, Outcome: strings.ReplaceAll(f.code, "_", "-"), Reason: f.reason}
		if err := h.logRefusal(r.Context(), e); err != nil {
			f = h.failed(r.Context(), unavailable("logging a refusal", err))
		}
	}
	if f.code == useNonce && req.nonces != nil {
		w.Header().Set("DPoP-Nonce", req.nonces.newest) // RFC 9449 §8
	}
	wait := f.status == http.StatusTooManyRequests || f.status == http.StatusServiceUnavailable
	if wait && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "2")
	}
	writeRefusal(w, r, f)
}

// failed logs a failure of the hub's own and returns what is said of it.
func (h *Handler) failed(ctx context.Context, err error) *refusal {
	if ctx.Err() == nil { // else the caller has left, and nothing failed
		h.log.ErrorContext(ctx, "answering a client failed", "error", err)
	}
	if errors.Is(err, errUnavailable) {
		return &refusal{code: temporarilyUnavailable, reason: "token-unavailable", status: http.StatusServiceUnavailable,
			hint: "The hub cannot check credentials now. Ask again, with a fresh assertion and proof, after the time in Retry-After."}
	}
	return &refusal{code: serverError, reason: "token-failed", status: http.StatusInternalServerError}
}
