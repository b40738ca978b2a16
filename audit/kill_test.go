package audit

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/internal/pg"
	"handover/internal/pgtest"
)

// What a hub is doing when it, or its server, dies.
const (
	appending  = "append"  // one entry in a transaction of the caller's
	directly   = "direct"  // entries that get their places in that transaction
	sequencing = "batch"   // what waits gets its places
	succeeding = "succeed" // another key follows the log's
)

// The environment by which this test binary is started as a hub that is to die.
const (
	victimDoes = "HANDOVER_TEST_VICTIM"
	victimAt   = "HANDOVER_TEST_VICTIM_DATABASE"
)

// beVictim is a hub in a process of its own. It says when it is ready, waits for leave, does
// its work, and names what it would have told a caller is in the log.
func beVictim(does, address string) error {
	ctx := context.Background()
	h, err := openVictim(ctx, address)
	if err != nil {
		return err
	}
	if err := h.prepare(ctx, does); err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	told, err := h.do(ctx, does)
	for _, id := range told {
		fmt.Println(id)
	}
	return err
}

// victim is a hub that may die.
type victim struct {
	log, hub *pgxpool.Pool
	*Log
	seed byte // of the log's key
}

// seeds is how many keys the log of this test can have had.
const seeds = 100

func openVictim(ctx context.Context, address string) (*victim, error) {
	var candidates []ed25519.PublicKey
	for seed := byte(1); seed <= seeds; seed++ {
		candidates = append(candidates, testKey(seed).Public().(ed25519.PublicKey))
	}
	v := &victim{}
	var err error
	if v.hub, err = pg.Open(ctx, address, pg.RoleHub, 2); err != nil {
		return nil, err
	}
	if v.log, err = pg.Open(ctx, address, pg.RoleLog, minLogPool); err != nil {
		return nil, err
	}
	current, err := CurrentKey(ctx, v.log, testOrigin, candidates)
	if err != nil {
		return nil, err
	}
	for v.seed = 1; !testKey(v.seed).Public().(ed25519.PublicKey).Equal(current); v.seed++ {
	}
	signer, err := NewSigner(testOrigin, testKey(v.seed))
	if err != nil {
		return nil, err
	}
	v.Log, err = Open(ctx, v.log, v.hub, signer, func() time.Time { return time.Now().Add(time.Hour) })
	return v, err
}

// prepare brings the hub to where its work begins.
func (v *victim) prepare(ctx context.Context, does string) error {
	if does == directly { // it knows the tree, and its sequencer is in order
		c, err := v.store.session(ctx)
		if err != nil {
			return err
		}
		defer c.close(ctx)
		if err := v.sequence(ctx, c); err != nil {
			return err
		}
		v.mu.Lock()
		v.running = true
		v.mu.Unlock()
	}
	return nil
}

// do does the work, and returns the entries that a caller would have been told are in the log.
func (v *victim) do(ctx context.Context, does string) ([]EntryID, error) {
	e := testEntry()
	switch does {
	case appending:
		var id EntryID
		err := pgx.BeginFunc(ctx, v.hub, func(tx pgx.Tx) (err error) {
			id, err = Append(ctx, tx, e)
			return err
		})
		return []EntryID{id}, err
	case directly:
		d, err := v.placeDirectly(ctx, 3)
		if err != nil {
			return nil, err
		}
		return d.IDs(), nil
	case sequencing:
		c, err := v.store.session(ctx)
		if err != nil {
			return nil, err
		}
		defer c.close(ctx)
		return nil, v.sequence(ctx, c)
	default:
		_, err := v.Succeed(ctx, testKey(v.seed+1))
		return nil, err
	}
}

func (v *victim) close() {
	v.hub.Close()
	v.log.Close()
}

// TestNothingIsLostForkedOrLoggedTwiceWhereverTheHubDies has a hub die by SIGKILL before each
// message that it sends to its database, one after another, and others go on with what it has
// left: of a statement that came and one that did not, nothing is half done.
func TestNothingIsLostForkedOrLoggedTwiceWhereverTheHubDies(t *testing.T) {
	t.Parallel()
	for _, does := range []string{appending, directly, sequencing, succeeding} {
		t.Run(does, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			s := newSurvivor(t, db.URL, db.Owner)
			p, through := newTap(t, db.URL)
			deaths := 0
			for ; ; deaths++ {
				s.waiting(deaths % 3)
				told, dead := s.kill(p, through, does, deaths)
				s.goOn(told)
				if !dead {
					break
				}
			}
			if deaths < 6 {
				t.Errorf("the hub died in %d places only", deaths)
			}
			t.Logf("died in %d places", deaths)
			s.wantAll()
		})
	}
}

// kill starts a hub as a process of its own and kills it before its message number after. It
// returns what the hub had told before, and whether it was killed.
func (s *survivor) kill(p *tap, through, does string, after int) (told []string, dead bool) {
	s.t.Helper()
	program, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), program)
	cmd.Env = append(os.Environ(), victimDoes+"="+does, victimAt+"="+through)
	cmd.Stderr = s.t.Output()
	leave, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	if !said.Scan() || said.Text() != "ready" {
		s.t.Fatalf("the hub does not get ready: %q, %v", said.Text(), cmd.Wait())
	}
	p.arm(after, func(int) { _ = cmd.Process.Signal(syscall.SIGKILL) })
	if _, err := leave.Write([]byte("\n")); err != nil {
		s.t.Fatal(err)
	}
	for said.Scan() {
		told = append(told, said.Text())
	}
	err = cmd.Wait()
	dead, before := p.disarm()
	if !dead && err != nil {
		s.t.Fatalf("the hub failed by itself: %v", err)
	}
	s.before = before
	return told, dead
}

