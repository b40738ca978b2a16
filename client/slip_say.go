package client

import (
	"slices"
	"strings"
	"time"

	"handover/consent/record"
	"handover/internal/codes"
)

// basis says on what basis it was shared: her yes, or what stood in its place.
func (f SlipFacts) basis(s *Slip) SlipPart {
	p := SlipPart{Heading: "What you said"}
	for _, c := range f.Consents {
		f.agreed(&p, c)
	}
	for _, o := range f.Overrides {
		f.overridden(&p, o)
		if o.Claims.Told != "yes" {
			s.NotTold = append(s.NotTold, o.Claims.NotTold)
		}
	}
	return p
}

// agreed says what she said, and what became of it.
func (f SlipFacts) agreed(p *SlipPart, c StoredConsent) {
	given := dayInWords(time.Unix(c.Claims.GivenAt, 0))
	switch c.Claims.Agreement {
	case "agreed":
		p.say("You said yes on %s.", given)
	case record.BestInterests:
		p.say("You could not decide this on %s. So people who work with you decided for you.", given)
		p.say("You can ask them why. You can say now what you want.")
	default:
		p.say("On %s we wrote this down: %s", given, lowerFirst(notYesInWords(c.Claims.Agreement)))
		return
	}
	ends := time.Unix(c.Claims.Expires, 0)
	switch {
	case c.Withdrawal != "":
		p.say("You took your yes back on %s. Since then nobody can open any more.", dayInWords(c.Receipt.Time))
	case slices.ContainsFunc(f.Consents, func(later StoredConsent) bool { return later.Claims.Supersedes == c.ID }):
		p.say("You have said something new since then. What you said last is what counts.")
	case !f.Made.Before(ends):
		p.say("It ended on %s. Nobody can open any more, unless you say yes again.", dayInWords(ends))
	default:
		p.say("It lasts until %s. Then nobody can open any more, unless you say yes again.", dayInWords(ends))
	}
}

// overridden says that it was shared without her yes, why, and who decided that.
func (f SlipFacts) overridden(p *SlipPart, o StoredOverride) {
	c := o.Claims
	p.say("%s It was sent without your yes.", notYesInWords(c.Agreement))
	p.say("The reason: %s.", overrideInWords(c.Reason))
	p.say("One person at %s asked for this on %s.", f.name(c.Issuer), dayInWords(time.Unix(c.IssuedAt, 0)))
	decided, on := decisionOf(o)
	switch {
	case decided == record.Approved && o.State == "lapsed":
		p.say("A second person agreed on %s. That was too late, so it was stopped.", on)
	case decided == record.Approved:
		p.say("A second person, a manager, agreed on %s.", on)
	case decided == record.Refused:
		p.say("A manager said no on %s. So it was stopped.", on)
	case o.State == "lapsed":
		p.say("A manager had one day to agree. Nobody did. So it was stopped.")
	default:
		p.say("It could not wait. A manager has one day to agree.")
	}
	if o.State == "ended" {
		p.say("It has been stopped since then.")
	}
	p.say("You can ask them to tell you why. You can ask them to look at it again. You can say that it was wrong.")
}

// decisionOf is what a second person stated about an override, and on which day; "" as long as
// nobody has. The statement has been verified.
func decisionOf(o StoredOverride) (decision, day string) {
	for _, step := range o.Steps {
		if d, err := record.ParseDecision(step); err == nil {
			c := d.Unverified()
			return c.Decision, dayInWords(time.Unix(c.IssuedAt, 0))
		}
	}
	return "", ""
}

// stopped says what was tried and not let through, because she had not agreed to it.
func (f SlipFacts) stopped() SlipPart {
	p := SlipPart{Heading: "What was stopped"}
	said := map[string]bool{}
	for _, e := range f.inOrder() {
		why, did := refusalInWords(e.Outcome), "send something more"
		if len(e.Sections) > 0 {
			did = "open " + strings.Join(codes.SectionsToHer(e.Sections), ", ")
		}
		if e.Act != "refused" || why == "" || len(e.Sections) == 0 && e.Event == "" {
			continue
		}
		text := f.name(e.Partner) + " tried to " + did + " on " + dayInWords(e.Time) + ". It was stopped, because " + why + "."
		if !said[text] {
			p.say("%s", text)
		}
		said[text] = true
	}
	return p
}

