package proof_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	. "handover/audit/proof"
)

func TestAPolicyIsReadAsC2SPHasIt(t *testing.T) {
	_, log := signerOf(t, 1, origin)
	_, other := signerOf(t, 2, "other.example/v1/log")
	key := func(i int) string { return newWitness(t, fmt.Sprintf("w.example/%d", i), byte(10+i)).Key }
	w := func(i int) string { return fmt.Sprintf("witness w%d %s", i, key(i)) }
	many := func(line func(i int) string) string {
		lines := make([]string, 33)
		for i := range lines {
			lines[i] = line(i)
		}
		return strings.Join(lines, "\n")
	}
	for _, row := range []struct {
		name string
		text string
		want string // "" when it is refused
	}{
		{"one witness", w(1) + "\nquorum w1\n", w(1) + "\nquorum w1\n"},
		{"no last line end", w(1) + "\nquorum w1", w(1) + "\nquorum w1\n"},
		{"comments, blanks, tabs", "# who\n\n \t" + w(1) + "  https://w.example/x\t\n  # and\n\tquorum\t w1 \n", w(1) + " https://w.example/x\nquorum w1\n"},
		{"nobody", "quorum none\n", "quorum none\n"},
		{"logs", "log " + log.String() + " https://hub.example/v1/log\nlog " + other.String() + "\nquorum none\n",
			"log " + log.String() + " https://hub.example/v1/log\nlog " + other.String() + "\nquorum none\n"},
		{"groups in groups", strings.Join([]string{w(1), w(2), w(3), "group a any w1 w2", "group b all a w3", "quorum b"}, "\n"),
			strings.Join([]string{w(1), w(2), w(3), "group a 1 w1 w2", "group b 2 a w3", "quorum b", ""}, "\n")},
		{"a name that is not ASCII", "witness Sólás " + key(1) + "\nquorum Sólás\n", "witness Sólás " + key(1) + "\nquorum Sólás\n"},

		{"no quorum", w(1) + "\n", ""},
		{"two quorums", w(1) + "\nquorum w1\nquorum w1\n", ""},
		{"the quorum before its witness", "quorum w1\n" + w(1) + "\n", ""},
		{"a quorum of nobody known", w(1) + "\nquorum w2\n", ""},
		{"a quorum of two", w(1) + "\n" + w(2) + "\nquorum w1 w2\n", ""},
		{"an empty text", "", ""},
		{"a line end of another kind", w(1) + "\r\nquorum w1\r\n", ""},
		{"a null", w(1) + "\nquorum w1\n\x00", ""},
		{"a comment after a line", w(1) + "\nquorum w1 # all\n", ""},
		{"a line of nothing known", w(1) + "\nthreshold 1\nquorum w1\n", ""},
		{"text that does not print", "witness a\u202eb " + key(1) + "\nquorum a\u202eb\n", ""},
		{"broken UTF-8", "witness a\xff " + key(1) + "\nquorum a\xff\n", ""},

		{"one witness twice", w(1) + "\n" + w(1) + "\nquorum w1\n", ""},
		{"one name twice", w(1) + "\nwitness w1 " + key(2) + "\nquorum w1\n", ""},
		{"one key under two names", w(1) + "\nwitness w2 " + key(1) + "\nquorum w1\n", ""},
		{"one key as two parties", w(1) + "\nwitness w2 " + newWitness(t, "elsewhere.example/w", 11).Key + "\nquorum w1\n", ""},
		{"one log twice", "log " + log.String() + "\nlog " + log.String() + "\nquorum none\n", ""},
		{"the log's key as a witness's", "log " + log.String() + "\nwitness w " + newWitness(t, "w.example/w", 1).Key + "\nquorum w\n", ""},
		{"a log's key where a witness's should be", "witness w " + log.String() + "\nquorum w\n", ""},
		{"a witness's key where a log's should be", "log " + key(1) + "\nquorum none\n", ""},
		{"a witness without a key", "witness w\nquorum w\n", ""},
		{"a witness called none", "witness none " + key(1) + "\nquorum none\n", ""},
		{"a witness called all", "witness all " + key(1) + "\nquorum all\n", ""},

		{"a group of nobody", w(1) + "\ngroup g 1\nquorum w1\n", ""},
		{"a group of nobody known", w(1) + "\ngroup g 1 w2\nquorum w1\n", ""},
		{"a group of itself", w(1) + "\ngroup g 1 g\nquorum w1\n", ""},
		{"a threshold of nobody", w(1) + "\ngroup g 0 w1\nquorum g\n", ""},
		{"a threshold of too many", w(1) + "\ngroup g 2 w1\nquorum g\n", ""},
		{"a threshold below nobody", w(1) + "\ngroup g -1 w1\nquorum g\n", ""},
		{"a threshold of another spelling", w(1) + "\ngroup g 01 w1\nquorum g\n", ""},
		{"a threshold beyond all numbers", w(1) + "\ngroup g 99999999999999999999 w1\nquorum g\n", ""},
		{"a member twice", w(1) + "\ngroup g 2 w1 w1\nquorum g\n", ""},
		{"a member of two groups", strings.Join([]string{w(1), w(2), "group g 1 w1", "group h 2 w1 w2", "quorum h"}, "\n"), ""},
		{"none as a member", w(1) + "\ngroup g 1 w1 none\nquorum g\n", ""},
		{"a group by a witness's name", w(1) + "\ngroup w1 1 w1\nquorum w1\n", ""},

		{"too many witnesses", many(w) + "\nquorum w1\n", ""},
		{"too much text", strings.Repeat("#\n", 40<<10) + "quorum none\n", ""},
	} {
		p, err := ParsePolicy(row.text)
		if row.want == "" {
			if !errors.Is(err, ErrMalformed) || !p.IsZero() {
				t.Errorf("%s: %v, %v", row.name, p, err)
			}
			continue
		}
		if err != nil || p.String() != row.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", row.name, err, p, row.want)
			continue
		}
		if again, err := ParsePolicy(p.String()); err != nil || again.String() != row.want {
			t.Errorf("%s, read again: %v\n%s", row.name, err, again)
		}
	}
}

