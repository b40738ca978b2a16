package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/google/uuid"
	"github.com/gorilla/mux"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The baseline does only the unavoidable for a packet that is to be kept and proved:
// it reads the body, verifies one ES256 signature, stores packet, consent reference
// and log leaf in one durable statement, and signs one answer. It knows no tokens, no
// consent, no agreement, no chain and no proof. It is the yardstick, not a rival.
func baseline(listen, database string) error {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, database)
	if err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `
		CREATE SCHEMA IF NOT EXISTS bench;
		CREATE TABLE IF NOT EXISTS bench.packet (id uuid PRIMARY KEY, consent uuid NOT NULL, body bytea NOT NULL);
		ALTER TABLE bench.packet ALTER COLUMN body SET STORAGE EXTERNAL;
		CREATE TABLE IF NOT EXISTS bench.leaf (id uuid PRIMARY KEY, leaf bytea NOT NULL);
		CREATE TABLE IF NOT EXISTS bench.used (digest bytea PRIMARY KEY, seen timestamptz NOT NULL DEFAULT now())`)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte("packet"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		return err
	}
	r := mux.NewRouter()
	r.HandleFunc("/packets", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil || !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
			http.Error(w, "refused", http.StatusBadRequest)
			return
		}
		id, leaf := uuid.Must(uuid.NewV7()), sha256.Sum256(body)
		_, err = pool.Exec(r.Context(), `
			WITH p AS (INSERT INTO bench.packet (id, consent, body) VALUES ($1, $1, $2))
			INSERT INTO bench.leaf (id, leaf) VALUES ($1, $3)`, id, body, leaf[:])
		if err != nil {
			http.Error(w, "failed", http.StatusInternalServerError)
			return
		}
		receipt, err := ecdsa.SignASN1(rand.Reader, key, leaf[:])
		if err != nil {
			http.Error(w, "failed", http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(receipt)
	}).Methods("POST")
	// And for a token: one signature verified, one digest that may not come again, one
	// signature made.
	r.HandleFunc("/tokens", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil || !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
			http.Error(w, "refused", http.StatusBadRequest)
			return
		}
		used := sha256.Sum256(body)
		if _, err = pool.Exec(r.Context(), `INSERT INTO bench.used (digest) VALUES ($1)`, used[:]); err != nil {
			http.Error(w, "failed", http.StatusInternalServerError)
			return
		}
		token, err := ecdsa.SignASN1(rand.Reader, key, used[:])
		if err != nil {
			http.Error(w, "failed", http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(token)
	}).Methods("POST")
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, l.Addr())
	return http.Serve(l, r) //nolint:gosec // on loopback, for the length of a measurement
}
