package profile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"handover/client"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/referral/packet/schema"
)

const refusalFolder = "gp-refusals"

// Refusal is the record that a GP practice refused to register a woman, by the schema
// gp-refusal/1. It is about the practice and holds nothing of her, so that it can be counted
// and shown. Days are written as 2026-11-30.
type Refusal struct {
	Schema          string   `json:"schema"`
	ID              string   `json:"id"`
	Practice        string   `json:"practice"` // ODS code
	RefusedOn       string   `json:"refused_on"`
	Reason          string   `json:"reason"`          // coded
	Words           string   `json:"words,omitempty"` // what was said at the desk
	AskedFor        []string `json:"asked_for,omitempty"`
	Referral        string   `json:"referral,omitempty"` // by its reference
	WrittenDue      string   `json:"written_due"`        // 14 days after the refusal
	WrittenReceived string   `json:"written_received,omitempty"`
	EscalatedOn     string   `json:"escalated_on,omitempty"`
	EscalatedTo     string   `json:"escalated_to,omitempty"` // the integrated care board, by its ODS code
}

// ErrNoRefusal is a record that there is not.
var ErrNoRefusal = errors.New("there is no such record of a refusal")

// Overdue reports whether the reason should have come in writing before the day of now, and
// has not.
func (r Refusal) Overdue(now time.Time) bool {
	return r.WrittenReceived == "" && r.WrittenDue < now.Format(time.DateOnly)
}

// KeepRefusal keeps a record, a new one where it has no id, and returns it whole. What does not
// fit its schema is refused as section-unfit; nothing is kept then.
func (p *Profile) KeepRefusal(r Refusal) (Refusal, error) {
	if r.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return Refusal{}, fmt.Errorf("choosing an id: %w", err)
		}
		r.ID = id.String()
	}
	r.Schema = "gp-refusal/1"
	if refused, err := time.Parse(time.DateOnly, r.RefusedOn); err == nil {
		r.WrittenDue = refused.Add(schema.WrittenWithin).Format(time.DateOnly)
	}
	data, err := strict.Marshal(r)
	if err != nil {
		return Refusal{}, fmt.Errorf("writing a refusal: %w", err)
	}
	if err := client.FitsRecord("gp-refusal", data); err != nil {
		return Refusal{}, err
	}
	if err := os.MkdirAll(filepath.Join(p.dir, refusalFolder), 0o700); err != nil {
		return Refusal{}, fmt.Errorf("making the folder of refusals: %w", err)
	}
	return r, write(filepath.Join(p.dir, refusalFolder, r.ID+documentName), append(data, '\n'))
}

// Refusal returns one record, or ErrNoRefusal.
func (p *Profile) Refusal(id string) (Refusal, error) {
	if !ids.IsUUID(id) {
		return Refusal{}, ErrNoRefusal
	}
	data, err := os.ReadFile(filepath.Join(p.dir, refusalFolder, id+documentName))
	if errors.Is(err, fs.ErrNotExist) {
		return Refusal{}, ErrNoRefusal
	}
	if err != nil {
		return Refusal{}, fmt.Errorf("reading a refusal: %w", err)
	}
	var r Refusal
	if err := strict.Unmarshal(data, &r); err != nil || r.ID != id || client.FitsRecord("gp-refusal", data) != nil {
		return Refusal{}, fmt.Errorf("%s of the refusals is damaged: restore it from a backup", id+documentName)
	}
	return r, nil
}

// Refusals lists the records, the oldest refusal first.
func (p *Profile) Refusals() ([]Refusal, error) {
	entries, err := os.ReadDir(filepath.Join(p.dir, refusalFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing the refusals: %w", err)
	}
	all := []Refusal{}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), documentName)
		if !ok || strings.HasPrefix(id, ".") {
			continue
		}
		r, err := p.Refusal(id)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b Refusal) int { return strings.Compare(a.RefusedOn, b.RefusedOn) })
	return all, nil
}
