package hubtest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"

	"handover/audit"
	"handover/audit/proof"
	"handover/partners"
)

// mountExport hangs in the route of exports, as cmd/hub does.
func (h *Hub) mountExport(gate *partners.Gate) {
	h.Exporter = &audit.Exporter{Log: h.Log, Hub: h.issuer, Rooms: []audit.Room{h.Referrals, h.Consents, h.Police, h.Registry},
		Keys: h.Registry, OwnKeys: h.Referrals}
	allow := func(next func(http.ResponseWriter, *http.Request, audit.Asker) error) http.Handler {
		return gate.Allow(partners.AuditRead, func(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
			return next(w, r, c.Asker())
		})
	}
	(&audit.ExportHandler{Exporter: h.Exporter, Allow: allow}).Mount(h.Routes)
}

// Export is what an export says, in parts.
type Export struct {
	File       []byte
	Header     proof.ExportHeader
	Tiles      []proof.ExportTile
	Entries    []proof.ExportEntry // as they stand in the file
	Statements []proof.ExportStatement
	Partners   []proof.ExportPartner
	HubKeys    int
	End        proof.ExportEnd
}

// ReadExport takes an export apart, or fails t unless it has its form and its end.
func ReadExport(t testing.TB, file []byte) (e Export) {
	t.Helper()
	e.File = file
	r := proof.NewExportReader(bytes.NewReader(file))
	for {
		l, err := r.Next()
		if errors.Is(err, io.EOF) {
			return e
		}
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case l.Export != nil:
			e.Header = *l.Export
		case l.Tile != nil:
			e.Tiles = append(e.Tiles, *l.Tile)
		case l.Entry != nil:
			e.Entries = append(e.Entries, *l.Entry)
		case l.Statement != nil:
			e.Statements = append(e.Statements, *l.Statement)
		case l.Partner != nil:
			e.Partners = append(e.Partners, *l.Partner)
		case l.HubKeys != nil:
			e.HubKeys = len(l.HubKeys)
		case l.End != nil:
			e.End = *l.End
		}
	}
}

// Said are the entries of the export that are not erased.
func (e Export) Said(t testing.TB) (all []proof.Entry) {
	t.Helper()
	for _, x := range e.Entries {
		if x.Erased {
			continue
		}
		said, err := proof.ParseEntry(x.Body)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, said)
	}
	return all
}
