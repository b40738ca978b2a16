// Package audit is the tamper-evident log: every act, every reading and every
// refusal is an entry in it, and each entry gets a place in an RFC 6962 tree whose
// signed heads (checkpoints) others keep.
//
// In running order:
//
//   - entry.go seals an entry: an id, a salt of its own, the leaf that commits to
//     both (audit/proof says how).
//   - store.go writes it in the caller's transaction (Append, Queue), so that what
//     is logged and what happened are one commit. All SQL is in store.go and store_*.go.
//   - store_direct.go gives entries their places in that same transaction, when the log
//     is free and as this hub knows it. All others wait in a queue.
//   - sequencer.go is woken (Kick; pace.go says when), takes the waiting entries, checks the stored
//     tree against its last checkpoint, extends it (extension.go, tree.go), signs
//     (signer.go) and commits, all in one transaction a batch.
//   - wait.go tells those who wait, and makes receipts.
//   - gather.go, on one hub of all, has the newest checkpoint cosigned by witnesses
//     (http_witness.go asks them, gather_tell.go raises the alarm); cosigned.go and
//     cosigned_await.go keep what came of it on every hub, and lead receipts to it.
//   - anonymous.go counts the refusals of strangers by the hour.
//   - http.go serves checkpoint, tiles and proofs (C2SP tlog-tiles); http_entries.go the
//     entries themselves, to whom the database lets see them (store_entries.go), and what an auditor is to look
//     at (store_review.go), with what other rooms know of it.
//
// What is guaranteed: an entry is in the log exactly if the transaction that wrote
// it committed; it has one place for ever; nothing is built on a tree that does not
// fit its checkpoint; a receipt is the same bytes each time it is asked for.
package audit
