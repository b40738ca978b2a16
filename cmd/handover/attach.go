package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"handover/client"
	"handover/client/profile"
	"handover/internal/codes"
	"handover/internal/ids"
)

// kinds are the media types that files get, by the ends of their names; and the ends, by
// what senders say. A table of ours: that of the machine would let a sender choose what her
// file is opened with.
func kinds() [][2]string {
	return [][2]string{
		{".pdf", "application/pdf"}, {".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"}, {".png", "image/png"}, {".heic", "image/heic"},
		{".txt", "text/plain"}, {".csv", "text/csv"}, {".rtf", "application/rtf"}, {".odt", "application/vnd.oasis.opendocument.text"},
		{".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}, {".mp3", "audio/mpeg"}, {".m4a", "audio/mp4"}, {".mp4", "video/mp4"},
	}
}

func mediaTypeOf(path string) string {
	for _, k := range kinds() {
		if strings.EqualFold(filepath.Ext(path), k[0]) {
			return k[1]
		}
	}
	return "application/octet-stream"
}

func endOf(mediaType string) string {
	for _, k := range kinds() {
		if mediaType == k[1] {
			return k[0]
		}
	}
	return ".bin"
}

// attach seals the files into the outbox, for the packet that is going to be sealed.
func (a *app) attach(p *profile.Profile, s *sending) error {
	if len(s.attach) == 0 {
		return nil
	}
	if len(s.attach) > 9 {
		return usage("a packet has nine attachments at most")
	}
	if s.request.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("choosing a packet id: %w", err)
		}
		s.request.ID = id.String()
	}
	for i, given := range s.attach {
		at := strings.LastIndexByte(given, ':')
		if at < 1 || !codes.Sections().Has(given[at+1:]) {
			return usage("--attach wants FILE:CLASS, as scan.pdf:health; the classes are %s", codes.Sections())
		}
		sealed, err := sealFile(p, s.request.ID, "attachment-"+strconv.Itoa(i+1), given[:at], given[at+1:])
		if err != nil {
			return errors.Join(err, p.DiscardAttachments(s.request.ID))
		}
		s.request.Attachments = append(s.request.Attachments, sealed)
	}
	return nil
}

func sealFile(p *profile.Profile, packetID, name, path, class string) (sealed client.SealedAttachment, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sealed, fmt.Errorf("reading %s: %w", path, err)
	}
	defer f.Close()
	err = p.KeepAttachment(packetID, name, func(w io.Writer) (err error) {
		sealed, err = client.SealAttachment(w, client.Attachment{Class: class, MediaType: mediaTypeOf(path), Content: f})
		return err
	})
	return sealed, err
}

// upload puts the attachments of a packet of the outbox, where it stopped, and posts it. A
// packet whose receipt was lost is posted all the same: what it names is there.
func (a *app) upload(ctx context.Context, p *profile.Profile, c *client.Client, k profile.Kept) (client.Receipt, error) {
	for _, name := range k.Attachments {
		f, err := p.OpenAttachment(k.ID, name)
		if err != nil {
			return client.Receipt{}, err
		}
		err = errors.Join(c.Upload(ctx, k.ID, name, f), f.Close())
		if err != nil {
			return client.Receipt{}, err
		}
	}
	return c.Post(ctx, k.Packet)
}

// savedAttachment is an attachment and the file that it was written to.
type savedAttachment struct {
	client.OpenedAttachment
	File string `json:"file"`
}

// saveAttachments writes attachments to files of a folder. What does not come to its end
// leaves no file.
func saveAttachments(folder string, step int, opened client.Opened) (saved []savedAttachment, err error) {
	for _, at := range opened.Attachments {
		name := ids.Reference(opened.Referral) // not as the hub spells it: it becomes a path
		if step != 1 {
			name += "-step-" + strconv.Itoa(step)
		}
		path := filepath.Join(folder, name+"-"+at.Name+endOf(at.MediaType))
		if err := save(path, at.Content); err != nil {
			return saved, fmt.Errorf("%s: %w", at.Name, err)
		}
		saved = append(saved, savedAttachment{at, path})
	}
	return saved, nil
}

// save writes a new file, for its owner alone.
func save(path string, content io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing it: %w", err)
	}
	_, err = io.Copy(f, content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
