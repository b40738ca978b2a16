// A receiver of webhooks, on libraries that are not ours: it reads one message as JSON from standard
// input (headers, body, secret, key) and says which of its signatures hold, and that none does when anything is changed.
import { createPublicKey, verify } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'

const { headers, body, secret, key } = JSON.parse(await text(process.stdin))

const symmetric = (headers, body) => {
  try {
    return new Webhook(secret).verify(body, headers)
  } catch {
    return undefined
  }
}

const public_ = createPublicKey({
  format: 'jwk',
  key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key.replace('whpk_', ''), 'base64').toString('base64url') },
})
const asymmetric = (headers, body) =>
  headers['webhook-signature'].split(' ').filter(s => s.startsWith('v1a,')).some(s => verify(null,
    Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`), public_, Buffer.from(s.slice(4), 'base64')))

const forged = [
  [headers, body.replace('referral.received', 'referral.rejected')],
  [{ ...headers, 'webhook-id': 'another' }, body],
  [{ ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + 1) }, body],
]
console.log(JSON.stringify({
  v1: symmetric(headers, body)?.type ?? 'refused',
  v1a: asymmetric(headers, body),
  forged: forged.map(([h, b]) => symmetric(h, b) !== undefined || asymmetric(h, b)),
}))
