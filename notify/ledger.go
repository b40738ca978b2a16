package notify

import "handover/audit"

// Ledger declares which rows of webhooks stand for which entries of the log. A delivery names the
// entry that it tells of, and is none of an act.
func Ledger() audit.Ledger {
	target := audit.Say{Member: "target", Row: "r.id"}
	address := []audit.Say{{Member: "digest", Row: audit.DigestSQL("r.url")}}
	act := func(act, stands string) audit.Kind {
		return audit.Kind{Acts: []string{act}, Stands: stands, Agrees: party, Is: target, Says: address, Every: audit.Found}
	}
	return audit.Ledger{
		Rows: []audit.Rows{
			{Table: "webhook", Key: "r.id::text", Moves: true, Kinds: []audit.Kind{
				act("webhook.add", `r.state = 'active'`), act("webhook.resume", `r.state = 'active'`), act("webhook.pause", `r.state = 'paused'`),
				act("webhook.disable", `r.state = 'disabled'`), act("webhook.remove", `r.state = 'removed'`)}},
			{Table: "webhook_secret", Key: "r.id::text", Kinds: []audit.Kind{
				{Acts: []string{"webhook.add"}, Agrees: party, Is: audit.Say{Member: "target", Row: "r.webhook"}},
				{Acts: []string{"webhook.rotate"}, Agrees: party, Is: audit.Say{Member: "target", Row: "r.webhook"}, Every: audit.GoneRows,
					Gone: "a secret goes a day after its successor came, and with its webhook"}}},
		},
		Alone: []string{"webhook.test", "webhook.replay"},
	}
}

// The entry's party: the agency by its administrator, or the hub that stops a webhook of hers.
const party = `coalesce(said->>'partner', said->>'other') = r.partner`
