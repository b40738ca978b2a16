package audit

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"handover/audit/proof"
)

// heed takes note of whether a witness refuses. That is the alarm that witnesses are for:
// either the witness is at fault, or somebody has changed what the log says.
func (g *gatherer) heed(ctx context.Context, a said) {
	w := g.log.witnesses
	refused, isRefusal := errors.AsType[refusal](a.err)
	w.mu.Lock()
	_, before := w.refused[a.by.Name]
	switch {
	case isRefusal:
		w.refused[a.by.Name] = refused.says
	case a.err == nil:
		delete(w.refused, a.by.Name)
	}
	w.mu.Unlock()
	switch {
	case isRefusal && !before:
		g.log.Logger.LogAttrs(ctx, slog.LevelError, "a witness has cosigned another history of this log than the stored one",
			slog.String("witness", a.by.Name), slog.String("says", refused.says))
		g.tell(ctx, proof.Entry{Act: proof.WitnessRefused, Target: a.by.Name})
	case a.err == nil && before:
		g.log.Logger.LogAttrs(ctx, slog.LevelInfo, "a witness cosigns again", slog.String("witness", a.by.Name))
	}
}

// failed notes that an attempt found no quorum. Receipts do not wait until there is one
// again. Of an outage that lasts, the log has one entry at its beginning and one at its end.
func (g *gatherer) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	now := g.log.now()
	if g.since.IsZero() {
		g.since = now
		g.log.Logger.LogAttrs(ctx, slog.LevelWarn, "too few witnesses cosign: receipts have the log's signature alone", slog.Any("err", err))
	}
	g.log.witnesses.fallShort()
	if !g.told && now.Sub(g.since) >= shortAfter {
		g.told = g.tell(ctx, proof.Entry{Act: proof.WitnessShort})
	}
}

// succeeded notes that there is a quorum.
func (g *gatherer) succeeded(ctx context.Context) {
	if g.since.IsZero() {
		return
	}
	g.log.Logger.LogAttrs(ctx, slog.LevelInfo, "enough witnesses cosign again")
	if g.told {
		g.told = !g.tell(ctx, proof.Entry{Act: proof.WitnessAgain})
	}
	g.since = time.Time{}
}

// tell writes an entry of the hub itself, and reports whether it could.
func (g *gatherer) tell(ctx context.Context, e proof.Entry) bool {
	if _, err := g.log.store.refuse(ctx, e); err != nil {
		g.log.Logger.LogAttrs(ctx, slog.LevelError, "logging what witnesses said", slog.Any("err", err))
		return false
	}
	g.log.Kick()
	return true
}
