package consents_test

import (
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/web/consents"
)

// What every woman is told, a child of nine can follow; and no word of it changes under a
// version that records name already.
func TestTheNoticeIsPlainAndKeepsItsVersion(t *testing.T) {
	hubtest.Readable(t, "the notice", consents.Notice())
	const of20261 = "6ZPFX3ebWONj7Syb85sVvskI9P7MJN4gYkY3bKdfvfQ"
	if got := ids.Digest(strings.Join(consents.Notice(), "\n")); consents.NoticeVersion != "handover-2026-1" || got != of20261 {
		t.Errorf("the text of %s has the digest %s: give a changed text another version", consents.NoticeVersion, got)
	}
}
