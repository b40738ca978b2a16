package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"handover/audit/proof"
	"handover/consent/record"
)

// SubjectQuery says whose data is asked for, and how far to go.
type SubjectQuery struct {
	Subjects []string // all references that your agency has of her

	// OpenReceived is the reason, one of codes.OpenReasons, for which what was sent to your
	// agency is opened: each opening is decided anew and logged. "" leaves it closed.
	OpenReceived string

	// SearchAll reads every referral of your agency, instead of those alone that the log names
	// her in: for what was recorded before it did.
	SearchAll bool

	// Attachments is given the attachments that were opened, to be kept, and returns under which
	// names. nil leaves them out, and the export says so.
	Attachments func(step int, opened Opened) ([]string, error)
}

// SubjectAccess is all that an agency holds about one woman, and the hub for it, as it is: not
// what she is given. Before that, a person reads it, for whom Review says what to look for.
type SubjectAccess struct {
	V        int       `json:"v"` // 1
	Made     time.Time `json:"made"`
	Hub      string    `json:"hub"`
	Partner  string    `json:"partner"` // whose export it is
	Subjects []string  `json:"subjects"`
	Review   []string  `json:"review_before_disclosure"`

	Consents  []HeldConsent  `json:"consents"`
	Nevers    []StoredNever  `json:"nevers"`
	Overrides []HeldOverride `json:"overrides"`
	Referrals []HeldReferral `json:"referrals"` // oldest first
	Shared    []Holding      `json:"shared_with"`
	Log       []proof.Entry  `json:"log"` // each proved to be in it, oldest first

	Unchecked []string `json:"unchecked"` // what is not what it says it is, or could not be shown
	Limits    []string `json:"limits"`
}

// HeldConsent is a consent record, how she was asked, and her words where your agency
// recorded them.
type HeldConsent struct {
	StoredConsent
	How   *Circumstances    `json:"how,omitempty"`
	Words map[string]string `json:"words,omitempty"`
}

// HeldOverride is an override with its texts, where your agency wrote them.
type HeldOverride struct {
	StoredOverride
	Texts  map[string]string `json:"texts,omitempty"`
	Review string            `json:"review_before_disclosure"`
}

// HeldReferral is a referral with the signed envelopes, and what of it could be opened.
type HeldReferral struct {
	Referral
	Packets []HeldPacket `json:"packets"`
}

// HeldPacket is the content of one packet.
type HeldPacket struct {
	Step        int                       `json:"step"`
	Envelope    string                    `json:"envelope"`
	From        string                    `json:"from"`
	Names       []string                  `json:"names"` // of the sections it has
	Sections    map[string]jsontext.Value `json:"sections,omitempty"`
	Attachments []OpenedAttachment        `json:"attachments,omitempty"`
	Files       []string                  `json:"files,omitempty"`      // where those were kept
	NotOpened   string                    `json:"not_opened,omitempty"` // why the content is not here
}

// Holding is what another agency was sent about her.
type Holding struct {
	Partner   string    `json:"partner"`
	Referral  string    `json:"referral"`
	Sections  []string  `json:"sections"`
	Since     time.Time `json:"since"`
	Transport string    `json:"transport"`        // stored, delivered, opened
	Answer    string    `json:"answer,omitempty"` // after she took her consent back
}

// SubjectAccess collects what your agency holds about a woman, and what the hub holds for it,
// verified on the way. What was sent is opened from your own copies; the hub logs every reading
// and every opening of it, under the reason subject-access. What cannot be verified, shown or
// opened is named in what is returned; any other failure is an error, and so is a system that
// has no keys: it would say of sealed words that there are none.
func (c *Client) SubjectAccess(ctx context.Context, q SubjectQuery) (SubjectAccess, error) {
	if err := c.signs(); err != nil {
		return SubjectAccess{}, err
	}
	x := &subjectExport{c: c, q: q, out: SubjectAccess{V: 1, Made: c.now(), Hub: c.hub, Partner: c.partner, Subjects: q.Subjects,
		Review: reviewPrompts(), Limits: subjectLimits(), Consents: []HeldConsent{}, Nevers: []StoredNever{}, Overrides: []HeldOverride{},
		Referrals: []HeldReferral{}, Shared: []Holding{}, Log: []proof.Entry{}, Unchecked: []string{}}}
	for _, step := range []func(context.Context) error{x.find, x.readReferrals, x.readConsents, x.readOverrides, x.readNevers, x.readLog} {
		if err := step(ctx); err != nil {
			return SubjectAccess{}, err
		}
	}
	return x.out, nil
}

// subjectExport is an export in the making.
type subjectExport struct {
	c   *Client
	q   SubjectQuery
	out SubjectAccess

	referrals, consents, overrides []string // ids, in the order in which they were met
	logged                         map[string]bool
}

func add(list *[]string, id string) {
	if id != "" && !slices.Contains(*list, id) {
		*list = append(*list, id)
	}
}

// hers reports whether a reference is one of hers.
func (x *subjectExport) hers(subject string) bool { return slices.Contains(x.q.Subjects, subject) }

// unsure notes what could not be read or does not hold, and reports whether the export goes on
// without it.
func (x *subjectExport) unsure(what string, err error) error {
	if Code(err) == "" && !errors.Is(err, ErrForged) && !errors.Is(err, ErrProof) {
		return err
	}
	x.out.Unchecked = append(x.out.Unchecked, fmt.Sprintf("%s: %s", what, err))
	return nil
}

