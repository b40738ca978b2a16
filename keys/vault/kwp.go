package vault

import (
	"crypto/aes"
	"encoding/binary"
	"errors"
)

// wrapPadded wraps plaintext under an AES key by AES Key Wrap with Padding (RFC 5649 §4.1),
// which is what transit's import takes.
func wrapPadded(kek, plaintext []byte) ([]byte, error) {
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, err
	}
	if len(plaintext) == 0 || len(plaintext) > 64<<10 {
		return nil, errors.New("wrapping a key: it is empty, or no key")
	}
	padded := (len(plaintext) + 7) / 8 * 8
	out := make([]byte, 8+padded)
	binary.BigEndian.PutUint32(out, 0xA65959A6) // RFC 5649 §3: the alternative initial value
	binary.BigEndian.PutUint32(out[4:], uint32(len(plaintext)))
	copy(out[8:], plaintext)
	if padded == 8 {
		block.Encrypt(out, out)
		return out, nil
	}
	// RFC 3394 §2.2.1, with that value in the place of its own.
	a := make([]byte, aes.BlockSize)
	copy(a, out[:8])
	for j := range 6 {
		for i := 1; i <= padded/8; i++ {
			copy(a[8:], out[8*i:8*i+8])
			block.Encrypt(a, a)
			copy(out[8*i:], a[8:])
			t := binary.BigEndian.Uint64(a) ^ uint64(j*(padded/8)+i)
			binary.BigEndian.PutUint64(a, t)
		}
	}
	copy(out, a[:8])
	return out, nil
}
