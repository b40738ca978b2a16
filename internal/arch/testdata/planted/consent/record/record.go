// Package record is pure.
package record
