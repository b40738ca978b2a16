package referral_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/partners"
)

// Steps 6 to 8 of docs/packet.md: the recipient and the service, firewall and
// agreement, and what she agreed to.

func TestARecipientWhoTakesNoPartReceivesNothing(t *testing.T) {
	t.Parallel()
	refused(t, []refusal{
		{name: "suspended", status: 422, code: "recipient-inactive", spoil: worldSpoiled(
			func(t *testing.T, s scene) { do(t, s.hub.Operator.Suspend(t.Context(), s.To.ID)) },
			func(t *testing.T, s scene) { do(t, s.hub.Operator.Resume(t.Context(), s.To.ID)) })},
		{name: "invited, without keys yet", status: 422, code: "recipient-inactive",
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				var code string
				s.To, code = s.hub.Invited(t, s.To.ID+"-new", partners.BoroughOutreach)
				s.Service = s.hub.Offer(t, s.To)
				s.hub.Agree(t, s.From, s.To)
				s.Consent = s.From.Record(t, hubtest.Subject(), s.Named())
				good := post(s.From, s.Request().Seal(t))
				return good, func() attempt {
					s.To.Enrol(t, code)
					return good
				}
			}},
		{name: "unknown", status: 422, code: "recipient-inactive",
			spoil: spoiled(func(_ scene, d *hubtest.Draft) { d.Audience = "nobody-here" })},
	})
}

func TestAServiceThatTakesNoReferralsGetsNone(t *testing.T) {
	t.Parallel()
	service := func(set, reset string) func(*testing.T, scene) (attempt, func() attempt) {
		args := func(s scene) []any { return []any{s.Service} }
		return worldSpoiled(sql(`UPDATE service SET `+set+` WHERE id = $1`, args), unending(`service`, `UPDATE service SET `+reset+` WHERE id = $1`, args))
	}
	row := func(name string, spoil func(*testing.T, scene) (attempt, func() attempt)) refusal {
		return refusal{name: name, status: 422, code: "service-unavailable-for-referral", spoil: spoil}
	}
	refused(t, []refusal{
		row("paused", service(`capacity = 'paused'`, `capacity = 'waiting-list'`)), // a waiting list takes referrals
		row("inactive", service(`status = 'inactive'`, `status = 'active'`)),
		row("defunct", service(`status = 'defunct'`, `status = 'active'`)),
		row("closed for now", service(`status = 'temporarily closed'`, `status = 'active'`)),
		row("not in this area", service(`areas = '{E09000001}'`, `areas = '{E09000001,E09000007}'`)),
		row("not for this purpose", service(`purposes = '{advocacy}'`, `purposes = '{advocacy,housing}'`)),
		row("missing", spoiled(func(_ scene, d *hubtest.Draft) { d.Service = uuid.NewString() })),
		row("of another partner", func(t *testing.T, s scene) (attempt, func() attempt) {
			theirs := s.hub.Pair(t, partners.BoroughOutreach).Service
			return post(s.From, s.Request().Seal(t, func(d *hubtest.Draft) { d.Service = theirs })), s.fresh(t)
		}),
	})
}

func TestNoSectionPassesTheFirewall(t *testing.T) {
	t.Parallel()
	refused(t, []refusal{
		{name: "a section that this category never receives", status: 403, code: "firewall", also: hubtest.Problem{Section: "immigration"},
			spoil: spoiled(func(s scene, d *hubtest.Draft) { d.With(s.Consent, "immigration") })},
		{name: "a section for a purpose that does not need it", status: 403, code: "firewall", also: hubtest.Problem{Section: "health"},
			spoil: spoiled(func(s scene, d *hubtest.Draft) { d.With(s.Consent, "health") })},
		{name: "housing and health", to: partners.Housing, status: 403, code: "firewall", also: hubtest.Problem{Section: "health"},
			spoil: spoiled(func(s scene, d *hubtest.Draft) { d.With(s.Consent, "health") })},
		{name: "police and where she is, although she named police", to: partners.Police, status: 403, code: "firewall",
			also: hubtest.Problem{Section: "location"}, spoil: policeRow("protect-from-harm", "need", "location")},
		{name: "police and a note", to: partners.Police, status: 403, code: "firewall",
			also: hubtest.Problem{Section: "note"}, spoil: policeRow("protect-from-harm", "need", "note")},
		{name: "police, for another purpose than protecting her", to: partners.Police, status: 403, code: "firewall",
			also: hubtest.Problem{Section: "need"}, spoil: policeRow("advocacy", "need")},
	})
}

