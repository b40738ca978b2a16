package hubtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"handover/docs"
)

// Contract is docs/openapi.json, read once and found valid, with its server replaced
// by Issuer.
var Contract = sync.OnceValues(func() (*openapi3.T, error) {
	// What the library does not know it keeps as bytes, which is all that it need do.
	for _, kind := range []string{"application/vnd.handover.packet+json", "application/jwk-set+json", "application/vnd.oai.openapi+json"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.JSONBodyDecoder)
	}
	for _, kind := range []string{"application/jose", "text/markdown", "application/vnd.handover.audit+jsonl"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.PlainBodyDecoder)
	}
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(docs.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("reading docs/openapi.json: %w", err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("docs/openapi.json is not OpenAPI: %w", err)
	}
	doc.Servers = openapi3.Servers{{URL: Issuer}}
	return doc, nil
})

// described finds the operation of a request.
var described = sync.OnceValues(func() (routers.Router, error) {
	doc, err := Contract()
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

// fits says how an exchange differs from what docs/openapi.json promises, or nil: the
// answer, and of what was accepted the request too. An address that the document does
// not know must be answered as one: 404, or 405 with Allow.
func fits(r *http.Request, sent []byte, a Answer) error {
	router, err := described()
	if err != nil {
		return err
	}
	if strings.HasPrefix(a.Header.Get("Content-Type"), "application/problem+json") {
		if err := a.whole(); err != nil {
			return err
		}
	}
	route, params, err := router.FindRoute(onePart(r))
	if errors.Is(err, routers.ErrPathNotFound) || errors.Is(err, routers.ErrMethodNotAllowed) {
		if a.Status == http.StatusNotFound || a.Status == http.StatusMethodNotAllowed && a.Header.Get("Allow") != "" || a.page(r) {
			return nil
		}
		return fmt.Errorf("an address or method that it does not know: %w", err)
	}
	if err != nil {
		return err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(sent))
	request := &openapi3filter.RequestValidationInput{Request: r, Route: route, PathParams: params, Options: &openapi3filter.Options{
		IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}
	if a.Status < http.StatusMultipleChoices {
		if err := openapi3filter.ValidateRequest(r.Context(), request); err != nil {
			return fmt.Errorf("it accepted a request that is not as described: %w", err)
		}
	}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: request, Options: request.Options,
		Status: a.Status, Header: a.Header, Body: io.NopCloser(bytes.NewReader(a.Body)),
	})
}

// page reports whether the answer is one of the pages for people, or of what they load, which the
// document does not describe: it carries their policy, or is style or script.
func (a Answer) page(r *http.Request) bool {
	return strings.Contains(a.Header.Get("Content-Security-Policy"), "trusted-types 'none'") ||
		strings.HasPrefix(r.URL.Path, "/static/") && r.Method == http.MethodGet
}

// onePart writes the path of a tile in one part: OpenAPI has no parameter that spans
// slashes.
func onePart(r *http.Request) *http.Request {
	const tile = "/v1/log/tile/"
	if rest, ok := strings.CutPrefix(r.URL.Path, tile); ok && rest != "" {
		r = r.Clone(r.Context())
		r.URL.Path, r.URL.RawPath = tile+"tile", ""
	}
	return r
}

// whole checks what is true of every problem (RFC 9457), whatever the document says.
func (a Answer) whole() error {
	p := a.Problem()
	switch {
	case p.Status != a.Status:
		return fmt.Errorf("the problem says status %d", p.Status)
	case p.Type != Issuer+"/problems/"+p.Code:
		return fmt.Errorf("its type is %q", p.Type)
	case p.Title == "" || p.Party == "" || !strings.HasPrefix(p.Instance, "urn:uuid:"):
		return errors.New("the problem lacks title, party or instance")
	case a.Header.Get("Cache-Control") != "no-store":
		return errors.New("the problem may be cached")
	case a.Status == http.StatusUnauthorized && !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "DPoP"):
		return errors.New("401 without a challenge (RFC 9110 §11.6.1)")
	}
	return nil
}
