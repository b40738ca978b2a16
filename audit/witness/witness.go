// Package witness puts cosignatures under the checkpoints of logs whose growth it has
// followed (C2SP tlog-witness). It holds no copy of a log and sees nothing of what is in
// it: sizes, root hashes, signatures.
//
//   - witness.go decides about one checkpoint (Add).
//   - state.go keeps the newest cosigned checkpoint of each log in one file, so that
//     check and store are one step for any number of processes.
//   - http.go serves add-checkpoint.
//
// What is guaranteed: of two trees of one log that got a cosignature, the one cosigned
// earlier is the beginning of the one cosigned later, for as long as the state file is kept. A
// state that is missing, cut, of another key, or older than what this process has
// cosigned is refused: starting again from nothing would put a cosignature under any
// history.
package witness

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
)

// Why a checkpoint gets no cosignature.
var (
	ErrMalformed  = errors.New("this is no add-checkpoint request")                                  // 400
	ErrOldTooBig  = fmt.Errorf("%w: the old size is above the checkpoint's", ErrMalformed)           // 400
	ErrUnknownLog = errors.New("this witness does not follow this log")                              // 404
	ErrSignature  = errors.New("none of the log's known keys signed the checkpoint")                 // 403
	ErrForked     = errors.New("this witness has cosigned another tree of this size")                // 409
	ErrProof      = errors.New("the checkpoint does not continue the one this witness has cosigned") // 422
)

// ConflictError means that the old size is not that of the newest cosigned checkpoint:
// the same request with a proof from Size will do.
type ConflictError struct{ Size int64 }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("the newest checkpoint this witness has cosigned is of size %d", e.Size)
}

// Witness is one witness. Other processes may serve the same key from the same state
// file.
type Witness struct {
	Logger *slog.Logger // where refusals that show a rewritten log are told; set it before the first Add

	self   proof.Witness
	signer note.Signer
	logs   map[string][]proof.LogKey // by origin
	state  *stateFile

	mu   sync.Mutex // held over check and store
	seen map[string]tlog.Tree
}

// Open returns the witness of the private key skey, as NewKey makes it, with the state
// file that was made with the key. It follows the logs of the given keys; several keys of
// one origin may each sign. It fails when the state is missing, of another key, or holds
// a checkpoint of one of these logs that none of its keys signed.
func Open(skey, path string, logs []proof.LogKey) (*Witness, error) {
	signer, self, err := parseKey(skey)
	if err != nil {
		return nil, err
	}
	w := &Witness{
		Logger: slog.New(slog.DiscardHandler), self: self, signer: signer, logs: map[string][]proof.LogKey{},
		state: &stateFile{path: path, witness: self.Key}, seen: map[string]tlog.Tree{},
	}
	for _, l := range logs {
		w.logs[l.Origin()] = append(w.logs[l.Origin()], l.Alone())
	}
	return w, w.Ready()
}

// Self is the public side of the witness.
func (w *Witness) Self() proof.Witness { return w.self }

// Ready returns nil if the state file is there and is not behind what this process has
// cosigned.
func (w *Witness) Ready() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.locked(func(s *state) error { return w.know(s) })
}

// know reads the trees of the followed logs out of the state. A tree that is behind one
// that this process has seen means that the file was set back: what was cosigned since is
// unknown to it.
func (w *Witness) know(s *state) error {
	for origin := range w.logs {
		tree, err := w.newest(s, origin)
		if err != nil {
			return err
		}
		if seen := w.seen[origin]; tree.N < seen.N || tree.N == seen.N && seen.N > 0 && tree != seen {
			return fmt.Errorf("%w: it was set back", ErrState)
		}
		w.seen[origin] = tree
	}
	return nil
}

// newest is the tree of the newest cosigned checkpoint of a log; of size 0 before the first.
func (w *Witness) newest(s *state, origin string) (tlog.Tree, error) {
	checkpoint := s.checkpoint(origin)
	if checkpoint == nil {
		return tlog.Tree{}, nil
	}
	tree, err := w.open(origin, checkpoint)
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("%w: none of the given keys signed its checkpoint of %s: give all keys that this log has had", ErrState, origin)
	}
	return tree, nil
}

// open returns the tree of a checkpoint that one of the log's keys signed.
func (w *Witness) open(origin string, checkpoint []byte) (tlog.Tree, error) {
	err := ErrUnknownLog
	for _, key := range w.logs[origin] {
		var tree tlog.Tree
		if tree, err = proof.OpenCheckpoint(checkpoint, key); err == nil {
			return tree, nil
		}
	}
	return tlog.Tree{}, err
}

