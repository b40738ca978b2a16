package clock

import "time"

// allowance is how long something may take: one of the three.
type allowance struct {
	wall    time.Duration // whatever the hour
	working time.Duration // of time in which the service works
	days    int           // on which it works
}

// allowances is the table of docs/inbox.md, by urgency.
func allowances() map[string]map[Due]allowance {
	return map[string]map[Due]allowance{
		"emergency": {
			Delivered:    {wall: 15 * time.Minute},
			Opened:       {wall: time.Hour},
			Decided:      {wall: 4 * time.Hour},
			FirstContact: {wall: 24 * time.Hour},
		},
		"urgent": {
			Delivered:    {working: 4 * time.Hour},
			Opened:       {days: 1},
			Decided:      {days: 2},
			FirstContact: {days: 3},
		},
		"routine": {
			Delivered:    {days: 1},
			Opened:       {days: 2},
			Decided:      {days: 5},
			FirstContact: {days: 10},
		},
	}
}

// table is asked by every packet.
var table = allowances()