// policeRow sends sections to police on a consent that names police and allows
// everything; the repaired request carries only what may go.
func policeRow(purpose string, sections ...string) func(*testing.T, scene) (attempt, func() attempt) {
	return func(t *testing.T, s scene) (attempt, func() attempt) {
		bad := s.From.Record(t, hubtest.Subject(), s.Named(), func(c *record.Claims) { c.Purpose = purpose })
		good := s.From.Record(t, hubtest.Subject(), s.Named(), func(c *record.Claims) { c.Purpose = "protect-from-harm" })
		return post(s.From, s.From.Request(s.To, s.Service, bad, sections...).Seal(t)), func() attempt {
			return post(s.From, s.From.Request(s.To, s.Service, good, "need", "safe-contact", "identity", "risk").Seal(t))
		}
	}
}

func TestWithoutAnAgreementNothingPasses(t *testing.T) {
	t.Parallel()
	agreed := func(set string) func(*testing.T, scene) (attempt, func() attempt) {
		args := func(s scene) []any { return []any{s.Agreement} }
		return worldSpoiled(sql(`UPDATE agreement SET `+set+` WHERE id = $1`, args),
			func(t *testing.T, s scene) { s.hub.Agree(t, s.From, s.To) })
	}
	row := func(name, section string, spoil func(*testing.T, scene) (attempt, func() attempt)) refusal {
		return refusal{name: name, status: 403, code: "no-agreement", also: hubtest.Problem{Section: section}, spoil: spoil}
	}
	mend := func(t *testing.T, s scene) { s.hub.Agree(t, s.From, s.To) }
	refused(t, []refusal{
		row("ended", "", worldSpoiled(func(t *testing.T, s scene) { do(t, s.hub.Operator.EndAgreement(t.Context(), s.Agreement)) }, mend)),
		row("expired", "", agreed(`valid_to = now() - interval '1 second'`)),
		row("not begun", "", agreed(`valid_from = now() + interval '10 minutes'`)),
		row("other purpose", "", agreed(`purposes = '{advocacy}'`)),
		row("without one section", "safe-contact", agreed(`sections = '{need}'`)),
		row("without any section", "need", agreed(`sections = '{}'`)),
		row("in the other direction only", "", agreed(`sender = recipient, recipient = sender`)),
		row("two that only together name the sections", "need", worldSpoiled(func(t *testing.T, s scene) {
			s.hub.Exec(t, `UPDATE agreement SET sections = '{need}' WHERE id = $1`, s.Agreement)
			s.hub.Agree(t, s.From, s.To, func(a *partners.Agreement) { a.Sections = []string{"safe-contact"} })
		}, mend)),
		row("two that only together name purpose and sections", "need", worldSpoiled(func(t *testing.T, s scene) {
			s.hub.Exec(t, `UPDATE agreement SET purposes = '{advocacy}' WHERE id = $1`, s.Agreement)
			s.hub.Agree(t, s.From, s.To, func(a *partners.Agreement) { a.Sections = []string{"risk"} })
		}, mend)),
		row("with another partner of the same category", "", worldSpoiled(func(t *testing.T, s scene) {
			other := s.hub.Pair(t, partners.BoroughOutreach)
			s.hub.Exec(t, `UPDATE agreement SET recipient = $2 WHERE id = $1`, s.Agreement, string(other.To.ID))
		}, mend)),
	})
}

// onConsent is a row in which all is right but what she agreed to: consent returns
// the record to rely on.
func onConsent(consent func(t *testing.T, s scene) hubtest.Consent) func(*testing.T, scene) (attempt, func() attempt) {
	return func(t *testing.T, s scene) (attempt, func() attempt) {
		return post(s.From, s.From.Request(s.To, s.Service, consent(t, s)).Seal(t)), s.fresh(t)
	}
}

// recorded is a consent by the sender that differs in one thing.
func recorded(change func(s scene, c *record.Claims)) func(*testing.T, scene) hubtest.Consent {
	return func(t *testing.T, s scene) hubtest.Consent {
		return s.From.Record(t, hubtest.Subject(), s.Named(), func(c *record.Claims) { change(s, c) })
	}
}

