//go:build !unix

package witness

import (
	"errors"
	"os"
)

func exclusive(*os.File) error {
	return errors.New("a witness needs flock(2): it does not run on this system")
}
