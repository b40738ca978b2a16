package pg

import (
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// encodeTexts has conn encode a []string for text[] in one pass into memory of the right
// size. The driver's own way grows its memory for each element and looks each element's
// type up: with a group's sealed sections that was a quarter of all that the hub allocated.
func encodeTexts(conn *pgx.Conn) {
	m := conn.TypeMap()
	if t, ok := m.TypeForOID(pgtype.TextArrayOID); ok {
		m.RegisterType(&pgtype.Type{Name: t.Name, OID: t.OID, Codec: texts{t.Codec}})
	}
}

// texts is the driver's codec of text[], but for the encoding of a []string.
type texts struct{ pgtype.Codec }

func (c texts) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.([]string); ok && format == pgtype.BinaryFormatCode {
		return textsPlan{}
	}
	return c.Codec.PlanEncode(m, oid, format, value)
}

type textsPlan struct{}

// Encode appends the binary form of an array (array_send in PostgreSQL's source): the
// number of dimensions, a flag for NULLs, the element's type, the length and first index of
// the one dimension, then each element behind its length. All numbers have 32 bits.
func (textsPlan) Encode(value any, buf []byte) ([]byte, error) {
	elements := value.([]string)
	if elements == nil {
		return nil, nil // NULL
	}
	size := 5 * 4
	for _, e := range elements {
		size += 4 + len(e)
	}
	buf = slices.Grow(buf, size)
	number := func(n uint32) { buf = binary.BigEndian.AppendUint32(buf, n) }
	number(1)
	number(0)
	number(pgtype.TextOID)
	number(uint32(len(elements)))
	number(1)
	for _, e := range elements {
		number(uint32(len(e)))
		buf = append(buf, e...)
	}
	return buf, nil
}
