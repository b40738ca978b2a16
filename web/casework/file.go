package casework

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"handover/internal/codes"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet/attachment"
	"handover/web/shell"
)

// extensions are the kinds of file whose name may say what they are. Any other is sent as
// bytes that no program opens by itself.
func extensions() map[string]string {
	return map[string]string{"application/pdf": ".pdf", "image/png": ".png", "image/jpeg": ".jpg", "text/plain": ".txt"}
}

// file opens an attachment for her and sends it: no page can show it. It is held whole before a
// byte leaves, so that nobody gets half of one that is not what its sender signed, and
// overwritten afterwards. It is never shown in the browser: what a stranger has made must not
// run under the hub's address.
func (h *Handler) file(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	s, l, err := h.find(r, session)
	if err != nil {
		return err
	}
	o := opening{names: []string{form.Get("file")}, reason: form.Get("reason")}
	if o.reason == "" {
		o.reason = reasonFor(s)
	}
	if !codes.IsAttachment(o.names[0]) {
		return h.notOpened(w, r, session, s, o, referral.ErrNoSection)
	}
	plain, mediaType, err := h.unpack(r, session.Caller, s, l, o)
	defer clear(plain)
	if err != nil {
		return h.notOpened(w, r, session, s, o, err)
	}
	ending, known := extensions()[mediaType]
	if !known {
		mediaType, ending = "application/octet-stream", ".bin"
	}
	return sendFile(w, s.Reference+"-"+o.names[0]+ending, mediaType, plain)
}

// unpack has the head of an attachment released and opened, and opens its chunks with what is in
// it.
func (h *Handler) unpack(r *http.Request, c partners.Caller, s *seen, l link, o opening) ([]byte, string, error) {
	ctx, name := r.Context(), o.names[0]
	opened, err := h.Desk.Open(ctx, c, s.ID, referral.Opening{Envelope: l.Digest, Sections: o.names, Reason: o.reason})
	if err != nil {
		return nil, "", err
	}
	defer func() { clear(opened.Content[name]) }()
	reader, err := attachment.NewReader(opened.Content[name], l.Claims.Sections[name].Chunks, func(number int) (string, error) {
		return h.Referrals.Chunk(ctx, c, s.ID, l.Digest, name, number)
	})
	if err != nil {
		return nil, "", err
	}
	plain := bytes.NewBuffer(make([]byte, 0, reader.Count()*attachment.ChunkSize))
	if _, err := io.Copy(plain, reader); err != nil {
		clear(plain.Bytes())
		if errors.Is(err, attachment.ErrUnreadable) {
			err = attachment.ErrUnreadable
		}
		return nil, "", err
	}
	return plain.Bytes(), reader.MediaType(), nil
}

// fileOf is an attachment as a page shows it: what class of data it is, and how to get it.
func fileOf(s *seen, l link, name string) section {
	one := titled(name)
	one.With, one.File = "", s.Address+"/chain/"+l.Digest+"/file"
	one.Class = sentence(codes.Sections().Label(l.Claims.Sections[name].Class))
	return one
}
