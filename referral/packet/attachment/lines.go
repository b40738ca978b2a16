package attachment

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Lines writes sealed chunks to w, one a line.
func Lines(w io.Writer) Put {
	return func(_ int, chunk string) error {
		if _, err := io.WriteString(w, chunk+"\n"); err != nil {
			return fmt.Errorf("keeping a sealed chunk: %w", err)
		}
		return nil
	}
}

// FromLines reads what Lines wrote. It must be asked in order. A line that does not end,
// or is longer than any chunk, comes as it is and is refused by whoever opens it.
func FromLines(r io.Reader) Next {
	lines := bufio.NewReaderSize(r, ChunkLimit+2)
	return func(int) (string, error) {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull), errors.Is(err, io.EOF) && len(line) > 0:
			return string(line) + "…", nil
		case errors.Is(err, io.EOF):
			return "", io.EOF
		case err != nil:
			return "", fmt.Errorf("reading sealed chunks: %w", err)
		}
		return string(line[:len(line)-1]), nil
	}
}
