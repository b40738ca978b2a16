package agency

import (
	"net/http"

	"handover/audit/proof"
	"handover/consent"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/web/shell"
)

// stepOf tells what an entry says of a key.
func stepOf(e partners.KeyStep) step {
	v := step{At: e.At, Position: e.Position, Index: e.Index, What: sentence(proof.LabelOf(e.Said.Act))}
	switch {
	case e.Said.Act == "":
		v.What = "What was done cannot be read any more"
	case e.Said.Act == proof.KeyRevoked:
		v.How = reasonInWords(partners.RevocationReason(e.Said.Reason))
	case e.Said.Key == nil:
	case e.Said.Key.Introduced == proof.SelfSigned:
		v.How = "It vouches for itself."
	case e.Said.Key.Introduced == proof.Countersigned:
		v.How = "A signing key of your agency vouches for it."
	case e.Said.Key.Introduced == proof.Registered:
		v.How = "It came with its system."
	}
	return v
}

func reasonInWords(why partners.RevocationReason) string {
	switch why {
	case partners.Compromised:
		return "Somebody else may have it."
	case partners.Lost:
		return "Nobody has it any more."
	case partners.Retired:
		return "It is not needed any more."
	}
	return ""
}

// touchedView is what a key signed, and what is sealed to it: by reference, and nothing of a woman.
type touchedView struct {
	Key      keyView
	Packets  []referral.Touched
	Consents []consent.Signed
	More     bool
}

// readTouched finds the newest of what the key touched. The whole of it is for a program
// (handover keys touched).
func (h *Handler) readTouched(r *http.Request, s signin.Session, k keyView) (*touchedView, error) {
	v := &touchedView{Key: k}
	if k.Use == partners.Authentication {
		return v, nil
	}
	var more bool
	var err error
	if v.Packets, v.More, err = h.Referrals.TouchedBy(r.Context(), s.Caller, k.ID, 0); err != nil {
		return nil, s.RefusedAbout(err, k.ID)
	}
	if v.Consents, more, err = h.Consents.SignedBy(r.Context(), s.Caller, k.ID, ""); err != nil {
		return nil, s.RefusedAbout(err, k.ID)
	}
	v.More = v.More || more
	return v, nil
}

func (h *Handler) touched(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	k, err := h.foundKey(r, s)
	if err != nil {
		return err
	}
	v, err := h.readTouched(r, s, k)
	if err != nil {
		return err
	}
	return h.pages.Show(w, r, http.StatusOK, "touched", shell.Page{Title: "What a key signed and opens", Back: keysPath + "/" + k.ID,
		Done: done(r, map[string]string{"revoke": "The key was revoked. It does not count any more, anywhere."}), Body: v})
}

// revokeView is the page before a revocation.
type revokeView struct {
	Key     keyView
	Means   string
	Reason  shell.Field
	Touched *touchedView
}

const revokeTitle = "Revoke a key"

func reasonField() shell.Field {
	return shell.Field{Kind: "radios", Name: "reason", Label: "Why?", Choices: []shell.Choice{
		{Value: string(partners.Compromised), Label: "Somebody else may have it"},
		{Value: string(partners.Lost), Label: "Nobody has it any more"},
		{Value: string(partners.Retired), Label: "It is not needed any more", Hint: "Another key must have taken its place. One that was replaced ends by itself: then there is nothing to do."},
	}}
}

// meansInWords is what revoking a key of that use means, whatever the reason.
func meansInWords(u partners.Use) string {
	switch u {
	case partners.Signing:
		return "Nothing that it signs is taken any more. Whoever reads what it has signed is told that the signature does not count, whenever it was made."
	case partners.Encryption:
		return "Nothing is sealed to it any more. What waits for your agency stays, and only who has the private part can open it."
	case partners.Authentication:
		return "The system that shows it is refused at its next request. It needs another key."
	}
	return ""
}

// showRevoke shows what the key touched before anything is done: whoever revokes must know whom to
// ask.
func (h *Handler) showRevoke(w http.ResponseWriter, r *http.Request, s signin.Session, status int, reason shell.Field) error {
	k, err := h.foundKey(r, s)
	if err != nil {
		return err
	}
	v := revokeView{Key: k, Means: meansInWords(k.Use), Reason: reason}
	if v.Touched, err = h.readTouched(r, s, k); err != nil {
		return err
	}
	return h.pages.Show(w, r, status, "revoke", shell.Page{Title: revokeTitle, Back: keysPath + "/" + k.ID, Mistakes: mistakes([]shell.Field{reason}), Body: v})
}

func (h *Handler) askRevoke(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	return h.showRevoke(w, r, s, http.StatusOK, reasonField())
}

func (h *Handler) revoke(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	k, err := h.foundKey(r, s)
	if err != nil {
		return err
	}
	why := partners.RevocationReason(form.Get("reason"))
	if reasonInWords(why) == "" {
		f := reasonField()
		f.Error = "Choose why"
		return h.showRevoke(w, r, s, http.StatusUnprocessableEntity, f)
	}
	if err := h.Partners.RevokeKey(r.Context(), s.Caller, k.ID, why); err != nil {
		return s.RefusedAbout(err, k.ID)
	}
	shell.See(w, keysPath+"/"+k.ID+"/touched?done=revoke")
	return nil
}
