package hubtest

import (
	"regexp"
	"strings"
	"testing"
)

// Readable holds a text that a woman reads herself, or hears, to what a child of nine can read:
// by the grade of Flesch and Kincaid, which is her age less five, with no sentence over 20 words
// and no word over four syllables. Lines are sentences that may end without a full stop, as the
// points of a list do. Words in names are hers to know, and are left out of the measure.
func Readable(t testing.TB, name string, lines []string, names ...string) {
	t.Helper()
	words, sentences, syllables := 0, 0, 0
	for _, line := range lines {
		for _, n := range names {
			line = strings.ReplaceAll(line, n, "Ayo")
		}
		for sentence := range strings.FieldsFuncSeq(line, func(r rune) bool { return strings.ContainsRune(".?!:", r) }) {
			of := strings.Fields(sentence)
			if len(of) == 0 {
				continue
			}
			if sentences++; len(of) > 20 {
				t.Errorf("%s has a long sentence: %s", name, sentence)
			}
			for _, word := range of {
				n := syllablesOf(word)
				if words, syllables = words+1, syllables+n; n > 4 {
					t.Errorf("%s has a long word: %s", name, word)
				}
			}
		}
	}
	if words == 0 {
		t.Fatalf("%s says nothing", name)
	}
	grade := 0.39*float64(words)/float64(sentences) + 11.8*float64(syllables)/float64(words) - 15.59
	if grade > 4 {
		t.Errorf("%s is for a reader of %.1f years", name, grade+5)
	}
}

var vowels = regexp.MustCompile(`[aeiouy]+`)

// syllablesOf counts roughly, as is usual: groups of vowels, but not a silent e.
func syllablesOf(word string) int {
	word = strings.ToLower(word)
	n := len(vowels.FindAllString(word, -1))
	if strings.HasSuffix(word, "e") && !strings.HasSuffix(word, "le") || strings.HasSuffix(word, "ed") {
		n--
	}
	return max(n, 1)
}
