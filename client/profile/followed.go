package profile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"handover/client"
	"handover/internal/strict"
)

// followedFile keeps the statements by which the hub's log went over to another key than the
// pinned one. Each is signed by the key before it, so whoever changes the file can have
// receipts refused, and no others accepted.
const followedFile = "log.json"

type followed struct {
	V           int      `json:"v"`
	Successions []string `json:"successions"`
}

func keepFollowed(dir string, successions []string) error {
	data, err := strict.Marshal(followed{1, successions})
	if err != nil {
		return err
	}
	return write(filepath.Join(dir, followedFile), append(data, '\n'))
}

func readFollowed(dir string) ([]string, error) {
	path := filepath.Join(dir, followedFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the log's keys: %w", err)
	}
	var f followed
	if err := strict.Unmarshal(data, &f); err != nil || f.V != 1 {
		return nil, fmt.Errorf("%s is damaged: delete it, and the hub is asked again", path)
	}
	return f.Successions, nil
}

// logKey is the pinned key, with those that followed it.
func (s Settings) logKey() (client.LogKey, error) {
	key, err := client.ParseLogKey(s.LogKey)
	if err != nil {
		return client.LogKey{}, err
	}
	return key.Followed(s.followed)
}
