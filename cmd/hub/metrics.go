package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"handover/audit"
)

// measureWitnesses shows how the log stands with its witnesses. The one to be woken for is
// handover_log_witnesses_refusing: a witness says that history was changed.
func measureWitnesses(reg prometheus.Registerer, log *audit.Log) {
	gauge := func(name, help string, value func(audit.Witnessing) float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return value(log.Witnessing()) }))
	}
	gauge("handover_log_size", "Entries of the log, as this hub knows it.",
		func(w audit.Witnessing) float64 { return float64(w.Size) })
	gauge("handover_log_cosigned_size", "Entries under the newest checkpoint that enough witnesses have cosigned.",
		func(w audit.Witnessing) float64 { return float64(w.Cosigned) })
	gauge("handover_log_witnesses_short", "1 while too few witnesses answer, and receipts have the hub's signature alone.",
		func(w audit.Witnessing) float64 {
			if w.Short {
				return 1
			}
			return 0
		})
	gauge("handover_log_witnesses_refusing", "Witnesses that have cosigned another history of the log than the stored one.",
		func(w audit.Witnessing) float64 { return float64(len(w.Refused)) })
}
