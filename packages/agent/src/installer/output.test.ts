import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '@seaworthy/std/random'
import { listOwnSecrets, readOutputLines, readReason, secretOf } from './output.ts'

const read = (text: string | Uint8Array, secrets: readonly string[] = [], isCut = false) =>
  readOutputLines({ bytes: Buffer.from(text), isCut }, known(...secrets))
const known = (...secrets: string[]) => new Set(secrets.map((one) => secretOf(Buffer.from(one))))

test('V1 the last lines that an application wrote are told, without colours and unseen characters', () => {
  const text = 'first\n\u001b[31mred\u001b[0m\tone\r\n\n\u0000\u202elast \u001b]0;title\u0007\n'
  assert.deepEqual(read(text), ['first', 'red one', 'last'])
  const many = Array.from({ length: 100 }, (_, i) => `line ${i}`)
  assert.deepEqual(read(many.join('\n')), many.slice(-20))
  const long = read(Array.from({ length: 30 }, () => 'x'.repeat(1000)).join('\n'))
  assert.equal(long.join('').length, 2048)
  assert.ok(read('\u{1f600}'.repeat(1000)).every((line) => line.isWellFormed()))
  assert.deepEqual(read(Uint8Array.of(0x61, 0xff, 0x62)), ['a\ufffdb'])
  assert.deepEqual(read(''), [])
})

const secret = 'pa"ss wörd/1'
for (const [how, form] of [
  ['as it is', secret],
  ['in JSON', JSON.stringify({ secret })],
  ['in a URL', `https://a/?x=${encodeURIComponent(secret)}`],
  ['in hexadecimal', Buffer.from(secret).toString('hex')],
  ['in hexadecimal capitals', Buffer.from(secret).toString('hex').toUpperCase()],
  ['in Base64', Buffer.from(secret).toString('base64')],
  ['in Base64url', Buffer.from(secret).toString('base64url')],
  ['in a form', new URLSearchParams({ secret }).toString()],
  ['in JSON of ASCII alone', JSON.stringify(secret).replace('ö', '\\u00f6').slice(1, -1)],
] as const) {
  test(`V8 attack: a release that writes a secret ${how} to its output does not bring it into the report`, () => {
    const [line] = read(`it is ${form}, really`, [secret])
    assert.match(line ?? '', /^it is .*\[secret\].*, really$/)
    assert.ok(!line?.includes(form))
  })
}

test('V8 attack: a secret within a longer text in Base64, as in a header of Basic authentication, is not told', () => {
  const hidden = 'Tr0ub4dor&3-öffne'
  for (const before of ['', ':', 'a:', 'ab:', 'admin:']) {
    for (const after of ['', '\n', '@x', '#QQ#']) {
      for (const how of ['base64', 'base64url'] as const) {
        const text = Buffer.from(`${before}${hidden}${after}`).toString(how)
        const shown = read(`Authorization: Basic ${text}`, [hidden]).join('')
        assert.match(shown, /\[secret\]/)
        // What is left beside it holds no more of the secret than parts of its first and last byte.
        const rests = shown.slice('Authorization: Basic '.length).split('[secret]')
        const told = rests.map((rest) => Buffer.from(rest, how).toString('latin1')).join('\n')
        const bytes = Buffer.from(hidden).toString('latin1')
        for (let at = 0; at + 2 <= bytes.length; at++) {
          assert.ok(!told.includes(bytes.slice(at, at + 2)), `${before}${after}: ${shown}`)
        }
      }
    }
  }
})

const long = 'hunter2-very-secret, of which a program makes more than one line of output'
test('V8 attack: a secret that is broken into lines or groups, coloured in part or in UTF-16 is not told, though the report joins it again', () => {
  const inBase64 = Buffer.from(long).toString('base64')
  for (const written of [
    Buffer.from(`it is ${long}\n`, 'utf16le'),
    Buffer.from(`it is ${long}\n`, 'utf16le').swap16(),
    `it is ${long.replace('very', '\u001b[1mvery\u001b[0m')}`,
    `it is ${long.replace('-', '-\u200b\u202e')}`,
    `it is ${long.replaceAll(' ', '\r\n  ')}`,
    inGroups(inBase64, 20, '\n'),
    inGroups(inBase64, 76, '\n    '),
    inGroups(Buffer.from(long).toString('hex'), 2, ' '),
  ]) {
    const requireHidden = (shown: string) => {
      assert.match(shown, /\[secret\]/)
      assert.doesNotMatch(shown, /hunter|very|which|output|aHVu|dXRwdXQ|68 ?75/)
    }
    for (const isCut of [false, true]) {
      const before = isCut ? `${'x'.repeat(4000)}\n` : ''
      const bytes = Buffer.concat([Buffer.from(before), Buffer.from(written)])
      requireHidden(read(bytes, [long], isCut).join('\n'))
    }
    requireHidden(readReason(Buffer.from(written).toString(), known(long)) ?? '')
  }
})

