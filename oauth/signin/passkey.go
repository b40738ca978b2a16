package signin

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"handover/partners"
)

// relyingParty is the WebAuthn library, held to our rules: discoverable credentials, so
// that nobody types a name; user verification required, so that a passkey is something she
// has and something she knows or is (two factors); no attestation, which would tell which
// device she has.
type relyingParty struct {
	lib *webauthn.WebAuthn
}

// newRelyingParty takes RP ID and origin from the hub's issuer: an assertion made for any
// other site, or for a page of it on another port or in clear, is none of ours (WebAuthn
// §7.2 steps 13 and 15).
func newRelyingParty(issuer string) (*relyingParty, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, fmt.Errorf("reading the issuer: %w", err)
	}
	required := true
	lib, err := webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: "Handover", RPOrigins: []string{issuer},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: &required, ResidentKey: protocol.ResidentKeyRequirementRequired,
			UserVerification: protocol.VerificationRequired,
		},
		Timeouts: webauthn.TimeoutsConfig{ // for the browser; what counts is the ceremony's row
			Login:        webauthn.TimeoutConfig{Timeout: ceremonyLife, TimeoutUVD: ceremonyLife},
			Registration: webauthn.TimeoutConfig{Timeout: ceremonyLife, TimeoutUVD: ceremonyLife},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("the issuer's host cannot have passkeys: %w", err)
	}
	return &relyingParty{lib}, nil
}

// algorithms are those of passkeys: ES256 and EdDSA, and RS256, which Windows Hello needs.
func algorithms() []protocol.CredentialParameter {
	var all []protocol.CredentialParameter
	for _, a := range []webauthncose.COSEAlgorithmIdentifier{webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgRS256} {
		all = append(all, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: a})
	}
	return all
}

// passkey is one record of a person's passkey.
type passkey struct {
	id         string
	credential []byte
	publicKey  []byte
	signCount  uint32
	synced     bool
	transports []string
}

// holder is a person as the library sees her: by the bytes of her id, which are the user
// handle and say nothing of her.
type holder struct {
	person
	name     string
	passkeys []passkey
}

func (p holder) WebAuthnID() []byte {
	id, err := uuid.Parse(p.id)
	if err != nil {
		return nil // the library refuses an empty handle
	}
	return id[:]
}

// WebAuthnName is what her own device shows beside the passkey. The agency's short id tells
// two agencies apart for who works at both.
func (p holder) WebAuthnName() string { return p.name + ", " + string(p.partner) }

func (p holder) WebAuthnDisplayName() string { return p.name }

func (p holder) WebAuthnCredentials() []webauthn.Credential {
	var all []webauthn.Credential
	for _, k := range p.passkeys {
		c := webauthn.Credential{ID: k.credential, PublicKey: k.publicKey, AttestationFormat: "none"}
		c.Authenticator.SignCount = k.signCount
		c.Flags.BackupEligible, c.Flags.UserPresent, c.Flags.UserVerified = k.synced, true, true
		for _, t := range k.transports {
			c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
		}
		all = append(all, c)
	}
	return all
}

func (p holder) descriptors() []protocol.CredentialDescriptor {
	var all []protocol.CredentialDescriptor
	for _, c := range p.WebAuthnCredentials() {
		all = append(all, c.Descriptor())
	}
	return all
}

// asked is what a browser is told to do, and what is kept of it.
type asked struct {
	options jsontext.Value // PublicKeyCredentialCreationOptionsJSON or …RequestOptionsJSON
	state   []byte
}

func ask(options any, session *webauthn.SessionData, err error) (asked, error) {
	if err != nil {
		return asked{}, fmt.Errorf("beginning a ceremony: %w", err)
	}
	var a asked
	if a.options, err = json.Marshal(options); err != nil {
		return asked{}, fmt.Errorf("writing options: %w", err)
	}
	if a.state, err = json.Marshal(session); err != nil {
		return asked{}, fmt.Errorf("writing a challenge: %w", err)
	}
	return a, nil
}

// create asks for a new passkey, on a device that holds none of hers yet.
func (rp *relyingParty) create(p holder, exclude bool) (asked, error) {
	options := []webauthn.RegistrationOption{webauthn.WithCredentialParameters(algorithms())}
	if exclude {
		options = append(options, webauthn.WithExclusions(p.descriptors()))
	}
	creation, session, err := rp.lib.BeginRegistration(p, options...)
	if err != nil {
		return asked{}, fmt.Errorf("beginning a ceremony: %w", err)
	}
	return ask(creation.Response, session, nil)
}

// anyone asks for whatever passkey of this hub the person before the browser has.
func (rp *relyingParty) anyone() (asked, error) {
	assertion, session, err := rp.lib.BeginDiscoverableLogin()
	if err != nil {
		return asked{}, fmt.Errorf("beginning a ceremony: %w", err)
	}
	return ask(assertion.Response, session, nil)
}

// oneOf asks for one of this person's passkeys.
func (rp *relyingParty) oneOf(p holder) (asked, error) {
	assertion, session, err := rp.lib.BeginLogin(p)
	if err != nil {
		return asked{}, fmt.Errorf("beginning a ceremony: %w", err)
	}
	return ask(assertion.Response, session, nil)
}

// bytes64 is base64url without padding, in its one spelling.
type bytes64 []byte

// UnmarshalText decodes it.
func (b *bytes64) UnmarshalText(text []byte) (err error) {
	*b, err = base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err == nil && base64.RawURLEncoding.EncodedLen(len(*b)) != len(text) { // the decoder skips line breaks
		return errors.New("not base64url")
	}
	return err
}

