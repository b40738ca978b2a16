package signin

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"handover/audit/proof"
	"handover/internal/fault"
	"handover/partners"
)

// CallbackPath is where an agency's provider sends her browser back to. It is one for all
// agencies: the ceremony of her browser says whose provider was asked, so that one
// provider's answer cannot pass for another's (mix-up, RFC 9207 §1).
const CallbackPath = "/sign-in/provider/callback"

// errand is what is kept of a browser that was sent to a provider.
type errand struct {
	Issuer   string    `json:"issuer"`
	Entry    string    `json:"entry"` // of the provider as it was set when she was sent
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"` // of PKCE (RFC 7636 §4.1)
	Next     string    `json:"next"`
	Session  string    `json:"session,omitempty"` // to prove oneself in, by id
	Begun    time.Time `json:"begun"`
}

// ProviderOf reports whether a partner has a provider of its own that takes part, and the
// partner's name. Of no partner and of one without it says the same.
func (h *Handler) ProviderOf(r *http.Request, id partners.ID) (name string, ok bool, err error) {
	if !id.Valid() {
		return "", false, nil
	}
	_, err = h.store.provider(r.Context(), id)
	if errors.Is(err, errNoProvider) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	p, err := h.partners.Find(r.Context(), id)
	if errors.Is(err, partners.ErrNotThere) {
		return "", false, nil
	}
	return p.Name, err == nil, err
}

// AtProvider begins a sign-in at the agency's own provider and returns where to send her
// browser; with a session it is to prove herself once more in it. The provider is to ask her
// anew each time, whatever it remembers (OpenID Connect Core §3.1.2.1 prompt, max_age): else
// whoever finds her screen after she was signed out comes in again with nothing of hers.
func (h *Handler) AtProvider(w http.ResponseWriter, r *http.Request, id partners.ID, next string, in *Session) (location string, err error) {
	err = h.within(w, r, func(w http.ResponseWriter, r *http.Request) error {
		location, err = h.send(w, r, id, next, in)
		return err
	})
	return location, err
}

func (h *Handler) send(w http.ResponseWriter, r *http.Request, id partners.ID, next string, in *Session) (string, error) {
	if !id.Valid() {
		return "", because(ErrProvider, "provider-none")
	}
	p, err := h.store.provider(r.Context(), id)
	if err != nil {
		return "", err
	}
	known, err := h.providers.discover(r.Context(), p.Issuer)
	if err != nil {
		return "", h.down(r, id, err)
	}
	state, _ := secret()
	nonce, _ := secret()
	e := errand{Issuer: p.Issuer, Entry: p.entry, State: state, Nonce: nonce, Verifier: oauth2.GenerateVerifier(), Next: h.Landing(next), Begun: h.now()}
	c := ceremony{kind: atProvider, partner: id}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(e.Verifier), oidc.Nonce(nonce),
		oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0")}
	if len(p.ACR) > 0 {
		options = append(options, oauth2.SetAuthURLParam("acr_values", joined(p.ACR)))
	}
	if in != nil {
		e.Session, c.subject, c.bound = in.ID, in.person.id, in.digest
	}
	if c.state, err = json.Marshal(e); err != nil {
		return "", fmt.Errorf("writing an errand: %w", err)
	}
	if err := h.begin(w, r, c); err != nil {
		return "", err
	}
	return h.client(p, known, "").AuthCodeURL(state, options...), nil
}

// client is the hub as the provider's client. The secret goes in the way that the provider
// takes first, and never twice to find out.
func (h *Handler) client(p Provider, known *discovered, clientSecret string) *oauth2.Config {
	endpoint := known.lib.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if len(known.AuthMethods) > 0 && !slices.Contains(known.AuthMethods, "client_secret_basic") {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: clientSecret, Endpoint: endpoint,
		RedirectURL: h.issuer + CallbackPath, Scopes: []string{oidc.ScopeOpenID, "email", "profile"}}
}

// FromProvider takes a provider's answer out of the address, signs her in and returns
// where she goes from here.
func (h *Handler) FromProvider(w http.ResponseWriter, r *http.Request) (location string, err error) {
	err = h.within(w, r, func(w http.ResponseWriter, r *http.Request) error {
		location, err = h.receive(w, r)
		return err
	})
	return location, err
}

