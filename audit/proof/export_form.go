package proof

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"

	"handover/internal/ids"
	"handover/internal/strict"
)

// ExportWriter writes an export line by line, in constant memory. What it has written is no
// export before End: a writer that is stopped leaves nothing that a reader takes for whole.
type ExportWriter struct {
	to    io.Writer
	sum   hash.Hash
	lines int64
	form  exportForm
}

// NewExportWriter returns a writer of an export to w. Each line is one Write.
func NewExportWriter(w io.Writer) *ExportWriter {
	return &ExportWriter{to: w, sum: sha256.New()}
}

// Write writes one line, the header first. A line that a reader would refuse at this place
// is refused.
func (w *ExportWriter) Write(l ExportLine) error {
	if l.End != nil {
		return errors.New("the end of an export is written by End")
	}
	return w.write(l)
}

func (w *ExportWriter) write(l ExportLine) error {
	if err := w.form.takes(l); err != nil {
		return err
	}
	line, err := strict.Marshal(l)
	if err != nil {
		return fmt.Errorf("encoding a line of an export: %w", err)
	}
	if len(line) > MaxExportLine {
		return fmt.Errorf("line of an export is too long: %w", ErrMalformed)
	}
	line = append(line, '\n')
	w.sum.Write(line)
	w.lines++
	if _, err := w.to.Write(line); err != nil {
		return fmt.Errorf("writing an export: %w", err)
	}
	return nil
}

// End writes the end line. sign signs a text as a C2SP signed note with the key of the log
// called origin.
func (w *ExportWriter) End(origin string, sign func(text string) ([]byte, error)) error {
	e := &ExportEnd{Lines: w.lines, Digest: base64.RawURLEncoding.EncodeToString(w.sum.Sum(nil))}
	signed, err := sign(ExportEndText(origin, e.Lines, e.Digest))
	if err != nil {
		return fmt.Errorf("signing an export: %w", err)
	}
	e.Signature = string(signed)
	return w.write(ExportLine{End: e})
}

// ExportReader reads an export line by line, in the memory of one line. It judges the form
// and nothing else: that each line is strict JSON of exactly one member, that the sections
// come in their order, that what is numbered rises, that each statement has its digest, and
// that the end line fits all bytes before it. Nothing it returns is verified.
type ExportReader struct {
	from  *bufio.Reader
	sum   hash.Hash
	lines int64
	bytes int64 // of the lines that Next returned
	form  exportForm
}

// NewExportReader returns a reader of the export in r.
func NewExportReader(r io.Reader) *ExportReader {
	return &ExportReader{from: bufio.NewReaderSize(r, 64<<10), sum: sha256.New()}
}

// Line is the number of the line that Next returned last or failed at, from 1.
func (r *ExportReader) Line() int64 { return r.lines }

// Offset is where the line that Next returned last ends, in bytes from the start, so that
// whoever wants it again can find it.
func (r *ExportReader) Offset() int64 { return r.bytes }

// Next returns the next line, the header first and the end line last; then io.EOF. An export
// that ends without its end line is ErrUnfinished, one whose end line does not fit is
// ErrAltered, and what is not of the form is ErrMalformed: each says in which line.
func (r *ExportReader) Next() (ExportLine, error) {
	r.lines++
	l, err := r.next()
	if err != nil && err != io.EOF { //nolint:errorlint // it is the exact one that next returns
		return ExportLine{}, fmt.Errorf("line %d: %w", r.lines, err)
	}
	return l, err
}

func (r *ExportReader) next() (ExportLine, error) {
	text, err := r.line()
	if r.form.ended {
		if err == io.EOF { //nolint:errorlint // it is the exact one that line returns
			return ExportLine{}, io.EOF
		}
		return ExportLine{}, fmt.Errorf("something after the end of the export: %w", ErrMalformed)
	}
	if err == io.EOF { //nolint:errorlint // as above
		return ExportLine{}, ErrUnfinished
	}
	if err != nil {
		return ExportLine{}, err
	}
	var l ExportLine
	if err := strict.Unmarshal(text[:len(text)-1], &l); err != nil {
		return ExportLine{}, fmt.Errorf("not a line of an export: %w", ErrMalformed)
	}
	if err := r.form.takes(l); err != nil {
		return ExportLine{}, err
	}
	if l.End != nil && (l.End.Lines != r.lines-1 || l.End.Digest != base64.RawURLEncoding.EncodeToString(r.sum.Sum(nil))) {
		return ExportLine{}, ErrAltered
	}
	r.sum.Write(text)
	r.bytes += int64(len(text))
	return l, nil
}

