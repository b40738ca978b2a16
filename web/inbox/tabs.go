package inbox

import "handover/referral"

// board is one of the two lists, with its tabs.
type board struct {
	path, title string
	side        referral.Side
	tabs        []tab
}

// tab is how a list is called, and what it says when there is nothing on it.
type tab struct {
	referral.Tab
	Label string
	Empty string
	Next  string // what to do then
}

func received() board {
	return board{InboxPath, "Inbox", referral.RecipientSide, []tab{
		{referral.TabNew, "New", "There are no new referrals.", "When one arrives it is listed here until somebody takes it on or answers it."},
		{referral.TabMine, "Mine", "You have no open referrals.", "Take one on from New, and it is listed here until it ends."},
		{referral.TabWaiting, "Waiting on the sender", "No question of yours waits for an answer.", "While one does, the time to decide stops."},
		{referral.TabOverdue, "Overdue", "Nothing is overdue.", ""},
		{referral.TabEnding, "Consent ending", "No consent ends within 7 days.", "When one does, ask the other agency whether she still agrees."},
		{referral.TabOpen, "All open", "Your agency has no open referrals.", "What has ended is found by its reference."},
	}}
}

func sent() board {
	return board{SentPath, "Sent", referral.SenderSide, []tab{
		{referral.TabAsked, "Answer wanted", "Nobody waits for an answer from you.", ""},
		{referral.TabSent, "All open", "Your agency has sent nothing that is open.", ""},
		{referral.TabSentMine, "Mine", "You have no open referrals that your agency sent.", "Take one on from All open, and it is listed here until it ends."},
		{referral.TabSentAll, "Ended too", "Your agency has sent no referrals.", ""},
	}}
}

// tab returns the tab of that name, or the first.
func (b board) tab(name string) tab {
	for _, t := range b.tabs {
		if string(t.Tab) == name {
			return t
		}
	}
	return b.tabs[0]
}