// TestAQuorumIsCountedAsItIsWritten compares each set of signers with the rule spelt out.
func TestAQuorumIsCountedAsItIsWritten(t *testing.T) {
	lines := make([]string, 0, 10)
	for i := range 6 {
		lines = append(lines, fmt.Sprintf("witness w%d %s", i, newWitness(t, "w.example", byte(10+i)).Key))
	}
	p := mustPolicy(t, append(lines, "group x 2 w0 w1 w2", "group y any w3 w4", "group z all x y w5", "quorum z")...)
	for set := range 1 << 6 {
		has := func(i int) bool { return set>>i&1 == 1 }
		signed := map[string]bool{}
		for i := range 6 {
			signed[fmt.Sprintf("w%d", i)] = has(i)
		}
		x := has(0) && has(1) || has(0) && has(2) || has(1) && has(2)
		if want := x && (has(3) || has(4)) && has(5); p.Met(signed) != want {
			t.Errorf("%06b: %v, want %v", set, !want, want)
		}
	}
	if !mustPolicy(t, "quorum none").Met(nil) || (Policy{}).Met(map[string]bool{"": false}) {
		t.Error("none asks for nobody; no policy is no permission")
	}
}

// TestMoreWitnessesNeverMakeLess: a quorum that is met stays met when others sign too.
func TestMoreWitnessesNeverMakeLess(t *testing.T) {
	keys := make([]string, 6)
	for i := range keys {
		keys[i] = newWitness(t, "w.example", byte(10+i)).Key
	}
	rapid.Check(t, func(r *rapid.T) {
		var lines, free []string
		for i, k := range keys {
			lines, free = append(lines, fmt.Sprintf("witness w%d %s", i, k)), append(free, fmt.Sprintf("w%d", i))
		}
		for g := 0; len(free) > 1; g++ {
			n := rapid.IntRange(1, len(free)).Draw(r, "members")
			members := rapid.Permutation(free).Draw(r, "order")
			lines = append(lines, fmt.Sprintf("group g%d %d %s", g, rapid.IntRange(1, n).Draw(r, "need"), strings.Join(members[:n], " ")))
			free = append(members[n:], fmt.Sprintf("g%d", g))
			if g > 8 {
				break
			}
		}
		p := mustPolicy(t, append(lines, "quorum "+free[len(free)-1])...)
		signed, more := map[string]bool{}, map[string]bool{}
		for i := range keys {
			name := fmt.Sprintf("w%d", i)
			signed[name] = rapid.Bool().Draw(r, "signed")
			more[name] = signed[name] || rapid.Bool().Draw(r, "more")
		}
		if p.Met(signed) && !p.Met(more) {
			r.Fatalf("%s\nmet by %v and not by %v", p, signed, more)
		}
	})
}

// FuzzPolicy: what is read is written in one form, which reads back as itself.
func FuzzPolicy(f *testing.F) {
	_, log := signerOf(f, 1, origin)
	f.Add("log " + log.String() + "\nwitness w " + newWitness(f, "w.example", 11).Key + " https://w.example\ngroup g any w\nquorum g\n")
	f.Add("quorum none")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePolicy(text)
		if err != nil {
			return
		}
		again, err := ParsePolicy(p.String())
		if err != nil || again.String() != p.String() {
			t.Fatalf("%v\n%s\nread again\n%s", err, p, again)
		}
		if !p.Met(allOf(p)) {
			t.Fatalf("all of them are not enough for\n%s", p)
		}
	})
}

func allOf(p Policy) map[string]bool {
	all := map[string]bool{}
	for _, w := range p.Witnesses() {
		all[w.Name] = true
	}
	return all
}
