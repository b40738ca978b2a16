package profile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"handover/client"
	"handover/internal/strict"
)

const (
	outboxFolder  = "outbox"
	receiptFolder = "receipts"
	documentName  = ".json"
)

// Kept is a packet of the outbox.
type Kept struct {
	client.Letter
	Packet []byte `json:"-"`
}

// Keep saves a packet durably before it is posted for the first time. Whatever
// happens then, the same bytes can be posted again, and find the receipt they had.
func (p *Profile) Keep(packet []byte) (Kept, error) {
	letter, err := client.ReadLetter(packet)
	if err != nil {
		return Kept{}, err
	}
	if err := os.MkdirAll(filepath.Join(p.dir, outboxFolder), 0o700); err != nil {
		return Kept{}, fmt.Errorf("making the outbox: %w", err)
	}
	return Kept{Letter: letter, Packet: packet}, write(p.outboxPath(letter.Envelope), packet)
}

func (p *Profile) outboxPath(envelope string) string {
	return filepath.Join(p.dir, outboxFolder, envelope+documentName)
}

// Outbox lists the packets that have no receipt yet, oldest first.
func (p *Profile) Outbox() ([]Kept, error) {
	entries, err := os.ReadDir(filepath.Join(p.dir, outboxFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the outbox: %w", err)
	}
	var kept []Kept
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), documentName) || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		packet, err := os.ReadFile(filepath.Join(p.dir, outboxFolder, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading the outbox: %w", err)
		}
		letter, err := client.ReadLetter(packet)
		if err != nil || letter.Envelope+documentName != e.Name() {
			return nil, fmt.Errorf("%s in the outbox is damaged: take it out, and send it anew", e.Name())
		}
		kept = append(kept, Kept{Letter: letter, Packet: packet})
	}
	slices.SortStableFunc(kept, func(a, b Kept) int { return a.Signed.Compare(b.Signed) })
	return kept, nil
}

// KeepAttachment has seal write the sealed chunks of an attachment of the packet with that
// id, and keeps them durably, before the packet itself is made and kept.
func (p *Profile) KeepAttachment(packetID, name string, seal func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Join(p.dir, outboxFolder), 0o700); err != nil {
		return fmt.Errorf("making the outbox: %w", err)
	}
	return writeBy(p.attachmentPath(packetID, name), seal)
}

// OpenAttachment opens what KeepAttachment kept.
func (p *Profile) OpenAttachment(packetID, name string) (io.ReadCloser, error) {
	f, err := os.Open(p.attachmentPath(packetID, name))
	if err != nil {
		return nil, fmt.Errorf("%s of the packet is not in the outbox any more: send it anew: %w", name, err)
	}
	return f, nil
}

// DiscardAttachments takes the attachments of the packet with that id out of the outbox:
// the hub has them, or will never want them.
func (p *Profile) DiscardAttachments(packetID string) error {
	var failed []error
	for n := range 9 {
		err := os.Remove(p.attachmentPath(packetID, "attachment-"+strconv.Itoa(n+1)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, fmt.Errorf("emptying the outbox: %w", err))
		}
	}
	return errors.Join(failed...)
}

func (p *Profile) attachmentPath(packetID, name string) string {
	return filepath.Join(p.dir, outboxFolder, filepath.Base(packetID)+"."+filepath.Base(name))
}

// Settle keeps the receipt of a packet and takes the packet out of the outbox, in
// this order. It returns where the receipt lies.
func (p *Profile) Settle(receipt client.Receipt) (path string, err error) {
	if path, err = p.KeepReceipt(receipt.Envelope, receipt); err != nil {
		return "", err
	}
	return path, p.Discard(receipt.Envelope)
}

// Discard takes a packet out of the outbox: it was refused for good, and the hub has
// stored nothing of it.
func (p *Profile) Discard(envelope string) error {
	err := os.Remove(p.outboxPath(envelope))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("emptying the outbox: %w", err)
	}
	return nil
}

// KeepReceipt saves a receipt, or what holds one, under a name of URL-safe
// characters, and returns where it lies.
func (p *Profile) KeepReceipt(name string, document any) (path string, err error) {
	data, err := strict.Marshal(document)
	if err != nil {
		return "", fmt.Errorf("writing a receipt: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(p.dir, receiptFolder), 0o700); err != nil {
		return "", fmt.Errorf("making the receipt directory: %w", err)
	}
	path = filepath.Join(p.dir, receiptFolder, filepath.Base(name)+documentName)
	return path, write(path, append(data, '\n'))
}

// Consents returns the last consents whose receipts are kept, the newest first; their ids
// carry the time. What cannot be read is left out.
func (p *Profile) Consents(most int) (kept []client.RecordedConsent) {
	paths, err := filepath.Glob(filepath.Join(p.dir, receiptFolder, "consent-*"+documentName))
	if err != nil {
		return nil
	}
	slices.Sort(paths)
	for _, path := range slices.Backward(paths) {
		var r client.RecordedConsent
		if data, err := os.ReadFile(path); len(kept) < most && err == nil && strict.Unmarshal(data, &r) == nil {
			kept = append(kept, r)
		}
	}
	return kept
}

// write puts a file in place durably, as a whole or not at all, for its owner alone.
func write(path string, data []byte) error {
	return writeBy(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func writeBy(path string, fill func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a new name durable, where folders can be synced.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	return nil
}
