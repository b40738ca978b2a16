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
)

// maxForm bounds the body of a token request: an assertion and a few parameters.
const maxForm = 16 << 10

// tokenRequest is what one token request has shown so far. It travels in the
// context, since fosite passes nothing else through.
type tokenRequest struct {
	from   string  // network of the connection
	client *client // nil until its signature is verified
	proof  dpopProof
}

type requestKey struct{}

func requestFrom(ctx context.Context) (*tokenRequest, bool) {
	r, ok := ctx.Value(requestKey{}).(*tokenRequest)
	return r, ok
}

var errTooMany = &refusal{code: temporarilyUnavailable, reason: "token-rate", status: http.StatusTooManyRequests,
	hint: "Too many token requests. An access token is good for ten minutes: keep it, and ask again after the time in Retry-After."}

// token serves POST /oauth/token.
func (h *Handler) token(w http.ResponseWriter, r *http.Request) {
	req := &tokenRequest{from: h.origin.Network(r)}
	answer, err := h.issue(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, req)), req)
	if err != nil {
		h.refuse(w, r, req, err)
		return
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store") // RFC 6749 §5.1
	header.Set("Pragma", "no-cache")
	httpd.Annotate(r.Context(), httpd.Partner, string(req.client.Partner))
	httpd.Annotate(r.Context(), httpd.Client, req.client.ID)
	httpd.JSON(w, http.StatusOK, answer)
}

// issue checks the form and has fosite do the grant.
func (h *Handler) issue(w http.ResponseWriter, r *http.Request, req *tokenRequest) (map[string]any, error) {
	if h.perNetwork.Allow(req.from).Refused() {
		return nil, errTooMany
	}
	form, err := readForm(w, r)
	if err != nil {
		return nil, err
	}
	// fosite answers invalid_request here, and after authenticating the client.
	if form.Get("grant_type") != clientCredentials {
		return nil, &refusal{code: unsupportedGrant, reason: "token-grant", status: http.StatusBadRequest,
			hint: "The grant offered is client_credentials."}
	}
	if form.Has("resource") && form.Get("resource") != h.issuer { // RFC 8707 §2
		return nil, &refusal{code: invalidTarget, reason: "token-target", status: http.StatusBadRequest,
			hint: "resource may only be the issuer."}
	}
	r.Form, r.PostForm = form, form
	access, err := h.provider.NewAccessRequest(r.Context(), r, &session{})
	if err != nil {
		return nil, err
	}
	answer, err := h.provider.NewAccessResponse(r.Context(), access)
	if err != nil {
		return nil, err
	}
	return answer.ToMap(), nil
}

// readForm reads a token request's parameters from its body: one media type (a
// multipart body has other readers' rules), each parameter once (RFC 6749 §3.2),
// none in the address, where logs would keep them.
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

// refuse answers a token request that failed. Of a client that has proved itself
// the refusal goes into the log, and what cannot be logged is not answered as
// decided; strangers are counted, so that they cannot flood the log nor, by its
// time, find out which clients exist.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, req *tokenRequest, err error) {
	f := asRefusal(err)
	switch {
	case f == nil:
		f = h.failed(r.Context(), err)
	case req.client == nil:
		h.count(f.reason)
	default:
		httpd.Annotate(r.Context(), httpd.Partner, string(req.client.Partner))
		httpd.Annotate(r.Context(), httpd.Client, req.client.ID)
		e := proof.Entry{Act: "refused", Partner: string(req.client.Partner), Client: req.client.ID,
			Target: "access-token", Outcome: strings.ReplaceAll(f.code, "_", "-"), Reason: f.reason}
		if err := h.logRefusal(r.Context(), e); err != nil {
			f = h.failed(r.Context(), unavailable("logging a refusal", err))
		}
	}
	if f.status == http.StatusTooManyRequests || f.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "2")
	}
	writeRefusal(w, r, f)
}

// failed logs a failure of the hub's own and returns what is said of it.
func (h *Handler) failed(ctx context.Context, err error) *refusal {
	if ctx.Err() == nil { // else the caller has left, and nothing failed
		h.log.ErrorContext(ctx, "token request failed", "error", err)
	}
	if errors.Is(err, errUnavailable) {
		return &refusal{code: temporarilyUnavailable, reason: "token-unavailable", status: http.StatusServiceUnavailable,
			hint: "The hub cannot check credentials now. Ask again, with a fresh assertion and proof, after the time in Retry-After."}
	}
	return &refusal{code: serverError, reason: "token-failed", status: http.StatusInternalServerError}
}
