package client

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"time"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/ids"
	"handover/internal/strict"
)

// The codes of police requests, with the words for each: what to choose from.
var (
	Enquiries          = record.Enquiries
	Necessities        = record.Necessities
	Ranks              = record.Ranks
	PoliceNotices      = record.InquiryNotices
	WithheldReasons    = record.WithheldReasons
	PoliceYesReasons   = record.InquiryReasons
	PoliceNoReasons    = record.NoReasons
	PoliceNotToldOfANo = record.InquiryNotToldReasons
)

// What a police request says in words, to the agency asked alone, and why that agency decides
// as it does, which it keeps for itself.
type (
	PoliceText   = record.InquiryText
	Requester    = record.Requester
	PoliceReason = record.InquiryReason
)

// PoliceRequest is what an officer asks of one agency about a woman. Zero values are filled in
// where a default is given.
type PoliceRequest struct {
	ID          string // UUIDv7; default a new one
	Holder      string // exactly one partner id
	Enquiry     string // one of Enquiries
	Necessity   []string
	Sections    []string // the classes asked for
	Counselling bool     // whether counselling records are among it
	Senior      string   // the second officer who approved that, by opaque id
	Rank        string   // hers: one of Ranks
	Notice      string   // whether she has been told: one of PoliceNotices
	Withheld    string   // why not: one of WithheldReasons
	RespondBy   time.Time
	Text        PoliceText // sealed to the holder
	Act         string     // the officer, by opaque id: the person signed in
}

// AskedOfHolder is a police request with its proof.
type AskedOfHolder struct {
	ID      string  `json:"id"`
	Digest  string  `json:"digest"`
	Request string  `json:"request"` // the signed request
	Receipt Receipt `json:"receipt"`
}

// StoredPoliceRequest is a police request as the hub keeps it, verified: signed by the police,
// decided by the agency asked. To the police the members that say when something was done
// there, and why, are empty.
type StoredPoliceRequest struct {
	ID         string    `json:"id"`
	Request    string    `json:"request"`
	Digest     string    `json:"digest"`
	State      string    `json:"state"` // asked, unanswered, approved, refused; to the agency asked: opened too
	RecordedAt time.Time `json:"recorded_at"`
	Decision   string    `json:"decision,omitempty"` // the signed decision
	OpenedAt   time.Time `json:"opened_at,omitzero"`
	DecidedAt  time.Time `json:"decided_at,omitzero"`
	ShownAt    time.Time `json:"shown_at,omitzero"` // when the police are shown it
	Reason     string    `json:"reason,omitempty"`  // sealed
	Receipt    Receipt   `json:"receipt"`

	Claims  record.InquiryClaims          `json:"claims"`            // what is asked
	Decided *record.InquiryDecisionClaims `json:"decided,omitempty"` // what was decided
}

// PoliceRequestLine is a police request in a list.
type PoliceRequestLine struct {
	ID          string    `json:"id"`
	Police      string    `json:"police"`
	Holder      string    `json:"holder"`
	Counselling bool      `json:"counselling"`
	State       string    `json:"state"`
	RecordedAt  time.Time `json:"recorded_at"`
	RespondBy   time.Time `json:"respond_by"`
	DecidedAt   time.Time `json:"decided_at,omitzero"`
}

// AskAsPolice signs a police request and has it recorded, as the officer who is signed in
// (Options.Session), with her right referrals:send. Nothing moves by it. Codes of refusal:
// police-only, police-request-by-person, police-request-claim (the member claim names it, why
// says what to do), police-request-senior, recipient-inactive.
func (c *Client) AskAsPolice(ctx context.Context, q PoliceRequest) (AskedOfHolder, error) {
	claims, sealed, err := c.inquiry(ctx, q)
	if err != nil {
		return AskedOfHolder{}, err
	}
	token, err := claims.Sign(c.keys.Signing)
	if err != nil {
		return AskedOfHolder{}, local(err)
	}
	asked := AskedOfHolder{ID: claims.ID, Digest: ids.Digest(token), Request: token}
	asked.Receipt, err = c.postJSON(ctx, "/v1/police-requests", record.InquiryMedia, record.PostedInquiry{Request: token, Sealed: sealed})
	if err != nil {
		return AskedOfHolder{}, err
	}
	return asked, c.prove(ctx, asked.Receipt, proof.Entry{Act: "police.request", Partner: c.partner, Target: claims.ID, Digest: asked.Digest})
}

