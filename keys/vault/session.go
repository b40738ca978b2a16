package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"handover/keys"
)

// session is the token that the hub has of Vault. It is renewed by the way, by the first
// call after two thirds of its time; a hub that was idle for longer logs in again.
type session struct {
	mu       sync.Mutex // guards what follows; held for moments, never over I/O
	number   int        // of logins; 0 before the first
	begun    time.Time
	renew    time.Time // from when on it is to be renewed
	ends     time.Time
	lease    time.Duration
	renewing bool
}

// errRefused is in the error of a request that Vault has read and refused: the key is
// not there, or the ciphertext not one of its.
var errRefused = errors.New("vault refused the request")

// unavailable is keys.ErrUnavailable with the reason, which names no secret: Vault's own
// text is never passed on.
func unavailable(why string) error { return fmt.Errorf("%w: %s", keys.ErrUnavailable, why) }

// act is one request to Vault.
type act func(context.Context, *api.Logical) (*api.Secret, error)

// do sends one request under the hub's token. A token that Vault does not know any more
// (it was revoked, or Vault lost it) is replaced once. The answer is nil when there is
// nothing at a path that was read. Errors: ctx's, errRefused, keys.ErrUnavailable.
func (s *Store) do(ctx context.Context, a act) (*api.Secret, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	number, err := s.login(ctx, 0)
	if err != nil {
		return nil, err
	}
	s.keepYoung(ctx)
	secret, err := a(ctx, s.client.Logical())
	if forbidden(err) && s.old(number) {
		if _, err := s.login(ctx, number); err != nil {
			return nil, err
		}
		secret, err = a(ctx, s.client.Logical())
	}
	return secret, meaning(ctx, err)
}

func (s *Store) read(ctx context.Context, path string) (*api.Secret, error) {
	return s.do(ctx, func(ctx context.Context, l *api.Logical) (*api.Secret, error) { return l.ReadWithContext(ctx, path) })
}

func (s *Store) write(ctx context.Context, path string, data map[string]any) (*api.Secret, error) {
	return s.do(ctx, func(ctx context.Context, l *api.Logical) (*api.Secret, error) {
		return l.WriteWithContext(ctx, path, data)
	})
}

func forbidden(err error) bool {
	refusal, ok := errors.AsType[*api.ResponseError](err)
	return ok && refusal.StatusCode == http.StatusForbidden
}

// old reports whether the token of that login is worth replacing: one that is a moment
// old was refused for what it may not do, and logging in again would change nothing.
func (s *Store) old(number int) bool {
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	return s.session.number != number || s.Now().Sub(s.session.begun) > time.Second
}

// meaning says what an answer of Vault's means for the caller.
func meaning(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	refusal, ok := errors.AsType[*api.ResponseError](err)
	switch {
	case !ok:
		return unavailable("Vault does not answer")
	case refusal.StatusCode == http.StatusBadRequest:
		return errRefused
	case refusal.StatusCode == http.StatusForbidden:
		return unavailable("Vault does not let the hub do it: its AppRole or policy is not as deploy/vault has it")
	case refusal.StatusCode == http.StatusNotFound:
		return unavailable("Vault has no engine at the mount")
	case refusal.StatusCode == http.StatusServiceUnavailable && strings.Contains(strings.Join(refusal.Errors, " "), "sealed"):
		return unavailable("Vault is sealed")
	}
	return unavailable(fmt.Sprintf("Vault answers %d", refusal.StatusCode))
}

// login returns the number of a login whose token is not yet at its end and that came
// after the one named. All callers who need one wait for the same.
func (s *Store) login(ctx context.Context, after int) (int, error) {
	s.session.mu.Lock()
	number, ends := s.session.number, s.session.ends
	s.session.mu.Unlock()
	if number > after && s.Now().Before(ends) {
		return number, nil
	}
	got := s.asking.DoChan("login", func() (any, error) { return s.enter(context.WithoutCancel(ctx)) })
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case r := <-got:
		number, _ := r.Val.(int)
		return number, r.Err
	}
}

// enter logs in by AppRole.
func (s *Store) enter(ctx context.Context) (int, error) {
	role, err := oneLine(s.config.RoleIDFile)
	if err != nil {
		return 0, unavailable("the file of the role id cannot be read")
	}
	secretID, err := oneLine(s.config.SecretIDFile)
	if err != nil {
		return 0, unavailable("the file of the secret id cannot be read")
	}
	// The token that is at its end is not shown: the login needs none.
	fresh, err := s.client.Clone()
	if err != nil {
		return 0, fmt.Errorf("logging in to Vault: %w", err)
	}
	fresh.ClearToken()
	fresh.ClearNamespace()
	secret, err := fresh.Logical().WriteWithContext(ctx, "auth/"+s.config.AppRole+"/login",
		map[string]any{"role_id": role, "secret_id": secretID})
	if err = meaning(ctx, err); errors.Is(err, errRefused) {
		err = unavailable("Vault does not take the role id and secret id")
	}
	if err != nil {
		return 0, err
	}
	if secret == nil || secret.Auth == nil || secret.Auth.ClientToken == "" {
		return 0, unavailable("Vault gave no token")
	}
	lease := time.Duration(secret.Auth.LeaseDuration) * time.Second
	s.client.SetToken(secret.Auth.ClientToken)
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	now := s.Now()
	s.session.number++
	s.session.begun, s.session.lease = now, lease
	s.session.renew, s.session.ends = now.Add(lease*2/3), now.Add(lease)
	return s.session.number, nil
}

// oneLine is what a file holds.
func oneLine(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	line := strings.TrimRight(string(text), "\r\n")
	if line == "" || strings.ContainsAny(line, "\r\n") {
		return "", errors.New("the file must hold one line")
	}
	return line, nil
}

// keepYoung renews the token when it is time, on the way of one caller. When that fails
// the token is good for a third of its time still, and is tried again a little later;
// when Vault gives it no more time, the next login gets another.
func (s *Store) keepYoung(ctx context.Context) {
	if !s.takeRenewal() {
		return
	}
	secret, err := s.client.Auth().Token().RenewSelfWithContext(ctx, 0)
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	now := s.Now()
	s.session.renewing = false
	if err != nil || secret == nil || secret.Auth == nil {
		s.session.renew = now.Add(s.session.lease / 12)
		return
	}
	lease := time.Duration(secret.Auth.LeaseDuration) * time.Second
	s.session.renew, s.session.ends = now.Add(lease*2/3), now.Add(lease)
	if lease < s.session.lease/2 { // it nears the most that Vault lets it live
		s.session.ends = now
	}
}

// takeRenewal reports whether this caller is the one to renew the token now.
func (s *Store) takeRenewal() bool {
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	if s.session.renewing || s.Now().Before(s.session.renew) {
		return false
	}
	s.session.renewing = true
	return true
}
