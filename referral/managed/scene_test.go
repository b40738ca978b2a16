package managed_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"handover/audit/proof"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/partners"
	"handover/referral/packet"
	"handover/referral/packet/schema"
)

// scene is an agency whose keys the hub holds, with its people, and one that holds its own.
type scene struct {
	hub              *hubtest.Hub
	managed, own     *hubtest.Agency
	worker           *hubtest.Person // of managed
	service, offered string          // of managed, of own
}

func newScene(t *testing.T) scene {
	t.Helper()
	h := hubtest.New(t)
	return sceneOf(t, h, h.Managed(t, "rosewood", partners.Housing))
}

// sceneOf is the scene around an agency whose keys the hub holds.
func sceneOf(t *testing.T, h *hubtest.Hub, managed *hubtest.Agency) scene {
	t.Helper()
	s := scene{hub: h, managed: managed, own: h.Agency(t, "harbour", partners.VAWGService)}
	s.worker = h.Person(t, s.managed.ID, partners.Caseworker)
	s.service, s.offered = h.Offer(t, s.managed), h.Offer(t, s.own)
	h.Agree(t, s.managed, s.own)
	h.Agree(t, s.own, s.managed)
	return s
}

// canary is what is in every section, and must be nowhere else.
const canary = "canary-Quennell-Street"

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// members is a request's body.
type members map[string]any

func (m members) with(change members) members {
	m = maps.Clone(m)
	maps.Copy(m, change)
	return m
}

// spoken is what a woman said to the managed agency's worker.
func (s scene) spoken() members {
	now := s.hub.Now().Unix()
	return members{"jti": newID(), "jurisdiction": "GB-ENG", "agreement": "agreed", "method": "verbal-in-person", "purpose": "housing",
		"recipients": []string{string(s.own.ID), string(s.managed.ID)}, "sections": []string{"need", "note", "safe-contact"}, "onward": "none",
		"basis": []members{{"art6": "a"}}, "gate": members{"pathway": "none"},
		"circumstances": members{"seen_alone": "yes", "coercion": "none", "interpreter": "none", "language": "en", "capacity": "presumed"},
		"words":         members{"her-words": canary + " only the council"},
		"notice":        members{"version": "1", "digest": ids.Digest("notice"), "language": "en"},
		"given_at":      now - 60, "valid_from": now - 60, "expires_at": now + 3600}
}

// consent records what she said, and returns its id.
func (s scene) consent(t *testing.T) string {
	t.Helper()
	said := s.spoken()
	s.worker.Post(t, "/v1/managed/consents", said).Into(t, http.StatusCreated, new(proof.Receipt))
	return said["jti"].(string)
}

// content is what the managed agency's worker writes.
func content(need string) members {
	return members{"need": members{"summary": need}, "safe-contact": members{"channel": "via-worker", "worker": members{"called": canary}, "last_confirmed": "2026-11-20"}}
}

// request asks for a referral of the managed agency to the other.
func (s scene) request(consent string) members {
	return members{"jti": newID(), "to": string(s.own.ID), "consent": consent, "purpose": "housing", "urgency": "urgent",
		"service": s.offered, "area": hubtest.Area, "sections": content(canary + " need")}
}

// refer posts the request, which must be accepted.
func (s scene) refer(t *testing.T, request members) proof.Receipt {
	t.Helper()
	var receipt proof.Receipt
	s.worker.Post(t, "/v1/managed/referrals", request).Into(t, http.StatusCreated, &receipt)
	return receipt
}

// sent has the agency that holds its own keys refer somebody to the managed one, and
// returns the referral's id and the consent.
func (s scene) sent(t *testing.T) (id string, c hubtest.Consent) {
	t.Helper()
	c = s.own.Record(t, hubtest.Subject(), []string{string(s.managed.ID), string(s.own.ID)})
	d := s.own.Request(s.managed, s.service, c)
	d.Data["need"] = packet.Content(`{"text":"` + canary + `"}`)
	d.To.Recipient = s.sealing(t)
	sealed := d.Seal(t)
	s.own.Sent(t, sealed)
	return sealed.Digest, c
}

// opened is an answer of /v1/managed/…/open.
type opened struct {
	Sections map[string]struct {
		Text    string `json:"text"`
		Summary string `json:"summary"`
	} `json:"sections"`
	Signed struct {
		Partner, Custody, Act string
		Counts                bool
	} `json:"signed"`
	Unfit   []schema.Misfit `json:"unfit"`
	Stale   bool            `json:"stale"`
	Receipt proof.Receipt   `json:"receipt"`
}

func opening(sections ...string) members { return members{"sections": sections, "reason": "triage"} }

func (s scene) open(t *testing.T, by *hubtest.Person, id string, o members) hubtest.Answer {
	t.Helper()
	return by.Post(t, "/v1/managed/referrals/"+id+"/open", o)
}

// call is a POST of v.
func call(path string, v any) hubtest.Call {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // not reached: v is made of plain values
	}
	return hubtest.Call{Method: http.MethodPost, Path: path, Type: "application/json", Body: body}
}

// entry is what the receipt proves to be in the hub's log.
func (s scene) entry(t *testing.T, r proof.Receipt) proof.Entry {
	t.Helper()
	line, _, _ := strings.Cut(string(s.own.Get(t, "/v1/log/key").Body), "\n")
	key, err := proof.ParseLogKey(line)
	if err != nil {
		t.Fatal(err)
	}
	e, err := r.Verify(key)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
