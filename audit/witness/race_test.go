package witness_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"handover/audit/proof"
	"handover/audit/witness"
	"handover/internal/httpd"
)

// ask is one request for a cosignature: the tree of size in history 0 or 1, which are the
// same up to forkAt, with a proof from old. The answer is a status and the size in a conflict.
type ask struct {
	history   int
	old, size int64
}

type answer struct {
	status int // 0: nobody knows, the process was killed
	size   int64
}

const forkAt = 10

// cosigned is what a witness must remember: the tree of its last cosignature.
type cosigned struct {
	history int // 0 as long as both are the same
	size    int64
}

func treeOf(history int, size int64) cosigned {
	if size <= forkAt {
		history = 0
	}
	return cosigned{history, size}
}

// next is the specification of add-checkpoint for one witness: what it must answer when it has
// cosigned s, and what it has cosigned then.
func next(s cosigned, in ask) (cosigned, answer) {
	switch to := treeOf(in.history, in.size); {
	case in.old != s.size:
		return s, answer{http.StatusConflict, s.size}
	case to.size == s.size && to != s:
		return s, answer{status: http.StatusConflict}
	case s.size > forkAt && to.history != s.history:
		return s, answer{status: http.StatusUnprocessableEntity}
	default:
		return to, answer{status: http.StatusOK}
	}
}

// oneWitness is that specification for porcupine: however many processes there are, their
// answers must be those of one witness that does one thing at a time.
func oneWitness() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{cosigned{}} },
		Step: func(state, input, output any) []any {
			s, in, out := state.(cosigned), input.(ask), output.(answer)
			to, want := next(s, in)
			switch {
			case out.status == 0 && to != s: // killed: before it was stored, or after
				return []any{s, to}
			case out.status == 0:
				return []any{s}
			case out != want:
				return nil
			}
			return []any{to}
		},
	}
	return m.ToModel()
}

// recorder is a history of requests for porcupine.
type recorder struct {
	mu      sync.Mutex
	began   time.Time
	history []porcupine.Operation
}

func (r *recorder) record(client int, in ask, do func() answer) answer {
	call := time.Since(r.began)
	out := do()
	back := time.Since(r.began) // also of a killed process: its connections end after its last thread
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history = append(r.history, porcupine.Operation{ClientId: client, Input: in, Call: int64(call), Output: out, Return: int64(back)})
	return out
}

// client asks for one tree after the other, at most n times, as a log would: when it is told the size that the
// witness is at, from there. Sometimes it is behind, sometimes it holds the other history.
func (r *recorder) client(id, n int, seed uint64, send func(ask) answer) {
	random := rand.New(rand.NewPCG(seed, uint64(id)))
	var known int64
	for range n {
		in := ask{history: random.IntN(2), old: known, size: known + random.Int64N(3)}
		if in.size >= entries {
			return
		}
		switch out := r.record(id, in, func() answer { return send(in) }); {
		case out.status == http.StatusOK:
			known = in.size
		case out.status == http.StatusConflict && out.size > 0:
			known = out.size
		}
	}
}

const entries = 400

func bothHistories(t *testing.T) [2]*history {
	t.Helper()
	return [2]*history{newHistory(t, 1, entries, 0, ""), newHistory(t, 1, entries, forkAt, " changed")}
}

// TestWitnessesOnOneStateNeverRollBack races several witnesses of one key on one state
// file, each without knowledge of the others as in a process of its own, over sizes that
// are the same or next to each other, from two histories that the log's key has signed.
func TestWitnessesOnOneStateNeverRollBack(t *testing.T) {
	histories := bothHistories(t)
	for round := range uint64(4) {
		skey, path := newState(t)
		r := &recorder{began: time.Now()}
		var clients sync.WaitGroup
		for id := range 4 {
			w := open(t, skey, path, histories[0].key)
			clients.Go(func() {
				r.client(id, 25, round, func(in ask) answer { return outcome(w.Add(histories[in.history].request(in.old, in.size))) })
			})
		}
		clients.Wait()
		if !porcupine.CheckOperations(oneWitness(), r.history) {
			t.Fatalf("round %d: no single witness could have answered so: %+v", round, r.history)
		}
	}
}

func outcome(_ []byte, err error) answer {
	conflict, ok := errors.AsType[*witness.ConflictError](err)
	switch {
	case err == nil:
		return answer{status: http.StatusOK}
	case ok:
		return answer{http.StatusConflict, conflict.Size}
	case errors.Is(err, witness.ErrForked):
		return answer{status: http.StatusConflict}
	case errors.Is(err, witness.ErrProof):
		return answer{status: http.StatusUnprocessableEntity}
	}
	return answer{status: -1}
}

