package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/mux"
	"github.com/ory/fosite"
	"golang.org/x/time/rate"

	"handover/audit/proof"
	"handover/internal/httpd"
	"handover/keys"
	"handover/keys/jose"
	"handover/oauth/limit"
	"handover/partners"
)

// Config is what both the authorization server and the guard are made of.
type Config struct {
	Issuer   string // the hub's public URL: scheme and host, nothing after them
	Keys     keys.Store
	Partners *partners.Store
	Store    *Store

	// Count counts a refusal of somebody unknown, by its coded reason.
	Count func(reason string)
	// Refuse logs a refusal of somebody known. Its error means that the hub cannot
	// say that it refused, and answers 503.
	Refuse func(ctx context.Context, e proof.Entry) error

	Log *slog.Logger     // default: none
	Now func() time.Time // default: time.Now

	// Token requests a second from one network, and from one network for one client,
	// each with a burst of ten seconds' worth. Default 20 and 5; an access token
	// lasts ten minutes, so an honest client needs one request in that time.
	NetworkRate, ClientRate rate.Limit
	Origin                  limit.Origin
}

// defaulted returns the configuration with its defaults, or says what is missing.
func (c Config) defaulted() (Config, error) {
	u, err := url.Parse(c.Issuer)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || c.Issuer != u.Scheme+"://"+u.Host {
		return Config{}, errors.New("the issuer must be a URL of scheme and host alone")
	}
	if c.Keys == nil || c.Partners == nil || c.Store == nil || c.Count == nil || c.Refuse == nil {
		return Config{}, errors.New("keys, partners, store, count and refuse are all needed")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NetworkRate == 0 {
		c.NetworkRate = 20
	}
	if c.ClientRate == 0 {
		c.ClientRate = 5
	}
	return c, nil
}

func (c Config) tokens() *accessTokens {
	return &accessTokens{issuer: c.Issuer, keys: c.Keys, ring: &keyring{store: c.Keys, now: c.Now}, now: c.Now}
}

// Handler is the authorization server.
type Handler struct {
	issuer     string
	partners   *partners.Store
	store      *Store
	tokens     *accessTokens
	provider   fosite.OAuth2Provider
	decoys     decoys
	origin     limit.Origin
	perNetwork *limit.Limiter
	perClient  *limit.Limiter
	count      func(string)
	logRefusal func(context.Context, proof.Entry) error
	log        *slog.Logger
	now        func() time.Time
}

// New returns the authorization server.
func New(c Config) (*Handler, error) {
	c, err := c.defaulted()
	if err != nil {
		return nil, fmt.Errorf("configuring the authorization server: %w", err)
	}
	h := &Handler{
		issuer: c.Issuer, partners: c.Partners, store: c.Store, tokens: c.tokens(),
		origin: c.Origin, perNetwork: limit.New("address", c.NetworkRate, c.Now), perClient: limit.New("client", c.ClientRate, c.Now),
		count: c.Count, logRefusal: c.Refuse, log: c.Log, now: c.Now,
	}
	if h.decoys, err = newDecoys(); err != nil {
		return nil, err
	}
	h.provider = h.newProvider(h.tokens)
	return h, nil
}

// The addresses below the issuer.
const (
	metadataPath = "/.well-known/oauth-authorization-server"
	tokenPath    = "/oauth/token"
	jwksPath     = "/oauth/jwks.json"
)

// Mount adds the routes. All are open to strangers; the token endpoint finds out
// for itself who is asking.
func (h *Handler) Mount(r *mux.Router) {
	r.HandleFunc(metadataPath, h.metadata).Methods(http.MethodGet)
	r.HandleFunc(tokenPath, h.token).Methods(http.MethodPost)
	r.HandleFunc(registerPath, h.register).Methods(http.MethodPost)
	r.Handle(jwksPath, httpd.Handle(h.jwks)).Methods(http.MethodGet)
}

// publicFor lets anybody keep metadata and keys for five minutes. A key stays published
// until all that it signed has expired. A new one may sign before an old copy knows it,
// so whoever meets an unknown kid asks again, as the guard does.
const publicFor = "public, max-age=300"

// metadata serves RFC 8414 §2: what is really offered and nothing else.
func (h *Handler) metadata(w http.ResponseWriter, _ *http.Request) {
	type metadata struct {
		Issuer          string           `json:"issuer"`
		TokenEndpoint   string           `json:"token_endpoint"`
		KeysURI         string           `json:"jwks_uri"`
		Registration    string           `json:"registration_endpoint"` // RFC 7591
		Scopes          []partners.Scope `json:"scopes_supported"`
		ResponseTypes   []string         `json:"response_types_supported"` // required; there is no authorization endpoint
		GrantTypes      []string         `json:"grant_types_supported"`
		AuthMethods     []string         `json:"token_endpoint_auth_methods_supported"`
		AuthSigningAlgs []jose.Algorithm `json:"token_endpoint_auth_signing_alg_values_supported"`
		DPoPSigningAlgs []jose.Algorithm `json:"dpop_signing_alg_values_supported"` // RFC 9449 §5.1
	}
	algs := []jose.Algorithm{jose.ES256, jose.EdDSA}
	w.Header().Set("Cache-Control", publicFor)
	httpd.JSON(w, http.StatusOK, metadata{
		Issuer: h.issuer, TokenEndpoint: h.issuer + tokenPath, KeysURI: h.issuer + jwksPath, Registration: h.issuer + registerPath,
		Scopes: partners.SystemScopes(), ResponseTypes: []string{},
		GrantTypes: []string{clientCredentials}, AuthMethods: []string{"private_key_jwt"},
		AuthSigningAlgs: algs, DPoPSigningAlgs: algs,
	})
}

// jwks serves the public keys of access tokens (RFC 7517 §5), those that are being
// retired among them.
func (h *Handler) jwks(w http.ResponseWriter, r *http.Request) error {
	set, err := h.tokens.ring.younger(r.Context(), keyringPause)
	if err != nil {
		return err
	}
	keys := set.keys
	if keys == nil {
		keys = []jose.PublicKey{}
	}
	w.Header().Set("Cache-Control", publicFor)
	w.Header().Set("Content-Type", "application/jwk-set+json")
	httpd.JSON(w, http.StatusOK, map[string][]jose.PublicKey{"keys": keys})
	return nil
}
