package proof

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"handover/internal/ids"
)

// ErrUnwitnessed means that a checkpoint is signed by its log, but not by as many
// witnesses as the policy asks for. Its text says which of them signed.
var ErrUnwitnessed = errors.New("too few witnesses have signed the checkpoint")

// Bounds of a policy: what C2SP tlog-policy strongly recommends to support.
const (
	maxPolicy  = 64 << 10 // bytes
	maxMembers = 32       // logs, witnesses and groups, of each
)

// none is the quorum that asks for no witness.
const none = "none"

// Policy says whose cosignatures make a checkpoint count: named witnesses, groups of
// them with a threshold, and the one witness or group that has to have signed (C2SP
// tlog-policy). The zero Policy is no policy.
type Policy struct {
	logs      []policyLog
	witnesses []Witness
	groups    []group
	quorum    string
}

type policyLog struct {
	key LogKey
	url string
}

// group counts as having signed when at least need of its members have.
type group struct {
	name    string
	need    int
	members []string
}

// IsZero reports whether p is no policy.
func (p Policy) IsZero() bool { return p.quorum == "" }

// Equal reports whether p and other are written the same.
func (p Policy) Equal(other Policy) bool { return p.String() == other.String() }

// Demands reports whether p asks for any witness at all: `quorum none` does not.
func (p Policy) Demands() bool { return p.quorum != "" && p.quorum != none }

// Witnesses are the policy's witnesses, in its order.
func (p Policy) Witnesses() []Witness { return slices.Clone(p.witnesses) }

// ParsePolicy reads a policy in the text form of C2SP tlog-policy:
//
//	log <vkey> [<url>]
//	witness <name> <vkey> [<url>]
//	group <name> all|any|<k> <name>…
//	quorum <name>|none
//
// It is narrower than C2SP in one thing: names and URLs are UTF-8 that prints, and no
// name is a keyword, so that a name in a sentence cannot be taken for something else.
// The same key under two names would let one party count twice (the signed message of
// Ed25519 cosignatures does not have the witness's name), and a witness with the log's key would let
// the log witness itself: both are refused.
func ParsePolicy(text string) (Policy, error) {
	if len(text) > maxPolicy {
		return Policy{}, fmt.Errorf("policy too long: %w", ErrMalformed)
	}
	p := policyParser{free: map[string]bool{}}
	for i, line := range strings.Split(text, "\n") {
		if err := p.line(line); err != nil {
			return Policy{}, fmt.Errorf("policy, line %d: %w", i+1, err)
		}
	}
	if p.quorum == "" {
		return Policy{}, fmt.Errorf("policy without a quorum line: %w", ErrMalformed)
	}
	for _, w := range p.witnesses {
		for _, l := range p.logs {
			if l.key.owns(w) {
				return Policy{}, fmt.Errorf("policy whose log is its own witness: %w", ErrMalformed)
			}
		}
	}
	return p.Policy, nil
}

// policyParser is a Policy in the making.
type policyParser struct {
	Policy
	free map[string]bool // the names so far, and whether each may still become a member
}

func (p *policyParser) line(line string) error {
	if strings.IndexFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) >= 0 {
		return fmt.Errorf("control character: %w", ErrMalformed)
	}
	line = strings.Trim(line, " \t")
	if line == "" || line[0] == '#' {
		return nil
	}
	fields := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
	switch args := fields[1:]; {
	case !printable(line):
		return fmt.Errorf("text that does not print: %w", ErrMalformed)
	case fields[0] == "log" && (len(args) == 1 || len(args) == 2):
		return p.log(args)
	case fields[0] == "witness" && (len(args) == 2 || len(args) == 3):
		return p.witness(args)
	case fields[0] == "group" && len(args) >= 3:
		return p.group(args[0], args[1], args[2:])
	case fields[0] == "quorum" && len(args) == 1:
		return p.asks(args[0])
	}
	return fmt.Errorf("no line of a policy: %w", ErrMalformed)
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) && r != '\t' })
}

func (p *policyParser) log(args []string) error {
	key, err := ParseLogKey(args[0])
	if err != nil {
		return err
	}
	for _, l := range p.logs {
		if publicOf(l.key.text) == publicOf(key.text) {
			return fmt.Errorf("one log twice: %w", ErrMalformed)
		}
	}
	if len(p.logs) == maxMembers {
		return fmt.Errorf("too many logs: %w", ErrMalformed)
	}
	p.logs = append(p.logs, policyLog{key, strings.Join(args[1:], "")})
	return nil
}

func (p *policyParser) witness(args []string) error {
	w, err := ParseWitness(args[1])
	if err != nil {
		return err
	}
	if slices.ContainsFunc(p.witnesses, func(other Witness) bool { return other.public == w.public }) {
		return fmt.Errorf("one witness twice: %w", ErrMalformed)
	}
	if len(p.witnesses) == maxMembers {
		return fmt.Errorf("too many witnesses: %w", ErrMalformed)
	}
	w.Name, w.URL = args[0], strings.Join(args[2:], "")
	p.witnesses = append(p.witnesses, w)
	return p.name(w.Name)
}

