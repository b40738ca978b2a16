package record_test

import (
	"errors"
	"flag"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/fault"
)

// TestMain makes the properties draw the same values in every run; -rapid.seed on the
// command line draws others.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.seed", "20261001"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// passage is one that agreed covers.
func passage() record.Passage {
	return record.Passage{Subject: subject, Purpose: "housing", Sender: "charity", Recipient: "borough", Category: "housing",
		Classes: []string{"need", "safe-contact"}, Now: now}
}

func TestCovers(t *testing.T) {
	type change func(c *record.Claims, p *record.Passage)
	at := func(unix int64) change {
		return func(_ *record.Claims, p *record.Passage) { p.Now = time.Unix(unix, 0) }
	}
	to := func(partner, category string) change {
		return func(_ *record.Claims, p *record.Passage) { p.Recipient, p.Category = partner, category }
	}
	named := func(partner, category string, recipients ...string) change {
		return func(c *record.Claims, p *record.Passage) {
			c.Recipients, p.Recipient, p.Category = recipients, partner, category
		}
	}
	classes := func(names ...string) change { return func(_ *record.Claims, p *record.Passage) { p.Classes = names } }
	from := agreed().ValidFrom
	until := agreed().Expires
	for _, row := range []struct {
		name    string
		change  change
		want    *fault.Fault
		section string
	}{
		{"what she agreed to", func(*record.Claims, *record.Passage) {}, nil, ""},
		{"she refused", func(c *record.Claims, _ *record.Passage) { c.Agreement = "refused" }, record.ErrNotCovered, ""},
		{"nobody wrote what she said", func(c *record.Claims, _ *record.Passage) { c.Agreement = "" }, record.ErrNotCovered, ""},
		{"another woman", func(_ *record.Claims, p *record.Passage) { p.Subject = b64([]byte("another 16 bytes")) }, record.ErrNotCovered, ""},
		{"nobody", func(_ *record.Claims, p *record.Passage) { p.Subject = "" }, record.ErrNotCovered, ""},
		{"another purpose", func(_ *record.Claims, p *record.Passage) { p.Purpose = "benefits" }, record.ErrNotCovered, ""},
		{"no purpose", func(_ *record.Claims, p *record.Passage) { p.Purpose = "" }, record.ErrNotCovered, ""},

		{"the first second", at(from), nil, ""},
		{"a second before it", at(from - 1), record.ErrExpired, ""},
		{"a nanosecond before it", func(_ *record.Claims, p *record.Passage) { p.Now = time.Unix(from, -1) }, record.ErrExpired, ""},
		{"the last second", at(until - 1), nil, ""},
		{"a nanosecond before its end", func(_ *record.Claims, p *record.Passage) { p.Now = time.Unix(until, -1) }, nil, ""},
		{"its end", at(until), record.ErrExpired, ""},
		{"long after", at(until + 1000*day), record.ErrExpired, ""},
		{"in another zone", func(_ *record.Claims, p *record.Passage) { p.Now = now.In(time.FixedZone("", 3600)) }, nil, ""},

		{"a sender she named", func(c *record.Claims, p *record.Passage) {
			c.Recipients, c.Onward = append(c.Recipients, "shelter"), "named"
			p.Sender = "shelter"
		}, nil, ""},
		{"a sender she named, who is not to send it on", func(c *record.Claims, p *record.Passage) {
			c.Recipients, c.Onward = append(c.Recipients, "shelter"), "ask-each-time"
			p.Sender = "shelter"
		}, record.ErrOnward, ""},
		{"a request to the recorder, not to be sent on", func(c *record.Claims, p *record.Passage) {
			c.Recipients, c.Onward = append(c.Recipients, "charity"), "none"
			p.Sender, p.Recipient, p.Category, p.Opens = "borough", "charity", "vawg-service", true
		}, record.ErrOnward, ""},
		{"a sender she did not name", func(_ *record.Claims, p *record.Passage) { p.Sender = "shelter" }, record.ErrNotCovered, ""},
		{"no sender", func(_ *record.Claims, p *record.Passage) { p.Sender = "" }, record.ErrNotCovered, ""},
		{"the answer to the recorder, whom she did not name", func(_ *record.Claims, p *record.Passage) {
			p.Sender, p.Recipient, p.Category = "borough", "charity", "vawg-service"
		}, record.ErrNotCovered, ""},
		{"the answer to the recorder, whom she named", func(c *record.Claims, p *record.Passage) {
			c.Recipients, c.Onward = append(c.Recipients, "charity"), "none"
			p.Sender, p.Recipient, p.Category = "borough", "charity", "vawg-service"
		}, nil, ""},

		{"another of the category she named", to("borough-2", "housing"), nil, ""},
		{"a recipient she did not name", to("gp-practice", "primary-care"), record.ErrNotCovered, ""},
		{"named, though its category is not", named("gp-practice", "primary-care", "gp-practice"), nil, ""},
		{"its category, though it is not named", named("gp-practice", "primary-care", "category:primary-care"), nil, ""},
		{"its name is a category", named("borough", "housing", "housing"), record.ErrNotCovered, ""},
		{"its category is its name", named("housing", "legal-advice", "category:housing"), record.ErrNotCovered, ""},
		{"no recipient and no category", to("", ""), record.ErrNotCovered, ""},
		{"nobody named", func(c *record.Claims, _ *record.Passage) { c.Recipients = nil }, record.ErrNotCovered, ""},

		{"police named as police", named("met", "police", "category:police"), nil, ""},
		{"police named by its own name only", named("met", "police", "met"), record.ErrNotCovered, ""},
		{"police named both ways", named("met", "police", "met", "category:police"), nil, ""},
		{"police where she named others", to("met", "police"), record.ErrNotCovered, ""},
		{"a partner called police", named("police", "housing", "police"), nil, ""},
		{"police called police", named("police", "police", "police"), record.ErrNotCovered, ""},
		{"others where she named police", named("borough", "housing", "category:police"), record.ErrNotCovered, ""},

		{"one section of those", classes("housing"), nil, ""},
		{"every section she allowed", classes("need", "safe-contact", "housing"), nil, ""},
		{"no section", classes(), nil, ""},
		{"one she did not name", classes("need", "risk"), record.ErrNotCovered, "risk"},
		{"one she withheld", classes("need", "health"), record.ErrNotCovered, "health"},
		{"one she allowed and withheld", func(c *record.Claims, p *record.Passage) {
			c.Withheld = append(c.Withheld, "need")
		}, record.ErrNotCovered, "need"},
		{"withheld and nothing else", classes("immigration"), record.ErrNotCovered, "immigration"},
		{"the first of two is named", classes("risk", "health"), record.ErrNotCovered, "risk"},
		{"she allowed nothing", func(c *record.Claims, _ *record.Passage) { c.Sections = nil }, record.ErrNotCovered, "need"},
		{"in capitals", classes("Need"), record.ErrNotCovered, "Need"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, p := agreed(), passage()
			row.change(&c, &p)
			err := c.Covers(p)
			switch {
			case row.want == nil && err != nil:
				t.Error(err)
			case row.want != nil && row.section != "":
				refused(t, err, row.want, "section", row.section)
			case row.want != nil:
				refused(t, err, row.want)
			}
		})
	}
}

