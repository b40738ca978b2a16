package signin_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"handover/internal/hubtest"
	"handover/oauth/signin"
	"handover/partners"
)

// What was begun before something ended, and comes to its end afterwards.

// slowly sends a request of the browser but for the last byte of its body; what it returns
// sends that, and gives the answer's status.
func slowly(t *testing.T, b *hubtest.Browser, path string, v any) (finish func() int) {
	t.Helper()
	body := jsonBody(t, v)
	r := b.Request(t, http.MethodPost, path, "application/json", body)
	in, out := io.Pipe()
	r.RequestURI, r.Body, r.ContentLength = "", in, int64(len(body))
	status := make(chan int, 1)
	go func() {
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		_ = answer.Body.Close()
		status <- answer.StatusCode
	}()
	if _, err := io.Copy(out, bytes.NewReader(body[:len(body)-1])); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // the hub has read the head, and asked who it is
	return func() int {
		if _, err := out.Write(body[len(body)-1:]); err != nil {
			t.Error(err)
		}
		_ = out.Close()
		return <-status
	}
}

// TestASlowRequestIsJudgedWhenItIsDone: whoever has her cookie may send a request slowly;
// what ends her session in the meantime ends that too.
func TestASlowRequestIsJudgedWhenItIsDone(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*hubtest.Hub, *hubtest.Browser, partners.User){
		"a recovery": func(h *hubtest.Hub, _ *hubtest.Browser, u partners.User) {
			if got := h.Browser().Join(t, must(h.Operator.Reissue(t.Context(), u.ID))); got.Status != 200 {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		},
		"signing out everywhere": func(_ *hubtest.Hub, b *hubtest.Browser, _ partners.User) {
			b.Form(t, "/account/sign-out-everywhere", nil)
		},
		"signing out": func(_ *hubtest.Hub, b *hubtest.Browser, _ partners.User) { b.Form(t, "/sign-out", nil) },
	} {
		h := hubtest.Listening(t)
		a := h.Agency(t, "larkfield-housing", partners.Housing)
		u, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
		thief, phone := sameCookies(h, b), h.Browser()
		finish := slowly(t, thief, addPath, map[string]any{"credential": phone.Device.Create(thief.Options(t, addPath, struct{}{}))})
		end(h, b, u)
		if status := finish(); status != http.StatusUnauthorized {
			t.Errorf("a passkey added after %s: %d", name, status)
		}
		want(t, phone.SignIn(t), 401, "sign-in-refused", "with that passkey, after "+name)
	}
}

// meanwhile does something once, while the provider's token endpoint is asked.
type meanwhile struct {
	http.RoundTripper
	do func()
}

func (m *meanwhile) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && m.do != nil {
		m.do()
		m.do = nil
	}
	return m.RoundTripper.RoundTrip(r)
}

// TestAProviderIsRemovedWithAllThatCameThroughIt: sessions, what systems were lent, and who
// is just coming.
func TestAProviderIsRemovedWithAllThatCameThroughIt(t *testing.T) {
	t.Parallel()
	i := startIDP(t)
	way := &meanwhile{RoundTripper: i.client.Transport}
	h := hubtest.Trusting(t, &http.Client{Transport: way, Timeout: 20 * time.Second, CheckRedirect: i.client.CheckRedirect})
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	i.set(t, h, a.ID)
	first, second := h.Browser(), h.Browser()
	back(t, first, i.visit(t, leave(t, first, toIDP), withMFA("ayo")))
	lent := partners.Bearer{User: caller(t, h, first).User(), Proved: time.Now()}
	admitted := func() bool {
		callers, err := h.Registry.Admit(t.Context(), []partners.Bearer{lent}, nil)
		return err == nil && callers[0] != nil
	}
	if !admitted() {
		t.Fatal("she may not act before either")
	}
	remove := func() error { return signin.NewStore(h.DB.Owner).RemoveProvider(t.Context(), a.ID) }
	for who, row := range map[string]struct {
		did  did
		ends func() error
	}{
		"somebody known":            {withMFA("ayo"), remove},
		"somebody new":              {withMFA("bea"), remove},
		"when it was set anew, she": {withMFA("ayo"), func() error { i.set(t, h, a.ID); return nil }},
	} {
		path := i.visit(t, leave(t, second, toIDP), row.did)
		way.do = func() {
			if err := row.ends(); err != nil {
				t.Error(err)
			}
		}
		if got := back(t, second, path); got.Status != http.StatusConflict || second.SignedIn(t) {
			t.Errorf("%s comes in through what was removed: %d %s", who, got.Status, got.Body)
		}
		if admitted() || first.SignedIn(t) {
			t.Error("what was proved through it still counts")
		}
		i.set(t, h, a.ID)
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM partner_user`); n != 1 {
		t.Errorf("%d people, want 1", n)
	}

	// A passkey from a time without the provider is no way in beside it.
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	own := h.Browser()
	if got := own.Join(t, must(h.Operator.Reissue(t.Context(), lent.User))); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	i.set(t, h, a.ID)
	want(t, own.SignIn(t), 409, "passkey-none", "a passkey beside the provider")
}

// TestASuspensionAndALinkWaitForEachOther, and the suspension does not fail for it.
func TestASuspensionAndALinkWaitForEachOther(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	admin := h.Person(t, a.ID, partners.Administrator).Caller(t)
	u, _ := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	link, err := h.Registry.Recover(t.Context(), admin, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	held := must(h.DB.Owner.Begin(t.Context()))
	if _, err := held.Exec(t.Context(), `SELECT FROM user_link WHERE user_id = $1 AND used_at IS NULL FOR UPDATE`, u.ID); err != nil {
		t.Fatal(err)
	}
	b := h.Browser()
	joined, suspended := make(chan int, 1), make(chan error, 1)
	go func() { joined <- b.Join(t, link.Code).Status }()
	blocked := []error{hubtest.Blocked(t, h, held, 1)}
	go func() {
		_, err := h.Registry.SuspendPerson(t.Context(), admin, u.ID)
		suspended <- err
	}()
	blocked = append(blocked, hubtest.Blocked(t, h, held, 2), held.Commit(t.Context()))
	if err := errors.Join(append(blocked, <-suspended)...); err != nil {
		t.Errorf("the suspension: %v", err)
	}
	if status := <-joined; status != http.StatusOK || b.SignedIn(t) || b.SignIn(t).Status == http.StatusOK {
		t.Errorf("the link, which came first: %d; and then she is in, and suspended", status)
	}
}