// inquiry is what the request states, and its text sealed to a key of the holder's that counts
// now.
func (c *Client) inquiry(ctx context.Context, q PoliceRequest) (claims record.InquiryClaims, sealed string, err error) {
	if err := c.signs(); err != nil {
		return claims, "", err
	}
	now := c.now().Truncate(time.Second)
	claims = record.InquiryClaims{Hub: c.hub, Issuer: c.partner, IssuedAt: now.Unix(), Audience: q.Holder, Reference: NewSubject(),
		Enquiry: q.Enquiry, Necessity: q.Necessity, Sections: q.Sections, Counselling: "no", Notice: q.Notice, Withheld: q.Withheld,
		RespondBy: q.RespondBy.Unix()}
	if q.Counselling {
		claims.Counselling, claims.Senior = "yes", record.Senior{Act: q.Senior, Rank: q.Rank}
	}
	if claims.ID, err = newID(q.ID); err != nil {
		return claims, "", err
	}
	if claims.Act, err = c.acting(ctx, q.Act); err != nil {
		return claims, "", err
	}
	key, err := c.sealingKey(ctx, q.Holder)
	if err != nil {
		return claims, "", err
	}
	if sealed, err = record.SealInquiry(c.partner, q.Holder, claims.ID, q.Text, key); err != nil {
		return claims, "", local(err)
	}
	claims.Sealed = ids.Digest(sealed)
	return claims, sealed, nil
}

func (c *Client) postJSON(ctx context.Context, path, mediaType string, v any) (Receipt, error) {
	body, err := strict.Marshal(v)
	if err != nil {
		return Receipt{}, local(err)
	}
	r, err := c.do(ctx, call{method: http.MethodPost, path: path, body: body, mediaType: mediaType})
	if err != nil {
		return Receipt{}, err
	}
	return read[Receipt](r)
}

// PoliceRequests lists what your agency has asked (role asked) or is asked (received), newest
// first. An error is yielded once and ends the list.
func (c *Client) PoliceRequests(ctx context.Context, role string) iter.Seq2[PoliceRequestLine, error] {
	type page struct {
		Requests []PoliceRequestLine `json:"requests"`
		More     bool                `json:"more"`
	}
	return pagesOf(ctx, c, "/v1/police-requests", url.Values{"role": {role}}, func(p page) []PoliceRequestLine { return p.Requests })
}

// PoliceRequest returns a request of which your agency is a party; the code of its refusal is
// police-request-not-found. The hub logs that you read it.
func (c *Client) PoliceRequest(ctx context.Context, id string) (StoredPoliceRequest, error) {
	stored, err := get[StoredPoliceRequest](ctx, c, policePath(id), nil)
	if err != nil {
		return StoredPoliceRequest{}, err
	}
	stated, err := record.ParseInquiry(stored.Request)
	if err != nil {
		return StoredPoliceRequest{}, fmt.Errorf("%w: the police request", ErrForged)
	}
	stored.Claims = stated.Unverified()
	q := stored.Claims
	if q.ID != id || q.Hub != c.hub || stated.Digest() != stored.Digest || q.Issuer != c.partner && q.Audience != c.partner {
		return StoredPoliceRequest{}, fmt.Errorf("%w: it is another police request", ErrForged)
	}
	key, err := c.signingKey(ctx, q.Issuer, stated.KeyID())
	if err != nil {
		return StoredPoliceRequest{}, err
	}
	if _, err := record.VerifyInquiry(stated, key.PublicKey); err != nil {
		return StoredPoliceRequest{}, fmt.Errorf("%w: the police request", ErrForged)
	}
	if err := c.verifyAnswer(ctx, &stored); err != nil {
		return StoredPoliceRequest{}, err
	}
	return stored, c.prove(ctx, stored.Receipt, proof.Entry{Target: id})
}

func policePath(id string) string { return "/v1/police-requests/" + url.PathEscape(id) }

// verifyAnswer verifies the decision about a request, and that it is what the hub says: else a
// hub could show a yes that nobody of the holder has said.
func (c *Client) verifyAnswer(ctx context.Context, stored *StoredPoliceRequest) error {
	decided := stored.State == record.Approved || stored.State == record.Refused
	if decided != (stored.Decision != "") {
		return fmt.Errorf("%w: nobody has stated that the request is %s", ErrForged, stored.State)
	}
	if !decided {
		return nil
	}
	forged := fmt.Errorf("%w: the decision about the police request", ErrForged)
	stated, err := record.ParseInquiryDecision(stored.Decision)
	if err != nil {
		return forged
	}
	d := stated.Unverified()
	if d.Issuer != stored.Claims.Audience || d.Decision != stored.State || d.Answers(stored.Claims, stored.Digest) != nil {
		return forged
	}
	key, err := c.signingKey(ctx, d.Issuer, stated.KeyID())
	if err != nil {
		return err
	}
	if _, err := record.VerifyInquiryDecision(stated, key.PublicKey); err != nil {
		return forged
	}
	stored.Decided = &d
	return nil
}

