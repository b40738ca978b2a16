package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// stalledAfter is how long an answer that is taken as it comes may bring nothing.
const stalledAfter = 60 * time.Second

// stream sends a request and gives the body of a good answer to into. However long it is, it
// may take its time, as long as something arrives.
func (c *Client) stream(request *http.Request, into func(io.Reader) error) (response, error) {
	ctx, cancel := context.WithCancel(request.Context())
	defer cancel()
	patient := *c.http
	patient.Timeout = 0 // of the whole answer
	stalled := time.AfterFunc(stalledAfter, cancel)
	defer stalled.Stop()
	answer, err := patient.Do(request.WithContext(ctx))
	if err != nil {
		return response{}, fmt.Errorf("reaching the hub: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return c.whole(request, answer)
	}
	r := response{status: answer.StatusCode, header: answer.Header}
	return r, into(readerFunc(func(b []byte) (int, error) {
		stalled.Reset(stalledAfter)
		return answer.Body.Read(b)
	}))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
