package audit

import (
	"cmp"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// exportTiles lists the tiles of a tree of size n, by level and number, from which every
// leaf hash from first to end and of others comes, authenticated against the tree's root,
// and a consistency proof from every size from first to end and from each of kept.
//
// A proof from a size needs the hashes beside the path to the boundary there. Each lies in
// the tile that the path goes through, of one side of the boundary or the other, since a tile
// is a whole subtree; and the hashes that authenticate a tile lie in those above it.
func exportTiles(n, first, end int64, others, kept []int64) []tlog.Tile {
	at := map[place]bool{}
	through := func(from, to int64) {
		for level := range maxTileLevel + 1 {
			for t := max(from, 0) >> (tileHeight * (level + 1)); t <= to>>(tileHeight*(level+1)); t++ {
				at[place{level, t}] = true
			}
		}
	}
	through(first-1, end)
	through(n-1, n)
	for _, index := range others {
		through(index, index)
	}
	for _, size := range kept {
		through(size-1, size)
	}
	var tiles []tlog.Tile
	for p := range at {
		w := min(n>>(tileHeight*p.level)-p.n<<tileHeight, 1<<tileHeight)
		if w > 0 {
			tiles = append(tiles, tlog.Tile{H: tileHeight, L: p.level, N: p.n, W: int(w)})
		}
	}
	slices.SortFunc(tiles, func(a, b tlog.Tile) int {
		if a.L != b.L {
			return a.L - b.L
		}
		return cmp.Compare(a.N, b.N)
	})
	return tiles
}