// TestWitnessProcessesThatAreKilledNeverRollBack does the same with two processes that are
// killed at any moment and started again, and reads the state after each.
func TestWitnessProcessesThatAreKilledNeverRollBack(t *testing.T) {
	histories := bothHistories(t)
	skey, path := newState(t)
	r := &recorder{began: time.Now()}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	var clients sync.WaitGroup
	for id := range 2 {
		p := startProcess(t, skey, path, histories[0].key)
		running.Go(func() {
			defer p.kill()
			for n := 0; ctx.Err() == nil; n++ {
				pause := time.NewTimer(time.Duration(rand.Int64N(int64(30 * time.Millisecond))))
				select {
				case <-pause.C:
				case <-ctx.Done():
				}
				p.kill()
				// Whatever process reads it next finds a state, and one that it may go on from.
				if _, err := witness.Open(skey, path, []proof.LogKey{histories[0].key}); err != nil {
					t.Errorf("after a kill: %v", err)
				}
				if !p.start() {
					p.giveUp()
					return
				}
			}
		})
		for c := range 2 {
			clients.Go(func() {
				r.client(2*id+c, 120, 99, func(in ask) answer { return p.send(histories[in.history].request(in.old, in.size)) })
			})
		}
	}
	clients.Wait()
	stop()
	running.Wait()
	var oks, lost int
	for _, op := range r.history {
		switch op.Output.(answer).status {
		case http.StatusOK:
			oks++
		case 0:
			lost++
		}
	}
	t.Logf("%d requests, %d cosigned, %d answers lost to a kill", len(r.history), oks, lost)
	if oks == 0 || lost == 0 {
		t.Error("nothing was cosigned, or nothing was killed")
	}
	if !porcupine.CheckOperations(oneWitness(), r.history) {
		t.Fatalf("no single witness could have answered so: %+v", r.history)
	}
}

// process is a witness in a process of its own, this test's program.
type process struct {
	t    *testing.T
	args []string
	mu   sync.Mutex // guards what follows
	up   sync.Cond  // another url
	cmd  *exec.Cmd
	url  string
	gone bool
}

func startProcess(t *testing.T, skey, path string, log proof.LogKey) *process {
	t.Helper()
	p := &process{t: t, args: []string{skey, path, log.String()}}
	p.up.L = &p.mu
	if !p.start() {
		t.FailNow()
	}
	return p
}

func (p *process) start() bool {
	cmd := exec.Command(os.Args[0], p.args...)
	cmd.Env = append(os.Environ(), "HANDOVER_TEST_WITNESS=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Error(err)
		return false
	}
	if err := cmd.Start(); err != nil {
		p.t.Error(err)
		return false
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.t.Errorf("the witness did not start: %v", err)
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd, p.url = cmd, strings.TrimSpace(url)
	p.up.Broadcast()
	return true
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// send is an answer, or that nobody knows; then it returns when the process runs again.
func (p *process) send(body []byte) answer {
	p.mu.Lock()
	url := p.url
	p.mu.Unlock()
	got, err := http.Post(url+"/add-checkpoint", "text/plain", bytes.NewReader(body))
	if err != nil {
		p.again(url)
		return answer{}
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		p.again(url)
		return answer{}
	}
	out := answer{status: got.StatusCode}
	if got.Header.Get("Content-Type") == "text/x.tlog.size" {
		if out.size, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err != nil {
			return answer{status: -1}
		}
	}
	return out
}

// again waits for the process after the one at url.
func (p *process) again(url string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.url == url && !p.gone {
		p.up.Wait()
	}
}

// giveUp tells those who wait that there is no next process.
func (p *process) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	p.up.Broadcast()
}

// TestMain is the process of a witness when a test starts it as one.
func TestMain(m *testing.M) {
	if os.Getenv("HANDOVER_TEST_WITNESS") == "" {
		os.Exit(m.Run())
	}
	if err := serve(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(skey, path, log string) error {
	key, err := proof.ParseLogKey(log)
	if err != nil {
		return err
	}
	w, err := witness.Open(skey, path, []proof.LogKey{key})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	router := httpd.Router()
	w.Mount(router)
	fmt.Println("http://" + l.Addr().String())
	return http.Serve(l, router)
}
