// What the scripts of this folder share: an agency that enrols, with keys of its own and
// tokens by oauth4webapi. Environment: HUB.
import { strict as assert } from 'node:assert'
import { createHash, randomBytes, webcrypto } from 'node:crypto'
import * as jose from 'jose'
import * as oauth from 'oauth4webapi'

globalThis.crypto ??= webcrypto // Node 18 has it, but not as a global

export const hub = process.env.HUB
export const insecure = { [oauth.allowInsecureRequests]: true } // the hub under test is on this machine
export const sha256 = (...parts) => parts.reduce((h, p) => h.update(p), createHash('sha256')).digest()
export const digest = (text) => sha256(text).toString('base64url')
export const now = () => Math.floor(Date.now() / 1000)

// A UUIDv7 (RFC 9562 §5.7).
export function uuid7() {
  const b = randomBytes(16)
  b.writeUIntBE(Date.now(), 0, 6)
  b[6] = (b[6] & 0x0f) | 0x70
  b[8] = (b[8] & 0x3f) | 0x80
  const h = b.toString('hex')
  return [h.slice(0, 8), h.slice(8, 12), h.slice(12, 16), h.slice(16, 20), h.slice(20)].join('-')
}

// Keys: one for each use, named by thumbprint.
export async function makeKey(alg) {
  const pair = await jose.generateKeyPair(alg, { extractable: true, crv: 'P-256' })
  const { kty, crv, x, y, n, e } = await jose.exportJWK(pair.publicKey)
  const kid = await jose.calculateJwkThumbprint({ kty, crv, x, y, n, e })
  return { ...pair, kid, alg, jwk: { kty, crv, x, y, n, e, kid, alg, use: alg.startsWith('ECDH') ? 'enc' : 'sig' } }
}

export const sign = (typ, claims, key) =>
  new jose.CompactSign(Buffer.from(JSON.stringify(claims))).setProtectedHeader({ alg: key.alg, typ, kid: key.kid }).sign(key.privateKey)

// Whatever wants a DPoP proof may want one with a nonce first (RFC 9449 §8, §9).
export const withNonce = (ask) => ask().catch((err) => {
  if (oauth.isDPoPNonceError(err)) return ask()
  throw err
})

export class Agency {
  static async enrol(code, alg = 'ES256') {
    const a = new this()
    a.auth = await makeKey(alg)
    a.signing = await makeKey('ES256')
    a.encryption = await makeKey('ECDH-ES+A256KW')
    const enrolment = await sign('handover-enrolment+jwt', {
      hub, code_digest: digest(code), iat: now(),
      keys: { authentication: a.auth.jwk, signing: a.signing.jwk, encryption: a.encryption.jwk },
    }, a.signing)
    const answer = await fetch(`${hub}/v1/enrol`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ code, enrolment }),
    })
    assert.equal(answer.status, 201, await answer.clone().text())
    const { partner, client_id } = await answer.json()
    a.id = partner
    a.client = { client_id }
    a.logKey = (await (await fetch(`${hub}/v1/log/key`)).text()).split('\n')[0]
    return a
  }

  // A DPoP-bound token by client_credentials and private_key_jwt.
  async signIn() {
    const issuer = new URL(hub)
    const server = await oauth.processDiscoveryResponse(issuer,
      await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))
    this.dpop = oauth.DPoP(this.client, await oauth.generateKeyPair(this.auth.alg))
    const granted = await withNonce(async () => {
      const answer = await oauth.clientCredentialsGrantRequest(server, this.client,
        oauth.PrivateKeyJwt({ key: this.auth.privateKey, kid: this.auth.kid }), new URLSearchParams(), { DPoP: this.dpop, ...insecure })
      return oauth.processClientCredentialsResponse(server, this.client, answer)
    })
    assert.equal(granted.token_type, 'dpop')
    this.token = granted.access_token
  }

  fetch(path, method = 'GET', body, type) {
    const headers = new Headers(type ? { 'content-type': type } : {})
    return withNonce(() =>
      oauth.protectedResourceRequest(this.token, method, new URL(hub + path), headers, body, { DPoP: this.dpop, ...insecure }))
  }

  async call(method, path, body, type) {
    const answer = await this.fetch(path, method, body, type)
    const text = await answer.text()
    return { status: answer.status, body: text ? JSON.parse(text) : undefined }
  }
}
