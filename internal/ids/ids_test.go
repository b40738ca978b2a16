package ids_test

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"handover/internal/ids"
)

// A reference is the first 40 bits, five to a character, in the alphabet of
// Crockford's base 32: no I, L, O or U to be misheard.
func TestReferenceIsTheFirstFortyBits(t *testing.T) {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	rapid.Check(t, func(r *rapid.T) {
		id := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(r, "id")
		n := new(big.Int).SetBytes(id[:5]).Uint64()
		want := ""
		for range 8 {
			want = string(alphabet[n%32]) + want
			n /= 32
		}
		if got := ids.Reference(base64.RawURLEncoding.EncodeToString(id)); got != "R-"+want[:4]+"-"+want[4:] {
			r.Fatalf("%x has the reference %s, want %s", id, got, want)
		}
	})
	for _, no := range []string{"", "R-7K3F-9Q2M", "####", "AAAAA", strings.Repeat("=", 43)} {
		if got := ids.Reference(no); got != "" {
			t.Errorf("%q has the reference %s", no, got)
		}
	}
}

func ExampleReference() {
	fmt.Println(ids.Reference("PMb03FQrV4mZb0x1T8uYh2kE5nW7cA9dG3fJ6sL0pQM"))
	fmt.Println(ids.Reference("__________________________________________8"))
	fmt.Println(ids.Reference("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))
	// Output:
	// R-7K3F-9Q2M
	// R-ZZZZ-ZZZZ
	// R-0000-0000
}

// The forms that guard what a person could have typed.
func TestDigestAndSubjectHaveOneSpelling(t *testing.T) {
	digest, subject := ids.Digest("abc"), "c3ViamVjdCBhYmNkZWZnaA"
	if digest != "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0" { // FIPS 180-2 B.1
		t.Errorf("SHA-256 of abc is %s", digest)
	}
	if !ids.IsDigest(digest) || !ids.IsSubject(subject) || ids.IsDigest(subject) || ids.IsSubject(digest) {
		t.Error("an honest one is refused, or one taken for the other")
	}
	for _, s := range []string{"", digest + "=", digest + "\n", "\r" + digest, digest[:9] + "\r\n" + digest[9:], digest[:42] + "1",
		strings.ReplaceAll(digest, "-", "+"), strings.ReplaceAll(digest, "_", "/"), " " + digest, digest[:42], digest + "A"} {
		if ids.IsDigest(s) {
			t.Errorf("%q passes for a digest", s)
		}
	}
	for _, s := range []string{"", subject + "==", subject + "\n", subject[:5] + "\n" + subject[5:], subject[:21] + "B", subject[:21], subject + "A"} {
		if ids.IsSubject(s) {
			t.Errorf("%q passes for a subject", s)
		}
	}
}

// TestAUsersIdIsOpaque: what names her to people is no id.
func TestAUsersIdIsOpaque(t *testing.T) {
	for _, yes := range []string{"user-7", "0195d3f0-1111-7222-8333-444455556666", "k3_Xw", strings.Repeat("a", 64)} {
		if !ids.IsUser(yes) {
			t.Errorf("%q is refused", yes)
		}
	}
	for _, no := range []string{"", "Ada Sample", "ada@agency.example", "ada.sample", "adä", strings.Repeat("a", 65), "a\n"} {
		if ids.IsUser(no) {
			t.Errorf("%q passes for an opaque id", no)
		}
	}
}

// TestOnlyAClientIDReachesTheDatabase, which would refuse some of the others as an error
// of the hub's own.
func TestOnlyAClientIDReachesTheDatabase(t *testing.T) {
	if !ids.IsClient("camden-outreach.ab2de") {
		t.Error("a client id is refused")
	}
	for _, no := range []string{"", "a\x00b", "A.bcdef", "a b", "a/b", "ä", strings.Repeat("a", 65)} {
		if ids.IsClient(no) {
			t.Errorf("%q passes for a client id", no)
		}
	}
}

// TestAReferenceIsFoundHoweverItIsTyped draws ids, spells their references as people do, and
// finds each id by the prefixes of what was read.
func TestAReferenceIsFoundHoweverItIsTyped(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		id := base64.RawURLEncoding.EncodeToString(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(r, "id"))
		reference := ids.Reference(id)
		typed := []rune(reference)
		for i, c := range typed {
			if other, ok := map[rune]string{'0': "0Oo", '1': "1IiLl", '-': "- –"}[c]; ok {
				typed[i] = rapid.SampledFrom([]rune(other)).Draw(r, "typed")
			}
		}
		s := string(typed)
		if rapid.Bool().Draw(r, "small") {
			s = strings.ToLower(s)
		}
		if rapid.Bool().Draw(r, "bare") {
			s = string([]rune(s)[2:])
		}
		got, ok := ids.ParseReference(" " + s + " ")
		if !ok || got != reference {
			r.Fatalf("%q is read as %q, want %s", s, got, reference)
		}
		prefixes := ids.ReferencePrefixes(s)
		if len(prefixes) != 4 || !slices.Contains(prefixes, id[:7]) {
			r.Fatalf("%s is looked for at %v, and is at %s", reference, prefixes, id[:7])
		}
	})
	for _, no := range []string{"", "R-", "R-7K3F-9Q", "R-7K3F-9Q2MM", "R-7K3F-9Q2U", "7K3F\n9Q2M", "7K3F9Q2\n", "Ada Sample", "07700900123", strings.Repeat("0", 41)} {
		if got, ok := ids.ParseReference(no); ok || ids.ReferencePrefixes(no) != nil {
			t.Errorf("%q is read as %s", no, got)
		}
	}
}
