package audit

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
)

// tileHeight is the height of a C2SP tile: 256 hashes.
const tileHeight = 8

// maxTileLevel is the highest level a tile is stored at: seven levels hold 2^56
// leaves.
const maxTileLevel = 6

// ErrTampered means that what is stored does not fit the log's last checkpoint, or
// not what this hub has seen of the log before. Nothing is built on such a tree.
var ErrTampered = errors.New("the stored log does not fit its last checkpoint")

func tampered(what string) error { return fmt.Errorf("%w: %s", ErrTampered, what) }

// place is where a tile stands.
type place struct {
	level int
	n     int64
}

// edge is the right-hand edge of a tree: all that is needed to extend it. Its
// tiles are known to hash to its root.
type edge struct {
	tree     tlog.Tree
	note     []byte           // the signed checkpoint of tree; nil before the first
	tiles    map[place][]byte // the partial tiles, at most one a level
	indexes  []int64          // stored hash indexes of the complete subtrees of tree, left to right
	frontier []tlog.Hash      // their hashes
}

// frontierIndexes lists the complete subtrees that a tree of size n consists of,
// left to right, as stored hash indexes (RFC 6962 §2.1).
func frontierIndexes(n int64) []int64 {
	var indexes []int64
	var at int64
	for level := 62; level >= 0; level-- {
		if n>>level&1 == 1 {
			indexes = append(indexes, tlog.StoredHashIndex(level, at>>level))
			at += 1 << level
		}
	}
	return indexes
}

// edgeTiles lists the partial tiles of a tree of size n with their widths.
func edgeTiles(n int64) map[place]int {
	tiles := map[place]int{}
	for level := 0; level <= maxTileLevel; level++ {
		if w := int(n >> (tileHeight * level) & 255); w > 0 {
			tiles[place{level, n >> (tileHeight * (level + 1))}] = w
		}
	}
	return tiles
}

// newEdge authenticates the stored edge tiles against tree, which a checkpoint has
// vouched for: exactly the tiles of that size are there, and they hash to the root.
func newEdge(tree tlog.Tree, note []byte, tiles map[place][]byte) (edge, error) {
	want := edgeTiles(tree.N)
	if len(tiles) != len(want) {
		return edge{}, tampered("edge tiles missing or too many")
	}
	for at, w := range want {
		if len(tiles[at]) != w*tlog.HashSize {
			return edge{}, tampered("an edge tile of another width")
		}
	}
	e := edge{tree: tree, note: note, tiles: tiles, indexes: frontierIndexes(tree.N)}
	if tree.N == 0 {
		if empty, err := tlog.TreeHash(0, nil); err != nil || empty != tree.Hash {
			return edge{}, tampered("empty tree with another root")
		}
		return e, nil
	}
	fetch := func(wanted []tlog.Tile) ([][]byte, error) {
		data := make([][]byte, len(wanted))
		for i, t := range wanted {
			data[i] = tiles[place{t.L, t.N}]
		}
		return data, nil
	}
	hashes, err := tlog.TileHashReader(tree, tileFetch(fetch)).ReadHashes(e.indexes)
	if err != nil {
		return edge{}, tampered("edge tiles do not hash to the root")
	}
	e.frontier = hashes
	return e, nil
}

// is reports whether h, as stored, is e: checkpoint and tiles byte for byte, with a
// leaf for each index.
func (e edge) is(h head) bool {
	if h.leaves != h.size || !bytes.Equal(h.note, e.note) || len(h.tiles) != len(e.tiles) {
		return false
	}
	for at, data := range h.tiles {
		if !bytes.Equal(data, e.tiles[at]) {
			return false
		}
	}
	return true
}

// tileFetch makes a tlog.TileReader of a function that returns the data of tiles.
type tileFetch func(tiles []tlog.Tile) ([][]byte, error)

func (f tileFetch) Height() int { return tileHeight }