func (h *Handler) receive(w http.ResponseWriter, r *http.Request) (string, error) {
	c, err := h.take(w, r, atProvider)
	if err != nil {
		return "", err
	}
	var e errand
	if err := json.Unmarshal(c.state, &e); err != nil {
		return "", fmt.Errorf("reading an errand: %w", err)
	}
	p, err := h.store.provider(r.Context(), c.partner)
	if err != nil {
		return "", err
	}
	if p.entry != e.Entry { // the operator has changed it meanwhile
		return "", because(ErrStale, "provider-changed")
	}
	known, err := h.providers.discover(r.Context(), p.Issuer)
	if err != nil {
		return "", h.down(r, c.partner, err)
	}
	code, err := e.code(r.URL.RawQuery, known)
	if err != nil {
		return "", err
	}
	said, err := h.exchange(r, p, known, e, code)
	if err != nil {
		return "", err
	}
	a, err := p.arrival(said)
	if err != nil {
		return "", err
	}
	// She has signed in there after she was sent (auth_time, OpenID Connect Core §3.1.3.7
	// item 13). A provider that only remembers her, or does not say, proves nothing.
	if a.authenticated.Before(e.Begun.Add(-clockSkew)) {
		return "", p.refusedAt(ErrProvider, "provider-auth-time")
	}
	if c.bound != nil {
		return h.provedAgain(w, r, p, c, e, a)
	}
	return h.arrive(w, r, p, e, a)
}

// code reads the authorization response: to this browser's request (state, RFC 6749
// §10.12), of the provider that was asked (iss, RFC 9207 §2.4), each parameter once.
func (e errand) code(query string, known *discovered) (string, error) {
	q, err := url.ParseQuery(query)
	if err != nil {
		return "", because(ErrProvider, "provider-form")
	}
	for _, values := range q {
		if len(values) != 1 {
			return "", because(ErrProvider, "provider-form")
		}
	}
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(e.State)) != 1 {
		return "", because(ErrStale, "provider-state")
	}
	if iss := q.Get("iss"); (q.Has("iss") || known.SendsIssuer) && iss != e.Issuer {
		return "", because(ErrProvider, "provider-mixup")
	}
	if q.Has("error") || q.Get("code") == "" {
		return "", because(ErrProvider, "provider-error")
	}
	return q.Get("code"), nil
}

// arrive signs in who came through the provider of her agency.
func (h *Handler) arrive(w http.ResponseWriter, r *http.Request, by Provider, e errand, a arrival) (string, error) {
	value, digest := secret()
	p, err := h.store.arrive(r.Context(), by, a, h.entrance(r, person{partner: a.partner}, ""), digest)
	if err != nil {
		return "", p.inactive(err)
	}
	h.log.Kick()
	setCookie(w, sessionCookie, value, 0)
	return h.Landing(e.Next), nil
}

// provedAgain renews the session of who has just signed in at her provider anew: the same
// person, in the session that asked.
func (h *Handler) provedAgain(w http.ResponseWriter, r *http.Request, by Provider, c ceremony, e errand, a arrival) (string, error) {
	s, err := h.Session(r)
	if err != nil {
		return "", err
	}
	if s.ID != e.Session || s.person.id != c.subject || string(s.digest) != string(c.bound) || s.person.partner != a.partner {
		return "", s.person.refused(ErrStale, "ceremony-session")
	}
	value, digest := secret()
	if err := h.store.proveAtProvider(r.Context(), by, s, a, digest); err != nil {
		return "", s.person.inactive(err)
	}
	h.log.Kick()
	setCookie(w, sessionCookie, value, 0)
	return h.Landing(e.Next), nil
}

// clockSkew is by how much a provider's clock may differ from the hub's.
const clockSkew = time.Minute

// down says that a provider does not answer as it should. The error's text stays out of the
// log: it can hold what the provider said, and that what it was sent.
func (h *Handler) down(r *http.Request, id partners.ID, err error) error {
	if r.Context().Err() != nil {
		return err
	}
	h.logger.WarnContext(r.Context(), "an agency's provider does not answer as it should", "partner", string(id))
	return ErrProviderDown
}

// refusedAt refuses somebody whom her agency's provider vouched for, and who is nobody here.
func (p Provider) refusedAt(f *fault.Fault, reason string) error {
	return &refusal{error: f, reason: reason, entry: proof.Entry{Partner: string(p.Partner)}}
}
