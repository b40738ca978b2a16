package jose

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwe"
)

func newContentKey(t testing.TB) ContentKey {
	t.Helper()
	k, err := GenerateContentKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A chunk is what the standard says: the library opens ours, and we open the library's.
func TestAChunkIsStandardJOSE(t *testing.T) {
	key := newContentKey(t)
	token, err := EncryptChunk(testPlain, key, Place{7, true})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := jwe.Decrypt([]byte(token), jwe.WithKey(jwa.DIRECT, key.open().raw))
	if err != nil || !bytes.Equal(opened, testPlain) {
		t.Errorf("the library opens %q, %v", opened, err)
	}
	header := jwe.NewHeaders()
	_, _ = header.Set("chunk", 7), header.Set("end", false)
	theirs, err := jwe.Encrypt(testPlain, jwe.WithKey(jwa.DIRECT, key.open().raw), jwe.WithContentEncryption(jwa.A256GCM), jwe.WithProtectedHeaders(header))
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]Place{token: {7, true}, string(theirs): {7, false}} {
		c, err := ParseChunk(token, len(token))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // opening changes nothing
			if plain, err := c.Decrypt(key); err != nil || !bytes.Equal(plain, testPlain) || c.Place() != want || c.Size() != len(testPlain) {
				t.Errorf("%q at %v, %v", plain, c.Place(), err)
			}
		}
		if again := reencode(t, token, 5); again != token {
			t.Errorf("%q has a second spelling", token)
		}
		if _, err := c.Decrypt(newContentKey(t)); !errors.Is(err, ErrDecrypt) {
			t.Errorf("with another key: %v", err)
		}
		if _, err := c.Decrypt(ContentKey{}); !errors.Is(err, ErrKey) {
			t.Errorf("with no key: %v", err)
		}
	}
}

