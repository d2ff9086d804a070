/** The edges of HTTP: TLS, limits, problem documents, tokens. */
import assert from 'node:assert/strict'
import { randomBytes, X509Certificate } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect as connectPlain } from 'node:net'
import type { Socket } from 'node:net'
import { connect } from 'node:tls'
import { ProblemError, problemMediaType } from '@seaworthy/api/problems'
import { createFleet } from '@seaworthy/api/fleets'
import { setProductQuota, showProduct } from '@seaworthy/api/products'
import { routes } from '@seaworthy/api/routes'
import { showSelf } from '@seaworthy/api/server'
import { createToken, listTokens, refreshToken, revokeToken } from '@seaworthy/api/tokens'
import { digestOf } from '@seaworthy/oci/digests'
import { utf8Decode } from '@seaworthy/std/bytes'
import { waitUntil } from '@seaworthy/std/testing'
import type { TestClient, TestServer } from '../testing/index.ts'
import {
  askApart,
  createTestClient,
  pushBlob,
  setUpTrust,
  startTestServer,
} from '../testing/index.ts'

let server: TestServer
let client: TestClient
/** Requests that take as long as the server lets them: the other tests run meanwhile. */
let slowKnocks: SlowKnock[]

interface SlowKnock {
  readonly name: string
  readonly socket: Socket
  readonly stop: () => void
}

/**
 * Sends one request to every endpoint and with every method, as a stranger: each announces a body,
 * which then drips in without end.
 */
async function knockSlowly(port: number): Promise<SlowKnock[]> {
  const ofRoutes = routes.map(({ method, path }) => `${method} ${path.replace(/:\w+/g, 'x')}`)
  const elsewhere = [
    ...['/v2/', '/v2/token', '/v2/acme/manifests/latest', '/v2/acme/tags/list'],
    ...['/v2/acme/blobs/uploads/', '/v2/acme/blobs/uploads/x', '/v2/nothing'],
    ...['/tuf/timestamp.json', '/tuf/1.root.json', '/log/checkpoint', '/log/tile/entries/000'],
    ...['/fleetlock/v1/pre-reboot', '/fleetlock/v1/steady-state', '/omaha/v1/update'],
    ...['/omaha/v1/files/token/name', '/DEFAULT/controller/v1/x'],
    ...[
      '/DEFAULT/controller/v1/x/configData',
      '/DEFAULT/controller/v1/x/deploymentBase/1/feedback',
    ],
    ...['/openapi.json', '/ca.crt', '/healthz', '/readyz', '/metrics', '/nothing'],
    ...['/report', '/report/x'],
  ].flatMap((path) =>
    ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].map((method) => `${method} ${path}`),
  )
  const body = ['Content-Type: application/json', 'Content-Length: 1000']
  const chunked = ['Content-Type: application/x-www-form-urlencoded', 'Transfer-Encoding: chunked']
  const open = () =>
    new Promise<Socket>((resolve, reject) => {
      const options = { host: '127.0.0.1', port, rejectUnauthorized: false }
      const socket = connect(options, () => resolve(socket))
      socket.once('error', reject)
    })
  const knocks = [...ofRoutes, ...elsewhere].flatMap((start, i) =>
    start.startsWith('GET') && i % 2 === 0
      ? [{ start, headers: body, drip: ' ' }]
      : [
          { start, headers: body, drip: ' ' },
          { start, headers: chunked, drip: '1\r\nx\r\n' },
        ],
  )
  const drip = (name: string, socket: Socket, text: string): SlowKnock => {
    socket.on('error', () => undefined)
    socket.resume()
    const timer = setInterval(() => socket.write(text), 500)
    const stop = () => {
      clearInterval(timer)
      socket.destroy()
    }
    socket.once('close', stop)
    return { name, socket, stop }
  }
  const begun: SlowKnock[] = []
  for (const { start, headers, drip: text } of knocks) {
    const socket = await open()
    socket.write(`${start} HTTP/1.1\r\nHost: a\r\n${headers.join('\r\n')}\r\n\r\n`)
    begun.push(drip(`${start} ${headers[1]}`, socket, text))
  }
  const late = await open()
  late.write('POST /v1/device/check-in HTTP/1.1\r\nHost: a\r\n')
  begun.push(drip('headers', late, 'X-More: 1\r\n'))
  const mute = connectPlain({ host: '127.0.0.1', port })
  begun.push({ ...drip('handshake', mute, ''), name: 'handshake' })
  return begun
}

