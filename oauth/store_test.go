package oauth

import (
	"errors"
	"log/slog"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/internal/pg"
	"handover/internal/pgtest"
	"handover/partners"
)

// spend uses a proof alone, as the guard does.
func (h *hub) spend(p dpopProof) error {
	var batch pgx.Batch
	uses := newSpending([]*admission{{proof: p}})
	uses.queue(&batch)
	if err := h.db.Hub.SendBatch(h.t.Context(), &batch).Close(); err != nil {
		return err
	}
	answers, err := NewStore(h.db.Hub).judge(h.t.Context(), uses)
	if err != nil {
		return err
	}
	return answers[0]
}

// crash does to the memory of proofs what a crash of the server does.
func (h *hub) crash() { h.exec(`TRUNCATE oauth_proof, oauth_memory`) }

func (h *hub) proof(jti string, age time.Duration) dpopProof {
	issued := h.clock.now().Add(-age)
	return dpopProof{thumbprint: "t", issued: issued, ahead: issued.After(h.clock.now()), use: useOf("proof", "t", jti)}
}

func TestAUseIsOfOneKindOwnerAndName(t *testing.T) {
	t.Parallel()
	seen := map[use]bool{}
	for _, u := range []use{useOf("proof", "a", "b"), useOf("assertion", "a", "b"), useOf("proof", "b", "a"), useOf("proof", "", "a b"), useOf("proof", "a", "b\x00c"), useOf("proof", "a", "")} {
		if seen[u] {
			t.Error("two uses are one")
		}
		seen[u] = true
	}
}

