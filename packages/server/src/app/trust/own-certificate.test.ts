import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { before, test } from 'node:test'
import { rootCertificates } from 'node:tls'
import fc from 'fast-check'
import { dayMs, systemClock } from '@seaworthy/std/time'
import type { TestAuthority } from '../../testing/authority.ts'
import { createTestAuthority } from '../../testing/authority.ts'
import type { OwnCertificate } from './own-certificate.ts'
import { CertificateError, judgeCertificate } from './own-certificate.ts'

let authority: TestAuthority
let keyPem: string
let leafPem: string
let otherKeyPem: string
let requestPem: string
before(async () => {
  authority = await createTestAuthority()
  ;({ keyPem, requestPem } = await authority.request(['ship.example', 'fleet.example']))
  leafPem = await authority.issue(requestPem)
  otherKeyPem = (await authority.request(['ship.example'])).keyPem
})

const whole = () => leafPem + authority.intermediatePem + authority.rootPem

interface Given {
  chain?: string
  key?: string | null
  names?: readonly string[]
  publicRoots?: readonly string[]
}

function judge({ chain = whole(), key = keyPem, names = [], publicRoots = [] }: Given = {}) {
  const own: OwnCertificate = {
    certificateFile: '/etc/ship.pem',
    chainPem: chain,
    key: key === null ? null : { file: '/etc/ship.key', pem: key },
  }
  const madeKeyPem = otherKeyPem
  return judgeCertificate(own, { names, now: systemClock.now(), madeKeyPem, publicRoots })
}

function refused(given: Given, why: RegExp): void {
  assert.throws(
    () => judge(given),
    (error) => {
      assert.ok(error instanceof CertificateError, String(error))
      assert.match(error.message, why)
      assert.doesNotMatch(error.message, /PRIVATE KEY/)
      return true
    },
  )
}

test('A6 an own certificate is taken with its chain, and its root is what clients without a pin trust', () => {
  const taken = judge({ names: ['ship.example'] })
  assert.equal(taken.caPem.trim(), authority.rootPem.trim())
  assert.match(taken.pin, /^sha256:[\w-]{43}$/)
  // A public root is not in the file.
  const chain = leafPem + authority.intermediatePem
  const { caPem } = judge({ chain, publicRoots: [authority.rootPem] })
  assert.equal(caPem.trim(), authority.rootPem.trim())
})

