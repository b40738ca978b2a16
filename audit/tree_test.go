package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/transparency-dev/merkle/compact"
	merkle "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"handover/audit/proof"
)

// reference computes roots with the second Merkle library.
type reference struct{ r *compact.Range }

func newReference() reference {
	f := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	return reference{f.NewEmptyRange(0)}
}

func (r reference) add(leaf []byte) {
	if err := r.r.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil); err != nil {
		panic(err)
	}
}

func (r reference) root() []byte {
	if r.r.End() == 0 {
		return rfc6962.DefaultHasher.EmptyRoot()
	}
	root, err := r.r.GetRootHash(nil)
	if err != nil {
		panic(err)
	}
	return root
}

func testLeaf(i int64) []byte {
	return proof.Leaf(sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i))), []byte("x"))
}

func testLeaves(from, n int64) [][]byte {
	leaves := make([][]byte, n)
	for i := range leaves {
		leaves[i] = testLeaf(from + int64(i))
	}
	return leaves
}

// shelf keeps tiles as the database does.
type shelf map[place][]byte

func (s shelf) fetch(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, t := range tiles {
		if d := s[place{t.L, t.N}]; len(d) >= t.W*tlog.HashSize {
			data[i] = d[:t.W*tlog.HashSize]
		}
	}
	return data, nil
}

// grow extends e and checks that tiles only grow.
func (s shelf) grow(t rapid.TB, e edge, leaves [][]byte) (*growth, edge) {
	g, next, changed, err := e.extend(leaves)
	if err != nil {
		t.Fatal(err)
	}
	for at, data := range changed {
		if old := s[at]; len(data) <= len(old) || !bytes.HasPrefix(data, old) {
			t.Fatalf("tile %v does not grow", at)
		}
		s[at] = data
	}
	return g, next
}

func TestTreeGrowsLikeAReferenceInBatchesOfAnySize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, e, ref := shelf{}, edge{}, newReference()
		for _, n := range rapid.SliceOfN(rapid.Int64Range(0, 600), 1, 6).Draw(t, "batches") {
			leaves := testLeaves(e.tree.N, n)
			for _, l := range leaves {
				ref.add(l)
			}
			g, next := s.grow(t, e, leaves)
			if !bytes.Equal(next.tree.Hash[:], ref.root()) {
				t.Fatalf("root of %d leaves differs from the second library's", next.tree.N)
			}
			if n > 0 {
				at := e.tree.N + rapid.Int64Range(0, n-1).Draw(t, "leaf")
				wantProof(t, g, next, at, s)
			}
			again, err := newEdge(next.tree, nil, next.tiles)
			if err != nil {
				t.Fatalf("own edge of %d leaves: %v", next.tree.N, err)
			}
			if diff := cmp.Diff(next.frontier, again.frontier); next.tree.N > 0 && diff != "" {
				t.Fatalf("frontier read from tiles (-grown +read):\n%s", diff)
			}
			e = next
		}
	})
}

// wantProof checks that the proof from memory is the proof from tiles, and holds.
func wantProof(t rapid.TB, g *growth, e edge, at int64, s shelf) {
	fromMemory, err := tlog.ProveRecord(e.tree.N, at, g)
	if err != nil {
		t.Fatal(err)
	}
	fromTiles, err := tlog.ProveRecord(e.tree.N, at, tlog.TileHashReader(e.tree, tileFetch(s.fetch)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromTiles, fromMemory); diff != "" {
		t.Fatalf("proof of %d in %d (-tiles +memory):\n%s", at, e.tree.N, diff)
	}
	err = merkle.VerifyInclusion(rfc6962.DefaultHasher, uint64(at), uint64(e.tree.N),
		rfc6962.DefaultHasher.HashLeaf(testLeaf(at)), hashBytes(fromMemory), e.tree.Hash[:])
	if err != nil {
		t.Fatalf("second verifier, %d in %d: %v", at, e.tree.N, err)
	}
}

func TestTreeGrowsAcrossThreeLevelsOfTiles(t *testing.T) {
	s, e, ref := shelf{}, edge{}, newReference()
	const size = 256*256 + 300
	for e.tree.N < size {
		leaves := testLeaves(e.tree.N, min(4096, size-e.tree.N))
		for _, l := range leaves {
			ref.add(l)
		}
		g, next := s.grow(t, e, leaves)
		wantProof(t, g, next, e.tree.N, s)
		wantProof(t, g, next, next.tree.N-1, s)
		e = next
	}
	if !bytes.Equal(e.tree.Hash[:], ref.root()) {
		t.Fatal("root differs from the second library's")
	}
	for _, tile := range tlog.NewTiles(tileHeight, 0, size) {
		want, err := tlog.ReadTileData(tile, tlog.TileHashReader(e.tree, tileFetch(s.fetch)))
		if err != nil || !bytes.Equal(want, s[place{tile.L, tile.N}]) {
			t.Errorf("tile %s is not what C2SP asks for: %v", tile.Path(), err)
		}
	}
	if len(s) != len(tlog.NewTiles(tileHeight, 0, size)) {
		t.Errorf("%d tiles, want %d", len(s), len(tlog.NewTiles(tileHeight, 0, size)))
	}
}

func TestAnEdgeThatDoesNotHashToTheRootIsRefused(t *testing.T) {
	for _, size := range []int64{1, 2, 255, 256, 257, 300, 513} {
		s, e := shelf{}, edge{}
		_, e = s.grow(t, e, testLeaves(0, size))
		refused := func(what string, tiles map[place][]byte) {
			t.Helper()
			if _, err := newEdge(e.tree, nil, tiles); !errors.Is(err, ErrTampered) {
				t.Errorf("size %d, %s: %v, want ErrTampered", size, what, err)
			}
		}
		for at, data := range e.tiles {
			changed := copyTiles(e.tiles)
			changed[at][rand.IntN(len(data))] ^= 1 << rand.IntN(8)
			refused("a changed bit", changed)
			changed = copyTiles(e.tiles)
			changed[at] = data[:len(data)-tlog.HashSize]
			refused("a hash less", changed)
			changed[at] = append(bytes.Clone(data), make([]byte, tlog.HashSize)...)
			refused("a hash more", changed)
			delete(changed, at)
			refused("a missing tile", changed)
		}
		changed := copyTiles(e.tiles)
		changed[place{5, 0}] = make([]byte, tlog.HashSize)
		refused("a tile too many", changed)
	}
	if _, err := newEdge(tlog.Tree{}, nil, nil); !errors.Is(err, ErrTampered) {
		t.Errorf("empty tree with a root of zeros: %v, want ErrTampered", err)
	}
}

func copyTiles(tiles map[place][]byte) map[place][]byte {
	c := map[place][]byte{}
	for at, data := range tiles {
		c[at] = bytes.Clone(data)
	}
	return c
}

func TestFrontierIsWhatTheTreeHashNeeds(t *testing.T) {
	for n := range int64(2000) {
		var asked []int64
		_, _ = tlog.TreeHash(n, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			asked = indexes
			return make([]tlog.Hash, len(indexes)), nil
		}))
		if diff := cmp.Diff(asked, frontierIndexes(n)); diff != "" {
			t.Fatalf("size %d (-want +got):\n%s", n, diff)
		}
	}
}