// said is what she said, as a plain list of who may get what, made from the design
// (4-consent: one purpose; recipients by name or category, police only as such;
// withheld wins) and not from the code.
func said(c record.Claims, partners map[string]string) map[[2]string]bool {
	may := map[[2]string]bool{} // recipient, class
	if c.Agreement != "agreed" {
		return may
	}
	for partner, category := range partners {
		for _, recipient := range c.Recipients {
			byName := recipient == partner && category != "police"
			if !byName && recipient != "category:"+category {
				continue
			}
			for _, class := range c.Sections {
				may[[2]string{partner, class}] = true
			}
		}
		for _, class := range c.Withheld {
			delete(may, [2]string{partner, class})
		}
	}
	return may
}

// Whatever she agreed to and whatever is asked, Covers says yes exactly when she did.
func TestCoversIsWhatSheSaid(t *testing.T) {
	partners := map[string]string{"charity": "vawg-service", "borough": "housing", "borough-2": "housing", "met": "police",
		"housing": "primary-care", "police": "police", "gp-practice": "primary-care"}
	names := []string{"charity", "borough", "borough-2", "met", "housing", "police", "gp-practice"}
	recipients := slices.Concat(names, []string{"category:vawg-service", "category:housing", "category:police", "category:primary-care"})
	classes := []string{"need", "risk", "health", "note"}
	pick := func(r *rapid.T, label string, from []string, least, most int) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(from), least, most, rapid.ID[string]).Draw(r, label)
	}
	yes, no := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		c := agreed()
		c.Issuer = rapid.SampledFrom(names).Draw(r, "recorder")
		c.Agreement = rapid.SampledFrom([]string{"agreed", "agreed", "agreed", "agreed", "refused"}).Draw(r, "agreement")
		c.Onward = rapid.SampledFrom([]string{"named", "named", "named", "none"}).Draw(r, "onward")
		c.Recipients = pick(r, "recipients", recipients, 3, len(recipients))
		c.Sections, c.Withheld = pick(r, "sections", classes, 2, len(classes)), pick(r, "withheld", classes, 0, 1)
		c.ValidFrom = now.Unix() + rapid.Int64Range(-3, 0).Draw(r, "from")
		c.Expires = now.Unix() + rapid.Int64Range(1, 3).Draw(r, "to")
		may := said(c, partners)
		for range 10 {
			p := passage()
			p.Subject = rapid.SampledFrom([]string{subject, subject, subject, subject, b64([]byte("another 16 bytes"))}).Draw(r, "subject")
			p.Purpose = rapid.SampledFrom([]string{c.Purpose, c.Purpose, c.Purpose, "benefits"}).Draw(r, "purpose")
			p.Sender = rapid.SampledFrom(append(names, c.Issuer, c.Issuer, c.Issuer)).Draw(r, "sender")
			p.Recipient = rapid.SampledFrom(names).Draw(r, "recipient")
			p.Category = partners[p.Recipient]
			p.Classes = pick(r, "classes", classes, 1, 2)
			p.Now = now.Add(time.Duration(rapid.Int64Range(-1e9, 2e9).Draw(r, "now")))

			inForce := !p.Now.Before(time.Unix(c.ValidFrom, 0)) && p.Now.Before(time.Unix(c.Expires, 0))
			mayUse := p.Sender == c.Issuer || slices.Contains(c.Recipients, p.Sender) && (c.Onward == "named" || p.Recipient == c.Issuer)
			want := inForce && mayUse && c.Purpose == p.Purpose && c.Subject == p.Subject
			for _, class := range p.Classes {
				want = want && may[[2]string{p.Recipient, class}]
			}
			err := c.Covers(p)
			if (err == nil) != want {
				r.Fatalf("she agreed: %v; covered: %v", want, err)
			}
			if err != nil && !errors.Is(err, record.ErrNotCovered) && !errors.Is(err, record.ErrExpired) && !errors.Is(err, record.ErrOnward) {
				r.Fatalf("refused with %v", err)
			}
			if errors.Is(err, record.ErrExpired) && inForce {
				r.Fatal("expired, though it is in force")
			}
			if want {
				yes++
			} else {
				no++
			}
		}
	})
	if yes < (yes+no)/20 || no == 0 {
		t.Errorf("%d of %d passages were covered: the property was hardly tried", yes, yes+no)
	}
}

