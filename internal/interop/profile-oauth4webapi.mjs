// The whole OAuth profile with oauth4webapi, which does each step by itself and checks it:
// metadata, PAR, PKCE, DPoP with nonces, iss in the response, refresh, introspection,
// revocation; and what is refused.
//
// Environment: HUB, CODE (enrolment code), CODE_OTHER (of another agency), BROWSER: the
// address of a person's browser, which follows ?url= and returns where it was sent.
import { strict as assert } from 'node:assert'
import * as oauth from 'oauth4webapi'
import { Agency, hub, insecure, withNonce } from './agency.mjs'

const redirect = 'http://127.0.0.1:4711/callback'

class Profile extends Agency {
  async discover() {
    const issuer = new URL(hub)
    this.server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))
    this.by = oauth.PrivateKeyJwt({ key: this.auth.privateKey, kid: this.auth.kid })
    this.dpop = oauth.DPoP(this.client, await oauth.generateKeyPair('ES256'))
    return this
  }

  // push sends an authorization request to the hub and returns the address for the person.
  async push(change = {}) {
    this.verifier = oauth.generateRandomCodeVerifier()
    this.state = oauth.generateRandomState()
    const asked = { response_type: 'code', redirect_uri: redirect, scope: 'referrals:send referrals:receive', state: this.state,
      resource: hub, code_challenge: await oauth.calculatePKCECodeChallenge(this.verifier), code_challenge_method: 'S256', ...change }
    const parameters = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== undefined))
    const pushed = await withNonce(async () => oauth.processPushedAuthorizationResponse(this.server, this.client,
      await oauth.pushedAuthorizationRequest(this.server, this.client, this.by, parameters, { DPoP: this.dpop, ...insecure })))
    const address = new URL(this.server.authorization_endpoint)
    address.searchParams.set('client_id', this.client.client_id)
    address.searchParams.set('request_uri', pushed.request_uri)
    return address
  }

  redeem(answer, verifier = this.verifier, dpop = this.dpop) {
    return withNonce(async () => oauth.processAuthorizationCodeResponse(this.server, this.client,
      await oauth.authorizationCodeGrantRequest(this.server, this.client, this.by, answer, redirect, verifier, { DPoP: dpop, ...insecure })))
  }

  refresh(token, dpop = this.dpop) {
    return withNonce(async () => oauth.processRefreshTokenResponse(this.server, this.client,
      await oauth.refreshTokenGrantRequest(this.server, this.client, this.by, token, { DPoP: dpop, ...insecure })))
  }

  credentials(by = this.by, client = this.client) {
    return withNonce(async () => oauth.processClientCredentialsResponse(this.server, client,
      await oauth.clientCredentialsGrantRequest(this.server, client, by, new URLSearchParams(), { DPoP: this.dpop, ...insecure })))
  }

  async introspect(token) {
    return oauth.processIntrospectionResponse(this.server, this.client,
      await oauth.introspectionRequest(this.server, this.client, this.by, token, insecure))
  }

  async revoke(token) {
    await oauth.processRevocationResponse(await oauth.revocationRequest(this.server, this.client, this.by, token, insecure))
  }

  async inbox(token, dpop = this.dpop) {
    try {
      const answer = await withNonce(() => oauth.protectedResourceRequest(token, 'GET', new URL(hub + '/v1/inbox'), undefined, undefined, { DPoP: dpop, ...insecure }))
      return answer.status
    } catch (err) {
      if (err instanceof oauth.WWWAuthenticateChallengeError) return err.response.status
      throw err
    }
  }
}

// browse lets the person in her browser say yes or no, and returns where she was sent.
const browse = async (address, answer = 'allow') =>
  new URL(await (await fetch(`${process.env.BROWSER}?answer=${answer}&url=${encodeURIComponent(address)}`)).text())

const refused = (error) => (err) => err.error === error || err.cause?.error === error || assert.fail(`${error} expected: ${err.stack} ${JSON.stringify(err.cause)}`)

const a = await (await Profile.enrol(process.env.CODE)).discover()
const b = await (await Profile.enrol(process.env.CODE_OTHER)).discover()

for (const [member, want] of Object.entries({ require_pushed_authorization_requests: true, authorization_response_iss_parameter_supported: true })) {
  assert.equal(a.server[member], want, member)
}

// By itself: private_key_jwt, DPoP with nonce.
const own = await a.credentials()
assert.equal(own.token_type, 'dpop')
assert.equal(await a.inbox(own.access_token), 200)

