package referral

import "github.com/jackc/pgx/v5"

// queue queues that this is due next of a referral of which something was to be delivered or
// opened. What was decided, or is waited for, meanwhile stays.
func (d due) queue(b *pgx.Batch, seq int64) {
	b.Queue(`UPDATE referral SET due_at = $2, due_for = $3 WHERE seq = $1 AND due_for IN ('delivered', 'opened')`, seq, d.at, d.what())
}