test('A6 an own certificate that clients would refuse is refused by name, with the way out', async () => {
  refused({ key: otherKeyPem }, /ship\.pem and --tls-key \/etc\/ship\.key do not belong together/)
  refused({ key: null }, /not for the key of this server.*certificate request/)
  refused({ key: 'nonsense' }, /ship\.key is no private key in PEM form/)
  const locked = createPrivateKey(keyPem).export({
    ...{ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' },
  })
  refused({ key: String(locked) }, /ship\.key is locked by a passphrase/)
  refused({ names: ['ship.example', 'other.example'] }, /does not name other\.example.*it names/)
  refused({ chain: leafPem }, /incomplete.*"CN=Harbour Servers" is missing.*Append it/)
  refused({ chain: leafPem + authority.intermediatePem }, /"CN=Harbour Root" is missing/)
  refused(
    { chain: leafPem + authority.rootPem + authority.intermediatePem },
    /certificate 1 \("CN=ship"\) is followed by "CN=Harbour Root", which has not issued it/,
  )
  refused({ chain: 'nonsense' }, /is no certificate chain/)
  refused({ chain: whole().repeat(4) }, /at most 10/)
  const other = await createTestAuthority()
  // The same names, but other keys: only signatures count.
  refused({ chain: leafPem + other.intermediatePem + other.rootPem }, /has not issued it/)
  const above = authority.intermediatePem + authority.rootPem
  const old = await authority.issue(requestPem, { from: -40, until: -1 })
  refused({ chain: old + above }, /expired at .*put a renewed one/)
  const early = await authority.issue(requestPem, { from: 2, until: 90 })
  refused({ chain: early + above }, /valid only from .*check the clock/)
})

test('A6 attack: the names in a certificate that an authority has sent steer no terminal, and fill no screen', async () => {
  const names = Array.from({ length: 100 }, (_, i) => `\u001b[2J${i}.example`)
  const hostile = await authority.request(names)
  const leaf = await authority.issue(hostile.requestPem)
  const key = { file: '/etc/ship.key', pem: hostile.keyPem }
  const chainPem = leaf + authority.intermediatePem + authority.rootPem
  assert.throws(
    () =>
      judgeCertificate(
        { certificateFile: null, chainPem, key },
        {
          ...{ names: ['ship.example'], now: systemClock.now(), madeKeyPem: otherKeyPem },
          publicRoots: [],
        },
      ),
    ({ message }: Error) => {
      assert.match(message, /does not name ship\.example \(it names "/)
      return !message.includes('\u001b') && message.length < 1000
    },
  )
})

/** The certificate as it comes from an ACME authority, which is given the key of the server. */
function judgeSent(chainPem: string, publicRoots: readonly string[], days = 0) {
  return judgeCertificate(
    { certificateFile: null, chainPem, key: null },
    {
      ...{ names: ['ship.example'], madeKeyPem: keyPem, publicRoots },
      now: new Date(systemClock.now().getTime() + days * dayMs),
    },
  )
}

test('A6 attack: an ACME authority invents a root, which would be served and given out to be imported', async () => {
  const known = await createTestAuthority()
  const publicRoots = [...rootCertificates, known.rootPem]
  // The invented root has the name of the known one.
  for (const chain of [whole(), leafPem + authority.intermediatePem]) {
    assert.throws(
      () => judgeSent(chain, publicRoots),
      ({ message }: Error) => /--acme-ca/.test(message),
    )
  }
  assert.throws(() => judgeSent(whole(), publicRoots), /ends at "CN=Harbour Root", which is none/)
  const leaf = await known.issue(requestPem)
  for (const chain of [
    leaf + known.intermediatePem + known.rootPem,
    leaf + known.intermediatePem,
  ]) {
    assert.equal(judgeSent(chain, publicRoots).caPem.trim(), known.rootPem.trim())
  }
})

test('A6 attack: whoever has a certificate of a known authority issues others below it', async () => {
  const theirs = await authority.request(['thief.example'])
  const below = await authority.issueBelow(theirs.keyPem, requestPem)
  const chain = below + (await authority.issue(theirs.requestPem)) + authority.intermediatePem
  const why = /certificate 2 \("CN=ship"\) is not that of an authority/
  assert.throws(() => judgeSent(chain, [authority.rootPem]), why)
  refused({ chain, publicRoots: [authority.rootPem] }, why)
})

test('A6 attack: an ACME authority sends a certificate whose issuer has expired', async () => {
  const leaf = await authority.issue(requestPem, { from: 0, until: 900 })
  const chain = leaf + authority.intermediatePem
  assert.equal(judgeSent(chain, [authority.rootPem], 1).pin, judge().pin)
  assert.throws(() => judgeSent(chain, [authority.rootPem], 600), /expired at/)
})

test('A6 a certificate file with any byte changed or cut off is served as it was or refused, never half', () => {
  const good = judge()
  fc.assert(
    fc.property(fc.nat(whole().length - 1), fc.nat(127), fc.boolean(), (at, byte, isCut) => {
      const text = whole()
      const chain =
        text.slice(0, at) + (isCut ? '' : String.fromCharCode(byte) + text.slice(at + 1))
      let taken
      try {
        taken = judge({ chain })
      } catch (error) {
        assert.ok(error instanceof CertificateError, String(error))
        return
      }
      assert.equal(taken.pin, good.pin)
      assert.equal(taken.caPem, good.caPem)
    }),
    { interruptAfterTimeLimit: 20_000 },
  )
})