func TestChunkHeaderCheatsAreRefused(t *testing.T) {
	key := newContentKey(t)
	seal := func(header string) string {
		aad := b64([]byte(header))
		iv, ct, tag := gcmSeal(t, key.open().raw, testPlain, []byte(aad))
		return aad + ".." + b64(iv) + "." + b64(ct) + "." + b64(tag)
	}
	for what, row := range map[string]struct {
		header string
		want   error
	}{
		"right":                   {`{"alg":"dir","enc":"A256GCM","chunk":0,"end":true}`, nil},
		"right, in another order": {`{ "end":true, "chunk":0, "enc":"A256GCM", "alg":"dir" }`, nil},
		"another algorithm":       {`{"alg":"A256KW","enc":"A256GCM","chunk":0,"end":true}`, ErrAlgorithm},
		"another encryption":      {`{"alg":"dir","enc":"A128GCM","chunk":0,"end":true}`, ErrAlgorithm},
		"no algorithm":            {`{"enc":"A256GCM","chunk":0,"end":true}`, ErrAlgorithm},
		"no chunk":                {`{"alg":"dir","enc":"A256GCM","end":true}`, ErrHeader},
		"no end":                  {`{"alg":"dir","enc":"A256GCM","chunk":0}`, ErrHeader},
		"null for the chunk":      {`{"alg":"dir","enc":"A256GCM","chunk":null,"end":true}`, ErrHeader},
		"null for the end":        {`{"alg":"dir","enc":"A256GCM","chunk":0,"end":null}`, ErrHeader},
		"a chunk in quotes":       {`{"alg":"dir","enc":"A256GCM","chunk":"0","end":true}`, ErrHeader},
		"a fraction":              {`{"alg":"dir","enc":"A256GCM","chunk":0.5,"end":true}`, ErrHeader},
		"a number's second form":  {`{"alg":"dir","enc":"A256GCM","chunk":1e1,"end":true}`, ErrHeader},
		"below zero":              {`{"alg":"dir","enc":"A256GCM","chunk":-1,"end":true}`, ErrHeader},
		"too far":                 {`{"alg":"dir","enc":"A256GCM","chunk":4294967295,"end":true}`, ErrHeader},
		"chunk twice":             {`{"alg":"dir","enc":"A256GCM","chunk":1,"chunk":0,"end":true}`, ErrHeader},
		"zip":                     {`{"alg":"dir","enc":"A256GCM","zip":"DEF","chunk":0,"end":true}`, ErrHeader},
		"crit":                    {`{"alg":"dir","enc":"A256GCM","crit":["chunk"],"chunk":0,"end":true}`, ErrHeader},
		"a kid":                   {`{"alg":"dir","enc":"A256GCM","kid":"k","chunk":0,"end":true}`, ErrHeader},
		"a name in another case":  {`{"alg":"dir","enc":"A256GCM","Chunk":0,"end":true}`, ErrHeader},
		"something behind":        {`{"alg":"dir","enc":"A256GCM","chunk":0,"end":true} {}`, ErrHeader},
	} {
		token := seal(row.header)
		if _, err := ParseChunk(token, len(token)); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", what, err, row.want)
		}
		if _, err := ParseChunk(token, len(token)-1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s, over the limit: %v", what, err)
		}
	}
	wrapped, err := Encrypt(testPlain, newKey(t, ECDHESA256KW, P256).Public(), "json")
	if err != nil {
		t.Fatal(err)
	}
	good := strings.Split(seal(`{"alg":"dir","enc":"A256GCM","chunk":0,"end":true}`), ".")
	for what, token := range map[string]string{
		"a section":        wrapped,
		"an encrypted key": good[0] + ".AAAA." + strings.Join(good[2:], "."),
		"nothing sealed":   good[0] + ".." + good[2] + ".." + good[4],
		"a short tag":      strings.Join(good[:4], ".") + "." + good[4][:16],
		"a long nonce":     good[0] + ".." + good[2] + "AAAA." + good[3] + "." + good[4],
		"JSON":             `{"protected":"` + good[0] + `"}`,
		"four parts":       strings.Join(good[:4], "."),
		"a line break":     strings.Join(good, ".") + "\n",
	} {
		if _, err := ParseChunk(token, 8<<10); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestContentKeysAreReadStrictlyAndNotPrinted(t *testing.T) {
	key := newContentKey(t)
	jwk := string(key.JWK())
	again, err := ParseContentKey([]byte(jwk))
	if err != nil || string(again.JWK()) != jwk {
		t.Fatalf("%s, %v", again.JWK(), err)
	}
	for what, bad := range map[string]string{
		"a member more": strings.Replace(jwk, `{`, `{"kid":"x",`, 1),
		"no alg":        strings.Replace(jwk, `"alg":"A256GCM",`, ``, 1),
		"another kty":   strings.Replace(jwk, `"oct"`, `"OKP"`, 1),
		"a shorter key": strings.Replace(jwk, `"k":"`+string(jwk[len(jwk)-45:len(jwk)-43]), `"k":"`, 1),
		"padding":       strings.Replace(jwk, `"}`, `="}`, 1),
		"no JSON":       "x",
		"nothing":       "",
		"an empty k":    `{"kty":"oct","alg":"A256GCM","k":""}`,
	} {
		if bad == jwk {
			t.Fatalf("%s changes nothing", what)
		}
		if _, err := ParseContentKey([]byte(bad)); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", what, err)
		}
	}
	secret := b64(key.open().raw)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", key)
	for _, printed := range []string{fmt.Sprintf("%v %+v %#v %s %x %d", key, key, key, key, key, struct{ K ContentKey }{key}), log.String()} {
		if strings.Contains(printed, secret) || strings.Contains(printed, fmt.Sprintf("%x", key.open().raw)) || strings.Contains(printed, fmt.Sprint(key.open().raw)) {
			t.Errorf("the key is printed: %s", printed)
		}
	}
	if _, err := key.MarshalJSON(); err == nil || (ContentKey{}).JWK() != nil {
		t.Error("it encodes as a value")
	}
	if _, err := EncryptChunk(nil, key, Place{}); !errors.Is(err, ErrMalformed) {
		t.Errorf("of nothing: %v", err)
	}
	for _, err := range []error{second(EncryptChunk(testPlain, ContentKey{}, Place{})), second(EncryptChunk(testPlain, key, Place{Number: -1}))} {
		if !errors.Is(err, ErrKey) {
			t.Errorf("without a key, or before the first: %v", err)
		}
	}
}

func second(_ string, err error) error { return err }

// Whatever comes, ParseChunk and Decrypt do not panic; what is accepted has one spelling,
// and what opens is what was sealed.
func FuzzParseChunk(f *testing.F) {
	key := newContentKey(f)
	token, err := EncryptChunk(testPlain, key, Place{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add("....")
	f.Add(b64([]byte(`{"alg":"dir","enc":"A256GCM","chunk":0,"end":true,"zip":"DEF"}`)) + token[strings.IndexByte(token, '.'):])
	f.Fuzz(func(t *testing.T, input string) {
		c, err := ParseChunk(input, 8<<10)
		if err != nil {
			return
		}
		if again := reencode(t, input, 5); again != input {
			t.Errorf("%q is accepted and re-encodes to %q", input, again)
		}
		if _, err := c.Decrypt(key); err == nil && input != token {
			t.Errorf("%q opens", input)
		}
	})
}
