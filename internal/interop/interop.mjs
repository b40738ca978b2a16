// Two agencies, written from docs/packet.md and docs/oauth.md alone on npm jose and
// oauth4webapi: they enrol, one records a consent and sends a sealed referral, the
// other opens and accepts it, and every receipt is verified with nothing from the hub
// but the log key fetched at enrolment.
//
// Environment: HUB, CODE_SENDER, CODE_RECIPIENT (enrolment codes), SERVICE.
import { strict as assert } from 'node:assert'
import { createPublicKey, randomBytes, verify as nodeVerify } from 'node:crypto'
import * as jose from 'jose'
import { Agency, digest, hub, now, sha256, sign, uuid7 } from './agency.mjs'
import { openAttachment, runVectors, sealAttachment } from './attachment.mjs'

// An agency that sends and receives.
class Correspondent extends Agency {
  // The current encryption key of a partner, or its signing key by kid.
  async keyOf(partner, use, kid) {
    const { body } = await this.call('GET', `/v1/partners/${partner}/jwks.json`)
    const key = body.keys.find((k) => k.handover_use === use && !k.revoked && k.nbf - 60 <= now() && now() < k.exp && (!kid || k.kid === kid))
    assert.ok(key, `${partner} has a ${use} key`)
    return key
  }

  // A signed, sealed packet. declared has what the manifest says of attachments besides.
  async seal(claims, sections, declared = {}) {
    const envelope = { hub, iss: this.id, jti: uuid7(), iat: now(), exp: now() + 7 * 86400, ...claims }
    const packet = {}
    if (sections) {
      const to = await this.keyOf(claims.aud, 'encryption')
      envelope.sections = {}
      packet.sections = {}
      packet.copies = {}
      for (const [section, data] of Object.entries(sections)) {
        const plain = JSON.stringify({ iss: envelope.iss, aud: envelope.aud, jti: envelope.jti, section, salt: randomBytes(16).toString('base64url'), data })
        const jwe = async (jwk) => new jose.CompactEncrypt(Buffer.from(plain))
          .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM', kid: jwk.kid, cty: 'json' })
          .encrypt(await jose.importJWK(jwk, 'ECDH-ES+A256KW'))
        packet.sections[section] = await jwe(to)
        packet.copies[section] = await jwe(this.encryption.jwk)
        envelope.sections[section] = { ct: digest(packet.sections[section]), pt: digest(plain), copy: digest(packet.copies[section]), ...declared[section] }
      }
    }
    packet.envelope = await sign('handover-envelope+jwt', envelope, this.signing)
    return packet
  }

  async post(path, packet, status = 201) {
    const answer = await this.call('POST', path, JSON.stringify(packet), 'application/vnd.handover.packet+json')
    assert.equal(answer.status, status, JSON.stringify(answer.body))
    return answer.body
  }

  // docs/packet.md, "Receipt": five steps.
  verify(receipt) {
    const entry = Buffer.from(receipt.entry, 'base64url')
    const leaf = Buffer.concat([Buffer.from([1]), sha256('handover-audit-v1', Buffer.from([0]), Buffer.from(receipt.salt, 'base64url'), entry)])
    const lines = receipt.proof.split('\n')
    assert.equal(lines.shift(), 'c2sp.org/tlog-proof@v1')
    if (lines[0].startsWith('extra ')) lines.shift()
    const index = BigInt(lines.shift().replace(/^index /, ''))
    const end = lines.indexOf('')
    const path = lines.slice(0, end).map((l) => Buffer.from(l, 'base64'))
    const checkpoint = lines.slice(end + 1)
    const [origin, size, root] = checkpoint
    assert.deepEqual(rootOf(index, BigInt(size), sha256(Buffer.from([0]), leaf), path), Buffer.from(root, 'base64'), 'inclusion')

    const [name, id, encoded] = splitKey(this.logKey)
    assert.equal(origin, name)
    const line = checkpoint.find((l) => l.startsWith(`— ${origin} `))
    const signature = Buffer.from(line.split(' ')[2], 'base64')
    assert.equal(signature.subarray(0, 4).toString('hex'), id)
    const raw = Buffer.from(encoded, 'base64')
    assert.equal(raw[0], 1)
    const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: raw.subarray(1).toString('base64url') } })
    const text = Buffer.from(checkpoint.slice(0, checkpoint.indexOf('')).join('\n') + '\n')
    assert.ok(nodeVerify(null, text, key, signature.subarray(4)), 'checkpoint signature')

    const said = JSON.parse(entry.toString())
    for (const member of ['referral', 'event', 'envelope', 'state', 'consent', 'time']) assert.equal(receipt[member], said[member], member)
    return said
  }

  // docs/packet.md, "Packet": what a recipient checks, in order.
  async unseal(envelopeToken, section, jwe) {
    const { kid } = jose.decodeProtectedHeader(envelopeToken)
    const { iss } = JSON.parse(Buffer.from(envelopeToken.split('.')[1], 'base64url').toString())
    const signing = await this.keyOf(iss, 'signing', kid)
    const { payload } = await jose.compactVerify(envelopeToken, await jose.importJWK(signing, signing.alg))
    const envelope = JSON.parse(Buffer.from(payload).toString())
    assert.equal(digest(jwe), envelope.sections[section].ct)
    const { plaintext } = await jose.compactDecrypt(jwe, this.encryption.privateKey)
    assert.equal(digest(plaintext), envelope.sections[section].pt)
    const content = JSON.parse(Buffer.from(plaintext).toString())
    for (const [member, want] of Object.entries({ iss: envelope.iss, aud: envelope.aud, jti: envelope.jti, section })) assert.equal(content[member], want)
    return content.data
  }
}

