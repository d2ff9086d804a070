import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { IncomingHttpHeaders, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { brotliDecompressSync, gunzipSync, gzipSync, brotliCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { HttpError } from './problems.ts'
import { chooseCoding } from './content-codings.ts'
import { createWebHandlers, loadWebFiles, WebFilesError } from './web.ts'

const script = 'console.log(1)\n'.repeat(100)
const index = '<!doctype html><title>Seaworthy</title>'.repeat(10)

/** A folder as the build of the pages makes it. */
async function makePages(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-pages-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'assets'))
  const files = []
  for (const [path, type, text] of [
    ['/index.html', 'text/html; charset=utf-8', index],
    ['/assets/app-0123ABCD.js', 'text/javascript; charset=utf-8', script],
    ['/assets/licences.txt', 'text/plain; charset=utf-8', 'MIT'],
  ] as const) {
    await writeFile(join(folder, path), text)
    await writeFile(join(folder, `${path}.br`), brotliCompressSync(text))
    await writeFile(join(folder, `${path}.gzip`), gzipSync(text))
    files.push({ path, type, sha256: hash('sha256', text), codings: ['br', 'gzip'] })
  }
  await writeFile(
    join(folder, 'manifest.json'),
    JSON.stringify({ pages: ['/', '/people', '/devices/$deviceId'], files }),
  )
  return folder
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

async function serve(t: TestContext, folder: string) {
  const handlers = createWebHandlers(await loadWebFiles(folder))
  const server: Server = createServer((req, res) => {
    const path = req.url!
    const handler = handlers.find(
      ({ prefix, matches }) => matches?.(path) ?? (path.startsWith(prefix) && prefix !== '/'),
    )
    if (handler === undefined) return void res.writeHead(404).end('no page')
    handler.answer(req, res, path, new URLSearchParams()).catch((error: unknown) => {
      res.writeHead(error instanceof HttpError ? 404 : 500).end(String(error))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  return async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
    const req = request({ port, path, method, headers, agent: false })
    req.end()
    const [res] = await once(req, 'response')
    return { status: res.statusCode, headers: res.headers, body: await buffer(res) } as Answer
  }
}

test('A9 pages: every address of a page has the same document, under a policy without any exception', async (t) => {
  const get = await serve(t, await makePages(t))
  for (const path of ['/', '/people', '/devices/gate-1', '/devices/1.0%2B2']) {
    const { status, headers, body } = await get(path)
    assert.deepEqual([status, body.toString()], [200, index])
    const policy = headers['content-security-policy'] as string
    for (const part of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
    ]) {
      assert.ok(policy.split('; ').includes(part), `${part} in ${policy}`)
    }
    assert.doesNotMatch(policy, /unsafe|\*|https?:|data:|blob:/)
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin')
    assert.equal(headers['cache-control'], 'no-cache')
  }
  const none = ['/people/x', '/devices', '/devices/', '/devices/a/b', '/devices/..', '/devices/$x']
  for (const path of [...none, `/devices/${'a'.repeat(300)}`, '/devices/%2e/..']) {
    assert.equal((await get(path)).status, 404, path)
  }
})

test('pages: assets are compressed beforehand, kept for ever by their name, and confirmed by their digest', async (t) => {
  const get = await serve(t, await makePages(t))
  const path = '/assets/app-0123ABCD.js'
  const plain = await get(path)
  assert.equal(plain.body.toString(), script)
  assert.equal(plain.headers['cache-control'], 'public, max-age=31536000, immutable')
  assert.equal(plain.headers['content-encoding'], undefined)
  const br = await get(path, { 'accept-encoding': 'gzip, br' })
  assert.equal(br.headers['content-encoding'], 'br')
  assert.equal(brotliDecompressSync(br.body).toString(), script)
  const gzip = await get(path, { 'accept-encoding': 'gzip;q=0.5, br;q=0' })
  assert.equal(gunzipSync(gzip.body).toString(), script)
  const tags = [plain, br, gzip].map(({ headers }) => headers.etag)
  assert.equal(new Set(tags).size, 3, 'each coding is a representation of its own')
  for (const one of [plain, br, gzip]) assert.equal(one.headers.vary, 'accept-encoding')
  const again = await get(path, { 'if-none-match': `"x", W/${plain.headers.etag}` })
  assert.deepEqual([again.status, again.body.length], [304, 0])
  const head = await get(path, {}, 'HEAD')
  assert.deepEqual([head.status, head.body.length], [200, 0])
  assert.equal(head.headers['content-length'], String(script.length))
  assert.equal((await get('/assets/licences.txt')).headers['cache-control'], 'no-cache')
})

test('A9 attack: a path below /assets/ leads to nothing but the assets', async (t) => {
  const get = await serve(t, await makePages(t))
  for (const path of [
    '/assets/',
    '/assets/../index.html',
    '/assets/..%2findex.html',
    '/assets/%2e%2e/manifest.json',
    '/assets/app-0123ABCD.js.br',
    '/assets/app-0123ABCD.js/',
    '/assets//etc/passwd',
    '/assets/__proto__',
    '/manifest.json',
    '/index.html',
  ]) {
    assert.equal((await get(path)).status, 404, path)
  }
})

test('pages that are torn or changed are refused when the server starts, with the way out', async (t) => {
  const folder = await makePages(t)
  await loadWebFiles(folder)
  await writeFile(join(folder, 'assets/app-0123ABCD.js'), `${script}evil()`)
  await assert.rejects(loadWebFiles(folder), (error) => {
    assert.ok(error instanceof WebFilesError)
    assert.match(error.message, /app-0123ABCD\.js is not what was built.*build\/main\.ts/)
    return true
  })
  await assert.rejects(loadWebFiles(join(folder, 'nowhere')), WebFilesError)
  const escape = { path: '/../../secret', type: 'text/plain', sha256: '0'.repeat(64), codings: [] }
  await writeFile(join(folder, 'manifest.json'), JSON.stringify({ pages: [], files: [escape] }))
  await assert.rejects(loadWebFiles(folder), WebFilesError)
})

test('a coding is chosen only if it is offered and not forbidden (property)', () => {
  const name = fc.constantFrom('zstd', 'br', 'gzip', 'identity', '*', 'x')
  const weight = fc.constantFrom('', ';q=0', '; q=0.000', ';q=1', ';q=0.5')
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, weight), { maxLength: 5 }),
      fc.subarray(['zstd', 'br', 'gzip'] as const),
      (parts, offered) => {
        const chosen = chooseCoding(parts.map(([a, b]) => a + b).join(', '), offered)
        const last = (wanted: string) => parts.findLast(([a]) => a === wanted)?.[1]
        const accepts = (coding: string) => {
          const own = last(coding) ?? last('*')
          return own !== undefined && !/=0(?:\.0+)?$/.test(own)
        }
        assert.equal(chosen, offered.find(accepts))
      },
    ),
  )
})
