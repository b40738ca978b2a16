package audit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
	"handover/internal/httpd"
	"handover/internal/strict"
)

// serve returns the URL of r's log and a client whose requests name a partner in
// their authorization.
func (r *rig) serve() (get func(path, partner string) (int, http.Header, []byte)) {
	r.t.Helper()
	router := httpd.Router()
	h := &Handler{
		Log: r.Log,
		Authenticated: func(next func(http.ResponseWriter, *http.Request) error) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if req.Header.Get("Authorization") == "" {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				httpd.Handle(next).ServeHTTP(w, req)
			})
		},
		Partner: func(req *http.Request) string { return req.Header.Get("Authorization") },
		Readers: func(next func(http.ResponseWriter, *http.Request, Reader) error) http.Handler {
			return httpd.Handle(func(w http.ResponseWriter, req *http.Request) error {
				partner := req.Header.Get("Authorization")
				return next(w, req, Reader{By: proof.Entry{Partner: partner}, All: true, Oversees: partner == "oversight-example"})
			})
		},
	}
	h.Mount(router)
	server := httptest.NewServer(router)
	r.t.Cleanup(server.Close)
	return func(path, partner string) (int, http.Header, []byte) {
		r.t.Helper()
		req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			r.t.Fatal(err)
		}
		if partner != "" {
			req.Header.Set("Authorization", partner)
		}
		res, err := server.Client().Do(req)
		if err != nil {
			r.t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			r.t.Fatal(err)
		}
		return res.StatusCode, res.Header, body
	}
}

func TestStrangersSeeCheckpointAndKeyOnly(t *testing.T) {
	r := newRig(t)
	r.logMany(300)
	get := r.serve()
	code, _, vkey := get("/v1/log/key", "")
	key, err := proof.ParseLogKey(strings.TrimSuffix(string(vkey), "\n"))
	if code != http.StatusOK || err != nil || key.String() != r.signer().Key().String() {
		t.Fatalf("key: %d %q, %v", code, vkey, err)
	}
	code, header, signed := get("/v1/log/checkpoint", "")
	tree, err := proof.OpenCheckpoint(signed, key)
	if code != http.StatusOK || err != nil || tree.N != 300 {
		t.Fatalf("checkpoint: %d, %v, %v", code, tree, err)
	}
	if got := header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
		t.Errorf("checkpoint as %s", got)
	}
	for _, path := range []string{
		"/v1/log/tile/0/000", "/v1/log/tile/entries/000", "/v1/log/proof?index=1&size=300", "/v1/log/proof?old=1&new=300",
		"/v1/log/proof?entry=01a15d7e-3c7b-7fff-bfff-ffffffffffff", "/v1/log/proof",
	} {
		if code, _, body := get(path, ""); code != http.StatusUnauthorized || len(body) != 0 {
			t.Errorf("GET %s by a stranger: %d %q", path, code, body)
		}
	}
}

// TestAnAuditorRebuildsTheTreeFromTilesAlone reads everything through HTTP, as
// C2SP tlog-tiles says, and checks it against the checkpoint.
func TestAnAuditorRebuildsTheTreeFromTilesAlone(t *testing.T) {
	r := newRig(t)
	r.logMany(600)
	get := r.serve()
	_, _, signed := get("/v1/log/checkpoint", "auditor")
	tree, err := proof.OpenCheckpoint(signed, r.signer().Key())
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(tiles []tlog.Tile) ([][]byte, error) {
		data := make([][]byte, len(tiles))
		for i, tile := range tiles {
			path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
			code, header, body := get("/v1/log/"+path, "auditor")
			if code != http.StatusOK || header.Get("Content-Type") != "application/octet-stream" {
				t.Fatalf("GET %s: %d %v", path, code, header)
			}
			data[i] = body
		}
		return data, nil
	}
	hashes := tlog.TileHashReader(tree, tileFetch(fetch))
	ref := newReference()
	for n := int64(0); n < tree.N; n += 256 {
		w := min(256, tree.N-n)
		path := "/v1/log/tile/entries/00" + strconv.FormatInt(n/256, 10)
		if w < 256 {
			path += ".p/" + strconv.FormatInt(w, 10)
		}
		code, _, bundle := get(path, "auditor")
		if code != http.StatusOK || int64(len(bundle)) != w*(2+proof.LeafSize) {
			t.Fatalf("GET %s: %d, %d bytes", path, code, len(bundle))
		}
		for i := range w {
			entry := bundle[i*(2+proof.LeafSize):][:2+proof.LeafSize]
			if entry[0] != 0 || entry[1] != proof.LeafSize {
				t.Fatalf("entry %d has length %d %d", n+i, entry[0], entry[1])
			}
			ref.add(entry[2:])
			want, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, n+i)})
			if err != nil {
				t.Fatal(err)
			}
			if i%50 == 0 && want[0] != tlog.RecordHash(entry[2:]) {
				t.Fatalf("entry %d is not the leaf of the tree", n+i)
			}
		}
	}
	if !bytes.Equal(ref.root(), tree.Hash[:]) {
		t.Error("the entries do not hash to the checkpoint")
	}
}

