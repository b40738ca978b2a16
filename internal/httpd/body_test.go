package httpd_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"handover/internal/httpd"
)

type note struct {
	To   string `json:"to"`
	Text string `json:"text"`
}

const bodyLimit = 64

// reads is a hub whose one route decodes a note and answers with it.
func reads() *hub {
	h := newHub(httpd.Options{})
	h.router.Handle("/v1/notes", httpd.Handle(func(w http.ResponseWriter, r *http.Request) error {
		n, err := httpd.Decode[note](w, r, bodyLimit)
		if err != nil {
			return err
		}
		httpd.JSON(w, http.StatusOK, n)
		return nil
	})).Methods(http.MethodPost)
	return h
}

func TestOnlyStrictJSONIsRead(t *testing.T) {
	const good = `{"to":"a","text":"b"}`
	rows := []struct {
		name   string
		body   string
		media  []string
		coding string
		status int
		code   string
		member [2]string
	}{
		{name: "plain", body: good, media: []string{"application/json"}, status: 200},
		{name: "with charset", body: good, media: []string{"Application/JSON; charset=UTF-8"}, status: 200},
		{name: "identity coding", body: good, media: []string{"application/json"}, coding: "identity", status: 200},
		{name: "space around", body: " \n" + good + "\t", media: []string{"application/json"}, status: 200},
		{name: "as long as the limit", body: good + strings.Repeat(" ", bodyLimit-len(good)), media: []string{"application/json"}, status: 200},

		{name: "no media type", body: good, status: 415, code: "unsupported-media-type", member: [2]string{"expected", "application/json"}},
		{name: "form", body: good, media: []string{"application/x-www-form-urlencoded"}, status: 415, code: "unsupported-media-type"},
		{name: "plain text, as a form on a web page could send it", body: good, media: []string{"text/plain"}, status: 415, code: "unsupported-media-type"},
		{name: "two media types", body: good, media: []string{"application/json", "text/plain"}, status: 415, code: "unsupported-media-type"},
		{name: "other charset", body: good, media: []string{"application/json; charset=utf-16"}, status: 415, code: "unsupported-media-type"},
		{name: "unknown parameter", body: good, media: []string{"application/json; profile=x"}, status: 415, code: "unsupported-media-type"},
		{name: "broken media type", body: good, media: []string{"application/json; ;"}, status: 415, code: "unsupported-media-type"},
		{name: "suffix", body: good, media: []string{"application/vnd.x+json"}, status: 415, code: "unsupported-media-type"},
		{name: "compressed", body: good, media: []string{"application/json"}, coding: "gzip", status: 415, code: "unsupported-media-type"},

		{name: "one byte over the limit", body: good + strings.Repeat(" ", bodyLimit-len(good)+1), media: []string{"application/json"}, status: 413, code: "body-too-large", member: [2]string{"limit", "64"}},

		{name: "empty", body: "", media: []string{"application/json"}, status: 400, code: "malformed-json"},
		{name: "null", body: " null ", media: []string{"application/json"}, status: 400, code: "malformed-json"},
		{name: "duplicate name", body: `{"to":"a","text":"b","to":"c"}`, media: []string{"application/json"}, status: 400, code: "malformed-json"},
		{name: "duplicate name by escape", body: `{"to":"a","\u0074o":"c"}`, media: []string{"application/json"}, status: 400, code: "malformed-json"},
		{name: "unknown member", body: `{"to":"a","cc":"b"}`, media: []string{"application/json"}, status: 400, code: "malformed-json", member: [2]string{"offset", "10"}},
		{name: "name in another case", body: `{"To":"a"}`, media: []string{"application/json"}, status: 400, code: "malformed-json"},
		{name: "trailing value", body: good + `{}`, media: []string{"application/json"}, status: 400, code: "malformed-json", member: [2]string{"offset", "21"}},
		{name: "trailing letter", body: good + `x`, media: []string{"application/json"}, status: 400, code: "malformed-json"},
		{name: "invalid UTF-8", body: "{\"to\":\"\xff\"}", media: []string{"application/json"}, status: 400, code: "malformed-json"},
		{name: "lone surrogate", body: `{"to":"\ud800"}`, media: []string{"application/json"}, status: 400, code: "malformed-json"},
		{name: "byte order mark", body: "\ufeff" + good, media: []string{"application/json"}, status: 400, code: "malformed-json"},
		{name: "other type", body: `{"to":1}`, media: []string{"application/json"}, status: 400, code: "malformed-json"},
		{name: "array", body: `["a"]`, media: []string{"application/json"}, status: 400, code: "malformed-json"},
		{name: "cut", body: `{"to":"a"`, media: []string{"application/json"}, status: 400, code: "malformed-json"},
		{name: "comment", body: `{"to":"a"/**/}`, media: []string{"application/json"}, status: 400, code: "malformed-json"},
	}
	for _, row := range rows {
		// The same verdict whether the length was announced or not.
		for _, length := range []string{"announced", "chunked"} {
			t.Run(row.name+" "+length, func(t *testing.T) {
				var body io.Reader = strings.NewReader(row.body)
				if length == "chunked" {
					body = io.MultiReader(body) // hides the length
				}
				r := httptest.NewRequest(http.MethodPost, "/v1/notes", body)
				r.Header["Content-Type"] = row.media
				if row.coding != "" {
					r.Header.Set("Content-Encoding", row.coding)
				}
				w := reads().do(r)
				if row.status == http.StatusOK {
					if w.Code != 200 || w.Body.String() != good {
						t.Errorf("%d %s", w.Code, w.Body)
					}
					return
				}
				p := problem(t, w, row.status, row.code)
				if row.member[0] != "" && p[row.member[0]] != row.member[1] {
					t.Errorf("%s = %v, want %q", row.member[0], p[row.member[0]], row.member[1])
				}
			})
		}
	}
}

func TestRefusedJSONLeavesNoHalfReadValue(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"to":"a","text":1}`))
	r.Header.Set("Content-Type", "application/json")
	got, err := httpd.Decode[note](httptest.NewRecorder(), r, bodyLimit)
	if err == nil {
		t.Fatal("accepted")
	}
	if diff := cmp.Diff(note{}, got); diff != "" {
		t.Errorf("a refused body was half read (-want +got):\n%s", diff)
	}
}

func TestBodyReturnsTheVeryBytes(t *testing.T) {
	want := bytes.Repeat([]byte{0, 0xff, 'x', '\n'}, 100_000)
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(want))
	r.Header.Set("Content-Type", "application/vnd.handover.packet+json")
	got, err := httpd.Body(httptest.NewRecorder(), r, int64(len(want)), "application/vnd.handover.packet+json")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestABodyThatEndsEarlyIsRefused(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/v1/notes", io.MultiReader(strings.NewReader(`{}`), iotest.ErrReader(io.ErrUnexpectedEOF)))
	r.Header.Set("Content-Type", "application/json")
	w := reads().do(r)
	if p := problem(t, w, 400, "body-incomplete"); p["retry"] != true {
		t.Errorf("retry = %v", p["retry"])
	}
	if w.Header().Get("Connection") != "close" {
		t.Error("the connection stays open with the rest of a body in it")
	}
}

func TestABodyAnnouncedTooLargeIsNotRead(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/v1/notes", iotest.ErrReader(errors.New("it was read")))
	r.Header.Set("Content-Type", "application/json")
	r.ContentLength = bodyLimit + 1
	w := reads().do(r)
	problem(t, w, 413, "body-too-large")
	if w.Header().Get("Connection") != "close" {
		t.Error("the connection stays open with a body in it that nobody reads")
	}
}
