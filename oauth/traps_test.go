package oauth

import (
	"crypto/elliptic"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// fosite v0.49.0 must be held by the hand. Each trap that was found in it, and the test
// that fails when our guard is taken away:
//
//	 1  no DPoP, no iss, sessions that lose their key   TestACopiedSessionStaysBound, TestAProofFitsOneRequestOnly, TestAPersonLetsASystemActForHer
//	 2  assertions of ten years, lists of audiences     TestEveryWayToCheatATokenRequest, TestAnAssertionIsJudgedByItsClaims
//	 3  PKCE is dropped after a wrong verifier          TestEveryWayToCheatARedemption
//	 4  pushed requests: whose, kept how, merged how    TestEveryWayToCheatAtAPush, TestWhatABrowserBringsAddsNothing, TestAPushedRequestKeepsNoCredentials
//	 5  one code, many redemptions                      TestWhatCountsOnceCountsOnceHoweverManyCome
//	 6  a refresh that widens; wildcards and prefixes   TestARefreshIsBoundAndNarrows, TestFositeKeepsToOurRules
//	 7  a failed revocation answers 200                 TestARevocationThatFailedIsNoSuccess
//	 8  a signature taken for an identity               TestATokenIsKnownByItsIDAndNotItsSignature
//	 9  keys that it must hold itself                   TestADroppedHubKeyEndsItsTokens (the keys are a Store's)
//	10  introspection by anybody, of anything           TestIntrospectionSaysWhatTheGuardWould, TestEndpointsForClientsWantAClient
//	11  answers that tell strangers too much            TestEveryWayToCheatATokenRequest, TestStrangersAllGetTheSameAnswer, TestAStrangerCostsOneSignature
//	12  modules with known weaknesses                   TestModulesWithKnownWeaknessesAreRaised
//	13  missing methods show at run time only           the compiler, by the lines var _

func TestAPushedRequestKeepsNoCredentials(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	k := h.asking(a, url.Values{"ui_locales": {"a-parameter-nobody-knows"}})
	r := k.request(t)
	if w := h.do(r); w.Code != http.StatusCreated {
		t.Fatal(w.Body)
	}
	_, signature, _ := strings.Cut(k.form.Get("client_assertion"), ".")
	for _, secret := range []string{k.form.Get("client_assertion"), signature[:40], "a-parameter-nobody-knows"} {
		if h.number(`SELECT count(*) FROM oauth_grant g WHERE g::text LIKE '%' || $1 || '%'`, secret) != 0 {
			t.Errorf("%.20s… is kept with the request", secret)
		}
	}
}

// TestATokenIsKnownByItsIDAndNotItsSignature: ECDSA has two signatures for each message,
// and base64 several spellings of its last character. A token that is revoked in one
// spelling is revoked in all.
func TestATokenIsKnownByItsIDAndNotItsSignature(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	token := h.token(a)
	other := mirrored(t, token)
	if w := h.about(a, introspectPath, other); !strings.Contains(w.Body.String(), `"active":true`) {
		t.Fatalf("the other signature is no token: %s: the test shows nothing", w.Body)
	}
	if status := h.uses(a, other); status != http.StatusOK {
		t.Fatalf("the other signature is no token: %d", status)
	}
	if w := h.about(a, revokePath, other); w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	for name, spelling := range map[string]string{"as it was given": token, "as it was revoked": other} {
		if status := h.uses(a, spelling); status != http.StatusUnauthorized {
			t.Errorf("the revoked token %s: %d", name, status)
		}
	}
}

// mirrored returns the token with the other valid signature of its message: (r, n-s).
func mirrored(t *testing.T, token string) string {
	t.Helper()
	at := strings.LastIndexByte(token, '.') + 1
	signature, err := base64.RawURLEncoding.DecodeString(token[at:])
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(signature[32:])
	return token[:at] + base64.RawURLEncoding.EncodeToString(signature)
}

// TestModulesWithKnownWeaknessesAreRaised: fosite and the Vault client ask for versions
// that have some.
func TestModulesWithKnownWeaknessesAreRaised(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	file, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	least := map[string]string{
		"github.com/go-jose/go-jose/v3": "v3.0.5", "github.com/go-jose/go-jose/v4": "v4.1.8",
		"google.golang.org/grpc": "v1.82.1", "go.opentelemetry.io/otel/sdk": "v1.40.0",
	}
	found := 0
	for _, r := range file.Require {
		if want, ok := least[r.Mod.Path]; ok {
			found++
			if semver.Compare(r.Mod.Version, want) < 0 {
				t.Errorf("%s is %s, want %s or newer", r.Mod.Path, r.Mod.Version, want)
			}
		}
	}
	if found < 3 {
		t.Errorf("only %d of the modules are in go.mod: the test sees too little", found)
	}
	if len(file.Replace) != 0 {
		t.Error("go.mod replaces modules, which nobody who imports this one would see")
	}
}