// answer is what both kinds of a browser's answers have.
type answer struct {
	ID   bytes64 `json:"id"`
	Type string  `json:"type"`
	// Results of extensions, which this hub asks for none of. That of prf is a key for
	// what only she may read: a page that posts it by mistake is told so at once, and
	// nothing of it is kept.
	Extensions map[string]jsontext.Value `json:"clientExtensionResults,omitempty"`
}

func (a answer) check() error {
	if len(a.Extensions) > 0 {
		return because(ErrPasskeySecret, ErrPasskeySecret.Code)
	}
	return nil
}

// credential is the answer in the library's form.
func (a answer) credential() protocol.PublicKeyCredential {
	id := base64.RawURLEncoding.EncodeToString(a.ID)
	return protocol.PublicKeyCredential{Credential: protocol.Credential{ID: id, Type: a.Type}, RawID: protocol.URLEncodedBase64(a.ID)}
}

// created is a browser's answer to create (RegistrationResponseJSON, WebAuthn §5.1).
type created struct {
	answer
	Response struct {
		ClientData  bytes64  `json:"clientDataJSON"`
		Attestation bytes64  `json:"attestationObject"`
		Transports  []string `json:"transports,omitempty"`
	} `json:"response"`
}

// register verifies a new passkey (WebAuthn §7.1): challenge, origin, RP ID, presence,
// verification, algorithm. Its error is a refusal.
func (rp *relyingParty) register(p holder, state []byte, a created) (passkey, error) {
	var session webauthn.SessionData
	if err := json.Unmarshal(state, &session); err != nil {
		return passkey{}, fmt.Errorf("reading a challenge: %w", err)
	}
	var sent protocol.CredentialCreationResponse
	sent.PublicKeyCredential = a.credential()
	sent.AttestationResponse.ClientDataJSON = protocol.URLEncodedBase64(a.Response.ClientData)
	sent.AttestationResponse.AttestationObject = protocol.URLEncodedBase64(a.Response.Attestation)
	parsed, err := sent.Parse()
	if err != nil {
		return passkey{}, p.refused(ErrPasskeyInvalid, "passkey-form")
	}
	c, err := rp.lib.CreateCredential(p, session, parsed)
	if err != nil {
		return passkey{}, p.refused(ErrPasskeyInvalid, "passkey-create")
	}
	return passkey{credential: c.ID, publicKey: c.PublicKey, signCount: c.Authenticator.SignCount,
		synced: c.Flags.BackupEligible, transports: knownTransports(a.Response.Transports)}, nil
}

// knownTransports keeps of what a browser says how to reach a passkey the words that
// WebAuthn §5.8.4 has.
func knownTransports(said []string) []string {
	known := []string{}
	for _, t := range []protocol.AuthenticatorTransport{protocol.USB, protocol.NFC, protocol.BLE, protocol.SmartCard, protocol.Hybrid, protocol.Internal} {
		for _, s := range said {
			if s == string(t) {
				known = append(known, s)
				break
			}
		}
	}
	return known
}

// asserted is a browser's answer to a request (AuthenticationResponseJSON, WebAuthn §5.1).
type asserted struct {
	answer
	Response struct {
		ClientData        bytes64 `json:"clientDataJSON"`
		AuthenticatorData bytes64 `json:"authenticatorData"`
		Signature         bytes64 `json:"signature"`
		UserHandle        bytes64 `json:"userHandle,omitempty"`
	} `json:"response"`
}

// verify verifies an assertion by one of p's passkeys (WebAuthn §7.2) and returns that
// passkey with its new counter. A counter that does not go on means that the key may have
// been copied (§6.1.1): refused, since it is a guess which of the two is hers, and logged
// as hers. Nothing else that is wrong is: anybody who knows the id of her passkey can send
// it, and could fill her agency's log.
func (rp *relyingParty) verify(p holder, state []byte, a asserted) (passkey, error) {
	var session webauthn.SessionData
	if err := json.Unmarshal(state, &session); err != nil {
		return passkey{}, fmt.Errorf("reading a challenge: %w", err)
	}
	var sent protocol.CredentialAssertionResponse
	sent.PublicKeyCredential = a.credential()
	sent.AssertionResponse.ClientDataJSON = protocol.URLEncodedBase64(a.Response.ClientData)
	sent.AssertionResponse.AuthenticatorData = protocol.URLEncodedBase64(a.Response.AuthenticatorData)
	sent.AssertionResponse.Signature = protocol.URLEncodedBase64(a.Response.Signature)
	sent.AssertionResponse.UserHandle = protocol.URLEncodedBase64(a.Response.UserHandle)
	parsed, err := sent.Parse()
	if err != nil {
		return passkey{}, because(ErrRefused, "assertion-form")
	}
	var c *webauthn.Credential
	if len(session.UserID) == 0 {
		c, err = rp.lib.ValidateDiscoverableLogin(func(_, _ []byte) (webauthn.User, error) { return p, nil }, session, parsed)
	} else {
		c, err = rp.lib.ValidateLogin(p, session, parsed)
	}
	if err != nil {
		return passkey{}, because(ErrRefused, "assertion")
	}
	if c.Authenticator.CloneWarning {
		return passkey{}, p.refused(ErrRefused, "passkey-copied")
	}
	for _, k := range p.passkeys {
		if string(k.credential) == string(c.ID) {
			k.signCount = c.Authenticator.SignCount
			return k, nil
		}
	}
	return passkey{}, because(ErrRefused, "assertion")
}

// personOf is a person of the registry.
func personOf(u partners.User) person { return person{id: u.ID, partner: u.Partner} }
