package proof

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// ExportMediaType is the media type of an audit export: docs/export.md.
const ExportMediaType = "application/vnd.handover.audit+jsonl"

// ExportVersion is the version of the exports this package writes and reads.
const ExportVersion = 1

// MaxExportLine bounds a line of an export, in bytes without its line feed, so that whoever
// reads a file of a stranger's needs no more memory than that for it.
const MaxExportLine = 8 << 20

// How much of the log an export shows.
const (
	ScopeAgency    = "agency"    // what one agency may read: its own entries, and those that name it
	ScopeAll       = "all"       // everything, as the operator reads it
	ScopeOversight = "oversight" // all entries and all keys, and no statement of any agency
)

// The kinds of signed statements in an export: each is a JWS whose typ header says the same.
const (
	StatementEnvelope       = "envelope"        // handover-envelope+jwt: a step of a referral
	StatementConsent        = "consent"         // handover-consent+jwt: a consent record
	StatementWithdrawal     = "withdrawal"      // handover-withdrawal+jwt
	StatementOverride       = "override"        // handover-override+jwt
	StatementDecision       = "decision"        // handover-decision+jwt: of an override, or of a record in doubt
	StatementReview         = "review"          // handover-review+jwt: of an override
	StatementNever          = "never"           // handover-never+jwt: with whom nothing is ever shared
	StatementLift           = "lift"            // handover-never-lift+jwt: the end of a never
	StatementRecall         = "recall"          // handover-recall+jwt: the answer to what a withdrawal asks
	StatementPoliceRequest  = "police-request"  // handover-police-request+jwt
	StatementPoliceDecision = "police-decision" // handover-police-decision+jwt

	StatementAgreement       = "agreement"        // handover-agreement+jwt: a proposed agreement of two agencies
	StatementAgreementAnswer = "agreement-answer" // handover-agreement-answer+jwt: that it is signed, or refused
	StatementAgreementEnd    = "agreement-end"    // handover-agreement-end+jwt: that it is over
)

// ErrUnfinished means that an export has no end line: whoever wrote it was stopped, or
// somebody cut it. Nothing may be concluded from what it does not hold.
var ErrUnfinished = errors.New("the export has no end line: it is not whole")

// ErrAltered means that the end line of an export does not fit what comes before it.
var ErrAltered = errors.New("the export was changed after it was made")

// ExportLine is one line of an export. Exactly one of its members is there.
type ExportLine struct {
	Export    *ExportHeader    `json:"export,omitempty"`
	Tile      *ExportTile      `json:"tile,omitempty"`
	Entry     *ExportEntry     `json:"entry,omitempty"`
	Statement *ExportStatement `json:"statement,omitempty"`
	Partner   *ExportPartner   `json:"partner,omitempty"`
	HubKeys   []jsontext.Value `json:"hub_keys,omitempty"` // as GET /v1/hub/jwks.json gives them, with their receipts
	End       *ExportEnd       `json:"end,omitempty"`
}

// ExportHeader is the first line: what the export is of.
type ExportHeader struct {
	V           int       `json:"v"`                     // ExportVersion
	Hub         string    `json:"hub"`                   // issuer URL
	For         string    `json:"for,omitempty"`         // partner id; "" when all of the log is shown to the hub's operator
	Scope       string    `json:"scope"`                 // ScopeAgency, ScopeAll or ScopeOversight
	Made        time.Time `json:"made"`                  // the moment whose state it shows
	From        time.Time `json:"from"`                  // asked for: entries from then on
	To          time.Time `json:"to"`                    // and before then
	First       int64     `json:"first"`                 // index of the first entry of the range that covers those
	End         int64     `json:"end"`                   // one more than that of the last
	Kept        []int64   `json:"kept,omitempty"`        // sizes of checkpoints kept by who asked; consistency with each can be shown
	LogKey      string    `json:"log_key"`               // C2SP verifier key, by which Checkpoint is signed
	Successions []string  `json:"successions,omitempty"` // by which the log's keys followed each other, oldest first
	Checkpoint  string    `json:"checkpoint"`            // signed note, with cosignatures where there are any
}

// ExportTile is a C2SP tile as of the header's checkpoint.
type ExportTile struct {
	Level int    `json:"level"`
	N     int64  `json:"n"`
	Data  Base64 `json:"data"` // its hashes, 32 bytes each, 256 in a full one
}

// ExportEntry is one entry of the log.
type ExportEntry struct {
	Index  int64     `json:"index"`
	Body   Base64URL `json:"entry,omitempty"` // canonical bytes (ParseEntry)
	Salt   Base64URL `json:"salt,omitempty"`  // 32 bytes
	Erased bool      `json:"erased,omitzero"`
}

