package client_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"handover/client"
)

// cosigner is a witness, with its line of a policy.
func cosigner(name string) (note.Signer, string) {
	skey, vkey, err := note.GenerateKey(nil, name+".example/witness")
	must(err)
	signer, err := cosign.NewSignerForCosignatureV1(skey)
	must(err)
	vkey, err = cosign.VKeyToCosignatureV1(vkey)
	must(err)
	return signer, "witness " + name + " " + vkey
}

// TestNothingIsVerifiedWithoutItsWitnesses holds each kind of document against a policy of two
// of three, when both, one and none of them had cosigned.
func TestNothingIsVerifiedWithoutItsWitnesses(t *testing.T) {
	t.Parallel()
	charity, line1 := cosigner("charity")
	borough, line2 := cosigner("borough")
	_, line3 := cosigner("auditor")
	stranger, _ := cosigner("stranger")
	policy, err := client.ParsePolicy(strings.Join([]string{line1, line2, line3, "group g 2 charity borough auditor", "quorum g"}, "\n"))
	must(err)
	for name, row := range map[string]struct {
		up    []note.Signer
		holds bool
		says  string
	}{
		"both":                {[]note.Signer{charity, borough}, true, ""},
		"one":                 {[]note.Signer{borough}, false, "1 of 3 have (borough), and the policy asks for 2 of (charity, borough, auditor)"},
		"one, and a stranger": {[]note.Signer{charity, stranger}, false, "1 of 3 have (charity)"},
		"none":                {nil, false, "0 of 3 have (none)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &pair{hub: newHub(t)}
			p.hub.log.cosigners = row.up
			p.from, p.to = member(t, p.hub, "camden-outreach"), member(t, p.hub, "westside-aid")
			p.consent = agreed(t, p.from)
			receipt := must1(p.from.Send(t.Context(), asking(p.consent.ID)))
			p.referral = receipt.Referral
			bundle := must1(must1(p.from.Bundle(t.Context(), p.referral)).Bytes())
			trust := client.Trust{LogKey: p.from.LogKey()}
			demanding := client.Trust{LogKey: p.from.LogKey(), Policy: policy}

			if err := trust.Witnessed(receipt); err != nil {
				t.Errorf("without a policy: %v", err)
			}
			if err := demanding.Witnessed(receipt); row.holds != (err == nil) || !row.holds && !errors.Is(err, client.ErrUnwitnessed) {
				t.Errorf("with one: %v", err)
			}
			for what, document := range map[string][]byte{"receipt": must1(json.Marshal(receipt)), "bundle": bundle, "consent": must1(json.Marshal(client.BundleConsent{Record: p.hub.consents[p.consent.ID].token, Receipt: p.consent.Receipt}))} {
				for key, own := range map[string]client.LogKey{"the pinned key": trust.LogKey, "the bundle's own key": {}} {
					if key != "the pinned key" && what != "bundle" {
						continue
					}
					trust := client.Trust{LogKey: own, Keys: map[string][]client.Key{"camden-outreach": p.hub.keys["camden-outreach"]}}
					if f, err := client.Verify(document, trust); err != nil {
						t.Errorf("%s with %s, no policy: %v %+v", what, key, err, f.Checks)
					}
					trust.Policy = policy
					f, err := client.Verify(document, trust)
					if row.holds != (err == nil) || !row.holds && (!errors.Is(err, client.ErrVerification) || !says(f, row.says)) {
						t.Errorf("%s with %s: %v %+v", what, key, err, f.Checks)
					}
				}
			}
		})
	}
}

// says reports whether a check that fails has the text.
func says(f client.Findings, text string) bool {
	for _, c := range f.Checks {
		if !c.Holds && strings.Contains(c.Text, text) {
			return true
		}
	}
	return false
}

// TestAHubsOwnPolicyIsOnlyShown: what a hub says of its witnesses pins nothing.
func TestAHubsOwnPolicyIsOnlyShown(t *testing.T) {
	t.Parallel()
	_, line := cosigner("charity")
	for name, row := range map[string]struct {
		status int
		body   string
		want   string
		err    error
	}{
		"some":     {200, line + "\nquorum charity\n", line + "\nquorum charity\n", nil},
		"none":     {404, "", "", nil},
		"nonsense": {200, "whoever you like", "", client.ErrAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHub(t)
			c := member(t, h, "camden-outreach")
			h.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/v1/log/witnesses" {
					return false
				}
				if row.status == 404 {
					refuse(w, 404, "log-has-no-witnesses")
				} else {
					_, _ = io.WriteString(w, row.body)
				}
				return true
			}
			got, err := c.WitnessPolicy(t.Context())
			if !errors.Is(err, row.err) || got.String() != row.want {
				t.Errorf("%v, %v", got, err)
			}
			agreed(t, c) // its receipts are taken all the same
		})
	}
}
