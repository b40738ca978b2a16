package people

import (
	"context"
	"handover/web/shell"
	"net/http"
	"net/url"
	"slices"

	"handover/internal/fault"
	"handover/oauth"
	"handover/oauth/signin"
	"handover/partners"
)

// ErrNoRight is for a system that asks for what she has not to give.
var ErrNoRight = fault.New(fault.Forbidden, "permission-no-right", fault.Sender,
	"This system asks for what your role does not let you do. Nothing was sent to it. Ask your administrator if you need it.")

// permissionView is what she is asked.
type permissionView struct {
	Client, Agency       string
	Wants                []string // in plain words
	Less                 bool     // it asked for more than her role has
	ClientID, RequestURI string
}

// permission asks whether a system of her own agency may act as her.
func (h *Handler) permission(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	q := r.URL.Query()
	v := permissionView{ClientID: q.Get("client_id"), RequestURI: q.Get("request_uri")}
	asking, wants, err := h.asked(r.Context(), s, v.ClientID, v.RequestURI)
	if err != nil {
		return err
	}
	agency, err := h.partners.Find(r.Context(), asking.Partner)
	if err != nil {
		return err
	}
	v.Client, v.Agency, v.Wants, v.Less = asking.ClientName, agency.Name, inWords(wants), len(wants) < len(asking.Scopes)
	// Chromium refuses the redirect that answers a form unless form-action names where it
	// leads; on this page alone it may lead to the system.
	w.Header().Set("Content-Security-Policy", shell.Policy(originOf(asking.RedirectOrigin)))
	return h.pages.Show(w, r, http.StatusOK, "permission", shell.Page{Title: "Let a system act for you?", Body: v})
}

// asked returns what is asked and what of it her role has. A person of another agency than
// the system's is refused: nothing of her is told to it, not even that she was here.
func (h *Handler) asked(ctx context.Context, s signin.Session, clientID, requestURI string) (oauth.Asking, []partners.Scope, error) {
	asking, err := h.authorization.Asked(ctx, clientID, requestURI)
	if err != nil {
		return oauth.Asking{}, nil, err
	}
	if asking.Partner != s.Caller.Partner() {
		return oauth.Asking{}, nil, oauth.ErrOtherAgency
	}
	wants := slices.DeleteFunc(slices.Clone(asking.Scopes), func(scope partners.Scope) bool { return !s.Caller.Has(scope) })
	if len(wants) == 0 {
		return oauth.Asking{}, nil, ErrNoRight
	}
	return asking, wants, nil
}

// originOf is the origin in the form that may stand in a header, or "": what a system wrote
// must not add a directive of its own.
func originOf(origin string) string {
	u, err := url.Parse(origin)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil {
		return ""
	}
	for _, c := range u.Host {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != ':' && c != '[' && c != ']' {
			return ""
		}
	}
	return u.Scheme + "://" + u.Host
}

// decide takes her answer and sends her browser back to the system with it.
func (h *Handler) decide(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	clientID, requestURI := form.Get("client_id"), form.Get("request_uri")
	asking, _, err := h.asked(r.Context(), s, clientID, requestURI)
	if err != nil {
		return err
	}
	var location string
	if form.Get("answer") == "allow" { // anything else is no
		location, err = h.authorization.Permit(r.Context(), s.Caller, clientID, requestURI)
	} else {
		location, err = h.authorization.Deny(r.Context(), s.Caller, clientID, requestURI)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", shell.Policy(originOf(asking.RedirectOrigin)))
	shell.See(w, location)
	return nil
}

// inWords says what a system could do, as she would say it.
func inWords(scopes []partners.Scope) []string {
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = s.Words()
	}
	return words
}
