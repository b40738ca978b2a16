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

	"handover/audit/proof"
	"handover/internal/gather"
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

	Rates  Rates
	Origin limit.Origin
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
	c.Rates = c.Rates.defaulted()
	return c, nil
}

func (c Config) tokens() *accessTokens {
	return &accessTokens{issuer: c.Issuer, keys: c.Keys, ring: &keyring{store: c.Keys, now: c.Now}, now: c.Now}
}

func (c Config) nonces() *nonces { return &nonces{store: c.Store, keys: c.Keys, now: c.Now} }

// Handler is the authorization server.
type Handler struct {
	issuer     string
	partners   *partners.Store
	store      *Store
	tokens     *accessTokens
	provider   fosite.OAuth2Provider
	nonces     *nonces
	lookups    *gather.Lines[*lookup]
	firsts     *gather.Lines[*first]
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
		origin: c.Origin, perNetwork: limit.New("address", c.Rates.TokenAddress, c.Now), perClient: limit.New("client", c.Rates.TokenClient, c.Now),
		count: c.Count, logRefusal: c.Refuse, log: c.Log, now: c.Now,
	}
	if h.decoys, err = newDecoys(); err != nil {
		return nil, err
	}
	h.nonces, h.lookups, h.firsts = c.nonces(), h.newLookups(), h.newFirsts()
	h.provider = h.newProvider()
	return h, nil
}

// The addresses below the issuer.
const (
	metadataPath   = "/.well-known/oauth-authorization-server"
	authorizePath  = "/oauth/authorize" // a page: see web
	pushPath       = "/oauth/par"
	tokenPath      = "/oauth/token"
	revokePath     = "/oauth/revoke"
	introspectPath = "/oauth/introspect"
	jwksPath       = "/oauth/jwks.json"
)

// Mount adds the routes. All are open to strangers; the endpoints find out for
// themselves who is asking.
func (h *Handler) Mount(r *mux.Router) {
	r.HandleFunc(metadataPath, h.metadata).Methods(http.MethodGet)
	for path, e := range map[string]endpoint{
		pushPath:       {"authorization-request", proofWelcome, h.push},
		tokenPath:      {"access-token", proofDemanded, h.token},
		revokePath:     {"revocation", proofIgnored, h.revoke},
		introspectPath: {"introspection", proofIgnored, h.introspect},
	} {
		r.Handle(path, h.serve(e)).Methods(http.MethodPost)
	}
	r.HandleFunc(registerPath, h.register).Methods(http.MethodPost)
	r.Handle(jwksPath, httpd.Handle(h.jwks)).Methods(http.MethodGet)
}

// publicFor lets anybody keep metadata and keys for five minutes. A key stays published
// until all that it signed has expired. A new one may sign before an old copy knows it,
// so whoever meets an unknown kid asks again, as the guard does.
const publicFor = "public, max-age=300"

// metadata serves RFC 8414 §2: what is really offered and nothing else.
func (h *Handler) metadata(w http.ResponseWriter, _ *http.Request) {
	algs := []jose.Algorithm{jose.ES256, jose.EdDSA, jose.PS256}
	byKey := []string{"private_key_jwt"}
	w.Header().Set("Cache-Control", publicFor)
	httpd.JSON(w, http.StatusOK, map[string]any{
		"issuer":                                                   h.issuer,
		"authorization_endpoint":                                   h.issuer + authorizePath,
		"token_endpoint":                                           h.issuer + tokenPath,
		"jwks_uri":                                                 h.issuer + jwksPath,
		"registration_endpoint":                                    h.issuer + registerPath, // RFC 7591
		"scopes_supported":                                         partners.PeopleScopes(),
		"response_types_supported":                                 []string{"code"},
		"response_modes_supported":                                 []string{"query"},
		"grant_types_supported":                                    grants(),
		"code_challenge_methods_supported":                         []string{"S256"}, // RFC 7636
		"token_endpoint_auth_methods_supported":                    byKey,
		"token_endpoint_auth_signing_alg_values_supported":         algs,
		"revocation_endpoint":                                      h.issuer + revokePath, // RFC 7009
		"revocation_endpoint_auth_methods_supported":               byKey,
		"revocation_endpoint_auth_signing_alg_values_supported":    algs,
		"introspection_endpoint":                                   h.issuer + introspectPath, // RFC 7662
		"introspection_endpoint_auth_methods_supported":            byKey,
		"introspection_endpoint_auth_signing_alg_values_supported": algs,
		"pushed_authorization_request_endpoint":                    h.issuer + pushPath, // RFC 9126 §5
		"require_pushed_authorization_requests":                    true,
		"authorization_response_iss_parameter_supported":           true, // RFC 9207 §3
		"dpop_signing_alg_values_supported":                        algs, // RFC 9449 §5.1
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
