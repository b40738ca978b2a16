// The whole OAuth profile once more, with openid-client, which drives it by itself.
// Environment as for profile-oauth4webapi.mjs.
import { strict as assert } from 'node:assert'
import * as client from 'openid-client'
import { Agency, hub } from './agency.mjs'

const redirect = 'http://127.0.0.1:4711/callback'

const browse = async (address, answer = 'allow') =>
  new URL(await (await fetch(`${process.env.BROWSER}?answer=${answer}&url=${encodeURIComponent(address)}`)).text())

async function configure(agency, key = agency.auth) {
  const config = await client.discovery(new URL(hub), agency.client.client_id, undefined,
    client.PrivateKeyJwt({ key: key.privateKey, kid: agency.auth.kid }), { algorithm: 'oauth2', execute: [client.allowInsecureRequests] })
  return { config, DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256')) }
}

async function authorize({ config, DPoP }, answer) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const expectedState = client.randomState()
  const address = await client.buildAuthorizationUrlWithPAR(config, {
    redirect_uri: redirect, scope: 'referrals:receive', state: expectedState,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256',
  }, { DPoP })
  return { sent: await browse(address, answer), checks: { pkceCodeVerifier, expectedState } }
}

const inbox = async ({ config, DPoP }, token) => {
  try {
    return (await client.fetchProtectedResource(config, token, new URL(hub + '/v1/inbox'), 'GET', undefined, undefined, { DPoP })).status
  } catch (err) {
    return err.status ?? err.cause?.status ?? assert.fail(err)
  }
}

const agency = await Agency.enrol(process.env.CODE)
const other = await Agency.enrol(process.env.CODE_OTHER)
const a = await configure(agency)
const b = await configure(other)

const own = await client.clientCredentialsGrant(a.config, {}, { DPoP: a.DPoP })
assert.equal(await inbox(a, own.access_token), 200)

const { sent, checks } = await authorize(a)
const given = await client.authorizationCodeGrant(a.config, sent, checks, undefined, { DPoP: a.DPoP })
assert.equal(await inbox(a, given.access_token), 200)
const again = await client.refreshTokenGrant(a.config, given.refresh_token, undefined, { DPoP: a.DPoP })
assert.equal(await inbox(a, again.access_token), 200)
assert.equal((await client.tokenIntrospection(a.config, again.access_token)).active, true)
assert.equal((await client.tokenIntrospection(b.config, again.access_token)).active, false)

await assert.rejects(client.authorizationCodeGrant(a.config, sent, checks, undefined, { DPoP: a.DPoP }), (err) => err.error === 'invalid_grant')
assert.equal(await inbox(a, again.access_token), 401, 'the code in two hands has ended the grant')
const denied = await authorize(a, 'deny')
await assert.rejects(client.authorizationCodeGrant(a.config, denied.sent, denied.checks, undefined, { DPoP: a.DPoP }), (err) => err.error === 'access_denied')
const wrong = await authorize(a)
await assert.rejects(client.authorizationCodeGrant(a.config, wrong.sent, { ...wrong.checks, pkceCodeVerifier: client.randomPKCECodeVerifier() }, undefined, { DPoP: a.DPoP }),
  (err) => err.error === 'invalid_grant')
const mixed = new URL(wrong.sent)
mixed.searchParams.set('iss', 'https://elsewhere.example')
await assert.rejects(client.authorizationCodeGrant(a.config, mixed, wrong.checks, undefined, { DPoP: a.DPoP }))
const right = await client.authorizationCodeGrant(a.config, wrong.sent, wrong.checks, undefined, { DPoP: a.DPoP })
await assert.rejects(client.refreshTokenGrant(b.config, right.refresh_token, undefined, { DPoP: b.DPoP }), (err) => err.error === 'invalid_grant')

const stranger = await configure(agency, other.auth)
await assert.rejects(client.clientCredentialsGrant(stranger.config, {}, { DPoP: stranger.DPoP }), (err) => err.status === 401)

await client.tokenRevocation(a.config, right.refresh_token)
assert.equal(await inbox(a, right.access_token), 401)
await assert.rejects(client.refreshTokenGrant(a.config, right.refresh_token, undefined, { DPoP: a.DPoP }), (err) => err.error === 'invalid_grant')
await client.tokenRevocation(a.config, own.access_token)
assert.equal(await inbox(a, own.access_token), 401)

console.log('openid-client: the whole profile, and what it refuses')
