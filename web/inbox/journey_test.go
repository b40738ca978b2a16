package inbox_test

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/partners"
	"handover/referral/managed"
	"handover/referral/packet"
	"handover/web/webtest"
)

// wing is two agencies with no IT, and people of each in their browsers.
type wing struct {
	hub                     *hubtest.Hub
	from, to                *hubtest.Agency
	service                 string
	worker, manager, sender *hubtest.Browser
	sends                   partners.Caller
}

func newWing(t *testing.T) wing {
	t.Helper()
	h := hubtest.Listening(t)
	w := wing{hub: h, from: h.Managed(t, "willow-outreach", partners.VAWGService), to: h.Managed(t, "larkfield-housing", partners.BoroughOutreach)}
	w.service = h.Offer(t, w.to)
	h.Agree(t, w.from, w.to)
	_, w.worker = h.Joined(t, w.to.ID, "Ayo Example", partners.Caseworker)
	_, w.manager = h.Joined(t, w.to.ID, "Dana Example", partners.Manager)
	_, w.sender = h.Joined(t, w.from.ID, "Sam Sample", partners.Caseworker)
	w.sends = h.Person(t, w.from.ID, partners.Caseworker).Caller(t)
	return w
}

// refer sends an urgent referral of a woman who agreed, and returns its id.
func (w wing) refer(t *testing.T) string {
	t.Helper()
	now, how := w.hub.Now().Unix(), hubtest.Asked()
	consent := record.Claims{ID: uuid.Must(uuid.NewV7()).String(), Jurisdiction: "GB-ENG", Agreement: "agreed", Method: "verbal-in-person", Purpose: "housing",
		Recipients: []string{string(w.to.ID)}, Sections: []string{"need"}, Onward: "none",
		Notice: record.Notice{Version: "1", Digest: ids.Digest("notice"), Language: "en"}, Bases: record.Bases{{Article6: "a", Article9: "a"}},
		Gate: record.Gate{Pathway: "none"}, GivenAt: now - 60, ValidFrom: now - 60, Expires: now + 30*24*3600}
	if _, err := w.hub.Desk.Record(t.Context(), w.sends, managed.Saying{Claims: consent, How: &how}); err != nil {
		t.Fatal(err)
	}
	entry, err := w.hub.Desk.Refer(t.Context(), w.sends, managed.Request{ID: uuid.Must(uuid.NewV7()).String(), To: w.to.ID, Consent: consent.ID, Purpose: "housing",
		Urgency: "urgent", Service: w.service, Area: hubtest.Area, Content: map[string]packet.Content{"need": packet.Content(`{"summary":"Quennell needs a room","safe_tonight":"no"}`)}})
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := w.hub.Log.Receipt(t.Context(), entry)
	if err != nil {
		t.Fatal(err)
	}
	return receipt.Referral
}

// TestACaseworkerTakesOnWhatComesWhileSheLooks is a day at the inbox on a phone: nothing there,
// one comes, she shows it, takes it on and gives it to her manager, who was not looking.
func TestACaseworkerTakesOnWhatComesWhileSheLooks(t *testing.T) {
	t.Parallel()
	w := newWing(t)
	b := webtest.Open(t, w.hub)
	b.As(w.worker)
	b.Visit("/inbox", ".govuk-inset-text")
	b.Inspect("inbox-empty")
	id := w.refer(t)
	b.Do("waiting for news", chromedp.WaitVisible(chromedp.CSS(".handover-live button")))
	if text := b.Text(); !strings.Contains(text, "1 new referral has come.") || !strings.Contains(text, "Show 1 new referral") || strings.Contains(text, ids.Reference(id)) {
		t.Errorf("the open list says %q", text)
	}
	b.Inspect("inbox-news")
	b.Click(".handover-live button", ".handover-card")
	b.Inspect("inbox-new")
	b.Click(".handover-card form button", ".govuk-notification-banner--success")
	if at := b.At(); at != "/inbox?done=claim&tab=mine" {
		t.Errorf("she is at %s", at)
	}
	b.Inspect("inbox-mine")
	b.Click(".handover-card__acts a", ".govuk-radios")
	b.Inspect("assign")
	b.Click("#to-2", "#to-2:checked")
	b.Click("main button", ".govuk-notification-banner--success")
	if text := b.Text(); !strings.Contains(text, "Your colleague has this referral now.") {
		t.Errorf("the list says %q", text)
	}
	b.Visit("/inbox?tab=open&urgency=urgent", ".handover-card")
	b.Inspect("inbox-filtered")
	b.Fill("#reference", "Q")
	b.Click("form[method=post] button.govuk-button--secondary", ".govuk-error-summary")
	b.Inspect("inbox-mistake")

	// The line goes, and comes back.
	b.Visit("/inbox", ".handover-live")
	offline := func(off bool) {
		webtest.Call(b, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: off, DownloadThroughput: -1, UploadThroughput: -1})
	}
	offline(true)
	b.Do("waiting to be told", chromedp.WaitVisible(chromedp.CSS(".handover-live [role=status]:not(:empty)")))
	if text := b.Text(); !strings.Contains(text, "What comes now is not shown.") {
		t.Errorf("offline, the list says %q", text)
	}
	offline(false)

	b.As(w.manager)
	w.hub.Exec(t, `UPDATE referral SET due_at = now() - interval '90 minutes', consent_ends = now() + interval '2 days'`)
	b.Visit("/inbox?tab=overdue", ".handover-card--late")
	b.Inspect("inbox-overdue")
	b.As(w.sender)
	b.Visit("/sent", ".handover-card")
	b.Inspect("sent")
	b.Clean()
}

// TestTheInboxWorksWithoutScript goes the same way with JavaScript off.
func TestTheInboxWorksWithoutScript(t *testing.T) {
	t.Parallel()
	w := newWing(t)
	b := webtest.Open(t, w.hub)
	b.NoScript()
	b.As(w.worker)
	b.Visit("/inbox", ".govuk-inset-text")
	id := w.refer(t)
	b.Click("a[href='/inbox?tab=new']", ".handover-card")
	b.Click(".handover-card form button", ".govuk-notification-banner--success")
	b.Click(".handover-card__acts a", ".govuk-radios")
	b.Click("#to-3", "#to-3:checked")
	b.Click("main button", ".govuk-notification-banner--success")
	b.Fill("#reference", strings.ToLower(ids.Reference(id)))
	b.Click("form[method=post] button.govuk-button--secondary", "h2.govuk-heading-m")
	if at := b.At(); at != "/inbox?reference="+ids.Reference(id) {
		t.Errorf("she is at %s", at)
	}
	b.Clean()
}
