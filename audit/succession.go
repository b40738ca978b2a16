package audit

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"handover/audit/proof"
	"handover/internal/ids"
)

// actSuccession is the act of the entry that tells of a new key of the log.
const actSuccession = proof.Successor

func logKeyOf(origin string, public ed25519.PublicKey) (proof.LogKey, error) {
	text, err := note.NewEd25519VerifierKey(origin, public)
	if err != nil {
		return proof.LogKey{}, fmt.Errorf("naming checkpoint key: %w", err)
	}
	return proof.ParseLogKey(text)
}

// publicOf is the Ed25519 key in a log key "origin+hash+base64", after its algorithm's byte.
// The base64 may have a + too.
func publicOf(k proof.LogKey) (ed25519.PublicKey, error) {
	_, rest, _ := strings.Cut(k.String(), "+")
	_, encoded, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize {
		return nil, errors.New("the log key is not an Ed25519 key")
	}
	return raw[1:], nil
}

// signer is what signs checkpoints now.
func (l *Log) signer() Signer { return *l.held.Load() }

// SignsWith reports whether public is the log's key now.
func (l *Log) SignsWith(public ed25519.PublicKey) bool {
	own, ok := l.signer().key.Public().(ed25519.PublicKey)
	return ok && own.Equal(public)
}

// Successions are the statements by which the log's keys followed each other, oldest first.
func (l *Log) Successions(ctx context.Context) ([]string, error) { return l.store.successions(ctx) }

// follow goes over to the key that has followed ours by a statement in the database, and
// reports whether there was one. The statement is signed by our key, so whoever can write
// to the database and has not that key cannot have another put in its place.
func (l *Log) follow(ctx context.Context) (bool, error) {
	texts, err := l.store.successions(ctx)
	if err != nil || len(texts) == 0 {
		return false, err
	}
	ours := l.signer()
	if _, err := ours.current.Followed(texts); err != nil {
		return false, tampered("successions that this log's key did not sign")
	}
	last, err := proof.OpenSuccession([]byte(texts[len(texts)-1]))
	if err != nil {
		return false, err
	}
	if last.To.String() == ours.current.String() {
		return false, l.inherit(ours, texts)
	}
	public, err := publicOf(last.To)
	if err != nil {
		return false, err
	}
	if l.Keys == nil {
		return false, errors.New("the log has another key now, and this hub cannot find it: start it again")
	}
	key, err := l.Keys(public)
	if err != nil {
		return false, fmt.Errorf("finding the log's new key: %w", err)
	}
	next, err := NewSigner(ours.Name(), key)
	if err != nil {
		return false, err
	}
	return true, l.inherit(next, texts)
}

// inherit makes s the signer, knowing the keys that came before it.
func (l *Log) inherit(s Signer, texts []string) error {
	for i := len(texts) - 1; i >= 0; i-- {
		before, err := proof.OpenSuccession([]byte(texts[i]))
		if err != nil {
			return err
		}
		if !s.knows(before.From) {
			s.keys = append(s.keys[:len(s.keys):len(s.keys)], before.From)
		}
	}
	l.held.Store(&s)
	return nil
}

// Succeed makes next the key of the log, and returns the statement that says so, signed by
// the key until now and by next; "" when it is its key already. All in one transaction, with the log's lock held: the
// statement, its entry, and the first checkpoint under the new key, which covers the entry.
// So the log has at each moment one key, no checkpoint of a larger tree is the old one's,
// and hubs that know nothing yet find a tree that is not theirs to extend, and follow.
func (l *Log) Succeed(ctx context.Context, next crypto.Signer) (string, error) {
	if _, err := l.follow(ctx); err != nil {
		return "", err
	}
	c, err := l.store.session(ctx)
	if err != nil {
		return "", err
	}
	defer c.close(context.WithoutCancel(ctx))
	h, waiting, err := c.begin(ctx, batchLimit)
	if err != nil {
		return "", err
	}
	from, err := l.authenticate(ctx, c, h)
	if err != nil {
		return "", err
	}
	ours := l.signer()
	to, err := NewSigner(ours.Name(), next)
	if err != nil || to.current.String() == ours.current.String() { // another hub was first
		return "", errors.Join(err, c.rollback(ctx))
	}
	text, err := succession(from.tree.N, ours, to)
	if err != nil {
		return "", err
	}
	told, err := c.seal(ctx, proof.Entry{Act: actSuccession, Digest: ids.Digest(text)})
	if err != nil {
		return "", err
	}
	x, err := to.extend(from, append(waiting, stored{id: told.id, leaf: told.leaf, salt: told.salt[:], body: told.body, said: &told.e}))
	if err != nil {
		return "", err
	}
	if err := c.succeed(ctx, told, text, *x); err != nil {
		return "", err
	}
	to.keys = append(to.keys, ours.keys...)
	l.held.Store(&to)
	l.committed(*x)
	return text, nil
}

// succession makes the statement that after trees of size the key to follows from.
func succession(size int64, from, to Signer) (string, error) {
	s := proof.Succession{Size: size, From: from.current, To: to.current}
	signed, err := note.Sign(&note.Note{Text: s.Text()}, from, to)
	if err != nil {
		return "", fmt.Errorf("signing a succession: %w", err)
	}
	if _, err := proof.OpenSuccession(signed); err != nil {
		return "", fmt.Errorf("checking a new succession: %w", err)
	}
	return string(signed), nil
}
