package referral

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWhatIsNotOnThePageIsNotDelivered gives a page that newer referrals have pushed
// one off from.
func TestWhatIsNotOnThePageIsNotDelivered(t *testing.T) {
	t.Parallel()
	page := []Summary{{ID: "new", Transport: "stored"}, {ID: "seen", Transport: "opened"}, {ID: "waits", Transport: "stored"}}
	fresh := []arrived{{packet: 1, of: row{id: "pushed off"}, digest: "pushed off"}, {packet: 2, of: row{id: "waits"}, digest: "waits"},
		{packet: 3, of: row{id: "seen"}, digest: "a later step"}, {packet: 4, of: row{id: "new"}, digest: "a later step"}}
	var delivered []int64
	for _, a := range markDelivered(page, fresh) {
		delivered = append(delivered, a.packet)
	}
	if diff := cmp.Diff([]int64{2, 3, 4}, delivered); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
	var shown []string
	for _, m := range page {
		shown = append(shown, m.Transport)
	}
	if diff := cmp.Diff([]string{"stored", "opened", "delivered"}, shown); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
}
