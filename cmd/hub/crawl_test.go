package main

import (
	"bytes"
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"handover/internal/hubtest"
)

// crawler goes through the pages as somebody who follows every link and sends every form, and
// writes the same thing into every box.
type crawler struct {
	t      *testing.T
	who    string
	her    *hubtest.Browser
	writes string            // into every free text
	leaves []string          // beginnings and ends of addresses that she does not go to
	says   map[string]string // what she answers to a question by its name, "" being nothing

	seen      map[string]bool
	queue     []string
	addresses []string // of every page and act, and where each led
	titles    []string
	cookies   []string
	shown     strings.Builder // every answer
	acts      int
}

// ids stand in addresses where two pages are of one kind.
var anyID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|[A-Za-z0-9_-]{43}`)

// mostOfAKind is how many pages of one kind are looked at, and most how many requests there are.
const mostOfAKind, most = 3, 700

// crawl goes on until there is nothing new.
func (c *crawler) crawl(from string) {
	c.t.Helper()
	c.seen = map[string]bool{}
	kinds := map[string]int{}
	c.queue = append(c.queue, from)
	for requests := 0; len(c.queue) > 0 && requests < most; requests++ {
		next := c.queue[0]
		c.queue = c.queue[1:]
		path, _, _ := strings.Cut(next, "?")
		kind := anyID.ReplaceAllString(path, "ID")
		if c.seen[next] || kinds[kind] >= mostOfAKind || c.leaving(path) {
			continue
		}
		c.seen[next] = true
		kinds[kind]++
		c.read(next, c.her.Get(c.t, next))
	}
}

func (c *crawler) leaving(path string) bool {
	return slices.ContainsFunc(c.leaves, func(l string) bool { return strings.HasPrefix(path, l) || strings.HasSuffix(path, l) })
}

// read notes what an answer shows, follows it, and sends its forms.
func (c *crawler) read(at string, a hubtest.Answer) {
	c.t.Helper()
	c.addresses = append(c.addresses, at)
	for _, cookie := range (&http.Response{Header: a.Header}).Cookies() {
		c.cookies = append(c.cookies, cookie.Name)
	}
	if a.Status >= 500 {
		c.t.Errorf("%s at %s: %d\n%s", c.who, at, a.Status, a.Body)
	}
	if to := a.Header.Get("Location"); to != "" {
		c.addresses = append(c.addresses, to)
		if strings.HasPrefix(to, "/") { // next, so that what takes several pages comes to its end
			c.queue = append([]string{to}, c.queue...)
		}
		return
	}
	c.shown.Write(a.Body)
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		return
	}
	page, err := html.Parse(bytes.NewReader(a.Body))
	if err != nil {
		c.t.Fatal(err)
	}
	for n := range page.Descendants() {
		switch {
		case n.Type != html.ElementNode:
		case n.DataAtom == atom.Title:
			c.titles = append(c.titles, n.FirstChild.Data)
		case n.DataAtom == atom.A && strings.HasPrefix(attr(n, "href"), "/"):
			c.queue = append(c.queue, attr(n, "href"))
		case n.DataAtom == atom.Form:
			c.send(at, page, n)
		}
	}
}

// send fills in a form and sends it by each of its buttons, once for each kind of form.
func (c *crawler) send(at string, page, form *html.Node) {
	c.t.Helper()
	path, _, _ := strings.Cut(at, "?")
	for _, button := range buttons(page, form) {
		action := cmp.Or(attr(button, "formaction"), attr(form, "action"), path)
		values, written := c.filled(form)
		if name := attr(button, "name"); name != "" {
			values.Set(name, attr(button, "value"))
		}
		key := "form " + anyID.ReplaceAllString(action, "ID") + " " + strings.Join(slices.Sorted(maps.Keys(values)), " ") + attr(button, "value")
		if c.seen[key] || c.leaving(action) {
			continue
		}
		c.seen[key] = true
		c.acts++
		if strings.EqualFold(attr(form, "method"), "post") {
			a := c.her.Form(c.t, action, values)
			c.read(action, a)
			if a.Status == http.StatusUnprocessableEntity { // what she writes is no date, number or code
				for name, texts := range values {
					if len(texts) == 1 && texts[0] == c.writes && !written[name] {
						values.Set(name, "")
					}
				}
				c.read(action, c.her.Form(c.t, action, values))
			}
			continue
		}
		for name, texts := range values {
			if slices.Contains(texts, c.writes) {
				c.t.Errorf("%s at %s: what is written into %s goes into an address", c.who, path, name)
			}
		}
		c.queue = append(c.queue, action+"?"+values.Encode())
	}
}

// buttons are those that send a form, wherever on the page they stand.
func buttons(page, form *html.Node) (all []*html.Node) {
	for n := range page.Descendants() {
		if n.DataAtom != atom.Button || attr(n, "type") == "button" {
			continue
		}
		within := false
		for up := range n.Ancestors() {
			within = within || up == form
		}
		if of := attr(n, "form"); of != "" && of == attr(form, "id") || of == "" && within {
			all = append(all, n)
		}
	}
	return all
}

// filled answers each question: a free text with what she writes, of given answers the first.
// long says which are texts of several lines.
func (c *crawler) filled(form *html.Node) (values url.Values, long map[string]bool) {
	values, long = url.Values{}, map[string]bool{}
	for n := range form.Descendants() {
		name := attr(n, "name")
		if n.Type != html.ElementNode || name == "" {
			continue
		}
		switch n.DataAtom {
		case atom.Textarea:
			values.Set(name, c.writes)
			long[name] = true
		case atom.Select:
			for o := range n.Descendants() {
				if o.DataAtom == atom.Option && attr(o, "value") != "" {
					values.Set(name, attr(o, "value"))
					break
				}
			}
		case atom.Input:
			switch kind := attr(n, "type"); {
			case kind == "checkbox":
				values.Add(name, attr(n, "value"))
			case kind == "radio" && values.Has(name):
			case kind == "hidden", kind == "radio", kind == "submit", kind == "date", kind == "time":
				values.Set(name, attr(n, "value"))
			default:
				values.Set(name, c.writes)
			}
		}
	}
	for name, answer := range c.says {
		switch {
		case !values.Has(name):
		case answer == "":
			values.Del(name)
		default:
			values.Set(name, answer)
		}
	}
	return values, long
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