// line returns the next line with its line feed. A last line without one was cut.
func (r *ExportReader) line() ([]byte, error) {
	var whole []byte
	for {
		part, err := r.from.ReadSlice('\n')
		if len(whole)+len(part) > MaxExportLine+1 {
			return nil, fmt.Errorf("too long: %w", ErrMalformed)
		}
		switch {
		case err == nil && whole == nil:
			return part, nil // until the next call
		case err == nil:
			return append(whole, part...), nil
		case errors.Is(err, bufio.ErrBufferFull):
			whole = append(whole, part...)
		case errors.Is(err, io.EOF) && len(whole)+len(part) > 0:
			return nil, ErrUnfinished
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		default:
			return nil, fmt.Errorf("reading an export: %w", err)
		}
	}
}

// The sections of an export, in their order.
const (
	atStart = iota
	atTiles
	atEntries // of the range
	atGrounds // entries before it
	atStatements
	atPartners
	atHubKeys
)

// exportForm is how far an export has come.
type exportForm struct {
	at     int
	header ExportHeader
	level  int    // of the last tile
	number int64  // of the last tile, or index of the last entry
	id     string // of the last partner
	ended  bool
}

// takes notes l, or returns ErrMalformed if it cannot stand here.
func (f *exportForm) takes(l ExportLine) error {
	if l.members() != 1 {
		return fmt.Errorf("a line has exactly one member: %w", ErrMalformed)
	}
	ok := false
	switch {
	case l.Export != nil:
		ok = f.at == atStart && l.Export.wellFormed()
		f.at, f.header, f.level, f.number = atTiles, *l.Export, 0, -1
	case f.at == atStart:
	case l.Tile != nil:
		ok = f.tile(*l.Tile)
	case l.Entry != nil:
		ok = f.entry(*l.Entry)
	case l.Statement != nil:
		ok = f.reach(atStatements) && l.Statement.Kind != "" && l.Statement.Digest == ids.Digest(l.Statement.Text)
	case l.Partner != nil:
		ok = f.reach(atPartners) && l.Partner.ID > f.id
		f.id = l.Partner.ID
	case l.HubKeys != nil:
		ok = f.at < atHubKeys && f.reach(atHubKeys)
	case l.End != nil:
		ok = !f.ended
		f.ended = true
	}
	if !ok {
		return fmt.Errorf("a line that cannot stand here: %w", ErrMalformed)
	}
	return nil
}

// reach goes over to a section, or reports that it is over.
func (f *exportForm) reach(section int) bool {
	if f.ended || f.at > section {
		return false
	}
	f.at = section
	return true
}

// tile takes a tile, if it is of the checkpoint's tree in form and comes after the one before.
func (f *exportForm) tile(t ExportTile) bool {
	after := t.Level > f.level || t.Level == f.level && t.N > f.number
	f.level, f.number = t.Level, t.N
	return f.reach(atTiles) && after && t.width() > 0
}

// entry takes an entry, if it comes after the one before: those of the range, then those
// before the range.
func (f *exportForm) entry(e ExportEntry) bool {
	section := atEntries
	if e.Index < f.header.First {
		section = atGrounds
	}
	if f.at != section {
		f.number = -1
	}
	after := e.Index > f.number
	f.number = e.Index
	return f.reach(section) && after && e.Index < f.header.End && e.wellFormed()
}

func (e ExportEntry) wellFormed() bool {
	if e.Erased {
		return e.Body == nil && e.Salt == nil
	}
	return len(e.Body) > 0 && len(e.Salt) == 32
}

func (h ExportHeader) wellFormed() bool {
	whose := h.Scope == ScopeAgency && h.For != "" || h.Scope == ScopeOversight && h.For != "" || h.Scope == ScopeAll && h.For == ""
	rising := int64(-1)
	for _, size := range h.Kept {
		if size <= rising {
			return false
		}
		rising = size
	}
	return h.V == ExportVersion && whose && h.Hub != "" && h.LogKey != "" && h.Checkpoint != "" &&
		h.First >= 0 && h.First <= h.End && !h.To.Before(h.From)
}

func (l ExportLine) members() int {
	n := 0
	for _, there := range []bool{l.Export != nil, l.Tile != nil, l.Entry != nil, l.Statement != nil, l.Partner != nil, l.HubKeys != nil, l.End != nil} {
		if there {
			n++
		}
	}
	return n
}