// answered says what those who hold something said after she took her yes back.
func (f SlipFacts) answered() SlipPart {
	p := SlipPart{Heading: "What they still have"}
	for _, a := range f.Answers {
		if a.Question != "still-held" {
			continue
		}
		name, on := f.name(a.Partner), ""
		if a.Receipt != nil {
			on = dayInWords(a.Receipt.Time)
		}
		switch a.Answer {
		case "deleted":
			p.say("%s says that it has deleted what it had. It said so on %s.", name, on)
		case "kept":
			p.say("%s says that it must keep what it has. It said so on %s. You can ask why.", name, on)
		default:
			p.say("%s has been asked what it still has. It has not answered yet.", name)
		}
	}
	return p
}

// outcome says where it stands.
func (f SlipFacts) outcome() SlipPart {
	p := SlipPart{Heading: "What has happened since"}
	last := f.Steps[len(f.Steps)-1]
	to := f.name(f.Steps[0].Claims.Audience)
	switch last.State {
	case "requested", "received":
		p.say("%s has not said yet if it can help.", to)
	case "accepted", "in-progress":
		p.say("On %s %s said that it will help.", f.on("accept"), to)
	case "rejected":
		p.say("On %s %s said that it cannot help. Ask your worker what you can do now.", dayInWords(f.at(last)), to)
	case "completed":
		p.say("On %s %s said that it has done its part.", dayInWords(f.at(last)), to)
	case "failed":
		p.say("The help from %s ended on %s.", to, dayInWords(f.at(last)))
	case "cancelled":
		p.say("It was called off on %s.", dayInWords(f.at(last)))
	}
	return p
}

// on is the day of the last step of a kind.
func (f SlipFacts) on(event string) string {
	for _, e := range slices.Backward(f.Steps) {
		if e.Event == event {
			return dayInWords(f.at(e))
		}
	}
	return "a day that we do not know"
}

func (f SlipFacts) unchecked() SlipPart {
	p := SlipPart{Heading: "What could not be checked"}
	switch {
	case f.Unchecked == 1:
		p.say("We could not check one thing. So something may be missing here. Ask your worker to find out why.")
	case f.Unchecked > 1:
		p.say("We could not check %d things. So something may be missing here. Ask your worker to find out why.", f.Unchecked)
	}
	return p
}

// howToStop says that stopping is as easy as it was to say yes; or, where it was shared without
// her yes, that a manager can stop it, and that she may ask.
func (f SlipFacts) howToStop() SlipPart {
	p := SlipPart{Heading: "How to stop this"}
	stands := slices.ContainsFunc(f.Consents, func(c StoredConsent) bool { return c.Withdrawal == "" })
	switch {
	case stands:
		p.say("You can stop this on any day. You do not have to say why. It is as easy as saying yes.")
		p.say("%s", f.tell())
		p.say("Then nobody can open any more. Each team must say what it does with what it has. But we cannot make people forget what they have read.")
	case len(f.Consents) > 0:
		p.say("You have stopped this.")
	}
	if len(f.Overrides) > 0 {
		p.say("You can ask to stop what was sent without your yes. %s A manager can stop it.", f.tell())
	}
	p.say("You can ask for help again later.")
	return p
}

// tell says whom she may tell.
func (f SlipFacts) tell() string {
	if f.NoNames {
		return "Tell your worker, or the other team."
	}
	return "Tell your worker, or any team that is named here."
}

func (f SlipFacts) howToComplain() SlipPart {
	p := SlipPart{Heading: "How to complain"}
	p.say("If something here is wrong, say so. %s", f.tell())
	p.say("You can also tell the data protection regulator. It is free. Your worker can help you to do it.")
	return p
}

// limits says what no slip can show.
func (f SlipFacts) limits() SlipPart {
	p := SlipPart{Heading: "What this cannot tell you"}
	p.say("It shows who opened what was sent. It cannot show what they did after they read it, or who they told.")
	p.say("It shows what %s can see. Another team may have tried something that is not shown here.", f.name(f.Own))
	return p
}