func TestWithoutHerConsentNothingIsSent(t *testing.T) {
	t.Parallel()
	row := func(name, code, section string, spoil func(*testing.T, scene) (attempt, func() attempt)) refusal {
		return refusal{name: name, status: 403, code: code, also: hubtest.Problem{Section: section}, spoil: spoil}
	}
	differing := func(name, code, section string, change func(s scene, c *record.Claims)) refusal {
		return row(name, code, section, onConsent(recorded(change)))
	}
	hour := int64(time.Hour / time.Second)
	refused(t, []refusal{
		row("never recorded", "no-consent", "", onConsent(func(t *testing.T, s scene) hubtest.Consent {
			return s.From.Consent(t, hubtest.Subject(), s.Named())
		})),
		row("another digest", "no-consent", "", onConsent(func(_ *testing.T, s scene) hubtest.Consent {
			c := s.Consent
			c.Digest = ids.Digest("another text")
			return c
		})),
		row("withdrawn", "consent-withdrawn", "", onConsent(func(t *testing.T, s scene) hubtest.Consent {
			c := s.From.Record(t, hubtest.Subject(), s.Named())
			s.From.Withdraw(t, c)
			return c
		})),
		row("withdrawn at the recipient's", "consent-withdrawn", "", onConsent(func(t *testing.T, s scene) hubtest.Consent {
			c := s.From.Record(t, hubtest.Subject(), s.Named())
			s.To.Withdraw(t, c)
			return c
		})),
		differing("expired", "consent-expired", "", func(_ scene, c *record.Claims) {
			c.GivenAt, c.ValidFrom, c.Expires = c.IssuedAt-2*hour, c.IssuedAt-2*hour, c.IssuedAt-1
		}),
		differing("not in force yet", "consent-expired", "", func(_ scene, c *record.Claims) {
			c.ValidFrom, c.Expires = c.IssuedAt+hour, c.IssuedAt+2*hour
		}),
		differing("she refused", "not-covered", "", func(_ scene, c *record.Claims) { c.Agreement = "refused" }),
		row("for another purpose", "not-covered", "", spoiled(func(_ scene, d *hubtest.Draft) { d.Purpose = "advocacy" })),
		differing("a section she did not name", "not-covered", "safe-contact", func(_ scene, c *record.Claims) { c.Sections = []string{"need"} }),
		differing("a section she withheld", "not-covered", "need", func(_ scene, c *record.Claims) { c.Withheld = []string{"need"} }),
		differing("she named no section", "not-covered", "need", func(_ scene, c *record.Claims) { c.Sections = nil }),
		differing("the recipient is not named", "not-covered", "", func(s scene, c *record.Claims) { c.Recipients = []string{string(s.From.ID)} }),
		differing("another category is named", "not-covered", "", func(_ scene, c *record.Claims) { c.Recipients = []string{"category:housing"} }),
		differing("a category named like a partner", "not-covered", "", func(_ scene, c *record.Claims) { c.Recipients = []string{"borough-outreach"} }),
		row("of another woman", "not-covered", "", func(t *testing.T, s scene) (attempt, func() attempt) {
			return post(s.From, s.Request().Seal(t, func(d *hubtest.Draft) { d.Subject = hubtest.Subject() })), s.fresh(t)
		}),
		row("recorded by someone who did not name the sender", "no-consent", "", onConsent(func(t *testing.T, s scene) hubtest.Consent {
			third := s.hub.Pair(t, partners.Housing).From
			return third.Record(t, hubtest.Subject(), []string{string(s.To.ID)})
		})),
		row("recorded by someone who named only the sender's category", "not-covered", "", onConsent(func(t *testing.T, s scene) hubtest.Consent {
			third := s.hub.Pair(t, partners.Housing).From
			return third.Record(t, hubtest.Subject(), []string{string(s.To.ID), "category:vawg-service"})
		})),
		{name: "a force named by its id, not as police", to: partners.Police, status: 403, code: "not-covered",
			spoil: func(t *testing.T, s scene) (attempt, func() attempt) {
				protect := func(recipients ...string) attempt {
					c := s.From.Record(t, hubtest.Subject(), recipients, func(c *record.Claims) { c.Purpose = "protect-from-harm" })
					return post(s.From, s.From.Request(s.To, s.Service, c).Seal(t))
				}
				return protect(string(s.To.ID)), func() attempt { return protect("category:police") }
			}},
	})
}

func TestAConsentThatSomeoneElseRecordedServesWhomSheNamed(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p, third := h.Pair(t, partners.BoroughOutreach), h.Pair(t, partners.Housing).From
	onward := func(code string) func(*record.Claims) { return func(c *record.Claims) { c.Onward = code } }
	byID := third.Record(t, hubtest.Subject(), []string{string(p.From.ID), string(p.To.ID)}, onward("named"))
	p.From.Sent(t, p.From.Request(p.To, p.Service, byID).Seal(t))
	byCategory := third.Record(t, hubtest.Subject(), []string{string(p.From.ID), "category:borough-outreach"}, onward("named"))
	p.From.Sent(t, p.From.Request(p.To, p.Service, byCategory).Seal(t))
	for _, code := range []string{"none", "ask-each-time"} {
		c := third.Record(t, hubtest.Subject(), []string{string(p.From.ID), string(p.To.ID)}, onward(code))
		if a := p.From.Send(t, p.From.Request(p.To, p.Service, c).Seal(t)); a.Problem().Code != "onward-not-allowed" {
			t.Errorf("onward %s: %d %s", code, a.Status, a.Body)
		}
	}
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