// The Merkle tree's root by an inclusion proof (RFC 9162 §2.1.3.2).
function rootOf(index, size, leafHash, path) {
  let fn = index, sn = size - 1n, r = leafHash
  for (const p of path) {
    assert.ok(sn > 0n, 'the proof is too long')
    if (fn & 1n || fn === sn) {
      r = sha256(Buffer.from([1]), p, r)
      while (!(fn & 1n) && fn !== 0n) { fn >>= 1n; sn >>= 1n }
    } else {
      r = sha256(Buffer.from([1]), r, p)
    }
    fn >>= 1n
    sn >>= 1n
  }
  assert.equal(sn, 0n, 'the proof is too short')
  return r
}

// A verifier key: name+id+key, where the key's base64 may itself hold a plus sign.
function splitKey(text) {
  const [, name, id, key] = text.match(/^([^+]+)\+([0-9a-f]{8})\+(.+)$/)
  return [name, id, key]
}

const sender = await Correspondent.enrol(process.env.CODE_SENDER)
const recipient = await Correspondent.enrol(process.env.CODE_RECIPIENT, 'PS256')
await sender.signIn()
await recipient.signIn()

// What she agreed to.
const sub = randomBytes(16).toString('base64url')
const consentID = uuid7()
const circumstances = Buffer.from(JSON.stringify({
  salt: randomBytes(16).toString('base64url'), seen_alone: 'yes', coercion: 'none', interpreter: 'none', language: 'en', capacity: 'presumed',
})).toString('base64url')
const record = await sign('handover-consent+jwt', {
  hub, iss: sender.id, jti: consentID, iat: now(), sub, jurisdiction: 'GB-ENG', agreement: 'agreed', method: 'verbal-in-person',
  purpose: 'housing', recipients: [recipient.id, sender.id], sections: ['need', 'safe-contact', 'note'], withheld: ['health'], onward: 'none',
  notice: { version: '1', digest: digest('the notice'), language: 'en' },
  basis: [{ controller: sender.id, art6: 'a' }], gate: { pathway: 'none' }, circumstances: digest(circumstances),
  given_at: now(), valid_from: now(), expires_at: now() + 7 * 86400,
}, sender.signing)
const recorded = await sender.call('POST', '/v1/consents', JSON.stringify({ record, circumstances }), 'application/vnd.handover.consent+json')
assert.equal(recorded.status, 201, JSON.stringify(recorded.body))
assert.equal(sender.verify(recorded.body).act, 'consent.record')
const basis = { consent: consentID, digest: digest(record) }

// The referral, and the same bytes again.
const need = { schema: 'need/1', summary: 'somewhere to live' }
const request = await sender.seal({
  aud: recipient.id, event: 'request', sub, purpose: 'housing', urgency: 'urgent', service: process.env.SERVICE, area: 'E09000007', basis,
}, { need, 'safe-contact': { schema: 'safe-contact/1', channel: 'via-worker', voicemail: false, text: false, last_confirmed: new Date().toISOString().slice(0, 10) } })
const sent = await sender.post('/v1/referrals', request)
assert.equal(sender.verify(sent).act, 'referral.request')
assert.equal(sent.referral, digest(request.envelope))
assert.deepEqual(await sender.post('/v1/referrals', request), sent, 'the same bytes find the same receipt')

