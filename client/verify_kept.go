package client

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"handover/audit/proof"
	"handover/internal/strict"
)

// ReceiptCheckpoints returns the signed checkpoints of the receipts in a document that Verify
// takes, so that the hub can be asked to prove that its log continues them (Client.Checkpoint).
// Nothing of them is verified.
func ReceiptCheckpoints(document []byte) (notes [][]byte) {
	for _, r := range receiptsOf(document) {
		if p, err := proof.ParseProof([]byte(r.Proof)); err == nil {
			notes = append(notes, p.Checkpoint)
		}
	}
	return notes
}

// receiptsOf are the receipts in a document: of itself, of a record, or of a bundle's steps.
func receiptsOf(document []byte) []Receipt {
	members := map[string]jsontext.Value{}
	if strict.Unmarshal(bytes.TrimSpace(document), &members) != nil {
		return nil
	}
	var r Receipt
	switch {
	case members["log_key"] != nil && members["events"] != nil:
		b, err := ParseBundle(document)
		if err != nil {
			return nil
		}
		return b.receipts()
	case members["entry"] != nil && strict.Unmarshal(document, &r) == nil:
		return []Receipt{r}
	case members["receipt"] != nil && strict.Unmarshal(members["receipt"], &r) == nil:
		return []Receipt{r}
	}
	return nil
}

// receipts are all that a bundle holds.
func (b Bundle) receipts() (all []Receipt) {
	for _, e := range b.Events {
		all = append(all, e.Receipt)
	}
	for _, c := range b.Consents {
		all = append(all, c.Receipt)
	}
	for _, o := range b.Overrides {
		all = append(all, o.Receipt)
	}
	for _, p := range b.Partners {
		for _, c := range p.History {
			all = append(all, c.Receipt)
		}
	}
	for _, k := range b.HubKeys {
		all = append(all, k.Receipt)
	}
	return all
}

// agree holds the checkpoints of receipts against each other and against those that were kept:
// two of one size that are not the same show that the log was rewritten, whatever else each
// of them proves. Those of different sizes only a proof can compare.
func (f *Findings) agree(key LogKey, receipts, kept [][]byte) {
	roots := map[int64]string{}
	same, apart := 0, 0
	for i, note := range slices.Concat(kept, receipts) {
		c, err := OpenCheckpoint(note, key.Alone())
		if err != nil {
			continue // a receipt that does not hold is named as that; what was kept may be of another log
		}
		root, seen := roots[c.Size]
		switch {
		case seen && root != c.Root:
			f.fails("checkpoints", "THE LOG WAS REWRITTEN: its key has signed two logs of %d entries that are not the same. Keep this document and the checkpoints: together they prove it", c.Size)
		case i < len(kept):
		case seen:
			same++
		case len(kept) > 0:
			apart++
		}
		roots[c.Size] = c.Root
	}
	if same > 0 {
		f.holds("checkpoints", "%d of them are, of the same size, the same as another that is known", same)
	}
	if apart > 0 {
		f.limit("Its %d checkpoints of other sizes than those you kept: that they are of the same log, the hub proves when it is asked (handover audit checkpoint --receipt FILE).", apart)
	}
}