// ExportStatement is a signed statement that an entry of the export commits to.
type ExportStatement struct {
	Kind   string `json:"kind"`   // envelope, consent, withdrawal…: docs/export.md
	Digest string `json:"digest"` // base64url SHA-256 of Text
	Text   string `json:"text"`   // compact JWS, as it was posted
}

// ExportPartner is what the hub shows of a partner's keys.
type ExportPartner struct {
	ID       string           `json:"id"`
	Category string           `json:"category"`
	Keys     []jsontext.Value `json:"keys"`              // JWKs, as GET /v1/partners/{id}/keys gives them
	History  []jsontext.Value `json:"history,omitempty"` // its changes, with their receipts
}

// ExportEnd is the last line.
type ExportEnd struct {
	Lines     int64  `json:"lines"`     // how many come before it
	Digest    string `json:"digest"`    // base64url SHA-256 of all bytes before this line
	Signature string `json:"signature"` // signed note of ExportEndText by the log's key
}

// exportTitle begins the text that is signed at the end of an export. A checkpoint begins
// with its origin, a succession with a title of its own: none passes for another.
const exportTitle = "handover audit export v1"

// ExportEndText is the text that the log's key signs at the end of an export.
func ExportEndText(origin string, lines int64, digest string) string {
	return fmt.Sprintf("%s\n%s\n%d\n%s\n", exportTitle, origin, lines, digest)
}

// Verify checks that e is signed by the log's key: the one whose turn it was at the
// checkpoint of size, or one that followed it. It says who vouches for the file as it is;
// what is in the file is verified each by itself. No cosignature is asked for.
func (e ExportEnd) Verify(size int64, key LogKey) error {
	if key.verifier == nil || len(e.Signature) > maxNote {
		return ErrSignature
	}
	n, err := note.Open([]byte(e.Signature), note.VerifierList(key.verifiers()...))
	if err != nil {
		return noteError(err)
	}
	if n.Text != ExportEndText(key.Origin(), e.Lines, e.Digest) {
		return fmt.Errorf("end of an export of another log, or of another export: %w", ErrSignature)
	}
	if !key.spokeSince(n.Sigs, size) {
		return fmt.Errorf("export signed by a key of the log that had been followed by another: %w", ErrSignature)
	}
	return nil
}

// spokeSince reports whether one of the verified signatures is of a key whose turn it was at
// a tree of size or later.
func (k LogKey) spokeSince(sigs []note.Signature, size int64) bool {
	if len(k.reigns) == 0 {
		return len(sigs) > 0
	}
	for _, sig := range sigs {
		for _, r := range k.reigns {
			if sig.Hash == r.verifier.KeyHash() && size <= r.upTo {
				return true
			}
		}
	}
	return false
}

// ParseMoment reads what an export is asked for with: a date, which is its beginning in UTC,
// or a time with its zone.
func ParseMoment(text string) (time.Time, error) {
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("a date: %w", ErrMalformed)
}

// Base64 is bytes that are written in standard base64 with padding, in one spelling.
type Base64 []byte

// MarshalText writes b.
func (b Base64) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText reads what MarshalText writes.
func (b *Base64) UnmarshalText(text []byte) (err error) {
	*b, err = decodeOnce(base64.StdEncoding, text)
	return err
}

// Base64URL is bytes that are written in base64url without padding, in one spelling.
type Base64URL []byte

// MarshalText writes b.
func (b Base64URL) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText reads what MarshalText writes.
func (b *Base64URL) UnmarshalText(text []byte) (err error) {
	*b, err = decodeOnce(base64.RawURLEncoding, text)
	return err
}

var (
	_ encoding.TextMarshaler   = Base64URL(nil)
	_ encoding.TextUnmarshaler = (*Base64URL)(nil)
)

// decodeOnce reads base64 of one spelling. The library's strict reader still skips line
// breaks, so those are looked for.
func decodeOnce(e *base64.Encoding, text []byte) ([]byte, error) {
	if bytes.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("base64: %w", ErrMalformed)
	}
	b, err := e.Strict().AppendDecode(nil, text)
	if err != nil {
		return nil, fmt.Errorf("base64: %w", ErrMalformed)
	}
	return b, nil
}

// width of a tile in hashes, or 0 if it is none.
func (t ExportTile) width() int {
	if t.Level < 0 || t.Level > 7 || t.N < 0 || len(t.Data) == 0 || len(t.Data)%tlog.HashSize != 0 || len(t.Data) > 256*tlog.HashSize {
		return 0
	}
	return len(t.Data) / tlog.HashSize
}
