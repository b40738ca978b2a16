package audit

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"handover/audit/proof"
	"handover/internal/httpd"
)

// halting is an answer of which only the first piece leaves until goOn is closed.
type halting struct {
	http.ResponseWriter
	halted, goOn chan struct{}
	once         *sync.Once
}

func (h halting) Write(b []byte) (int, error) {
	first := false
	h.once.Do(func() { first = true })
	if !first {
		select {
		case h.halted <- struct{}{}:
		default:
		}
		<-h.goOn
	}
	return h.ResponseWriter.Write(b)
}

func (h halting) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// exportServer serves exports of everything, of which only the first piece leaves until goOn
// is closed.
func (r *rig) exportServer() (server *httptest.Server, halted, goOn chan struct{}) {
	r.t.Helper()
	halted, goOn = make(chan struct{}, 16), make(chan struct{})
	h := &ExportHandler{Exporter: r.exporter()}
	h.Allow = func(next func(http.ResponseWriter, *http.Request, Asker) error) http.Handler {
		return httpd.Handle(func(w http.ResponseWriter, q *http.Request) error {
			return next(halting{w, halted, goOn, &sync.Once{}}, q, Asker{Partner: testEntry().Partner, By: proof.Entry{Partner: testEntry().Partner}})
		})
	}
	routes := httpd.Router()
	h.Mount(routes)
	server = httptest.NewServer(httpd.New(httpd.Options{}).Public(routes))
	r.t.Cleanup(server.Close)
	return server, halted, goOn
}

// ask asks for everything around now.
func ask(t *testing.T, server *httptest.Server) *http.Response {
	t.Helper()
	q := everything()
	answer, err := http.Get(server.URL + "/v1/log/export?from=" + q.From.UTC().Format(time.RFC3339) + "&to=" + q.To.UTC().Format(time.RFC3339)) //nolint:noctx // of the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// A hub that dies in the middle leaves what no reader takes for an export.
func TestAnExportOfAHubThatDiesIsNoExport(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.logMany(700)
	r.run()
	server, halted, goOn := r.exportServer()
	defer close(goOn)
	answer := ask(t, server)
	<-halted
	server.CloseClientConnections()
	got, err := io.ReadAll(answer.Body)
	if err == nil || len(got) == 0 {
		t.Fatalf("%d bytes and %v", len(got), err)
	}
	in := proof.NewExportReader(bytes.NewReader(got))
	for err = nil; err == nil; {
		_, err = in.Next()
	}
	if !errors.Is(err, proof.ErrUnfinished) {
		t.Error(err)
	}
}

// Whoever takes exports and does not read them cannot have all of the hub's connections.
func TestFewExportsAreMadeAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.logMany(700)
	r.run()
	server, halted, goOn := r.exportServer()
	var taken []*http.Response
	for range exportsAtOnce {
		taken = append(taken, ask(t, server))
		<-halted
	}
	if a := ask(t, server); a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("one too many is answered %d", a.StatusCode)
	}
	close(goOn)
	for _, a := range taken {
		file, err := io.ReadAll(a.Body)
		if err != nil || a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != proof.ExportMediaType {
			t.Fatalf("%d, %v", a.StatusCode, err)
		}
		r.readExport(file).verify(t)
	}
	if a := ask(t, server); a.StatusCode != http.StatusOK {
		t.Errorf("when there is room again: %d", a.StatusCode)
	}
}
