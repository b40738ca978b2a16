package notify

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

// How long the hub keeps at it.
const (
	hopeless = 72 * time.Hour      // a webhook that took nothing for so long is disabled
	tooOld   = 84 * time.Hour      // what has waited so long is given up: while a webhook was paused, say
	kept     = 30 * 24 * time.Hour // then a delivery is forgotten
	rest     = 10 * time.Second    // after a failure, before anything else is tried at the same address
	overlap  = 24 * time.Hour      // in which the secret before counts beside the new one
)

// delays are the times between attempts, some three days in all.
func delays() []time.Duration {
	return []time.Duration{5 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
		10 * time.Hour, 12 * time.Hour, 14 * time.Hour, 14 * time.Hour, 14 * time.Hour}
}

// again returns when the next attempt is made after so many that failed, and false if there is
// none. It is up to a fifth sooner or later, so that all that failed in one moment does not
// come back in one.
func again(failed int) (time.Duration, bool) {
	all := delays()
	if failed > len(all) {
		return 0, false
	}
	d := all[failed-1]
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	fifth := int64(d / 5)
	return d + time.Duration(int64(binary.BigEndian.Uint64(random[:])>>1)%(2*fifth)-fifth), true
}
