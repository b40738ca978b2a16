package codes

import (
	"slices"
	"strings"
)

// The words in which she is told herself, on a slip and on her page. They say "you" to her,
// where the lists say "she" to workers, and a child of nine can read them.

// KindToHer says what kind of agency it is, after its name.
func KindToHer(category string) string {
	for code, kind := range map[string]string{
		"vawg-service": "a women’s service", "borough-outreach": "an outreach team", "housing": "a housing team",
		"primary-care": "a doctor’s surgery", "mental-health": "a mental health team", "substance-use": "a drug and alcohol team",
		"social-care": "a social care team", "legal-advice": "a legal advice team", "police": "the police",
		"oversight": "a team that checks our work",
	} {
		if code == category {
			return kind
		}
	}
	return "a team that works with us"
}

// SectionsToHer are the classes of data as she calls them, in the order of the format.
func SectionsToHer(names []string) []string {
	words := map[string]string{
		"identity": "who you are", "contact": "how to reach you", "safe-contact": "how to reach you safely", "need": "what you need",
		"risk": "what could hurt you", "health": "your health", "access-needs": "what makes it easier for you to take part",
		"housing": "your home", "children": "your children", "immigration": "your right to stay in this country",
		"justice": "police and courts", "location": "where you are", "history": "what happened before", "note": "a note from one worker to another",
	}
	var said []string
	for _, name := range append(Sections().Codes(), attachmentNames(names)...) {
		if !slices.Contains(names, name) {
			continue
		}
		if number, file := strings.CutPrefix(name, "attachment-"); file {
			said = append(said, "file "+number)
			continue
		}
		said = append(said, words[name])
	}
	return said
}

// attachmentNames are those of the names that are attachments, in order.
func attachmentNames(names []string) []string {
	var files []string
	for _, name := range slices.Sorted(slices.Values(names)) {
		if IsAttachment(name) {
			files = append(files, name)
		}
	}
	return files
}
