// Attachments from docs/packet.md alone, on npm jose: sealing, and a reader that lets out
// no byte before it has been held against its place.
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as jose from 'jose'
import { digest, sha256 } from './agency.mjs'

const chunkSize = 65536
const all = (chunks) => digest(chunks.map((c) => digest(c) + '\n').join(''))

// Chunks, head and the signed digest of a plaintext.
export async function sealAttachment(plain, media_type) {
  const key = randomBytes(32)
  const chunks = []
  for (let at = 0; at < plain.length; at += chunkSize) {
    const header = { alg: 'dir', enc: 'A256GCM', chunk: chunks.length, end: at + chunkSize >= plain.length }
    chunks.push(await new jose.CompactEncrypt(plain.subarray(at, at + chunkSize)).setProtectedHeader(header).encrypt(key))
  }
  return { chunks, signed: all(chunks), head: { media_type, size: plain.length, digest: sha256(plain).toString('base64url'), key: { kty: 'oct', alg: 'A256GCM', k: key.toString('base64url') } } }
}

const exactly = (object, ...names) => assert.deepEqual(Object.keys(object).sort(), names.sort())

// The plaintext, or an error with the number of the chunk that stands wrong.
export async function openAttachment(head, signed, row) {
  let at = -1
  try {
    exactly(head, 'media_type', 'size', 'digest', 'key')
    exactly(head.key, 'kty', 'alg', 'k')
    assert.match(head.media_type, /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/)
    assert.ok(Number.isInteger(head.size) && head.size >= 1 && head.size <= 20 << 20)
    assert.match(head.digest, /^[A-Za-z0-9_-]{43}$/)
    assert.ok(head.key.kty === 'oct' && head.key.alg === 'A256GCM')
    const key = Buffer.from(head.key.k, 'base64url')
    assert.equal(key.length, 32)
    const parts = []
    const count = Math.ceil(head.size / chunkSize)
    for (at = 0; at < count; at++) {
      const end = at === count - 1
      assert.ok(at < row.length, 'it ends early')
      assert.match(row[at], /^[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{22}$/)
      const header = jose.decodeProtectedHeader(row[at])
      exactly(header, 'alg', 'enc', 'chunk', 'end')
      assert.ok(header.chunk === at && header.end === end)
      const { plaintext } = await jose.compactDecrypt(row[at], key, { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] })
      assert.equal(plaintext.length, end ? head.size - at * chunkSize : chunkSize)
      if (end && row.length > count) {
        at++
        assert.fail('something follows')
      }
      parts.push(plaintext)
    }
    at = count - 1
    const plain = Buffer.concat(parts)
    assert.equal(all(row), signed)
    assert.equal(sha256(plain).toString('base64url'), head.digest)
    return plain
  } catch (err) {
    throw Object.assign(err, { wrong: at })
  }
}

// The vectors of the packet's format.
export async function runVectors(path) {
  const { chunks, vectors } = JSON.parse(readFileSync(path))
  for (const v of vectors) {
    const opening = openAttachment(JSON.parse(v.head), v.signed, v.row.map((name) => chunks[name]))
    if (v.expect === 'ok') {
      assert.equal(sha256(await opening).toString('base64url'), v.digest, v.why)
      continue
    }
    const refused = await opening.then(() => assert.fail(v.why), (err) => err)
    assert.equal(refused.wrong, v.wrong, v.why)
  }
  return vectors.length
}