before(async () => {
  server = await startTestServer({ workers: 2, args: ['--name', 'ship.example', '--report-form'] })
  // The harness is told the first name; in this test everybody is on the loopback interface.
  const { port } = new URL(server.url)
  server = { ...server, url: `https://127.0.0.1:${port}` }
  client = createTestClient(server)
  slowKnocks = await knockSlowly(Number(port))
})
after(async () => {
  for (const { stop } of slowKnocks) stop()
  client.close()
  await server.stop()
})

const refused = (code: string) => (error: unknown) => {
  assert.ok(error instanceof ProblemError, String(error))
  assert.equal(error.code, code)
  return true
}

test('A6 the server certificate is signed by the CA that can be downloaded, for all names, in TLS 1.3 alone', async () => {
  const { bytes } = await client.send('GET', '/ca.crt')
  const ca = utf8Decode(bytes)
  const { port } = new URL(server.url)
  for (const servername of ['ship.example', 'localhost']) {
    await new Promise<void>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: Number(port), ca, servername }, () => {
        assert.equal(socket.authorized, true)
        assert.equal(socket.getProtocol(), 'TLSv1.3')
        socket.end(resolve)
      })
      socket.on('error', reject)
    })
  }
  const certificate = new X509Certificate(ca)
  assert.equal(certificate.ca, true)
  assert.ok(certificate.verify(certificate.publicKey))
  await assert.rejects(
    new Promise((resolve, reject) => {
      const socket = connect(
        { host: '127.0.0.1', port: Number(port), maxVersion: 'TLSv1.2', rejectUnauthorized: false },
        () => resolve(socket.end()),
      )
      socket.on('error', reject)
    }),
  )
})

