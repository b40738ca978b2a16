package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxWitnessAnswer = 16 << 10           // a cosignature has 150 bytes, and a size fewer
	sizeType         = "text/x.tlog.size" // of the body of a 409 that says where the witness is
	witnessPath      = "/add-checkpoint"  // below a witness's URL
	checkpointType   = "text/plain; charset=utf-8"
)

// witnessAnswer is what a witness said to add-checkpoint (C2SP tlog-witness): one of
// these, or another status.
type witnessAnswer struct {
	cosigned  []byte // 200
	has       int64  // 409 with a size: it is of the tree that the witness has; else -1
	forked    bool   // 409 without: it has another tree of the old size
	rewritten bool   // 422: the proof does not lead from the tree it has
	stranger  bool   // 403 and 404: it does not know the log, or the log's key
	status    int
}

// witnessAsker asks witnesses.
type witnessAsker struct{ client *http.Client }

// newWitnessAsker returns one that follows no redirect: an answer counts from whom the
// operator named. It uses no proxy of the environment, reads no more than an answer can have, and its
// errors do not repeat the URL, in which an operator may have put a secret.
func newWitnessAsker() witnessAsker {
	return witnessAsker{&http.Client{
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 5 * time.Second,
			MaxResponseHeaderBytes: 16 << 10, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (a witnessAsker) close() { a.client.CloseIdleConnections() }

// CheckWitnessURL returns an error unless u can be a witness's submission prefix.
func CheckWitnessURL(u string) error {
	parsed, err := url.Parse(u)
	if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.User != nil ||
		parsed.RawQuery != "" || parsed.Fragment != "" {
		return errors.New("a witness's URL is http or https, a host, and a path if it has one")
	}
	return nil
}

// ask posts an add-checkpoint request.
func (a witnessAsker) ask(ctx context.Context, prefix string, body []byte) (witnessAnswer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(prefix, "/")+witnessPath, bytes.NewReader(body))
	if err != nil {
		return witnessAnswer{}, errors.New("the witness's URL cannot be asked")
	}
	r.Header.Set("Content-Type", checkpointType)
	r.Header.Set("User-Agent", "handover-hub")
	got, err := a.client.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URL
		}
		return witnessAnswer{}, fmt.Errorf("asking the witness: %w", err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(io.LimitReader(got.Body, maxWitnessAnswer+1))
	if err != nil || len(text) > maxWitnessAnswer {
		return witnessAnswer{}, errors.New("the witness's answer breaks off, or does not end")
	}
	return readAnswer(got.StatusCode, got.Header.Get("Content-Type"), text)
}

func readAnswer(status int, mediaType string, text []byte) (witnessAnswer, error) {
	a := witnessAnswer{status: status, has: -1}
	switch status {
	case http.StatusOK:
		a.cosigned = text
	case http.StatusConflict:
		if a.forked = mediaType != sizeType; a.forked {
			return a, nil
		}
		size, err := strconv.ParseInt(strings.TrimSuffix(string(text), "\n"), 10, 64)
		if err != nil || size < 0 {
			return a, errors.New("the witness says no size where it should")
		}
		a.has = size
	case http.StatusUnprocessableEntity:
		a.rewritten = true
	case http.StatusForbidden, http.StatusNotFound:
		a.stranger = true
	}
	return a, nil
}
