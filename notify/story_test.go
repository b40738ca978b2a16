package notify_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/notify"
	"handover/partners"
	"handover/referral/packet"
)

// TestWhoeverSomethingAwaitsIsTold plays what happens to referrals and consents, and looks at what the webhooks of
// both sides were told: everything that awaits them, once, in the order of the log, and nothing else.
func TestWhoeverSomethingAwaitsIsTold(t *testing.T) {
	t.Parallel()
	h := hub(t)
	p := h.Pair(t, partners.BoroughOutreach)
	sending, receiving := receive(t), receive(t)
	from, to := add(t, administrator(t, h, p.From.ID), sending.URL), add(t, administrator(t, h, p.To.ID), receiving.URL)

	s := p.Sent(t, "need")
	round(t, h)
	received := p.Step(t, p.To, packet.Receive, s.Digest, s.Digest)
	asked := p.Step(t, p.To, packet.Ask, s.Digest, received.Digest)
	answered := p.Step(t, p.From, packet.Answer, s.Digest, asked.Digest)
	p.Step(t, p.To, packet.Accept, s.Digest, answered.Digest)
	p.To.Open(t, s.Digest, "", "need")
	unopened := p.Sent(t, "need")
	p.From.Withdraw(t, p.Consent)
	if err := h.Aftermath.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	round(t, h)

	told := func(r *receiver) (all []string) {
		for _, m := range r.got() {
			about := m.data(t)["data"].(map[string]any)
			name := map[any]string{s.Digest: "first", unopened.Digest: "second"}[about["referral"]]
			if about["recall"] != nil {
				name = "question"
			}
			all = append(all, m.data(t)["type"].(string)+" "+name)
		}
		return all
	}
	// The entries of what follows a withdrawal have one time, and so no order among themselves.
	inOrder := func(all []string, n int) []string {
		slices.Sort(all[min(n, len(all)):])
		return all
	}
	if diff := cmp.Diff([]string{"referral.received first", "referral.moved first", "referral.received second",
		"consent.withdrawn first", "consent.withdrawn second", "recall.asked question", "referral.moved second"}, inOrder(told(receiving), 3)); diff != "" {
		t.Errorf("the recipient was told (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"referral.moved first", "referral.asked first", "referral.moved first",
		"consent.withdrawn first", "recall.asked question", "referral.moved second"}, inOrder(told(sending), 3)); diff != "" {
		t.Errorf("the sender was told (-want +got):\n%s", diff)
	}
	first := receiving.got()[0]
	want := map[string]any{"specversion": "1.0", "id": first.id(), "source": hubtest.Issuer, "type": "referral.received",
		"time": first.data(t)["time"], "timestamp": first.data(t)["time"], "dataref": hubtest.Issuer + "/v1/referrals/" + s.Digest,
		"data": map[string]any{"referral": s.Digest, "reference": ids.Reference(s.Digest), "urgency": "routine"}}
	if diff := cmp.Diff(want, first.data(t)); diff != "" {
		t.Errorf("the message (-want +got):\n%s", diff)
	}
	if at, err := time.Parse(time.RFC3339, first.data(t)["time"].(string)); err != nil || time.Since(at) > time.Minute || first.Header.Get("Content-Type") != notify.MediaType {
		t.Errorf("%v %v", first.data(t)["time"], first.Header)
	}
	neverSaid(t, h, p, append(receiving.got(), sending.got()...))
	for _, m := range receiving.got() {
		if v1, v1a := m.holds(to.Secret, key(t, h)); !v1 || !v1a {
			t.Errorf("signatures hold: v1 %v, v1a %v", v1, v1a)
		}
		if v1, _ := m.holds(from.Secret, key(t, h)); v1 {
			t.Error("one agency's secret checks another's messages")
		}
	}
	verifiedByOthers(t, first, to.Secret, key(t, h))
	round(t, h)
	if len(receiving.got()) != 7 || len(sending.got()) != 6 {
		t.Error("something was told twice")
	}
}

// neverSaid looks in messages, headers and all, for what none may say.
func neverSaid(t *testing.T, h *hubtest.Hub, p hubtest.Pair, posts []post) {
	t.Helper()
	forbidden := map[string]string{"the service": p.Service, "the purpose": "housing", "the area": hubtest.Area, "the sender": string(p.From.ID), "the recipient": string(p.To.ID),
		"a section": `"need`, "the consent": p.Consent.ID}
	for _, subject := range hubtest.Column[string](t, h, `SELECT subject FROM referral`) {
		forbidden["her reference"] = subject
	}
	for _, m := range posts {
		head, _ := json.Marshal(m.Header)
		for what, word := range forbidden {
			if strings.Contains(m.Body+string(head), word) {
				t.Errorf("%s is told: %s %s", what, head, m.Body)
			}
		}
	}
}

// verifiedByOthers has libraries that are not ours check a message: npm's standardwebhooks the
// symmetric signature, Node the other.
func verifiedByOthers(t *testing.T, m post, secret, key string) {
	t.Helper()
	header := map[string]string{}
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		header[name] = m.Header.Get(name)
	}
	in, _ := json.Marshal(map[string]any{"headers": header, "body": m.Body, "secret": secret, "key": key})
	node := exec.CommandContext(t.Context(), "node", "webhook.mjs")
	node.Dir, node.Stdin = "../internal/interop", bytes.NewReader(in)
	out, err := node.CombinedOutput()
	if err != nil {
		t.Fatalf("%v (run npm ci in internal/interop first; make test does)\n%s", err, out)
	}
	if got, want := strings.TrimSpace(string(out)), `{"v1":"referral.received","v1a":true,"forged":[false,false,false]}`; got != want {
		t.Errorf("others find %s, want %s", got, want)
	}
}

func TestAWebhookIsToldOnlyWhatItWants(t *testing.T) {
	t.Parallel()
	h := hub(t)
	p := h.Pair(t, partners.BoroughOutreach)
	admin, r := administrator(t, h, p.From.ID), receive(t)
	w := add(t, admin, r.URL, notify.Asked)
	s := p.Sent(t)
	received := p.Step(t, p.To, packet.Receive, s.Digest, s.Digest)
	p.Step(t, p.To, packet.Ask, s.Digest, received.Digest)
	admin.Post(t, "/v1/webhooks/"+w.ID+"/test", struct{}{}).Into(t, http.StatusAccepted, &struct{}{})
	round(t, h)
	var types []any
	for _, m := range r.got() {
		types = append(types, m.data(t)["type"])
	}
	if diff := cmp.Diff([]any{"referral.asked", "test"}, types); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if about := r.got()[1].data(t)["data"].(map[string]any); about["webhook"] != w.ID || len(about) != 1 {
		t.Errorf("a test says %v", about)
	}
}

// TestSheWhoRecordedAConsentIsToldThatAnotherTookItBack: her own withdrawal she knows of.
func TestSheWhoRecordedAConsentIsToldThatAnotherTookItBack(t *testing.T) {
	t.Parallel()
	h := hub(t)
	p := h.Pair(t, partners.BoroughOutreach)
	r := receive(t)
	add(t, administrator(t, h, p.From.ID), r.URL)
	own := p.From.Record(t, hubtest.Subject(), p.Named())
	p.From.Withdraw(t, own)
	if a := p.To.Withdraw(t, p.Consent); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if err := h.Aftermath.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	round(t, h)
	if got := r.got(); len(got) != 1 || got[0].data(t)["type"] != "consent.withdrawn" || got[0].data(t)["data"].(map[string]any)["consent"] != p.Consent.ID {
		t.Errorf("told %v", got)
	}
}