// find asks the log which records are about her.
func (x *subjectExport) find(ctx context.Context) error {
	for _, subject := range x.q.Subjects {
		entries, unproved, err := x.c.provedEntries(ctx, LogQuery{Subject: subject}, func(proof.Entry) bool { return true })
		if err != nil {
			return err
		}
		about := x.about(entries, subject)
		x.keep(about, unproved+len(entries)-len(about))
	}
	if !x.q.SearchAll {
		return nil
	}
	all := Filter{State: "all", Page: 100}
	for _, list := range []func(context.Context, Filter) iter.Seq2[Summary, error]{x.c.Sent, x.c.Inbox} {
		for s, err := range list(ctx, all) {
			if err != nil {
				return err
			}
			add(&x.referrals, s.ID)
		}
	}
	return nil
}

// about are the entries that name her, and those of a referral, consent record or override that
// such a one names; these are read next.
func (x *subjectExport) about(entries []proof.Entry, subject string) []proof.Entry {
	var about []proof.Entry
	for _, e := range entries {
		if e.Subject == subject {
			add(&x.referrals, e.Referral)
			add(&x.consents, e.Consent)
			add(&x.overrides, e.Override)
		}
	}
	for _, e := range entries {
		if e.Subject == subject || slices.Contains(x.referrals, e.Referral) || slices.Contains(x.consents, e.Consent) || slices.Contains(x.overrides, e.Override) {
			about = append(about, e)
		}
	}
	return about
}

// keep adds entries of the log, each once.
func (x *subjectExport) keep(entries []proof.Entry, unproved int) {
	if x.logged == nil {
		x.logged = map[string]bool{}
	}
	for _, e := range entries {
		if !x.logged[e.ID] {
			x.out.Log = append(x.out.Log, e)
		}
		x.logged[e.ID] = true
	}
	if unproved > 0 {
		x.out.Unchecked = append(x.out.Unchecked, fmt.Sprintf("the log: %d entries that are not proved to be in it, or are of something else", unproved))
	}
}

// readReferrals reads the referrals that are about her, and opens what may be opened.
func (x *subjectExport) readReferrals(ctx context.Context) error {
	for _, id := range x.referrals {
		r, err := x.c.Referral(ctx, id)
		if err != nil {
			if err := x.unsure("the referral "+id, err); err != nil {
				return err
			}
			continue
		}
		if !x.hers(r.Chain[0].Claims.Subject) {
			continue // of SearchAll: another woman's
		}
		held := HeldReferral{Referral: r, Packets: []HeldPacket{}}
		for i, e := range r.Chain {
			if b := e.Claims.Basis; b != nil {
				add(&x.consents, b.Consent)
				add(&x.overrides, b.Override)
			}
			if len(e.Claims.Sections) == 0 {
				continue
			}
			p, err := x.open(ctx, id, i+1, e)
			if err != nil {
				return err
			}
			held.Packets = append(held.Packets, p)
			if e.Claims.Issuer == x.c.partner {
				x.out.Shared = append(x.out.Shared, Holding{Partner: e.Claims.Audience, Referral: id, Sections: p.Names, Since: e.Stored, Transport: e.Transport})
			}
		}
		x.out.Referrals = append(x.out.Referrals, held)
	}
	slices.SortStableFunc(x.out.Referrals, func(a, b HeldReferral) int { return a.Created.Compare(b.Created) })
	return nil
}

// open opens one packet: an own copy always, what was received only with a reason.
func (x *subjectExport) open(ctx context.Context, id string, step int, e Event) (HeldPacket, error) {
	p := HeldPacket{Step: step, Envelope: e.Digest, From: e.Claims.Issuer, Names: sectionNames(e.Claims)}
	reason := "subject-access"
	if p.From != x.c.partner {
		reason = x.q.OpenReceived
	}
	if reason == "" {
		p.NotOpened = "it was sent to your agency; opening it is a release that is decided and logged: ask for it with a reason"
		return p, nil
	}
	opened, err := x.c.Open(ctx, Opening{Referral: id, Envelope: e.Digest, Reason: reason})
	if Code(err) != "" {
		p.NotOpened = err.Error()
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.Sections = map[string]jsontext.Value{}
	for name, content := range opened.Sections {
		p.Sections[name] = jsontext.Value(content)
	}
	p.Attachments = opened.Attachments
	if len(p.Attachments) > 0 && x.q.Attachments != nil {
		p.Files, err = x.q.Attachments(step, opened)
	}
	return p, err
}

// readConsents reads the consent records, each with what only its recorder can open.
func (x *subjectExport) readConsents(ctx context.Context) error {
	for i := 0; i < len(x.consents); i++ {
		stored, err := x.c.Consent(ctx, x.consents[i])
		if err != nil {
			if err := x.unsure("the consent record "+x.consents[i], err); err != nil {
				return err
			}
			continue
		}
		add(&x.consents, stored.SupersededBy)
		add(&x.consents, stored.Claims.Supersedes)
		held := HeldConsent{StoredConsent: stored}
		if held.Words, err = x.c.OpenWords(stored); err != nil {
			x.out.Unchecked = append(x.out.Unchecked, "her words, of the consent record "+stored.ID+": "+err.Error())
		}
		if how, err := record.ParseCircumstances(stored.Circumstances); err == nil {
			held.How = &how
		}
		x.out.Consents = append(x.out.Consents, held)
		if stored.Withdrawal != "" {
			if err := x.readAnswers(ctx, stored.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// readAnswers notes what those who hold something answered after a withdrawal.
func (x *subjectExport) readAnswers(ctx context.Context, consent string) error {
	holders, err := x.c.Holders(ctx, consent)
	if err != nil {
		return x.unsure("who holds something on the consent record "+consent, err)
	}
	for _, a := range holders.Recalls {
		for i, h := range x.out.Shared {
			if h.Partner == a.Partner && slices.Contains(a.Referrals, h.Referral) {
				x.out.Shared[i].Answer = a.Answer
			}
		}
	}
	return nil
}