func TestAPartialTileIsTheBeginningOfTheFullOne(t *testing.T) {
	r := newRig(t)
	r.logMany(300)
	get := r.serve()
	_, _, full := get("/v1/log/tile/0/000", "auditor")
	if len(full) != 256*tlog.HashSize {
		t.Fatalf("a full tile of %d bytes", len(full))
	}
	for _, w := range []int{1, 7, 255} {
		code, _, part := get("/v1/log/tile/0/000.p/"+strconv.Itoa(w), "auditor")
		if code != http.StatusOK || !bytes.Equal(part, full[:w*tlog.HashSize]) {
			t.Errorf("partial tile of %d hashes: %d, %d bytes", w, code, len(part))
		}
	}
}

func TestAPathThatNamesNoTileIsNotFound(t *testing.T) {
	r := newRig(t)
	r.logMany(300)
	get := r.serve()
	for _, path := range []string{
		"0/001", "0/001.p/45", "0/002", "0/002.p/1", "1/000", "1/000.p/2", "2/000.p/1", "6/000.p/1", "7/000.p/1", "63/000.p/1",
		"00/000", "0/0", "0/00", "0/0000", "0/x000", "0/x000/000", "0/000.p/0", "0/000.p/256", "0/000.p/01", "0/000.p", "0/-01",
		"-1/000", "data/000", "8/0/000", "entries/001", "entries/001.p/45", "entries/002.p/1", "entries/x", "entries/", "entries/data/000",
		"0/000/", "0//000", "../checkpoint", "0/000.p/%31/", "0/999999999999999999999",
	} {
		if code, _, body := get("/v1/log/tile/"+path, "auditor"); code != http.StatusNotFound {
			t.Errorf("GET tile/%s: %d, %d bytes", path, code, len(body))
		}
	}
}

func TestProofsOverHTTPVerify(t *testing.T) {
	r := newRig(t)
	ids := r.logMany(120)
	r.logMany(60)
	get := r.serve()
	receipt := r.mustReceipt(ids[50])
	code, header, text := get("/v1/log/proof?entry="+ids[50].String(), "camden-outreach")
	if code != http.StatusOK || string(text) != receipt.Proof || header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("proof by entry: %d %q", code, text)
	}

	leaf, err := r.store.leaves(t.Context(), 33, 1)
	if err != nil {
		t.Fatal(err)
	}
	code, _, text = get("/v1/log/proof?index=33&size=180", "auditor")
	p, err := proof.ParseProof(text)
	if code != http.StatusOK || err != nil || p.Index != 33 {
		t.Fatalf("proof by index: %d, %v", code, err)
	}
	if tree, err := p.Verify(leaf[0], r.signer().Key()); err != nil || tree.N != 180 {
		t.Errorf("proof by index: %v, %v", tree, err)
	}

	for _, old := range []int64{0, 120, 180} {
		code, _, text = get("/v1/log/proof?new=180&old="+strconv.FormatInt(old, 10), "auditor")
		from, hashes, newer, err := proof.ParseConsistency(text)
		if code != http.StatusOK || err != nil || from != old {
			t.Fatalf("consistency from %d: %d, %v", old, code, err)
		}
		if older := r.checkpointOf(old); older != nil {
			if err := proof.VerifyConsistency(older, newer, hashes, r.signer().Key()); err != nil {
				t.Errorf("consistency from %d: %v", old, err)
			}
		}
	}
}

// checkpointOf returns the checkpoint of a size, or nil if the batches, which are of
// random size, made none.
func (r *rig) checkpointOf(size int64) []byte {
	signed, err := r.store.checkpoint(r.t.Context(), size)
	if err != nil {
		return nil
	}
	return signed
}

func TestAnothersEntryLooksLikeNone(t *testing.T) {
	r := newRig(t)
	id := r.logMany(3)[1]
	get := r.serve()
	absent := id
	absent[15] ^= 1
	_, _, none := get("/v1/log/proof?entry="+absent.String(), "camden-outreach")
	code, _, foreign := get("/v1/log/proof?entry="+id.String(), "stranger-example")
	if code != http.StatusNotFound || !bytes.Equal(none, foreign) {
		t.Errorf("another's entry: %d %s\nnone: %s", code, foreign, none)
	}
	if code, _, _ := get("/v1/log/proof?entry="+id.String(), "solace-example"); code != http.StatusOK {
		t.Errorf("an entry that names the partner: %d", code)
	}
}

