package profile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"handover/client"
)

// policyFile keeps the pinned policy of witnesses, as text that people can compare.
const policyFile = "witnesses.txt"

// Policy is the pinned policy of witnesses, or the zero Policy.
func (s Settings) Policy() client.Policy { return s.policy }

// PinPolicy keeps the policy of witnesses that documents must meet from now on.
func PinPolicy(dir string, p client.Policy) error {
	return write(filepath.Join(dir, policyFile), []byte(p.String()))
}

func readPolicy(dir string) (client.Policy, error) {
	path := filepath.Join(dir, policyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return client.Policy{}, nil
	}
	if err != nil {
		return client.Policy{}, fmt.Errorf("reading the policy of witnesses: %w", err)
	}
	p, err := client.ParsePolicy(string(text))
	if err != nil { // not taken for none: who damages it would be rid of the witnesses
		return client.Policy{}, fmt.Errorf("%s is damaged: pin the policy again with handover audit policy --pin FILE", path)
	}
	return p, nil
}