// What she did not agree to is refused.
const refused = await sender.post('/v1/referrals', await sender.seal({
  aud: recipient.id, event: 'request', sub, purpose: 'housing', urgency: 'urgent', service: process.env.SERVICE, area: 'E09000007', basis,
}, { location: { schema: 'location/1', place: 'a street' } }), 403)
assert.equal(refused.code, 'not-covered')

// The other side.
const inbox = await recipient.call('GET', '/v1/inbox')
const listed = inbox.body.referrals.find((r) => r.id === sent.referral)
assert.equal(listed.state, 'requested')
const { body: referral } = await recipient.call('GET', `/v1/referrals/${sent.referral}`)
const opened = await recipient.call('POST', `/v1/referrals/${sent.referral}/open`, JSON.stringify({ sections: ['need'], reason: 'triage' }), 'application/json')
assert.equal(opened.status, 200, JSON.stringify(opened.body))
assert.equal(recipient.verify(opened.body.receipt).act, 'section.open')
assert.deepEqual(await recipient.unseal(referral.chain[0].envelope, 'need', opened.body.sections.need), need)

const accepted = await recipient.post(`/v1/referrals/${sent.referral}/events`, await recipient.seal({
  aud: sender.id, event: 'accept', re: sent.referral, prev: listed.head, basis,
}, { note: { schema: 'note/1', text: 'we can see her tomorrow' } }))
assert.equal(recipient.verify(accepted).state, 'accepted')

// The answer reaches the sender.
const { body: history } = await sender.call('GET', `/v1/referrals/${sent.referral}/events`)
assert.deepEqual(history.events.map((e) => e.event), ['request', 'accept'])
for (const e of history.events) assert.equal(sender.verify(e.receipt).envelope, digest(e.envelope))
const note = await sender.call('POST', `/v1/referrals/${sent.referral}/open`,
  JSON.stringify({ envelope: accepted.envelope, sections: ['note'], reason: 'provide-service' }), 'application/json')
assert.equal(note.status, 200, JSON.stringify(note.body))
assert.deepEqual(await sender.unseal(history.events[1].envelope, 'note', note.body.sections.note), { schema: 'note/1', text: 'we can see her tomorrow' })

// An attachment: chunks first, then the packet that names them; refused until all are there.
assert.ok(await runVectors(new URL('../../referral/packet/attachment/testdata/vectors.json', import.meta.url)) > 20)
const scan = randomBytes(2 * 65536 + 1000)
const { chunks, signed, head } = await sealAttachment(scan, 'application/pdf')
const jti = uuid7()
const withScan = await sender.seal({
  jti, aud: recipient.id, event: 'request', sub, purpose: 'housing', urgency: 'routine', service: process.env.SERVICE, area: 'E09000007', basis,
}, { need, 'attachment-1': head }, { 'attachment-1': { class: 'need', chunks: signed } })
const put = (n) => sender.call('PUT', `/v1/attachments/${jti}/attachment-1/${n}`, chunks[n], 'application/jose')
for (const n of [2, 0]) assert.equal((await put(n)).status, 204)
assert.equal((await sender.post('/v1/referrals', withScan, 422)).code, 'attachment-incomplete')
const here = await sender.call('GET', `/v1/attachments/${jti}/attachment-1`)
assert.deepEqual(here.body.chunks, [0, 2].map((n) => ({ number: n, digest: digest(chunks[n]) })))
assert.equal((await put(1)).status, 204)
const scanned = await sender.post('/v1/referrals', withScan)
const releasing = await recipient.call('POST', `/v1/referrals/${scanned.referral}/open`, JSON.stringify({ sections: ['attachment-1'], reason: 'triage' }), 'application/json')
assert.equal(releasing.status, 200, JSON.stringify(releasing.body))
const { body: chained } = await recipient.call('GET', `/v1/referrals/${scanned.referral}`)
const opening = await recipient.unseal(chained.chain[0].envelope, 'attachment-1', releasing.body.sections['attachment-1'])
const fetched = []
for (let n = 0; n < Math.ceil(opening.size / 65536); n++) {
  const answer = await recipient.fetch(`/v1/referrals/${scanned.referral}/attachments/attachment-1/${n}`)
  assert.equal(answer.status, 200)
  fetched.push(await answer.text())
}
assert.deepEqual(await openAttachment(opening, signed, fetched), scan)

// A receipt that was changed does not verify.
const forged = { ...sent, salt: randomBytes(32).toString('base64url') }
assert.throws(() => sender.verify(forged))

console.log(`interop: ${sent.reference} sent, answered and verified`)
