// Package coredump keeps the memory of a process that holds private keys out of files
// and out of the reach of others on the machine: a crash must not write to a disk what
// was wrapped so that it is on none.
//
// Swap is another way from memory to a disk, and not stopped here: Go's collector moves
// and copies, so locking single pages would promise more than it keeps, and locking all
// of them wants a limit that services rarely have. The operator turns swap off or
// encrypts it; the service unit does (MemorySwapMax=0).
package coredump

import "errors"

// ErrTraceback says that the environment asks for a core dump.
var ErrTraceback = errors.New("GOTRACEBACK is set so that a crash dumps the memory, which holds keys: unset it")

// Refuse returns ErrTraceback when the value of GOTRACEBACK asks the runtime to end a
// crash by SIGABRT, or to leave it to the system's crash reporter. The runtime never
// goes below what the environment said, so there is nothing to set it back with.
func Refuse(traceback string) error {
	if traceback == "crash" || traceback == "wer" {
		return ErrTraceback
	}
	return nil
}