test('A6 no private key lies in the data folder: the CA key is gone, the others are sealed', async () => {
  const found: string[] = []
  for (const entry of await readdir(server.dataDir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const bytes = await readFile(join(entry.parentPath, entry.name)).catch((error: unknown) => {
      // The server and PostgreSQL replace and remove files meanwhile.
      if ((error as { code?: unknown }).code === 'ENOENT') return Buffer.alloc(0)
      throw error
    })
    if (bytes.includes('PRIVATE KEY')) found.push(entry.name)
  }
  assert.deepEqual(found, [])
  assert.equal((await stat(join(server.dataDir, 'master.key'))).mode & 0o777, 0o600)
})

test('problem documents: what is not there, not allowed, too large, of another type', async () => {
  const token = server.adminToken
  const json = { 'content-type': 'application/json' }
  const large = `{"name":"${'x'.repeat(70_000)}"}`
  const cases = [
    ['GET', '/nothing', {}, 404, 'route_not_found'],
    ['GET', '/v1/nothing', { token }, 404, 'route_not_found'],
    ['DELETE', '/v1/tokens', { token }, 405, 'method_not_allowed'],
    ['POST', '/tuf/timestamp.json', {}, 405, 'method_not_allowed'],
    ['POST', '/v1/fleets', { token, body: '{}' }, 415, 'unsupported_media_type'],
    ['POST', '/v1/fleets', { token, headers: json, body: '{' }, 400, 'invalid_request'],
    ['POST', '/v1/fleets', { token, headers: json, body: '{"x":1}' }, 400, 'invalid_request'],
    ['POST', '/v1/fleets', { token, headers: json, body: large }, 413, 'body_too_large'],
    [
      'POST',
      '/v1/tokens/self/refresh',
      { token, headers: json, body: '{}' },
      400,
      'invalid_request',
    ],
    ['GET', '/v1/tokens?limit=0', { token }, 400, 'invalid_request'],
    ['GET', '/v1/tokens?unknown=1', { token }, 400, 'invalid_request'],
    ['GET', '/v1/products/%E0%A4%A', { token }, 404, 'route_not_found'],
    ['GET', '/v1/tokens', {}, 401, 'unauthenticated'],
    [
      'GET',
      '/v1/tokens',
      { token: `sw_${'0'.repeat(26)}_${'0'.repeat(64)}` },
      401,
      'unauthenticated',
    ],
    ['GET', '/v1/products/absent', { token }, 404, 'product_not_found'],
  ] as const
  for (const [method, path, options, status, code] of cases) {
    const response = await client.send(method, path, options)
    assert.equal(response.status, status, `${method} ${path}`)
    assert.equal(response.headers['content-type'], problemMediaType)
    assert.equal(response.headers['x-content-type-options'], 'nosniff')
    const problem = response.json() as { code: string; status: number }
    assert.deepEqual([problem.code, problem.status], [code, status], `${method} ${path}`)
    if (status === 405) assert.ok(response.headers['allow'])
    if (status === 401) assert.match(response.headers['www-authenticate']!, /^Bearer/)
  }
})

test('A9 a body that is longer than it says, and one without a length, are cut off', async () => {
  const { port } = new URL(server.url)
  const status = await new Promise<number>((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path: '/v1/fleets',
        method: 'POST',
        rejectUnauthorized: false,
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${server.adminToken}`,
          'transfer-encoding': 'chunked',
        },
      },
      (response) => {
        response.resume()
        resolve(response.statusCode!)
      },
    )
    sent.on('error', reject)
    for (let i = 0; i < 20; i++) sent.write('x'.repeat(8192))
  })
  assert.equal(status, 413)
})

test('A9 attack: somebody who guesses credentials at all workers at once has as many guesses as at one, and has to wait', async () => {
  const guess = `sw_${'1'.repeat(26)}_${'1'.repeat(64)}`
  const begun = performance.now()
  let judged = 0
  for (let i = 0; i < 5; i++) {
    // Connections that are opened at once go to both workers.
    const sent = Array.from({ length: 40 }, () =>
      client.send('GET', '/v1/whoami', { token: guess }),
    )
    for (const { status, headers } of await Promise.all(sent)) {
      if (status === 401) judged++
      else {
        assert.equal(status, 429)
        assert.ok(Number(headers['retry-after']) >= 1)
      }
    }
  }
  const seconds = Math.ceil((performance.now() - begun) / 1000)
  assert.ok(judged <= 60 + seconds, `${judged} in ${seconds} s`)
  // A client with the right credential is not locked out by another one at the same address.
  const { status: right } = await client.send('GET', '/v1/whoami', { token: server.adminToken })
  assert.equal(right, 200)
})

test('O1 attack: a token without the right, and one that was revoked, write a bounded number of short lines into the log file', async () => {
  const make = async (name: string) => {
    const body = { name, role: 'viewer', lifetimeSeconds: 3600 } as const
    const { token, view } = await client.api.call(createToken, { body })
    return { token, id: view.id }
  }
  const [viewer, dead] = [await make('viewer'), await make('dead')]
  await client.api.call(revokeToken, { params: { tokenId: dead.id } })
  const path = `/v1/fleets?${'x'.repeat(2000)}`
  for (const { token, id } of [viewer, dead]) {
    const begun = performance.now()
    for (let i = 0; i < 15; i++) {
      const sent = Array.from({ length: 40 }, () =>
        client.send('POST', path, { token, body: '{}' }),
      )
      for (const { status } of await Promise.all(sent)) assert.ok([401, 403, 429].includes(status))
    }
    const tens = Math.ceil((performance.now() - begun) / 10_000)
    const lines = server
      .log()
      .split('\n')
      .filter((line) => line.includes(id) && !line.includes('budget.spent'))
    assert.ok(lines.length > 0 && lines.length <= 60 + tens, String(lines.length))
    assert.ok(lines.every((line) => line.length < 1000))
  }
})

test('A3 tokens are shown once, refreshed, revoked, and give no more than their maker has', async () => {
  const own = await startTestServer()
  const mine = createTestClient(own)
  try {
    await setUpTrust(mine)
    const made = await mine.api.call(createToken, {
      body: { name: 'ci', role: 'builder', products: ['acme'], lifetimeSeconds: 3600 },
    })
    const listed = await mine.api.call(listTokens, {})
    assert.ok(!JSON.stringify(listed).includes(made.token.split('_')[2]!))
    const ci = mine.as(made.token)
    const self = await ci.call(showSelf, {})
    assert.equal(self.role, 'builder')
    await assert.rejects(
      ci.call(createFleet, { body: { name: 'x', product: 'acme', channel: 'stable' } }),
      refused('permission_denied'),
    )
    const renewed = await ci.call(refreshToken, {})
    await assert.rejects(ci.call(showSelf, {}), refused('unauthenticated'))
    await mine.as(renewed.token).call(showSelf, {})
    await pushBlob(mine, renewed.token, new Uint8Array([1, 2, 3]))
    const params = { tokenId: renewed.view.id }
    await mine.api.call(revokeToken, { params })
    await assert.rejects(mine.as(renewed.token).call(showSelf, {}), refused('unauthenticated'))
    await assert.rejects(mine.api.call(revokeToken, { params }), refused('token_not_found'))

    const scoped = await mine.api.call(createToken, {
      body: { name: 'branch', role: 'admin', products: ['other'], lifetimeSeconds: 3600 },
    })
    const branch = mine.as(scoped.token)
    await assert.rejects(
      branch.call(createToken, { body: { name: 'all', role: 'viewer', lifetimeSeconds: 60 } }),
      refused('grant_exceeds_own'),
    )
    await assert.rejects(
      branch.call(createFleet, { body: { name: 'x', product: 'acme', channel: 'stable' } }),
      refused('out_of_scope'),
    )
  } finally {
    mine.close()
    await own.stop()
  }
})

test('registry clients trade a token for a short-lived one with what they asked for and may have', async () => {
  const own = await startTestServer()
  const mine = createTestClient(own)
  try {
    const basic = (secret: string) => ({
      authorization: `Basic ${Buffer.from(`any:${secret}`).toString('base64')}`,
    })
    const path = '/v2/token?service=seaworthy&scope=repository:acme:pull,push'
    const wrong = await mine.send('GET', path, { headers: basic('sw_wrong') })
    assert.equal(wrong.status, 401)
    const traded = await mine.send('GET', path, { headers: basic(own.adminToken) })
    const { token } = traded.json() as { token: string }
    await pushBlob(mine, token, new Uint8Array([4, 5, 6]))
    const blobs = join(own.dataDir, 'blobs')
    for (const entry of await readdir(blobs, { recursive: true, withFileTypes: true })) {
      const { mode } = await stat(join(entry.parentPath, entry.name))
      assert.equal(mode & 0o077, 0, `${entry.name} is for its owner alone`)
    }
    const elsewhere = await mine.send('GET', '/v2/other/tags/list', { token })
    assert.equal(elsewhere.status, 401)
    assert.equal((await mine.send('GET', '/v1/whoami', { token })).status, 401)
    await mountAsClientsDo(mine, own.adminToken, token)
    await tradeForMany(mine, own.adminToken)
    const challenge = await mine.send('GET', '/v2/')
    assert.match(
      challenge.headers['www-authenticate']!,
      /realm="https:\/\/127\.0\.0\.1:\d+\/v2\/token"/,
    )
  } finally {
    mine.close()
    await own.stop()
  }
})

/**
 * Every token that is issued is accepted on every endpoint: a token that would be too long for that
 * is not issued.
 */
async function tradeForMany(mine: TestClient, secret: string): Promise<void> {
  const authorization = `Basic ${Buffer.from(`any:${secret}`).toString('base64')}`
  const trade = async (count: number, name: (i: number) => string) => {
    const scopes = Array.from({ length: count }, (_, i) => `repository:${name(i)}:pull`)
    const query = new URLSearchParams({ service: 'seaworthy', scope: scopes.join(' ') })
    return await mine.send('GET', `/v2/token?${query.toString()}`, { headers: { authorization } })
  }
  const long = (i: number) => `p${String(i).padStart(2, '0')}/${'x'.repeat(150)}`
  let lastCount = 0
  for (let count = 1; count <= 30; count++) {
    const traded = await trade(count, long)
    if (traded.status !== 200) {
      const { errors } = traded.json() as { errors: { code: string; message: string }[] }
      assert.equal(traded.status, 400)
      assert.equal(errors[0]!.code, 'UNSUPPORTED')
      assert.match(errors[0]!.message, /at most 4096 are taken: ask for fewer/)
      continue
    }
    lastCount = count
    const { token } = traded.json() as { token: string }
    assert.equal((await mine.send('GET', '/v2/', { token })).status, 200, `${count} scopes`)
  }
  assert.ok(lastCount > 5)
  assert.equal((await trade(32, (i) => `p${i}`)).status, 200)
  assert.equal((await trade(33, (i) => `p${i}`)).status, 400)
  // The same scope again and again counts as one.
  assert.equal((await trade(32, () => long(0))).status, 200)
}

/**
 * Mounts a blob as oras, crane and regctl do: they try with the token that they have, and then with
 * one for what the challenge names.
 */
async function mountAsClientsDo(mine: TestClient, secret: string, token: string): Promise<void> {
  const bytes = new Uint8Array([7, 8, 9])
  await pushBlob(mine, token, bytes)
  const digest = digestOf(bytes)
  const trade = async (credential: string, challenge: string) => {
    const scope = /scope="([^"]*)"/.exec(challenge)![1]!
    const authorization = `Basic ${Buffer.from(`any:${credential}`).toString('base64')}`
    const path = `/v2/token?${new URLSearchParams({ service: 'seaworthy', scope }).toString()}`
    const traded = await mine.send('GET', path, { headers: { authorization } })
    return { scope, token: (traded.json() as { token: string }).token }
  }
  const mount = (by?: string) => {
    const query = new URLSearchParams({ mount: digest, from: 'acme' })
    return mine.send(
      'POST',
      `/v2/copies/blobs/uploads/?${query.toString()}`,
      by === undefined ? {} : { token: by },
    )
  }
  const scopes = 'repository:copies:pull,push repository:acme:pull'
  const first = await mount()
  assert.equal(first.status, 401)
  const both = await trade(secret, first.headers['www-authenticate']!)
  assert.equal(both.scope, scopes)
  assert.equal((await mount(both.token)).status, 201)
  // A push begins with a token for the target only.
  const target = await trade(secret, 'scope="repository:copies:pull,push"')
  const second = await mount(target.token)
  assert.equal(second.status, 401)
  assert.match(second.headers['www-authenticate']!, new RegExp(`scope="${scopes}"`))
  // A client that may not read the source is not sent round in circles: the blob is uploaded.
  const body = { name: 'x', role: 'builder' as const, products: ['copies'], lifetimeSeconds: 600 }
  const builder = await mine.api.call(createToken, { body })
  const third = await mount((await trade(builder.token, `scope="${scopes}"`)).token)
  assert.equal(third.status, 202)
  const denied = await mine.send('GET', `/v2/acme/blobs/${digest}`, {
    token: (await trade(builder.token, `scope="${scopes}"`)).token,
  })
  assert.equal(denied.status, 403)
}

test('A9 a request with two Host headers, or one that is none, is refused; a name with an underscore is one', async () => {
  const { port } = new URL(server.url)
  const ask = (...hosts: string[]) =>
    new Promise<{ status: number; challenge: string }>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false })
      socket.on('error', reject)
      const lines = hosts.map((host) => `Host: ${host}\r\n`).join('')
      socket.end(`GET /v2/ HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`)
      let text = ''
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
      socket.on('end', () =>
        resolve({
          status: Number(text.split(' ')[1]),
          challenge: /^www-authenticate: (.*)\r$/im.exec(text)?.[1] ?? '',
        }),
      )
    })
  const underscore = await ask('update_server:8443')
  assert.equal(underscore.status, 401)
  assert.match(underscore.challenge, /realm="https:\/\/update_server:8443\/v2\/token"/)
  for (const hosts of [['a', 'b'], ['a', 'a'], ['a b'], ['a"x'], ['a/b'], ['user@a'], []]) {
    assert.equal((await ask(...hosts)).status, 400, hosts.join())
  }
})

test('A9 somebody who guesses credentials at /v2/token has to wait too, and locks nobody out', async () => {
  const ask = async (credential: string, form: boolean) => {
    const body = new URLSearchParams({
      grant_type: 'password',
      username: 'x',
      password: credential,
    })
    const basic = `Basic ${Buffer.from(`x:${credential}`).toString('base64')}`
    return form
      ? client.send('POST', '/v2/token', { body: body.toString() })
      : client.send('GET', '/v2/token', { headers: { authorization: basic } })
  }
  // The public half is right, so the guesses count against the administrator's account.
  const guess = `${server.adminToken.slice(0, -64)}${'0'.repeat(64)}`
  for (const form of [false, true]) {
    let answer = await ask(guess, form)
    for (let i = 0; i < 300 && answer.status !== 429; i++) answer = await ask(guess, form)
    assert.equal(answer.status, 429)
    assert.ok(Number(answer.headers['retry-after']) >= 1)
    assert.equal(
      (answer.json() as { errors: { code: string }[] }).errors[0]!.code,
      'TOOMANYREQUESTS',
    )
    assert.equal((await ask(server.adminToken, form)).status, 200)
  }
  const assertion = `${'a'.repeat(20)}.${'a'.repeat(20)}.${'a'.repeat(20)}`
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ assertion })
  let status = 0
  for (let i = 0; i < 300 && status !== 429; i++) {
    status = (await client.send('POST', '/v1/device/token', { headers, body })).status
  }
  assert.equal(status, 429)
})

test('A9 slow body: whoever drips a body at any door, without a credential, is sent away', async () => {
  assert.ok(slowKnocks.length > 200, `${slowKnocks.length} knocks`)
  const open = () => slowKnocks.filter(({ socket }) => !socket.closed).map(({ name }) => name)
  await waitUntil(
    async () => `these connections end: ${open().join(', ')}`,
    () => open().length === 0,
  )
})

interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  json(): unknown
}

test('A9 attack: uploads at once through all workers, of announced and of unknown length, hold no more than the quota together; what does not fit is refused before it is read, and is given back', async () => {
  await setUpTrust(client)
  const token = server.adminToken
  const params = { product: 'acme' } as const
  const mebi = 2 ** 20
  const storage = async () => (await client.api.call(showProduct, { params })).storage
  const setQuota = (quotaBytes: number | null) =>
    client.api.call(setProductQuota, { params, body: { quotaBytes } })
  const bytesOf = (n: number) => randomBytes(n)
  const push = (body: Uint8Array, isAnnounced = true): Promise<Answered> =>
    askApart(server, (one) =>
      one.send('POST', `/v2/acme/blobs/uploads/?digest=${digestOf(body)}`, {
        token,
        body,
        headers: isAnnounced ? { 'content-length': String(body.length) } : {},
      }),
    )
  const requireDenied = (answer: Answered) => {
    assert.equal(answer.status, 413)
    const [{ code, message }] = (answer.json() as { errors: [{ code: string; message: string }] })
      .errors
    assert.equal(code, 'DENIED')
    assert.match(message, /acme holds \d+ bytes, .* of the \d+ that it may hold: .*--quota SIZE/)
  }
  await setQuota(null)
  const { usedBytes } = await storage()
  const quotaBytes = usedBytes + 4 * mebi
  await setQuota(quotaBytes)
  const sent = Array.from({ length: 12 }, (_, i) => push(bytesOf(mebi), i % 2 === 0))
  const answers = await Promise.all(sent)
  for (const answer of answers) if (answer.status !== 201) requireDenied(answer)
  const stored = answers.filter(({ status }) => status === 201).length
  assert.ok(stored >= 1 && stored <= 4, String(stored))
  assert.deepEqual(await storage(), {
    usedBytes: usedBytes + stored * mebi,
    uploadingBytes: 0,
    quotaBytes,
  })
  // What no quota would ever hold is refused by its announced length alone.
  const announced = { token, headers: { 'content-length': String(5 * mebi) } }
  const path = `/v2/acme/blobs/uploads/?digest=${digestOf(bytesOf(1))}`
  requireDenied(await client.send('POST', path, { ...announced, body: bytesOf(5 * mebi) }))
  // Content that the product has counts once.
  await setQuota(usedBytes + 8 * mebi)
  const layer = bytesOf(mebi)
  for (const isAnnounced of [true, false]) {
    assert.equal((await push(layer, isAnnounced)).status, 201)
    assert.equal((await storage()).usedBytes, usedBytes + (stored + 1) * mebi)
  }
  // An upload that has not ended counts with what it has, until it is cancelled.
  const begun = await client.send('POST', '/v2/acme/blobs/uploads/', { token })
  const location = begun.headers['location']!
  const chunk = await client.send('PATCH', location, { token, body: bytesOf(mebi) })
  assert.equal(chunk.status, 202)
  assert.equal((await storage()).uploadingBytes, mebi)
  assert.equal((await client.send('DELETE', location, { token })).status, 204)
  assert.equal((await storage()).uploadingBytes, 0)
  // Bytes that do not have their digest are given back, and so is what is deleted.
  const wrong = await client.send('POST', path, { token, body: bytesOf(mebi) })
  assert.equal(wrong.status, 400)
  const gone = await client.send('DELETE', `/v2/acme/blobs/${digestOf(layer)}`, { token })
  assert.equal(gone.status, 202)
  assert.deepEqual(
    { ...(await storage()), quotaBytes: 0 },
    { usedBytes: usedBytes + stored * mebi, uploadingBytes: 0, quotaBytes: 0 },
  )
  // A quota below what is held removes nothing, and takes nothing.
  await setQuota(usedBytes)
  requireDenied(await push(bytesOf(1)))
  requireDenied(await client.send('POST', '/v2/acme/blobs/uploads/', { token }))
  await setQuota(null)
  assert.equal((await push(bytesOf(mebi))).status, 201)
})