// OpenPoliceRequest returns what a request says in words, to the agency asked. That it was
// opened, and by whom, is logged; the police are not told.
func (c *Client) OpenPoliceRequest(ctx context.Context, id string) (StoredPoliceRequest, PoliceText, error) {
	stored, err := c.PoliceRequest(ctx, id)
	if err != nil {
		return StoredPoliceRequest{}, PoliceText{}, err
	}
	r, err := c.do(ctx, call{method: http.MethodPost, path: policePath(id) + "/open"})
	if err != nil {
		return StoredPoliceRequest{}, PoliceText{}, err
	}
	opened, err := read[struct {
		Sealed  string  `json:"sealed"`
		Receipt Receipt `json:"receipt"`
	}](r)
	if err != nil {
		return StoredPoliceRequest{}, PoliceText{}, err
	}
	for _, key := range c.keys.Encryption {
		var text PoliceText
		if text, err = record.OpenInquiry(stored.Claims, opened.Sealed, key); err == nil {
			return stored, text, c.prove(ctx, opened.Receipt, proof.Entry{Act: "police.open", Partner: c.partner, Target: id})
		}
	}
	return StoredPoliceRequest{}, PoliceText{}, local(err)
}

// PoliceReason decrypts why your agency decided as it did.
func (c *Client) PoliceReason(stored StoredPoliceRequest) (PoliceReason, error) {
	if stored.Decided == nil || stored.Reason == "" {
		return PoliceReason{}, nil
	}
	var err error
	for _, key := range c.keys.Encryption {
		var reason PoliceReason
		if reason, err = record.OpenInquiryReason(*stored.Decided, stored.Reason, key); err == nil {
			return reason, nil
		}
	}
	return PoliceReason{}, local(err)
}

// ApprovePoliceRequest states as a manager that the police may have these classes, and
// counselling records only if counselling says so. Nothing moves by it. The reason stays with
// your agency; whether she has been told, the police see. Codes of refusal: manager-needed,
// step-up-required, police-request-unread, police-request-not-asked,
// counselling-not-approvable, police-request-decided.
func (c *Client) ApprovePoliceRequest(ctx context.Context, id string, sections []string, counselling bool, why PoliceReason) (Receipt, error) {
	d := record.InquiryDecisionClaims{Decision: record.Approved, Sections: sections, Counselling: "no", Told: why.Told, NotTold: why.NotTold}
	if counselling {
		d.Counselling = "yes"
	}
	return c.answerPolice(ctx, id, d, why)
}

// RefusePoliceRequest states as a manager that the police do not get it. They are told so when
// the request was to be answered by, and nothing else: neither why, nor whether she is known.
// Codes of refusal: manager-needed, step-up-required, police-request-decided.
func (c *Client) RefusePoliceRequest(ctx context.Context, id string, why PoliceReason) (Receipt, error) {
	return c.answerPolice(ctx, id, record.InquiryDecisionClaims{Decision: record.Refused}, why)
}

func (c *Client) answerPolice(ctx context.Context, id string, d record.InquiryDecisionClaims, why PoliceReason) (Receipt, error) {
	if err := c.signs(); err != nil {
		return Receipt{}, err
	}
	stored, err := c.PoliceRequest(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	// Random like a subject's reference: no id that carries the time.
	d.Hub, d.Issuer, d.ID, d.Of, d.Digest = c.hub, c.partner, NewSubject(), id, stored.Digest
	if d.Act, err = c.acting(ctx, ""); err != nil {
		return Receipt{}, err
	}
	sealed, err := record.SealInquiryReason(c.partner, d.ID, d.Decision, why, c.keys.Encryption[0].Public())
	if err != nil {
		return Receipt{}, local(err)
	}
	d.Sealed = ids.Digest(sealed)
	if err := d.Answers(stored.Claims, stored.Digest); err != nil {
		return Receipt{}, local(err)
	}
	token, err := d.Sign(c.keys.Signing)
	if err != nil {
		return Receipt{}, local(err)
	}
	receipt, err := c.postJSON(ctx, policePath(id)+"/decision", record.InquiryDecisionMedia, record.PostedInquiryDecision{Decision: token, Sealed: sealed})
	if err != nil {
		return Receipt{}, err
	}
	return receipt, c.prove(ctx, receipt, proof.Entry{Act: "police.decision", Partner: c.partner, Target: id, Digest: ids.Digest(token), State: d.Decision})
}