test('V8 no part of a secret in lines of Base64 is told that begins before what is read', () => {
  const written = `${inGroups(Buffer.from(long).toString('base64'), 20, '\n')}\n`
  for (let from = 1; from < written.length; from++) {
    const end = 'y'.repeat(1000)
    const shown = read(`${written.slice(from)}\n${end}`, [long], true).join('\n')
    assert.match(shown, /^y+$/)
  }
})

function inGroups(text: string, length: number, between: string): string {
  return text.replaceAll(new RegExp(`.{${length}}(?=.)`, 'g'), `$&${between}`)
}

test('V8 attack: no part of a secret is told that begins before what is read of the output', () => {
  const key = Array.from({ length: 64 }, (_, i) => String.fromCharCode(65 + (i % 26))).join('')
  for (let from = 0; from < key.length; from++) {
    const text = `${key.slice(from)} ends\n${'.'.repeat(200)}\n`
    const shown = read(text, [key], true).join('\n')
    for (let at = 0; at + 4 <= key.length; at++) {
      assert.ok(!shown.includes(key.slice(at, at + 4)), `${from}: ${shown}`)
    }
  }
  assert.deepEqual(read('short\n', ['a-longer-secret'], true), [])
})

test('V8 attack: secrets within one another, side by side and many times are all hidden (seeded)', () => {
  const random = seededRandom(7)
  for (let round = 0; round < 200; round++) {
    const pick = (max: number) => Math.floor(random.fraction() * max)
    const word = (length: number) => Array.from({ length }, () => 'abc'.charAt(pick(3))).join('')
    const secrets = Array.from({ length: 1 + pick(3) }, () => word(4 + pick(6)))
    const text = Array.from({ length: 30 }, () =>
      pick(2) === 0 ? word(5) : secrets[pick(secrets.length)]!,
    ).join('')
    const shown = read(text, secrets).join('').split('[secret]')
    for (const one of secrets) assert.ok(shown.every((part) => !part.includes(one)))
  }
})

test('V8 each line of a secret of many lines is hidden, and a line end behind it does not help', () => {
  const key = '-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n'
  assert.deepEqual(read('key: MIIEvQIBADANBg\n', [key]), ['key: [secret]'])
  assert.deepEqual(read('token is s3cr3t-value.', ['s3cr3t-value\n']), ['token is [secret].'])
})

test('V8 nothing is told where a secret cannot be recognised, or is not known', () => {
  assert.deepEqual(read('it is abc', ['abc']), [])
  assert.deepEqual(readOutputLines({ bytes: Buffer.from('x'), isCut: false }, undefined), [])
  assert.equal(readReason('it is x', undefined), undefined)
  assert.deepEqual(read('it is abc', ['']), ['it is abc'])
})

test('V1 a reason is one line without secrets', () => {
  const url = 'GET http://a/?token=hunter22\u001b[1m failed'
  assert.equal(readReason(url, known('hunter22')), 'GET http://a/?token=[secret] failed')
  assert.equal(readReason('x'.repeat(999), known()), 'x'.repeat(256))
  assert.equal(readReason('\u0007', known()), undefined)
})

test('V8 values of the configuration that are secret by their name are hidden, ports and colours are not', () => {
  const environment = {
    PORT: '8080',
    DB_PASSWORD: 'hunter22',
    API_KEY: 'k-123456',
    TOKEN_DAYS: '7',
  }
  assert.deepEqual(
    listOwnSecrets({ environment, provisioningKey: 'swp_x_y' }),
    ['hunter22', 'k-123456', 'swp_x_y'].map((one) => secretOf(Buffer.from(one))),
  )
})