// For a person: PAR, code, PKCE, iss.
const sent = await browse(await a.push())
const answer = oauth.validateAuthResponse(a.server, a.client, sent, a.state)
const given = await a.redeem(answer)
assert.equal(given.token_type, 'dpop')
assert.ok(given.refresh_token)
assert.equal(await a.inbox(given.access_token), 200)
const said = await a.introspect(given.access_token)
assert.equal(said.active, true)
assert.equal(said.client_id, a.client.client_id)
assert.notEqual(said.sub, a.client.client_id, 'a token for a person is hers')

// Refresh: a new access token, and the refresh token stays.
const again = await a.refresh(given.refresh_token)
assert.notEqual(again.access_token, given.access_token)
assert.equal(again.refresh_token, undefined)
assert.equal(await a.inbox(again.access_token), 200)

// What is refused, each on a request that is right but for one thing.
await assert.rejects(a.push({ code_challenge: undefined, code_challenge_method: undefined }), refused('invalid_request'))
await assert.rejects(a.push({ code_challenge_method: 'plain' }), refused('invalid_request'))
await assert.rejects(a.push({ redirect_uri: 'https://elsewhere.example/callback' }), refused('invalid_request'))
await assert.rejects(a.push({ scope: 'hub:admin' }), refused('invalid_scope'))
await assert.rejects(a.push({ resource: 'https://elsewhere.example' }), refused('invalid_target'))
await assert.rejects(a.push({ response_type: 'token' }), refused('unsupported_response_type'))

const stranger = oauth.PrivateKeyJwt({ key: (await oauth.generateKeyPair('ES256')).privateKey, kid: a.auth.kid })
await assert.rejects(a.credentials(stranger), (err) => err.status === 401)
await assert.rejects(a.credentials(a.by, { client_id: 'nobody.aaaaa' }), (err) => err.status === 401)
const elsewhere = oauth.PrivateKeyJwt({ key: a.auth.privateKey, kid: a.auth.kid }, { [oauth.modifyAssertion]: (_, claims) => { claims.aud = 'https://elsewhere.example' } })
await assert.rejects(a.credentials(elsewhere), (err) => err.status === 401)
const once = oauth.PrivateKeyJwt({ key: a.auth.privateKey, kid: a.auth.kid }, { [oauth.modifyAssertion]: (_, claims) => { claims.jti = 'once' } })
await a.credentials(once)
await assert.rejects(a.credentials(once), (err) => err.status === 401)

const denied = await browse(await a.push(), 'deny')
assert.throws(() => oauth.validateAuthResponse(a.server, a.client, denied, a.state), refused('access_denied'))
const mixed = new URL(await browse(await a.push()))
mixed.searchParams.set('iss', 'https://elsewhere.example')
assert.throws(() => oauth.validateAuthResponse(a.server, a.client, mixed, a.state), /iss/)

let fresh = oauth.validateAuthResponse(a.server, a.client, await browse(await a.push()), a.state)
await assert.rejects(a.redeem(fresh, oauth.generateRandomCodeVerifier()), refused('invalid_grant'))
await assert.rejects(a.redeem(fresh, a.verifier, oauth.DPoP(a.client, await oauth.generateKeyPair('ES256'))), refused('invalid_grant'))
const used = await a.redeem(fresh)
await assert.rejects(a.redeem(fresh), refused('invalid_grant'))
assert.equal(await a.inbox(used.access_token), 401, 'a code that was used twice ends what came of it')

await assert.rejects(a.refresh(given.refresh_token, oauth.DPoP(a.client, await oauth.generateKeyPair('ES256'))), refused('invalid_grant'))
await assert.rejects(b.refresh(given.refresh_token), refused('invalid_grant'))
assert.equal((await b.introspect(given.access_token)).active, false, 'of another agency')
assert.equal((await a.introspect(given.refresh_token)).active, false, 'a refresh token is no access token')
assert.equal(await a.inbox(given.access_token, oauth.DPoP(a.client, await oauth.generateKeyPair('ES256'))), 401, 'another key')
assert.equal((await fetch(hub + '/v1/inbox', { headers: { authorization: `Bearer ${given.access_token}` } })).status, 401, 'as a bearer token')

// Revocation: one access token, then the whole grant.
await a.revoke(own.access_token)
assert.equal(await a.inbox(own.access_token), 401)
await a.revoke(given.refresh_token)
for (const token of [given.access_token, again.access_token]) assert.equal(await a.inbox(token), 401)
assert.equal((await a.introspect(again.access_token)).active, false)
await assert.rejects(a.refresh(given.refresh_token), refused('invalid_grant'))

console.log('oauth4webapi: the whole profile, and what it refuses')
