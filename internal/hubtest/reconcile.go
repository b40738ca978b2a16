package hubtest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/consent"
	"handover/consent/police"
	"handover/notify"
	"handover/oauth"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
)

// Ledger is which rows of the whole database stand for which entries of the log, as the hub
// joins it.
func Ledger() audit.Ledger {
	return audit.Join(partners.Ledger(), oauth.Ledger(), signin.Ledger(), consent.Ledger(), police.Ledger(), referral.Ledger(), notify.Ledger())
}

// Reconciles holds all that a test has done against the log: every row has its entry, and
// every entry its row.
func (h *Hub) Reconciles(t testing.TB) {
	t.Helper()
	report, err := h.Log.Reconcile(context.WithoutCancel(t.Context()), h.DB.Owner, Ledger())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range report.Differences {
		t.Error(d)
	}
}

// ReconcilesAtEnd has Reconciles called when the test ends, unless it has failed already.
func (h *Hub) ReconcilesAtEnd(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		if !t.Failed() {
			h.Reconciles(t)
		}
	})
}

// logged runs SQL behind the hub's back with an entry, as the hub would write both. The entry is
// the statement's first argument.
func (h *Hub) logged(t testing.TB, e proof.Entry, sql string, args ...any) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), h.DB.Owner, func(tx pgx.Tx) error {
		if err := tx.QueryRow(t.Context(), `SELECT now()`).Scan(&e.Time); err != nil {
			return err
		}
		entry, err := audit.Append(t.Context(), tx, e)
		if err != nil {
			return err
		}
		_, err = tx.Exec(t.Context(), sql, append([]any{entry}, args...)...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
