package pg

import (
	"bytes"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

// TestTextsAreEncodedAsTheDriverDoes compares bytes with those of the driver's own codec.
func TestTextsAreEncodedAsTheDriverDoes(t *testing.T) {
	m := pgtype.NewMap()
	theirs, _ := m.TypeForOID(pgtype.TextArrayOID)
	ours := texts{theirs.Codec}
	for _, elements := range [][]string{{}, {""}, {"a"}, {"é", "", "NULL", `{"x"}`}, {strings.Repeat("x", 70_000), "y"}} {
		want, err := m.Encode(pgtype.TextArrayOID, pgtype.BinaryFormatCode, elements, []byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := ours.PlanEncode(m, pgtype.TextArrayOID, pgtype.BinaryFormatCode, elements).Encode(elements, []byte("before"))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%.20q: %x, %v; want %x", elements, got, err, want)
		}
	}
	if got, err := (textsPlan{}).Encode([]string(nil), []byte("before")); got != nil || err != nil {
		t.Errorf("nil: %x, %v; want NULL", got, err)
	}
}