func TestAfterACrashNoProofCountsThatMayHaveBeenUsed(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	used, future := h.proof("used", 0), h.proof("future", -8*time.Second)
	for _, p := range []dpopProof{used, future} {
		if err := h.spend(p); err != nil {
			t.Fatal(err)
		}
		if err := h.spend(p); !errors.Is(err, errProofUsed) {
			t.Fatalf("used twice: %v", err)
		}
	}
	h.crash()
	for _, p := range []dpopProof{used, future, h.proof("fresh", 0)} {
		if err := h.spend(p); !errors.Is(err, errMemoryLost) {
			t.Errorf("before the memory is begun anew: %v", err)
		}
	}
	if err := h.store.remember(t.Context(), h.clock.now()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for name, p := range map[string]dpopProof{"used": used, "future": future, "fresh, but as old as the crash": h.proof("fresh", 0)} {
			p.ahead = false // by now its time has come
			if err := h.spend(p); !errors.Is(err, errMemory) || errors.Is(err, errMemoryLost) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	h.clock.t = time.Now().Add(10 * time.Second) // beyond the latest time accepted, and the second for clocks
	later := h.proof("later", 0)
	if err := h.spend(later); err != nil {
		t.Errorf("a proof made after the crash: %v", err)
	}
	if err := h.spend(later); !errors.Is(err, errProofUsed) {
		t.Errorf("the new memory forgets: %v", err)
	}
}

// TestProofsThatComeTogetherAreEachJudgedAlone spends a used proof, one that comes twice,
// fresh ones, and one of a time that may have been forgotten, in one round trip.
func TestProofsThatComeTogetherAreEachJudgedAlone(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	used, twice := h.proof("used", 0), h.proof("twice", 0)
	if err := h.spend(used); err != nil {
		t.Fatal(err)
	}
	h.exec(`UPDATE oauth_memory SET since = $1`, h.clock.now().Add(-30*time.Second))
	h.exec(`INSERT INTO oauth_revoked VALUES ('token', now()), ('grant', now())`)
	group := []*admission{{proof: twice}, {proof: used}, {proof: h.proof("a", 0)}, {proof: h.proof("old", 40*time.Second)}, {proof: twice},
		{proof: h.proof("b", -5*time.Second)}, {held: access{id: "token"}, proof: h.proof("c", 0)},
		{held: access{id: "other", grant: "grant"}, proof: h.proof("d", 0)}, {held: access{id: "other", grant: "another"}, proof: h.proof("e", 0)}}
	want := []error{nil, errProofUsed, nil, errMemory, errProofUsed, nil, errRevoked, errRevoked, nil}
	uses := newSpending(group)
	var batch pgx.Batch
	uses.queue(&batch)
	if err := h.db.Hub.SendBatch(t.Context(), &batch).Close(); err != nil {
		t.Fatal(err)
	}
	answers, err := h.store.judge(t.Context(), uses)
	if err != nil {
		t.Fatal(err)
	}
	for i, err := range answers {
		if !errors.Is(err, want[i]) {
			t.Errorf("proof %d: %v, want %v", i, err, want[i])
		}
	}
	if n := h.number(`SELECT count(*) FROM oauth_proof`); n != 5 {
		t.Errorf("%d proofs are marked as used, want 5", n)
	}
	if n := h.number(`SELECT count(*) FROM oauth_ahead WHERE issued > $1`, h.clock.now().Add(4*time.Second)); n != 1 {
		t.Error("the time of the proof that was ahead is not kept")
	}
}

// TestBearersThatComeTogetherAreEachJudgedAlone admits good ones among others.
func TestBearersThatComeTogetherAreEachJudgedAlone(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	good, other, gone, revoked := h.enrol("camden-outreach"), h.enrol("hackney-housing"), h.enrol("gone"), h.enrol("revoked")
	registry := partners.NewStore(h.db.Owner, nil)
	if err := registry.Suspend(t.Context(), gone.partner); err != nil {
		t.Fatal(err)
	}
	h.exec(`UPDATE partner_key SET revoked_at = now() WHERE kid = $1`, revoked.auth.KeyID())
	bearer := func(a agency, scopes ...partners.Scope) partners.Bearer {
		return partners.Bearer{Client: a.client, Granted: scopes, AuthKey: a.auth.KeyID()}
	}
	crossed := bearer(good)
	crossed.AuthKey = other.auth.KeyID() // a key of somebody else
	callers, err := partners.NewStore(h.db.Hub, nil).Admit(t.Context(), []partners.Bearer{
		bearer(gone), bearer(good, partners.ReferralsSend, partners.HubAdmin), {Client: "nobody"}, bearer(other, partners.AuditRead),
		bearer(revoked), crossed, bearer(good)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []partners.ID{"", good.partner, "", other.partner, "", "", good.partner}
	for i, c := range callers {
		if got := c; (got == nil) != (want[i] == "") || got != nil && got.Partner() != want[i] {
			t.Errorf("bearer %d is %v, want %q", i, got, want[i])
		}
	}
	if c := callers[1]; !c.Has(partners.ReferralsSend) || c.Has(partners.HubAdmin) || c.Has(partners.AuditRead) {
		t.Error("her scopes are not those that were granted and are still hers")
	}
	if callers[6].Has(partners.ReferralsSend) || !callers[3].Has(partners.AuditRead) {
		t.Error("scopes are taken from a neighbour")
	}
}

// TestAfterACrashHonestClientsWaitSecondsOnly: without a proof ahead of the clock, the
// time refused is the second that allows for clocks which differ.
func TestAfterACrashHonestClientsWaitSecondsOnly(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(*hub, agency, string) *http.Request{
		"API":   func(h *hub, a agency, token string) *http.Request { return h.call(a, token).request(h.t) },
		"token": func(h *hub, a agency, _ string) *http.Request { return h.ask(a).request(h.t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHub(t)
			a := h.enrol("camden-outreach")
			token := h.token(a)
			h.crash()
			for range 2 {
				if w := h.do(send(h, a, token)); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "2" {
					t.Fatalf("just after the crash: %d %v", w.Code, w.Header())
				}
			}
			if n := h.number(`SELECT count(*) FROM oauth_assertion`); n != 1 {
				t.Errorf("%d assertions are marked as used: a 503 burnt one", n)
			}
			h.clock.t = time.Now().UTC().Truncate(time.Second).Add(3 * time.Second)
			if w := h.do(send(h, a, token)); w.Code != http.StatusOK {
				t.Errorf("three seconds later: %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestTheNewMemoryAllowsForClocksThatDiffer(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.crash()
	now := time.Now().Add(time.Minute) // by a hub whose clock is fast
	if err := h.store.remember(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if n := h.number(`SELECT count(*) FROM oauth_memory WHERE since = $1::timestamptz + interval '1 second'`, now); n != 1 {
		t.Error("a proof is trusted that another hub may have accepted before the crash")
	}
}

func TestPruneForgetsOnlyWhatCannotCount(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.exec(`INSERT INTO oauth_assertion SELECT sha256(n::text::bytea), now() - $1::interval FROM generate_series(1, 12000) n`, assertionMemory+time.Second)
	h.exec(`INSERT INTO oauth_proof SELECT sha256(n::text::bytea), now() - $1::interval FROM generate_series(1, 12000) n`, proofMemory+time.Second)
	h.exec(`INSERT INTO oauth_assertion SELECT sha256('kept'), now() - $1::interval`, maxAssertionLife+ahead+behind)
	h.exec(`INSERT INTO oauth_proof SELECT sha256('kept'), now() - $1::interval`, ahead+behind)
	a := h.enrol("camden-outreach")
	h.exec(`INSERT INTO oauth_revoked VALUES ('kept', now() + interval '1 second'), ('gone', now() - interval '1 second')`)
	h.exec(`INSERT INTO oauth_grant (client, request_digest, request_expires_at, redirect_uri, state, challenge, scopes)
		SELECT $1, sha256(n::text::bytea), now() + interval '1 minute' * n, '', '', repeat('c', 43), '{audit:read}' FROM generate_series(-1, 1, 2) n`, a.client)
	h.exec(`INSERT INTO oauth_grant (client, request_digest, request_expires_at, redirect_uri, state, challenge, scopes, user_id, proved_at, code_digest, code_expires_at, log_entry)
		SELECT $1, sha256('code' || n::text::bytea), now() - interval '23 hours' * n, '', '', repeat('c', 43), '{audit:read}', $2, now(), sha256(n::text::bytea), now() - interval '23 hours' * n,
			(SELECT id FROM audit_entry LIMIT 1) FROM generate_series(1, 2) n`, a.client, h.person(a, partners.Caseworker))
	if err := h.store.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := h.number(`SELECT count(*) FROM oauth_revoked WHERE name = 'kept'`); n != 1 || h.number(`SELECT count(*) FROM oauth_revoked`) != 1 {
		t.Error("of what was revoked, not just that is left which can still be shown")
	}
	if n := h.number(`SELECT count(*) FROM oauth_grant`); n != 2 {
		t.Errorf("%d grants are left, want the one that waits and the one that ended less than a day ago", n)
	}
	for _, table := range []string{"oauth_assertion", "oauth_proof"} {
		all := h.number(`SELECT count(*) FROM ` + table)
		kept := h.number(`SELECT count(*) FROM ` + table + ` WHERE digest = sha256('kept')`)
		if all != 1 || kept != 1 {
			t.Errorf("%s: %d rows are left, %d of those that can count", table, all, kept)
		}
	}
	h.crash()
	if err := h.store.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := h.number(`SELECT count(*) FROM oauth_memory`); n != 1 {
		t.Error("the memory was not begun anew")
	}
}

func TestTheMemoryOfProofsIsUnloggedAndThatOfAssertionsIsNot(t *testing.T) {
	t.Parallel()
	h := &hub{t: t, db: pgtest.New(t)}
	for table, want := range map[string]string{"oauth_proof": "u", "oauth_memory": "u", "oauth_assertion": "p", "oauth_ahead": "p"} {
		var got string
		if err := h.db.Owner.QueryRow(t.Context(), `SELECT relpersistence::text FROM pg_class WHERE relname = $1`, table).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s is %q, want %q", table, got, want)
		}
	}
}

// TestAKilledServerProcessLosesTheMemoryAndSaysSo is why the server's start time is
// not asked: it does not change when one process is killed, yet the proofs are gone.
func TestAKilledServerProcessLosesTheMemoryAndSaysSo(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server, err := pg.StartBuiltIn(ctx, pgtest.Dir(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := pg.Migrate(ctx, server.URL()); err != nil {
		t.Fatal(err)
	}
	h := &hub{t: t, clock: &clock{time.Now().UTC()}, db: &pgtest.DB{}}
	if h.db.Hub, err = pg.Open(ctx, server.URL(), pg.RoleHub, 2); err != nil {
		t.Fatal(err)
	}
	defer h.db.Hub.Close()
	h.store = NewStore(h.db.Hub)
	used := h.proof("used", 0)
	if err := h.spend(used); err != nil {
		t.Fatal(err)
	}
	started := func() (at time.Time, pid int, err error) {
		err = h.db.Hub.QueryRow(ctx, `SELECT pg_postmaster_start_time(), pg_backend_pid()`).Scan(&at, &pid)
		return at, pid, err
	}
	before, pid, err := started()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// Until the server has noticed it still knows the proof, then it is away for a
	// moment, then it has lost it. Accepted it is never.
	for deadline := time.Now().Add(time.Minute); ; {
		err := h.spend(used)
		if errors.Is(err, errMemoryLost) {
			break
		}
		if err == nil || time.Now().After(deadline) {
			t.Fatalf("a replay in and after the crash: %v", err)
		}
	}
	if after, _, err := started(); err != nil || !after.Equal(before) {
		t.Errorf("the start time changed (%v): this test no longer shows what it is for", err)
	}
	if err := h.store.Prune(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.spend(used); !errors.Is(err, errMemory) {
		t.Errorf("a replay after the memory was begun anew: %v", err)
	}
}
