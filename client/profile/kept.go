package profile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"handover/client"
)

// Where the profile keeps checkpoints of the hub's log, and what shows that the log was
// rewritten. Neither is ever written over.
const (
	checkpointFolder = "checkpoints"
	evidenceFolder   = "evidence"
	checkpointName   = ".checkpoint"
)

// KeptCheckpoints returns the signed checkpoints that are kept in a profile's directory, the
// smallest log first. Whose they are, whoever uses them verifies.
func KeptCheckpoints(dir string) ([][]byte, error) {
	found, err := os.ReadDir(filepath.Join(dir, checkpointFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the kept checkpoints: %w", err)
	}
	var kept [][]byte
	for _, f := range found { // by name, which begins with the size
		if !strings.HasSuffix(f.Name(), checkpointName) {
			continue
		}
		note, err := os.ReadFile(filepath.Join(dir, checkpointFolder, f.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading a kept checkpoint: %w", err)
		}
		kept = append(kept, note)
	}
	return kept, nil
}

// KeepCheckpoint keeps a checkpoint that was verified, and returns the file. One of the same
// size that is kept already stays as it is.
func KeepCheckpoint(dir string, c client.Checkpoint) (string, error) {
	folder := filepath.Join(dir, checkpointFolder)
	return keepOnce(folder, fmt.Sprintf("%019d%s", c.Size, checkpointName), []byte(c.Note))
}

// KeepEvidence keeps the two checkpoints that do not agree, and returns their folder.
func KeepEvidence(dir string, r *client.Rewritten) (string, error) {
	folder := filepath.Join(dir, evidenceFolder, fmt.Sprintf("%d-%d-%.8s", r.Kept.Size, r.Shown.Size, strings.NewReplacer("/", "_", "+", "-").Replace(r.Shown.Root)))
	for name, text := range map[string]string{"kept" + checkpointName: r.Kept.Note, "shown" + checkpointName: r.Shown.Note, "README": r.Error() + ".\n"} {
		if _, err := keepOnce(folder, name, []byte(text)); err != nil {
			return "", err
		}
	}
	return folder, nil
}

// keepOnce writes a file unless there is one of that name.
func keepOnce(folder, name string, data []byte) (string, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("making a folder for checkpoints: %w", err)
	}
	path := filepath.Join(folder, name)
	if _, err := os.Lstat(path); err == nil {
		return path, nil
	}
	return path, write(path, data)
}