// Add decides about the body of an add-checkpoint request, and returns the line of the
// cosignature. Each check cites C2SP tlog-witness's answer beside its error above.
//
// Checking against the newest checkpoint and storing the new one is one step under a lock
// that all processes on the file share; the signature is made after the new state is on
// the disk. So a request that was checked against an older state, or a machine that
// loses power, cannot roll the tree back below one that has a cosignature.
func (w *Witness) Add(body []byte) ([]byte, error) {
	old, hashes, checkpoint, err := proof.ParseConsistency(body)
	if err != nil {
		return nil, ErrMalformed
	}
	line, _, _ := bytes.Cut(checkpoint, []byte("\n"))
	origin := string(line)
	tree, err := w.open(origin, checkpoint)
	switch {
	case errors.Is(err, ErrUnknownLog):
		return nil, ErrUnknownLog
	case errors.Is(err, proof.ErrSignature):
		return nil, ErrSignature
	case err != nil:
		return nil, ErrMalformed
	case old > tree.N:
		return nil, ErrOldTooBig
	}
	if err := w.advance(origin, checkpoint, tree, old, hashes); err != nil {
		return nil, err
	}
	return w.cosign(checkpoint)
}

// advance is the check and store.
func (w *Witness) advance(origin string, checkpoint []byte, tree tlog.Tree, old int64, hashes tlog.TreeProof) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.locked(func(s *state) error {
		if err := w.know(s); err != nil {
			return err
		}
		newest := w.seen[origin]
		if old != newest.N {
			return &ConflictError{newest.N}
		}
		if err := continues(newest, tree, hashes); err != nil {
			w.refuses(err, origin, s.checkpoint(origin), checkpoint)
			return err
		}
		if newest.N == tree.N && s.checkpoint(origin) != nil {
			return w.state.settle() // it is stored already, maybe by a process that was killed before it was on the disk
		}
		if err := w.state.store(s.with(origin, checkpoint)); err != nil {
			return err
		}
		w.seen[origin] = tree
		return nil
	})
}

// refuses tells the operator. Two trees of one size that the log has signed are proof that it
// was rewritten. A proof that does not hold is none: anybody may have brought it, with a good
// checkpoint, and a stranger must not make a witness accuse a log.
func (w *Witness) refuses(why error, origin string, cosigned, refused []byte) {
	about := []any{slog.String("log", origin), slog.String("cosigned", string(cosigned)), slog.String("refused", string(refused))}
	if errors.Is(why, ErrForked) {
		w.Logger.Error("a log has signed another history than the one it had shown: keep both checkpoints", about...)
		return
	}
	w.Logger.Error("a checkpoint that the log has signed came with a proof that does not hold: if the log can show none that does, it was rewritten", about...)
}

// continues checks that tree begins with newest (RFC 6962 §2.1.2).
func continues(newest, tree tlog.Tree, hashes tlog.TreeProof) error {
	if newest.N > 0 && newest.N == tree.N && newest.Hash != tree.Hash {
		return ErrForked
	}
	if newest.N == 0 {
		empty, err := tlog.TreeHash(0, nil)
		if err != nil {
			return err
		}
		newest.Hash = empty
	}
	if proof.CheckConsistency(newest, tree, hashes) != nil {
		return ErrProof
	}
	return nil
}

// cosign returns the witness's line under a checkpoint, after reading it as the log will.
func (w *Witness) cosign(checkpoint []byte) ([]byte, error) {
	text, _, _ := bytes.Cut(checkpoint, []byte("\n\n"))
	signed, err := note.Sign(&note.Note{Text: string(text) + "\n"}, w.signer)
	if err != nil {
		return nil, fmt.Errorf("cosigning: %w", err)
	}
	line := signed[len(text)+len("\n\n"):]
	return line, nil
}

// parseKey reads the private key of a witness.
func parseKey(skey string) (note.Signer, proof.Witness, error) {
	bad := errors.New("the key file does not hold a witness's key, as `hub witness new-key` makes it")
	signer, err := cosign.NewSignerForCosignatureV1(skey)
	if err != nil {
		return nil, proof.Witness{}, bad
	}
	vkey, err := publicPart(skey)
	if err != nil {
		return nil, proof.Witness{}, bad
	}
	self, err := proof.ParseWitness(vkey)
	if err != nil {
		return nil, proof.Witness{}, bad
	}
	return signer, self, nil
}
