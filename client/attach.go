package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"handover/internal/codes"
	"handover/internal/ids"
	"handover/referral/packet"
	"handover/referral/packet/attachment"
)

// Attachment is a file that goes with a packet, sealed in chunks as it is read: neither
// here nor at the hub is it ever in memory as a whole.
type Attachment struct {
	Class     string    // the section, such as "health", as which it is judged and released
	MediaType string    // as application/pdf; the recipient sees it, the hub does not
	Content   io.Reader // 1 byte to 20 MiB
}

// SealedAttachment is an attachment whose sealed chunks have been put somewhere. It holds
// the key to them and prints nothing of it.
type SealedAttachment struct {
	class  string
	sealed attachment.Sealed
}

// SealAttachment seals a to w, one chunk a line, for whoever keeps packets: give the result
// to Seal in Request.Attachments, and what was written to Upload. Codes of refusal:
// attachment-size, attachment-media-type, envelope-claim.
func SealAttachment(w io.Writer, a Attachment) (SealedAttachment, error) {
	return sealAttachment(a, attachment.Lines(w))
}

func sealAttachment(a Attachment, put attachment.Put) (SealedAttachment, error) {
	if !codes.Sections().Has(a.Class) {
		return SealedAttachment{}, local(packet.ErrClaim.With("claim", "sections"))
	}
	w, err := attachment.NewWriter(a.MediaType, put)
	if err != nil {
		return SealedAttachment{}, local(err)
	}
	if _, err := io.Copy(w, a.Content); err != nil {
		return SealedAttachment{}, local(err)
	}
	if err := w.Close(); err != nil {
		return SealedAttachment{}, local(err)
	}
	sealed, err := w.Sealed()
	return SealedAttachment{class: a.Class, sealed: sealed}, err
}

// attach adds attachment-1 and so on to what is sealed, and says in claims what each is
// judged as.
func attach(claims *packet.Claims, sections map[string]Content, all []SealedAttachment) map[string]Content {
	if len(all) == 0 {
		return sections
	}
	with := map[string]Content{}
	for name, content := range sections {
		with[name] = content
	}
	claims.Sections = map[string]packet.Sealing{}
	for i, a := range all {
		name := attachmentName(i)
		with[name] = a.sealed.Head
		claims.Sections[name] = packet.Sealing{Class: a.class, Chunks: a.sealed.Chunks}
	}
	return with
}

// attachmentName is the section of the attachment with that index.
func attachmentName(i int) string { return "attachment-" + strconv.Itoa(i+1) }

// putAll seals attachments and puts their chunks as they come, for the packet with that id.
func (c *Client) putAll(ctx context.Context, id string, all []Attachment) ([]SealedAttachment, error) {
	var sealed []SealedAttachment
	for i, a := range all {
		name := attachmentName(i)
		s, err := sealAttachment(a, func(number int, chunk string) error { return c.putChunk(ctx, id, name, number, chunk) })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		sealed = append(sealed, s)
	}
	return sealed, nil
}

func (c *Client) putChunk(ctx context.Context, id, name string, number int, chunk string) error {
	_, err := c.do(ctx, call{method: http.MethodPut, path: fmt.Sprintf("/v1/attachments/%s/%s/%d", id, name, number),
		body: []byte(chunk), mediaType: "application/jose"})
	return err
}

// Upload puts the chunks of an attachment that a sealed packet names, from what
// SealAttachment wrote: those that the hub does not have yet, so after an interruption it
// goes on where it was. Post the packet when every attachment is there. Codes of refusal:
// attachment-conflict (other chunks are there), attachment-uploads.
func (c *Client) Upload(ctx context.Context, packetID, name string, sealed io.Reader) error {
	if !ids.IsUUIDv7(packetID) || !codes.IsAttachment(name) {
		return fmt.Errorf("%w: no attachment has this name", ErrDocument)
	}
	answer, err := get[struct {
		Chunks []struct {
			Number int    `json:"number"`
			Digest string `json:"digest"`
		} `json:"chunks"`
	}](ctx, c, "/v1/attachments/"+packetID+"/"+name, nil)
	if err != nil {
		return err
	}
	here := map[int]string{}
	for _, chunk := range answer.Chunks {
		here[chunk.Number] = chunk.Digest
	}
	next := attachment.FromLines(sealed)
	for number := 0; ; number++ {
		chunk, err := next(number)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if here[number] == ids.Digest(chunk) {
			continue
		}
		if err := c.putChunk(ctx, packetID, name, number, chunk); err != nil {
			return err
		}
	}
}

// OpenedAttachment is an attachment that was released. Its size and media type are what its
// sender signed; nobody has looked whether it is what it says, or does harm.
type OpenedAttachment struct {
	Name      string `json:"name"` // attachment-1 to attachment-9
	Class     string `json:"class"`
	MediaType string `json:"media_type"`
	Size      int64  `json:"size"` // bytes

	// Content fetches and opens as it is read, within an hour and under the context that
	// Open was given. Every byte has been authenticated; yet only who has read up to io.EOF
	// has the whole, and whoever gets another error must use nothing of it. Its code of
	// refusal, besides those of Open, is attachment-unreadable.
	Content io.Reader `json:"-"`
}

// openAttachment makes the reader of one whose head was released.
func (c *Client) openAttachment(ctx context.Context, referral string, e Event, name, jwe string) (OpenedAttachment, error) {
	head, err := c.unseal(e.opened, name, jwe)
	if err != nil {
		return OpenedAttachment{}, err
	}
	line := e.Claims.Sections[name]
	var r *attachment.Reader
	next := func(number int) (string, error) {
		if number == r.Count() { // what more the hub may have is not ours to ask for
			return "", io.EOF
		}
		return c.fetchChunk(ctx, referral, e.Digest, name, number)
	}
	if r, err = attachment.NewReader(head, line.Chunks, next); err != nil {
		return OpenedAttachment{}, err
	}
	return OpenedAttachment{Name: name, Class: line.Class, MediaType: r.MediaType(), Size: r.Size(), Content: localReader{r}}, nil
}

func (c *Client) fetchChunk(ctx context.Context, referral, envelope, name string, number int) (string, error) {
	r, err := c.do(ctx, call{method: http.MethodGet, path: fmt.Sprintf("/v1/referrals/%s/attachments/%s/%d", referral, name, number),
		query: map[string][]string{"envelope": {envelope}}})
	if err != nil {
		return "", err
	}
	return string(r.body), nil
}

// localReader turns a refusal into a Problem.
type localReader struct{ r io.Reader }

// Read is io.Reader's.
func (l localReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = local(err)
	}
	return n, err
}