func (f tileFetch) ReadTiles(tiles []tlog.Tile) ([][]byte, error) { return f(tiles) }

func (f tileFetch) SaveTiles([]tlog.Tile, [][]byte) {}

// growth is one batch of leaves on top of a tree: the hashes it adds, which
// together with the old tree's frontier prove each of its leaves (tlog.HashReader).
// It does not change once it is made.
type growth struct {
	tree     tlog.Tree
	first    int64 // index of the first leaf
	indexes  []int64
	frontier []tlog.Hash
	base     int64 // stored hash index of hashes[0]
	hashes   []tlog.Hash
}

// ReadHashes returns hashes of the old frontier and of the batch.
func (g *growth) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x >= g.base && x-g.base < int64(len(g.hashes)) {
			out[i] = g.hashes[x-g.base]
			continue
		}
		at := -1
		for j, known := range g.indexes {
			if known == x {
				at = j
			}
		}
		if at < 0 {
			return nil, errors.New("hash outside the batch")
		}
		out[i] = g.frontier[at]
	}
	return out, nil
}

// extend puts leaves, the data that proof.Leaf returns, after the tree of e. It
// returns the batch's hashes, the edge of the new tree (not signed yet), and the
// tiles that changed, in whole.
func (e edge) extend(leaves [][]byte) (*growth, edge, map[place][]byte, error) {
	g := &growth{
		first: e.tree.N, indexes: e.indexes, frontier: e.frontier,
		base: tlog.StoredHashIndex(0, e.tree.N), hashes: make([]tlog.Hash, 0, 2*len(leaves)+1),
	}
	changed := map[place][]byte{}
	for i, leaf := range leaves {
		n := e.tree.N + int64(i)
		hashes, err := tlog.StoredHashesForRecordHash(n, tlog.RecordHash(leaf), g)
		if err != nil {
			return nil, edge{}, nil, fmt.Errorf("hashing leaf: %w", err)
		}
		g.hashes = append(g.hashes, hashes...)
		for level := 0; level*tileHeight < len(hashes); level++ {
			e.push(changed, level, n>>(tileHeight*level), hashes[level*tileHeight])
		}
	}
	g.tree.N = e.tree.N + int64(len(leaves))
	root, err := tlog.TreeHash(g.tree.N, g)
	if err != nil {
		return nil, edge{}, nil, fmt.Errorf("hashing tree: %w", err)
	}
	g.tree.Hash = root
	next := edge{tree: g.tree, tiles: map[place][]byte{}, indexes: frontierIndexes(g.tree.N)}
	if next.frontier, err = g.ReadHashes(next.indexes); err != nil {
		return nil, edge{}, nil, fmt.Errorf("hashing tree: %w", err)
	}
	for at := range edgeTiles(g.tree.N) {
		data, ok := changed[at]
		if !ok {
			data = e.tiles[at]
		}
		next.tiles[at] = data
	}
	return g, next, changed, nil
}

// push appends the index-th hash of a tile level to its tile.
func (e edge) push(changed map[place][]byte, level int, index int64, h tlog.Hash) {
	at := place{level, index >> tileHeight}
	data, ok := changed[at]
	if !ok {
		data = append(make([]byte, 0, (1<<tileHeight)*tlog.HashSize), e.tiles[at]...)
	}
	changed[at] = append(data, h[:]...)
}

// prove returns the tlog-proof of the leaf at index in tree, whose checkpoint is
// signed. The proof is checked before it is returned: nobody is handed a receipt
// that does not verify.
func prove(tree tlog.Tree, signed []byte, index int64, leaf []byte, hashes tlog.HashReader) ([]byte, error) {
	path, err := tlog.ProveRecord(tree.N, index, hashes)
	if err != nil {
		return nil, err
	}
	if err := tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return nil, tampered("an entry does not fit its leaf")
	}
	return proof.FormatProof(proof.Inclusion{Index: index, Hashes: path, Checkpoint: signed}), nil
}
