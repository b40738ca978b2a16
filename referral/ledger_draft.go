package referral

import "handover/audit"

// draftRows declares what stands for what people have begun to write: by the digest, a row that
// was put back to an earlier form, or filled with another's, differs from its entry.
func draftRows() []audit.Rows {
	kind := func(act, gone string) audit.Kind {
		return audit.Kind{Acts: []string{act}, Is: audit.Say{Member: "target", Row: "r.id"}, Every: audit.GoneRows, Gone: gone,
			Says: []audit.Say{{Member: "partner", Row: "r.partner"}, {Member: "user", Row: "r.user_id"}, {Member: "digest", Row: audit.DigestSQL("r.sealed")}}}
	}
	gone := "a draft goes when it is sent or deleted, when nobody has touched it for 14 days, and with the key that it is sealed to"
	return []audit.Rows{{Table: "draft", Key: "r.id::text", Moves: true, Kinds: []audit.Kind{kind("draft.begin", gone), kind("draft.keep", gone)}}}
}