// TestNothingIsLostForkedOrLoggedTwiceWhereverTheServerDies kills the process of PostgreSQL that
// serves the hub, before each statement, by SIGKILL: all its sessions end, and it recovers.
func TestNothingIsLostForkedOrLoggedTwiceWhereverTheServerDies(t *testing.T) {
	t.Parallel()
	server, err := pg.StartBuiltIn(t.Context(), pgtest.Dir(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	if err := pg.Migrate(t.Context(), server.URL()); err != nil {
		t.Fatal(err)
	}
	owner, err := pg.Open(t.Context(), server.URL(), "", 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(owner.Close)
	s := newSurvivor(t, server.URL(), owner)
	for _, does := range []string{directly, sequencing} {
		deaths := 0
		for ; ; deaths++ {
			s.waiting(1)
			if !s.crash(server.URL(), does, deaths) {
				break
			}
		}
		if deaths < 3 {
			t.Errorf("%s: the server died in %d places only", does, deaths)
		}
		t.Logf("%s: the server died in %d places", does, deaths)
	}
	s.wantAll()
}

// crash has a hub do its work while the server dies before statement number after, and reports
// whether it did.
func (s *survivor) crash(address, does string, after int) bool {
	s.t.Helper()
	p, through := newTap(s.t, address)
	p.counts = "QE" // a statement is executed
	v, err := openVictim(s.t.Context(), through)
	if err == nil {
		err = v.prepare(s.t.Context(), does)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	other, err := pgx.Connect(s.t.Context(), address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer other.Close(context.Background())
	p.arm(after, func(backend int) { _ = syscall.Kill(backend, syscall.SIGKILL) })
	told, err := v.do(s.t.Context(), does)
	dead, before := p.disarm()
	v.close()
	if !dead && err != nil {
		s.t.Fatalf("it failed by itself: %v", err)
	}
	s.before = before
	var ids []string
	if err == nil {
		for _, id := range told {
			ids = append(ids, id.String())
		}
	}
	if dead {
		s.recovered(other)
	}
	s.goOn(ids)
	return dead
}

// recovered waits until the server has ended all its sessions, other among them, and takes new
// ones.
func (s *survivor) recovered(other *pgx.Conn) {
	s.t.Helper()
	ctx := bounded(s.t)
	_, _ = other.WaitForNotification(ctx)
	s.owner.Reset()
	for ctx.Err() == nil {
		if s.owner.Ping(ctx) == nil {
			return
		}
		pause(ctx, 10*time.Millisecond)
	}
	s.t.Fatal("the server does not come back")
}

// survivor is another hub on the same database, and what it has been told is in the log.
type survivor struct {
	t       testing.TB
	address string
	owner   *pgxpool.Pool
	told    []string
	before  string // what the last one died before
}

func newSurvivor(t testing.TB, address string, owner *pgxpool.Pool) *survivor {
	s := &survivor{t: t, address: address, owner: owner}
	s.goOn(nil)
	return s
}

// waiting puts n entries into the queue.
func (s *survivor) waiting(n int) {
	s.t.Helper()
	for range n {
		err := pgx.BeginFunc(s.t.Context(), s.owner, func(tx pgx.Tx) error {
			_, err := Append(s.t.Context(), tx, testEntry())
			return err
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// goOn is what happens after a death: a hub starts on what is left and sequences. Every entry
// has one place, there is no gap, and nothing that a caller was told is missing.
func (s *survivor) goOn(told []string) {
	s.t.Helper()
	s.told = append(s.told, told...)
	ctx := bounded(s.t)
	v, err := openVictim(ctx, s.address)
	if err != nil {
		s.t.Fatalf("after a death before %s: %v", s.before, err)
	}
	defer v.close()
	if _, err := v.do(ctx, sequencing); err != nil {
		s.t.Fatalf("after a death before %s: %v", s.before, err)
	}
	var entries, placed, waiting, last, covered, missing int64
	err = s.owner.QueryRow(ctx, `SELECT (SELECT count(*) FROM audit_entry), (SELECT count(DISTINCT entry) FROM audit_leaf), (SELECT count(*) FROM audit_pending),
		(SELECT coalesce(max(idx), -1) + 1 FROM audit_leaf), (SELECT max(size) FROM audit_checkpoint),
		(SELECT count(*) FROM unnest($1::text[]) t WHERE NOT EXISTS (SELECT FROM audit_leaf WHERE entry = t::uuid))`, s.told).
		Scan(&entries, &placed, &waiting, &last, &covered, &missing)
	if err != nil {
		s.t.Fatal(err)
	}
	if placed != entries || last != entries || covered != entries || waiting != 0 || missing != 0 {
		s.t.Fatalf("after a death before %s: of %d entries %d have places up to %d, %d are covered, %d wait, and %d are missing that were acknowledged",
			s.before, entries, placed, last, covered, waiting, missing)
	}
}

// wantAll checks, by a second Merkle library, all that is stored: each entry once and without a
// gap, and all checkpoints on one line.
func (s *survivor) wantAll() {
	s.t.Helper()
	ctx := bounded(s.t)
	v, err := openVictim(ctx, s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer v.close()
	rows, err := s.owner.Query(ctx, `SELECT id FROM audit_entry`)
	if err != nil {
		s.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[EntryID])
	if err != nil {
		s.t.Fatal(err)
	}
	r := &rig{t: s.t, db: &pgtest.DB{URL: s.address, Owner: s.owner, Hub: v.hub, Log: v.log}, Log: v.Log}
	r.wantHistory(all)
	if found := r.compared(); len(found) > 0 {
		s.t.Errorf("the log and its rows differ: %v", found)
	}
}
