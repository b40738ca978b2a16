package audit

import (
	"math/rand/v2"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
)

// From the tiles that are listed for an export, and from no others, comes all that it is for:
// in trees of every shape, for ranges at every place.
func TestTheTilesOfAnExportSuffice(t *testing.T) {
	t.Parallel()
	const most = 1<<16 + 600 // more than a whole tile of level 1
	whole := hashStore{}
	leaf := tlog.RecordHash([]byte("leaf"))
	for n := range int64(most) {
		hashes, err := tlog.StoredHashesForRecordHash(n, leaf, &whole)
		if err != nil {
			t.Fatal(err)
		}
		whole = append(whole, hashes...)
	}
	rng := rand.New(rand.NewPCG(1, 2)) // the same trees each time
	sizes := []int64{1, 2, 255, 256, 257, 511, 512, 65535, 65536, 65537, 1<<16 + 256, most}
	for range 20 {
		sizes = append(sizes, 1+rng.Int64N(most))
	}
	for _, n := range sizes {
		first := rng.Int64N(n + 1)
		end := first + rng.Int64N(min(n-first, 300)+1)
		x := readExport{tiles: map[place][]byte{}, tree: tlog.Tree{N: n}}
		x.First, x.End, x.Kept = first, end, []int64{rng.Int64N(n + 1), n}
		others := []int64{rng.Int64N(n), rng.Int64N(n)}
		root, err := tlog.TreeHash(n, &whole)
		if err != nil {
			t.Fatal(err)
		}
		x.tree.Hash = root
		for _, tile := range exportTiles(n, first, end, others, x.Kept) {
			data, err := tlog.ReadTileData(tile, &whole)
			if err != nil {
				t.Fatalf("a tile that the tree of %d has not: %+v: %v", n, tile, err)
			}
			x.tiles[place{tile.L, tile.N}] = data
		}
		indexes := append(others, first)
		if end > first {
			indexes = append(indexes, end-1)
		}
		for _, i := range indexes {
			if i < n {
				x.entries = append(x.entries, proof.ExportEntry{Index: i, Erased: true})
			}
		}
		x.verify(t)
	}
}

// hashStore is every stored hash of a tree.
type hashStore []tlog.Hash

func (s *hashStore) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = (*s)[x]
	}
	return out, nil
}
