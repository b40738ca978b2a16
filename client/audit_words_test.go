package client_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"handover/client"
	"handover/keys/jose"
)

// TestAPolicyOfWitnessesIsDemanded: with one, a checkpoint that the log alone has signed does
// not hold, and everything else is judged all the same.
func TestAPolicyOfWitnessesIsDemanded(t *testing.T) {
	t.Parallel()
	p := quarter(t)
	secret, public, err := note.GenerateKey(nil, "aunt.example")
	must(err)
	aunt, err := cosign.NewSignerForCosignatureV1(secret)
	must(err)
	public, err = cosign.VKeyToCosignatureV1(public)
	must(err)
	policy, err := client.ParsePolicy("log " + p.hub.log.key.String() + "\nwitness aunt " + public + "\nquorum aunt\n")
	must(err)
	trust := client.AuditTrust{LogKey: p.hub.log.key, Policy: policy}
	found, err := audited(p.hub.forge(t).file(), trust)
	if want := "witnesses: checkpoint: your policy of witnesses is not met"; !errors.Is(err, client.ErrVerification) || !strings.HasPrefix(fails(found), want) || strings.Count(fails(found), "\n") != 1 {
		t.Errorf("without its witness: %v\n%s", err, fails(found))
	}
	f := p.hub.forge(t)
	alone := f.tree().checkpoint(f.header.End)
	verifier, err := note.NewVerifier(p.hub.log.key.String())
	must(err)
	opened, err := note.Open(alone, note.VerifierList(verifier))
	must(err)
	signed, err := note.Sign(opened, aunt)
	must(err)
	f.header.Checkpoint = string(signed)
	found, err = audited(f.file(), trust)
	if err != nil {
		t.Errorf("with its witness: %v\n%s", err, fails(found))
	}
	for _, l := range found.Limits {
		if strings.Contains(l, "no policy of witnesses was given") {
			t.Errorf("it is said that none was asked for")
		}
	}
}

// TestTheFileOfAnUnknownLogVouchesForItself, and says so.
func TestTheFileOfAnUnknownLogVouchesForItself(t *testing.T) {
	t.Parallel()
	p := quarter(t)
	found, err := audited(p.hub.forge(t).file(), client.AuditTrust{})
	if err != nil || !strings.Contains(strings.Join(found.Limits, "\n"), "The log's key came with the document itself") {
		t.Errorf("%v\n%s", err, found.Limits)
	}
	if _, err := audited([]byte(`{"v":1}`+"\n"), client.AuditTrust{}); !errors.Is(err, client.ErrDocument) {
		t.Errorf("what is no export: %v", err)
	}
}

// TestManyFailuresOfOneKindAreCounted, and the first are named.
func TestManyFailuresOfOneKindAreCounted(t *testing.T) {
	t.Parallel()
	p := quarter(t)
	f := p.hub.forge(t)
	for i := int64(20); i < 220; i += 2 {
		f.hidden[i] = true
	}
	found, _ := audited(f.file(), client.AuditTrust{LogKey: p.hub.log.key})
	if got := fails(found); strings.Count(got, "\n") != 6 || !strings.Contains(got, "range: and 95 more like these") || found.Export.Missing != 100 {
		t.Errorf("%d are missing\n%s", found.Export.Missing, got)
	}
}

// TestWhatIsSaidOfAnExportRepeatsNothingOfIt: no salt, with which an entry that was erased could
// be guessed, no statement, and nothing that is sealed.
func TestWhatIsSaidOfAnExportRepeatsNothingOfIt(t *testing.T) {
	t.Parallel()
	b := newBorough(t)
	for _, spoil := range []func(*liar){func(*liar) {}, func(f *liar) {
		for i := range f.statements {
			f.statements[i].Kind = "decision"
		}
		f.swap(3, 4)
		f.lines = tile(0, 0, 5)
	}} {
		f := b.lie(t)
		spoil(f)
		found, _ := audited(f.file(), client.AuditTrust{LogKey: pinned(t, b.hub)})
		said, err := json.Marshal(found)
		must(err)
		var never []string
		for _, e := range f.entries {
			never = append(never, base64.RawURLEncoding.EncodeToString(e.Salt), base64.StdEncoding.EncodeToString(e.Salt), string(e.Body))
		}
		for _, s := range f.statements {
			signed, err := jose.ParseSigned(s.Text, 32<<10, typOf(s.Text))
			must(err)
			never = append(never, s.Text[strings.LastIndex(s.Text, ".")+1:], string(signed.UnverifiedPayload()))
		}
		for _, secret := range never {
			if strings.Contains(string(said), secret) {
				t.Errorf("it repeats %.60s", secret)
			}
		}
	}
}

// typOf is the typ header of a JWS.
func typOf(token string) string {
	head, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	must(err)
	var h struct{ Typ string }
	must(json.Unmarshal(text, &h))
	return h.Typ
}

// FuzzVerifyAudit: whatever the file is, it ends, and what holds is what the log's key signed.
func FuzzVerifyAudit(f *testing.F) {
	p := newPair(f)
	honest := p.hub.forge(f).file()
	f.Add(honest)
	for _, l := range bytes.SplitAfter(honest, []byte("\n")) {
		f.Add(bytes.Replace(honest, l, nil, 1))
	}
	f.Add(bytes.Replace(honest, []byte(`"level":0,"n":0`), []byte(`"level":7,"n":9007199254740992`), 1))
	f.Add(bytes.Replace(honest, []byte(`"first":0`), []byte(`"first":9`), 1))
	f.Fuzz(func(t *testing.T, file []byte) {
		found, err := audited(file, client.AuditTrust{LogKey: p.hub.log.key})
		if err == nil && !bytes.Equal(file, honest) {
			t.Errorf("another file holds: %+v", found)
		}
	})
}
