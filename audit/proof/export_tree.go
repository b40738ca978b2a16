package proof

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// tileHeight is the height of a C2SP tile: 256 hashes.
const tileHeight = 8

// tileAt is where a tile stands.
type tileAt struct {
	level int
	n     int64
}

// String is the C2SP path of the tile, as whoever fetches tiles from the hub names it.
func (t tileAt) String() string {
	path := tlog.Tile{H: tileHeight, L: t.level, N: t.n, W: 1 << tileHeight}.Path()
	return "tile " + strings.TrimPrefix(path, "tile/8/")
}

// width is how many hashes the tile has in a tree of that size; 0 when it has none there.
func (t tileAt) width(size int64) int {
	hashes := size >> (tileHeight * t.level) // of the tile's level
	if t.n > hashes>>tileHeight {            // asked first: a stranger's number could be too large to count on
		return 0
	}
	return int(min(1<<tileHeight, hashes-t.n<<tileHeight))
}

// errTileMissing means that a tile is not in the file which the proof of another needs.
type errTileMissing struct{ tileAt }

func (e errTileMissing) Error() string { return e.tileAt.String() + " is not in the file" }

// exportTree is the tiles of an export, and which of them are shown to lead to the root of
// its checkpoint. It is what takes the hub's word for nothing: a hash of a tile that is not
// sound proves no entry.
type exportTree struct {
	tree  tlog.Tree
	tiles map[tileAt][]byte
	sound map[tileAt]bool
}

func newExportTree(tree tlog.Tree) *exportTree {
	return &exportTree{tree: tree, tiles: map[tileAt][]byte{}, sound: map[tileAt]bool{}}
}

// add takes a tile, or says what is wrong with it. That none comes twice, the form sees to.
func (t *exportTree) add(at tileAt, data []byte) string {
	switch width := at.width(t.tree.N); {
	case width == 0:
		return "it is of no tree of that size"
	case len(data) != width*tlog.HashSize:
		return fmt.Sprintf("it has %d bytes, and in a tree of that size it has %d", len(data), width*tlog.HashSize)
	}
	t.tiles[at] = data
	return ""
}

// Height and ReadTiles and SaveTiles make the file a tlog.TileReader.
func (t *exportTree) Height() int { return tileHeight }

// ReadTiles returns the data of tiles as the file has them.
func (t *exportTree) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(wanted))
	for i, w := range wanted {
		at := tileAt{w.L, w.N}
		if data[i] = t.tiles[at]; data[i] == nil {
			return nil, errTileMissing{at}
		}
	}
	return data, nil
}

// SaveTiles is told of the tiles that were found to lead to the root.
func (t *exportTree) SaveTiles(found []tlog.Tile, _ [][]byte) {
	for _, f := range found {
		t.sound[tileAt{f.L, f.N}] = true
	}
}

// read returns hashes of the tree, each shown to lead to its root.
func (t *exportTree) read(indexes ...int64) ([]tlog.Hash, error) {
	return tlog.TileHashReader(t.tree, t).ReadHashes(indexes)
}

// rootAt returns the root that the tree had when it was of that size.
func (t *exportTree) rootAt(size int64) (tlog.Hash, error) {
	return tlog.TreeHash(size, tlog.TileHashReader(t.tree, t))
}

// leaf returns the hash that the tiles have of the entry at the index, and whether it is
// shown to lead to the root. The zero hash means that there is none.
func (t *exportTree) leaf(index int64) (h tlog.Hash, sound bool) {
	at := tileAt{0, index >> tileHeight}
	start := int(index&(1<<tileHeight-1)) * tlog.HashSize
	if data := t.tiles[at]; start < len(data) {
		copy(h[:], data[start:])
	}
	return h, t.sound[at]
}

// settle authenticates every tile against the root, from the top down, so that the one is
// named which does not fit, and not those below it. It reports each.
func (t *exportTree) settle(report func(place, what string)) {
	if !t.edge(report) {
		return
	}
	all := t.places()
	for len(all) > 0 {
		n := min(64, len(all))
		if t.authenticate(all[:n]) != nil { // then one by one, to say which
			for _, at := range all[:n] {
				t.judge(at, report)
			}
		}
		all = all[n:]
	}
}