// name takes a new name.
func (p *policyParser) name(name string) error {
	if _, taken := p.free[name]; taken || slices.Contains([]string{none, "all", "any", "log", "witness", "group", "quorum"}, name) {
		return fmt.Errorf("name taken: %w", ErrMalformed)
	}
	p.free[name] = true
	return nil
}

func (p *policyParser) group(name, threshold string, members []string) error {
	need := map[string]int{"all": len(members), "any": 1}[threshold]
	if need == 0 {
		k, err := parseNumber(threshold)
		if err != nil || k < 1 || k > int64(len(members)) {
			return fmt.Errorf("threshold: %w", ErrMalformed)
		}
		need = int(k)
	}
	// Each name is a member once, so that no witness counts in two ways.
	for _, m := range members {
		if !p.free[m] {
			return fmt.Errorf("member that is not above, or a member already: %w", ErrMalformed)
		}
		p.free[m] = false
	}
	if len(p.groups) == maxMembers {
		return fmt.Errorf("too many groups: %w", ErrMalformed)
	}
	p.groups = append(p.groups, group{name, need, slices.Clone(members)})
	return p.name(name)
}

func (p *policyParser) asks(name string) error {
	if _, known := p.free[name]; p.quorum != "" || !known && name != none {
		return fmt.Errorf("quorum: %w", ErrMalformed)
	}
	p.quorum = name
	return nil
}

// String returns p in the form ParsePolicy reads, without comments: logs, witnesses,
// groups, quorum. It is the form in which policies are compared.
func (p Policy) String() string {
	var b strings.Builder
	line := func(fields ...string) {
		b.WriteString(strings.TrimRight(strings.Join(fields, " "), " ") + "\n")
	}
	for _, l := range p.logs {
		line("log", l.key.text, l.url)
	}
	for _, w := range p.witnesses {
		line("witness", w.Name, w.Key, w.URL)
	}
	for _, g := range p.groups {
		line(append([]string{"group", g.name, strconv.Itoa(g.need)}, g.members...)...)
	}
	if p.quorum != "" {
		line("quorum", p.quorum)
	}
	return b.String()
}

// WithoutURLs is p for those who only verify: they need not know where the witnesses are.
func (p Policy) WithoutURLs() Policy {
	p.logs, p.witnesses = slices.Clone(p.logs), slices.Clone(p.witnesses)
	for i := range p.logs {
		p.logs[i].url = ""
	}
	for i := range p.witnesses {
		p.witnesses[i].URL = ""
	}
	return p
}

// Digest is the base64url SHA-256 of what p demands, whatever log it is used for and
// wherever the witnesses are: two policies of one digest accept the same cosignatures.
func (p Policy) Digest() string {
	p = p.WithoutURLs()
	p.logs = nil
	return ids.Digest(p.String())
}

// Met reports whether the named witnesses are enough.
func (p Policy) Met(signed map[string]bool) bool {
	return p.quorum == none || p.counts(p.quorum, signed)
}

// counts reports whether the witness or group called name has signed.
func (p Policy) counts(name string, signed map[string]bool) bool {
	for _, g := range p.groups {
		if g.name != name {
			continue
		}
		n := 0
		for _, m := range g.members {
			if p.counts(m, signed) {
				n++
			}
		}
		return n >= g.need
	}
	return signed[name]
}

// Concerns reports whether p is about the log of k: its logs are k or in k's line of keys, or it
// names none.
func (p Policy) Concerns(k LogKey) bool {
	return len(p.logs) == 0 || slices.ContainsFunc(p.logs, func(l policyLog) bool { return k.Knows(l.key) })
}

// verifiers are the keys of the witnesses that count for the log of k.
func (p Policy) verifiers(k LogKey) []note.Verifier {
	var all []note.Verifier
	for _, w := range p.witnesses {
		if !k.owns(w) {
			all = append(all, w.verifier)
		}
	}
	return all
}

// check returns nil if the verified signatures under a checkpoint of k's log meet p.
func (p Policy) check(k LogKey, sigs []note.Signature) error {
	if !p.Concerns(k) {
		return fmt.Errorf("policy of another log: %w", ErrSignature)
	}
	signed := map[string]bool{}
	var names []string
	for _, w := range p.witnesses {
		for _, s := range sigs {
			if s.Name != w.verifier.Name() || s.Hash != w.verifier.KeyHash() {
				continue
			}
			if _, err := timeOf(s); err != nil {
				return err
			}
			signed[w.Name] = true
			names = append(names, w.Name)
		}
	}
	if p.Met(signed) {
		return nil
	}
	who := "none"
	if len(names) > 0 {
		who = strings.Join(names, ", ")
	}
	return fmt.Errorf("%w: %d of %d have (%s), and the policy asks for %s",
		ErrUnwitnessed, len(names), len(p.witnesses), who, p.words(p.quorum))
}

// words says what has to have signed for name to count.
func (p Policy) words(name string) string {
	for _, g := range p.groups {
		if g.name == name {
			members := make([]string, len(g.members))
			for i, m := range g.members {
				members[i] = p.words(m)
			}
			return fmt.Sprintf("%d of (%s)", g.need, strings.Join(members, ", "))
		}
	}
	return name
}
