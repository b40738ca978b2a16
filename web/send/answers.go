package send

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"handover/internal/codes"
	"handover/internal/strict"
	"handover/referral/packet"
	"handover/referral/packet/schema"
)

// answers are what somebody has written in a draft: by question, as need.summary or
// risk.feared.0.called.
type answers map[string][]string

// The questions whose answers are no part of a section. The pages of consent share them.
const (
	adultKey    = "adult"
	purposeKey  = "purpose"
	areaKey     = "area"
	serviceKey  = "service"
	toKey       = "to"
	urgencyKey  = "urgency"
	sectionsKey = "sections" // that have something in them and may go: of these she is asked
	consentKey  = "consent"  // id of the record, once it is made
	overrideKey = "override"
	onwardKey   = "onward_from"
)

// one is the single answer to a question, or "".
func (a answers) one(question string) string {
	if said := a[question]; len(said) > 0 {
		return said[0]
	}
	return ""
}

// say puts an answer in the place of what was there; nothing takes it away.
func (a answers) say(question string, said ...string) {
	said = slices.DeleteFunc(slices.Clone(said), func(s string) bool { return s == "" })
	if len(said) == 0 {
		delete(a, question)
		return
	}
	a[question] = said
}

// under reports whether anything is answered at or below the path.
func (a answers) under(path string) bool {
	for question := range a {
		if question == path || strings.HasPrefix(question, path+".") {
			return true
		}
	}
	return false
}

// forget takes away everything at or below the path.
func (a answers) forget(path string) {
	for question := range a {
		if question == path || strings.HasPrefix(question, path+".") {
			delete(a, question)
		}
	}
}

// items is how many items of a list are answered.
func (a answers) items(path string) int {
	n := 0
	for a.under(path + "." + strconv.Itoa(n)) {
		n++
	}
	return n
}

// drop takes an item out of a list; those after it move up.
func (a answers) drop(path string, item int) {
	n := a.items(path)
	a.forget(path + "." + strconv.Itoa(item))
	for i := item + 1; i < n; i++ {
		from, to := path+"."+strconv.Itoa(i), path+"."+strconv.Itoa(i-1)
		for question, said := range a {
			if rest, below := strings.CutPrefix(question, from+"."); below {
				a[to+"."+rest] = said
				delete(a, question)
			}
		}
	}
}

// field is the name of a question's input. No point is in it, which an id may not have.
func field(question string) string { return strings.ReplaceAll(question, ".", "__") }

// elsewhere is the name of the input for an authority that is not on the list.
func elsewhere(question string) string { return field(question) + "__other" }

// take reads the answer to a question from a form.
func (a answers) take(question string, form url.Values) {
	var said []string
	for _, v := range form[field(question)] {
		v = strings.TrimSpace(strings.ReplaceAll(v, "\r\n", "\n"))
		if v != "" && !slices.Contains(said, v) {
			said = append(said, v)
		}
	}
	if other := strings.ToUpper(strings.TrimSpace(form.Get(elsewhere(question)))); other != "" {
		said = []string{other}
	}
	a.say(question, said...)
}

// build is what stands at the path as its schema wants it, or nil.
func (s *shape) build(a answers, path string, now time.Time) any {
	switch s.Kind {
	case group:
		object := map[string]any{}
		for name, member := range s.Members {
			if v := member.build(a, path+"."+name, now); v != nil {
				object[name] = v
			}
		}
		if len(object) == 0 {
			return nil
		}
		return object
	case list:
		var all []any
		one := &shape{Kind: group, Members: s.Members}
		for i := range a.items(path) {
			all = append(all, one.build(a, path+"."+strconv.Itoa(i), now))
		}
		if len(all) == 0 {
			return nil
		}
		return all
	default:
		if len(a[path]) == 0 {
			return nil
		}
		return s.value(a[path], now)
	}
}

// section is the content of a section as it would be sealed, or nil if there is nothing in it.
// To police goes her worker's contact and never hers.
func (h *Handler) section(a answers, name string, police bool) packet.Content {
	object, _ := h.shapes[name].build(a, name, h.inLondon()).(map[string]any)
	if len(object) == 0 {
		return nil
	}
	if name == safeContact {
		if object["channel"] == "text" {
			object["text"] = true // what the channel says already
		}
		if police {
			object = only(object, "channel", "worker", "last_confirmed")
		}
	}
	d, _ := schema.Newest(name)
	object["schema"] = d.Name
	data, err := strict.Marshal(object)
	if err != nil {
		return nil // not reached: what is in it are texts, numbers and truths
	}
	return data
}

const safeContact = "safe-contact"

func only(object map[string]any, names ...string) map[string]any {
	for name := range object {
		if !slices.Contains(names, name) {
			delete(object, name)
		}
	}
	return object
}

// filled are the sections with something in them, in reading order.
func (a answers) filled() []string {
	return slices.DeleteFunc(codes.Sections().Codes(), func(name string) bool { return !a.under(name) })
}

// inLondon is the time by which "today" is today.
func (h *Handler) inLondon() time.Time { return h.now().In(h.zone) }