// places lists the tiles from the highest level down.
func (t *exportTree) places() []tileAt {
	all := make([]tileAt, 0, len(t.tiles))
	for at := range t.tiles {
		all = append(all, at)
	}
	slices.SortFunc(all, func(a, b tileAt) int { return cmp.Or(cmp.Compare(b.level, a.level), cmp.Compare(a.n, b.n)) })
	return all
}

// authenticate checks tiles. The hash of a tile's first entry is a path through all of it.
func (t *exportTree) authenticate(all []tileAt) error {
	var indexes []int64
	for _, at := range all {
		if !t.sound[at] {
			indexes = append(indexes, tlog.StoredHashIndex(at.level*tileHeight, at.n<<tileHeight))
		}
	}
	_, err := t.read(indexes...)
	return err
}

// judge checks one tile, whose tiles above have been.
func (t *exportTree) judge(at tileAt, report func(place, what string)) {
	err := t.authenticate([]tileAt{at})
	if err == nil {
		return
	}
	above := tileAt{at.level + 1, at.n >> tileHeight}
	if missing, ok := errors.AsType[errTileMissing](err); ok {
		report(missing.tileAt.String(), "it is not in the file, and "+at.String()+" is proved by it")
		return
	}
	if t.sound[above] {
		report(at.String(), "it does not lead to the root that the checkpoint has: something in it was changed")
	}
}

// edge checks the tiles at the tree's right-hand edge, which together give the root.
func (t *exportTree) edge(report func(place, what string)) bool {
	if t.tree.N == 0 {
		if empty, err := tlog.TreeHash(0, nil); err != nil || empty != t.tree.Hash {
			report("the tree", "the checkpoint is of an empty log, and its root is not that of one")
			return false
		}
		return true
	}
	_, err := t.read()
	if err == nil {
		return true
	}
	if missing, ok := errors.AsType[errTileMissing](err); ok {
		report(missing.tileAt.String(), "it is not in the file, and without it nothing leads to the checkpoint's root")
		return false
	}
	t.blame(report)
	return false
}

// blame says as narrowly as can be said which tile at the edge was changed: the root alone
// tells only that one was. A full tile below says what the one above must have of it.
func (t *exportTree) blame(report func(place, what string)) {
	var edge []string
	for _, at := range t.places() {
		if at.width(t.tree.N) == 1<<tileHeight { // the tile above has its hash
			above := tileAt{at.level + 1, at.n >> tileHeight}
			if up := t.tiles[above]; up != nil && !t.fits(at, up) {
				report(at.String(), "its hash is not the one that "+above.String()+" has of it: one of the two was changed")
			}
			continue
		}
		edge = append(edge, at.String())
	}
	report("the tree", "the tiles at the edge of the tree ("+strings.Join(edge, ", ")+
		") do not lead to the root that the checkpoint has: one of them was changed")
}

// fits reports whether the tile above has the hash of this one.
func (t *exportTree) fits(at tileAt, above []byte) bool {
	start := int(at.n&(1<<tileHeight-1)) * tlog.HashSize
	if len(t.tiles[at]) != tlog.HashSize<<tileHeight || start >= len(above) {
		return true // not full: there is no hash of it
	}
	return tileHash(t.tiles[at]) == tlog.Hash(above[start:start+tlog.HashSize])
}

// tileHash is the hash of a full tile, as the tile above has it (RFC 6962 §2.1).
func tileHash(data []byte) tlog.Hash {
	hashes := make([]tlog.Hash, len(data)/tlog.HashSize)
	for i := range hashes {
		copy(hashes[i][:], data[i*tlog.HashSize:])
	}
	for ; len(hashes) > 1; hashes = hashes[:len(hashes)/2] {
		for i := range len(hashes) / 2 {
			hashes[i] = tlog.NodeHash(hashes[2*i], hashes[2*i+1])
		}
	}
	return hashes[0]
}
