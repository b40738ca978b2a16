package police

import "handover/audit"

// Ledger declares which rows of the police's requests stand for which entries of the log.
func Ledger() audit.Ledger {
	of := audit.Say{Member: "target", Row: "r.request"}
	return audit.Ledger{
		Rows: []audit.Rows{
			{Table: "police_request", Key: "r.id::text", Kinds: []audit.Kind{{Acts: []string{"police.request"}, Is: audit.Say{Member: "target", Row: "r.id"},
				Every: audit.Exactly, Says: []audit.Say{{Member: "digest", Row: "r.digest"}, {Member: "digest", Row: audit.DigestSQL("r.token")},
					{Member: "partner", Row: "r.issuer"}, {Member: "other", Row: "r.holder"}}}}},
			{Table: "police_opening", Key: "r.request::text", Kinds: []audit.Kind{{Acts: []string{"police.open"}, Is: of, Every: audit.Exactly,
				Says: []audit.Say{{Member: "partner", Row: "r.holder"}}}}},
			{Table: "police_decision", Key: "r.request::text", Kinds: []audit.Kind{{Acts: []string{"police.decision"}, Is: of, Every: audit.Exactly,
				Says: []audit.Say{{Member: "digest", Row: "r.digest"}, {Member: "digest", Row: audit.DigestSQL("r.token")},
					{Member: "partner", Row: "r.holder"}, {Member: "state", Row: "r.decision"}}}}},
			{Table: "police_reason", Key: "r.request::text", Kinds: []audit.Kind{{Acts: []string{"police.decision"}, Is: of,
				Says: []audit.Say{{Member: "partner", Row: "r.holder"}}}}},
		},
		Alone: []string{"police.read", "police.list"},
	}
}