// Naming more never takes away, and withholding more never gives.
func TestWithholdingOnlyNarrows(t *testing.T) {
	all := codes.Sections().Codes()
	rapid.Check(t, func(r *rapid.T) {
		c, p := agreed(), passage()
		c.Sections = rapid.SliceOfDistinct(rapid.SampledFrom(all), rapid.ID[string]).Draw(r, "sections")
		c.Withheld = rapid.SliceOfDistinct(rapid.SampledFrom(all), rapid.ID[string]).Draw(r, "withheld")
		p.Classes = rapid.SliceOfNDistinct(rapid.SampledFrom(all), 1, 6, rapid.ID[string]).Draw(r, "classes")
		more := rapid.SampledFrom(all).Draw(r, "more")
		before := c.Covers(p) == nil
		narrower, wider := c, c
		narrower.Withheld = append(slices.Clone(c.Withheld), more)
		wider.Sections = append(slices.Clone(c.Sections), more)
		if !before && narrower.Covers(p) == nil {
			r.Fatal("withholding gave")
		}
		if before && wider.Covers(p) != nil {
			r.Fatal("allowing took away")
		}
		if narrower.Covers(p) == nil && slices.Contains(p.Classes, more) {
			r.Fatal("what she withheld was covered")
		}
	})
}
