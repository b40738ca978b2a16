package referral_test

import (
	"errors"
	"net/http"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/packet"
)

// TestWhatEndsSharingWaitsForWhatIsBeingShared stops a packet or a release in the
// middle of its transaction, after the decision: whoever ends what it was decided on
// waits for it, and after that nothing more is shared.
func TestWhatEndsSharingWaitsForWhatIsBeingShared(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	for name, row := range map[string]struct {
		table   string // that the sharing is stopped at
		share   func(p hubtest.Pair, s hubtest.Sealed) hubtest.Answer
		end     func(p hubtest.Pair, s hubtest.Sealed) error
		refused string
	}{
		"an agreement ends while a request is stored": {"packet",
			func(p hubtest.Pair, _ hubtest.Sealed) hubtest.Answer {
				return p.From.Send(t, p.Request("need").Seal(t))
			},
			func(p hubtest.Pair, _ hubtest.Sealed) error { return h.Operator.EndAgreement(t.Context(), p.Agreement) }, "no-agreement"},
		"an agreement ends while a section is released": {"release",
			func(p hubtest.Pair, s hubtest.Sealed) hubtest.Answer { return p.To.Open(t, s.Digest, "", "need") },
			func(p hubtest.Pair, _ hubtest.Sealed) error { return h.Operator.EndAgreement(t.Context(), p.Agreement) }, "no-agreement"},
		"she withdraws while a request is stored": {"packet",
			func(p hubtest.Pair, _ hubtest.Sealed) hubtest.Answer {
				return p.From.Send(t, p.Request("need").Seal(t))
			},
			func(p hubtest.Pair, _ hubtest.Sealed) error { return accepted(p.To.Withdraw(t, p.Consent)) }, "consent-withdrawn"},
		"she withdraws while a section is released": {"release",
			func(p hubtest.Pair, s hubtest.Sealed) hubtest.Answer { return p.To.Open(t, s.Digest, "", "need") },
			func(p hubtest.Pair, _ hubtest.Sealed) error { return accepted(p.To.Withdraw(t, p.Consent)) }, "consent-withdrawn"},
		"the sender takes the referral back while a section is released": {"release",
			func(p hubtest.Pair, s hubtest.Sealed) hubtest.Answer { return p.To.Open(t, s.Digest, "", "need") },
			func(p hubtest.Pair, s hubtest.Sealed) error {
				return accepted(p.From.Send(t, p.From.Event(p.To, packet.Withdraw, s.Digest, s.Digest).Seal(t)))
			}, "referral-closed"},
	} {
		t.Run(name, func(t *testing.T) {
			p := h.Pair(t, partners.BoroughOutreach)
			s := p.Sent(t, "need")
			p.From.Token(t)
			p.To.Token(t)
			tx, err := h.DB.Owner.Begin(t.Context())
			if err == nil {
				_, err = tx.Exec(t.Context(), `LOCK TABLE `+row.table+` IN SHARE MODE`)
			}
			do(t, err)
			shared, ended := make(chan hubtest.Answer, 1), make(chan error, 1)
			go func() { shared <- row.share(p, s) }()
			err = hubtest.Blocked(t, h, tx, 1)
			go func() { ended <- row.end(p, s) }()
			err = errors.Join(err, hubtest.Blocked(t, h, tx, 2), tx.Commit(t.Context()))
			if a := <-shared; err != nil || a.Status >= http.StatusMultipleChoices {
				t.Errorf("what was decided before: %v, %d %s", err, a.Status, a.Body)
			}
			do(t, <-ended)
			if a := row.share(p, s); a.Problem().Code != row.refused {
				t.Errorf("afterwards: %d %s, want %s", a.Status, a.Body, row.refused)
			}
		})
	}
}

func accepted(a hubtest.Answer) error {
	if a.Status != http.StatusCreated {
		return errors.New(string(a.Body))
	}
	return nil
}