func TestAQuestionInNoKnownFormIsAProblem(t *testing.T) {
	r := newRig(t)
	id := r.logMany(5)[0]
	get := r.serve()
	for query, want := range map[string]string{
		"":                                       "log-query-invalid",
		"?entry=x":                               "log-query-invalid",
		"?entry=":                                "log-query-invalid",
		"?entry=" + id.String() + "&size=5":      "log-query-invalid",
		"?entry=" + id.String() + "&entry=x":     "log-query-invalid",
		"?entry=" + strings.ToUpper(id.String()): "log-query-invalid",
		"?index=1":                               "log-query-invalid",
		"?index=x&size=5":                        "log-query-invalid",
		"?index=-1&size=5":                       "log-query-invalid",
		"?index=5&size=5":                        "log-query-invalid",
		"?index=1&size=99999999999999999999":     "log-query-invalid",
		"?index=1&size=5&x=1":                    "log-query-invalid",
		"?index=1&size=6":                        "no-such-entry",
		"?old=6&new=5":                           "log-query-invalid",
		"?old=-1&new=5":                          "log-query-invalid",
		"?old=1&new=6":                           "no-such-entry",
		"?old=1&new=x":                           "log-query-invalid",
		"?old=1;new=5":                           "log-query-invalid",
	} {
		_, _, body := get("/v1/log/proof"+query, "camden-outreach")
		var got map[string]any
		if err := strict.Unmarshal(body, &got); err != nil || got["code"] != want {
			t.Errorf("GET proof%s: %s, want %s", query, body, want)
		}
	}
}

func TestALogWithoutCheckpointSaysSo(t *testing.T) {
	r := newRig(t)
	id := r.log()
	get := r.serve()
	for _, path := range []string{"/v1/log/checkpoint", "/v1/log/proof?entry=" + id.String()} {
		if code, header, _ := get(path, "camden-outreach"); code != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
			t.Errorf("GET %s: %d %v", path, code, header)
		}
	}
}

func TestEntriesAreServedInPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.logMany(3)
	slices.SortFunc(ids, compare)
	if _, err := r.db.Owner.Exec(t.Context(), `UPDATE audit_entry SET salt = NULL, body = NULL, subject = NULL WHERE id = $1`, ids[1]); err != nil {
		t.Fatal(err)
	}
	waits := r.log()
	get := r.serve()
	type page struct {
		Entries    []entry `json:"entries"`
		Checkpoint string  `json:"checkpoint"`
	}
	var found []entry
	path := "/v1/log/entries?act=referral.request&limit=2"
	for path != "" {
		status, header, body := get(path, "solace-example")
		var p page
		if err := strict.Unmarshal(body, &p); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s: %v", status, body, err)
		}
		if header.Get("Cache-Control") != "no-store" {
			t.Error("it may be kept by whoever is between")
		}
		if _, err := proof.OpenCheckpoint([]byte(p.Checkpoint), r.signer().current); err != nil {
			t.Error(err)
		}
		found = append(found, p.Entries...)
		path = ""
		if link := header.Get("Link"); link != "" {
			path = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
		}
	}
	if len(found) != 3 || !found[1].Erased || found[1].ID != ids[1].String() || found[1].Entry != "" || found[1].Salt != "" {
		t.Fatalf("shown %+v, and %s waits", found, waits)
	}
	for i, e := range []entry{found[2], found[0]} {
		body, _ := base64.RawURLEncoding.DecodeString(e.Entry)
		salt, _ := base64.RawURLEncoding.DecodeString(e.Salt)
		stored, err := r.store.opening(t.Context(), ids[2*i])
		if err != nil || e.Index != int64(2*i) || !bytes.Equal(proof.Leaf([32]byte(salt), body), stored.leaf) {
			t.Errorf("entry %d is shown as %+v, %v", 2*i, e, err)
		}
	}
}

func TestAFilterThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.logMany(1)
	get := r.serve()
	for query, filter := range map[string]string{
		"partner=Camden":                  "partner",
		"partner=":                        "partner",
		"act=referral.requst":             "act",
		"outcome=Firewall":                "outcome",
		"subject=LPJNul":                  "subject",
		"referral=R-7K3F-9Q2M":            "referral",
		"consent=LPJNul":                  "consent",
		"from=yesterday":                  "from",
		"from=1969-12-31":                 "from",
		"to=2026-10-01T10:00:00":          "to",
		"from=2026-10-02&to=2026-10-01":   "to",
		"from=2026-10-01&to=2026-10-01":   "to",
		"after=1":                         "after",
		"limit=0":                         "limit",
		"limit=501":                       "limit",
		"act=refused&act=section.open":    "act",
		"kind=refused":                    "",
		"act=refused&agency=camden":       "",
		"act=%zz":                         "",
		"partner=camden-outreach;act=foo": "",
	} {
		status, _, body := get("/v1/log/entries?"+query, "camden-outreach")
		var p struct {
			Code   string `json:"code"`
			Filter string `json:"filter"`
		}
		if err := json.Unmarshal(body, &p); err != nil || status != http.StatusBadRequest || p.Code != ErrFilter.Code || p.Filter != filter {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
}
