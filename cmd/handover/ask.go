package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// What can become of a question instead of an answer.
var (
	errNoAnswer = errors.New("nobody answers any more")
	errStopped  = errors.New("stopped")
)

// ask asks one question and returns the answer, which is not empty.
func (a *app) ask(question string) (string, error) {
	line, err := a.line(question + ": ")
	if errors.Is(err, errNoAnswer) {
		return "", usage("%s is missing", question)
	}
	return line, err
}

// line asks for one line. Whoever presses Ctrl-C is obeyed at once, and not only when the
// line has come: what she has typed until then is left as it was.
func (a *app) line(prompt string) (string, error) {
	if a.lines == nil {
		a.lines = bufio.NewReader(a.in)
	}
	_, _ = io.WriteString(a.talk, plain(prompt))
	type answer struct {
		text string
		err  error
	}
	came := make(chan answer, 1)
	go func() {
		text, err := a.lines.ReadString('\n')
		came <- answer{text, err}
	}()
	select {
	case r := <-came:
		text := strings.TrimSpace(r.text)
		if text == "" && r.err != nil {
			return "", errNoAnswer
		}
		return text, nil
	case <-a.root.Context().Done():
		_, _ = fmt.Fprintln(a.talk)
		return "", errStopped
	}
}
