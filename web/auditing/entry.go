package auditing

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/httpd"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/oauth/signin"
	"handover/partners"
	"handover/web/shell"
)

// statement is a signed statement that an entry commits to, or rests on.
type statement struct {
	Kind, Signer, Digest string
	Named                bool // the entry has its digest
	Claims               []fact
}

// shown is the body of the page of one entry.
type shown struct {
	Tabs       []tab
	Row        row
	All        []fact
	Under      under
	Checkpoint []string // its lines
	Statements []statement
	Overseer   bool
}

// entry is the page of one entry.
func (h *Handler) entry(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	id, err := wanted(r)
	if err != nil {
		return err
	}
	by := s.Caller.Reader()
	found, u, err := h.log.ReadOne(r.Context(), by, id)
	if err != nil {
		return unseen(err)
	}
	n, err := h.names(r.Context(), s)
	if err != nil {
		return err
	}
	texts, err := h.exporter.StatementsOf(r.Context(), by, found.Listed)
	if err != nil {
		return err
	}
	it := h.row(n, found)
	body := shown{Tabs: tabs(""), Row: it, All: everything(n, found), Under: held(u, []row{it}), Overseer: by.Oversees,
		Checkpoint: strings.Split(strings.TrimSpace(string(u.Note)), "\n")}
	for _, text := range texts {
		body.Statements = append(body.Statements, h.statement(n, found.Said, text))
	}
	return h.pages.Show(w, r, http.StatusOK, "entry", shell.Page{Title: "Entry of the log", Back: "/audit", Body: body})
}

// wanted is the entry that the address names.
func wanted(r *http.Request) (audit.EntryID, error) {
	id, err := audit.ParseEntryID(mux.Vars(r)["entry"])
	if err != nil {
		return id, partners.ErrNotThere
	}
	return id, nil
}

// unseen says of another's entry what every page says of what is not there.
func unseen(err error) error {
	if errors.Is(err, audit.ErrNoEntry) {
		return partners.ErrNotThere
	}
	return err
}

// everything is each member of an entry, as docs/log.md has them.
func everything(n names, l audit.Looked) []fact {
	e := l.Said
	var all []fact
	add := func(name, text string, code bool) {
		if text != "" {
			all = append(all, fact{Name: name, Text: text, Code: code})
		}
	}
	place := "none yet"
	if l.Index >= 0 {
		place = number(l.Index) + " (the first is 0)"
	}
	add("Place in the log", place, false)
	add("Id of the entry", l.ID.String(), true)
	add("Act", e.Act, true)
	if e.Partner != "" {
		add("Agency", n.agency(e.Partner)+" ("+e.Partner+")", false)
	}
	if e.User != "" {
		add("Person", n.person(e.User)+named(n, e.User), false)
	}
	add("System", e.Client, true)
	if e.Other != "" {
		add("Agency that it concerns", n.agency(e.Other)+" ("+e.Other+")", false)
	}
	add("Referral", ids.Reference(e.Referral), false)
	add("Id of the referral", e.Referral, true)
	add("Step", e.Event, false)
	add("State afterwards", e.State, false)
	add("Her reference", e.Subject, true)
	add("Sections", strings.Join(e.Sections, ", "), false)
	add("Consent record", e.Consent, true)
	add("Override", e.Override, true)
	add("Reason", reasonOf(e), false)
	add("Refused by the rule", e.Outcome, true)
	add("What it changed or names", targetOf(n, e.Target), true)
	if e.Count > 0 {
		add("How many", number(e.Count), false)
	}
	add("Digest of the envelope", e.Envelope, true)
	add("Digest of the statement", e.Digest, true)
	return append(all, keyFacts(e.Key)...)
}

// named adds the id to somebody's name.
func named(n names, id string) string {
	if n.people[id] == "" {
		return ""
	}
	return " (" + id + ")"
}

func targetOf(n names, id string) string {
	if name := n.people[id]; name != "" {
		return name + " (" + id + ")"
	}
	return id
}

// keyFacts is what an entry says of a public key.
func keyFacts(k *proof.KeyChange) []fact {
	if k == nil {
		return nil
	}
	facts := []fact{{Name: "Key", Text: k.Key, Code: true}, {Name: "Use of the key", Text: k.Use}, {Name: "Place in the history of the agency’s keys", Text: number(k.Position)},
		{Name: "The key counts from", Text: k.From.UTC().Format("2 January 2006 15:04 UTC")}, {Name: "And before", Text: k.Until.UTC().Format("2 January 2006 15:04 UTC")}}
	if k.Custody != "" {
		facts = append(facts, fact{Name: "Who holds its private part", Text: k.Custody})
	}
	if k.Replaces != "" {
		facts = append(facts, fact{Name: "In the place of the key", Text: k.Replaces, Code: true})
	}
	return facts
}

// statement reads a signed statement for a page. Its signature is not verified here: whoever
// takes the export does that, with keys that she trusts.
func (h *Handler) statement(n names, e proof.Entry, s audit.Statement) statement {
	v := statement{Kind: statementOf(s.Kind), Signer: n.agency(s.Signer), Digest: ids.Digest(s.Text)}
	v.Named = v.Digest == e.Digest || v.Digest == e.Envelope
	parts := strings.Split(s.Text, ".")
	if len(parts) != 3 {
		return v
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	if err != nil || strict.Unmarshal(payload, &claims) != nil {
		return v
	}
	v.Claims = flat("", claims)
	return v
}

// flat lists the members of a statement, each by its path.
func flat(path string, value any) []fact {
	switch v := value.(type) {
	case map[string]any:
		var all []fact
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			all = append(all, flat(strings.TrimPrefix(path+"."+key, "."), v[key])...)
		}
		return all
	case []any:
		var texts []string
		var all []fact
		for i, item := range v {
			switch item.(type) {
			case map[string]any, []any:
				all = append(all, flat(fmt.Sprintf("%s %d", path, i+1), item)...)
			default:
				texts = append(texts, fmt.Sprint(item))
			}
		}
		if len(texts) > 0 {
			all = append(all, fact{Name: path, Text: strings.Join(texts, ", ")})
		}
		return all
	case float64:
		return []fact{{Name: path, Text: fmt.Sprintf("%.0f", v)}}
	}
	return []fact{{Name: path, Text: fmt.Sprint(value)}}
}

// proof hands out the proof of an entry (C2SP tlog-proof), as the API does.
func (h *Handler) proof(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	id, err := wanted(r)
	if err != nil {
		return err
	}
	text, err := h.log.ProofFor(r.Context(), s.Caller.Reader(), id)
	if err != nil {
		return unseen(err)
	}
	w.Header().Set("Content-Disposition", `attachment; filename="handover-`+id.String()+`.tlog-proof"`)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(text) // nobody is left to tell
	return nil
}

// receipt hands out the entry with its salt and its proof: what handover verify checks offline.
func (h *Handler) receipt(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	id, err := wanted(r)
	if err != nil {
		return err
	}
	receipt, err := h.log.ReceiptFor(r.Context(), s.Caller.Reader(), id)
	if err != nil {
		return unseen(err)
	}
	w.Header().Set("Content-Disposition", `attachment; filename="handover-`+id.String()+`.receipt.json"`)
	httpd.JSON(w, http.StatusOK, receipt)
	return nil
}
