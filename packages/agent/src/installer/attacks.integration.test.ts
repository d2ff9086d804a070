/**
 * Attacks by a hostile server, mirror or fetcher (T7, D9): each ends in its code, and the device
 * goes on running what it ran.
 */
import assert from 'node:assert/strict'
import {
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { after, beforeEach, afterEach, test } from 'node:test'
import type { CraftedBundle } from '@seaworthy/oci/crafted-release'
import { craftLayer } from '@seaworthy/oci/crafted-release'
import { waitUntil } from '@seaworthy/std/testing'
import { ManualClock } from '@seaworthy/std/time'
import { FetchError } from '../refusals.ts'
import type { InlineAgent, InlineOptions } from '../testing/inline-agent.ts'
import { startInlineAgent } from '../testing/inline-agent.ts'
import { makeTestFolder, writeTestApp } from '../testing/test-agent.ts'
import type { TestOrigin } from '../testing/test-origin.ts'
import { startTestOrigin, testPlatform } from '../testing/test-origin.ts'

const folder = makeTestFolder()
let origin: TestOrigin
let agent: InlineAgent
let count = 0

beforeEach(async () => {
  origin = await startTestOrigin(`${folder.path}/${++count}`)
})
afterEach(async () => {
  await agent.stop()
  await origin.close()
})
after(() => folder.remove())

/** A bundle with `bytes` that do not compress, so that there is something to tamper with. */
const app = (version: string, bytes = 0) => {
  let filler = ''
  while (filler.length < bytes) filler += crypto.randomUUID()
  return writeTestApp(`${folder.path}/${count}/app-${version}`, version, 'healthy', {
    windowSeconds: 0.3,
    extra: bytes === 0 ? {} : { 'filler.txt': filler },
  })
}

async function start(options: InlineOptions = {}) {
  agent = await startInlineAgent(`${folder.path}/${count}/state`, origin, options)
}

/** A device that runs release 5, counter 5. */
async function startAtFive(options: InlineOptions = {}) {
  const { sha256 } = await origin.release('5.0.0', app('5.0.0'), { counter: 5, floor: 3 })
  await start(options)
  await waitUntil('release 5 committed', () => agent.status().committedCounter === 5)
  return sha256
}

async function refusedWith(code: string, sha256OfFive: string) {
  agent.installer.pollNow()
  await waitUntil(`refused with ${code}`, () =>
    agent.status().refusals.some((refusal) => refusal.code === code),
  )
  await waitUntil('reported', () =>
    origin.reports.some(
      ({ report, isSigned }) =>
        isSigned && report.refusals.some((refusal) => refusal.code === code),
    ),
  )
  assert.deepEqual([...agent.running], [sha256OfFive])
  assert.equal(agent.status().committedCounter, 5)
  assert.deepEqual(readdirSync(agent.layout.releases), [sha256OfFive])
  assert.deepEqual(readdirSync(agent.layout.incoming), [])
}

test('T7 rollback: a signed release with a lower counter is refused', async () => {
  const five = await startAtFive()
  await origin.release('4.0.0', app('4.0.0'), { counter: 4 })
  await refusedWith('counter_below_committed', five)
})

test('D8 the end of a refusal is signed as its beginning was, since the server keeps what was signed', async () => {
  const five = await startAtFive()
  await origin.release('4.0.0', app('4.0.0'), { counter: 4 })
  await refusedWith('counter_below_committed', five)
  origin.assignment = null
  agent.installer.pollNow()
  const lastSigned = () => origin.reports.findLast(({ isSigned }) => isSigned)?.report
  await waitUntil('the end is told', () => lastSigned()?.refusals.length === 0)
})

test('T7 below floor: a release under the accepted floor is refused', async () => {
  const five = await startAtFive()
  await origin.release('2.0.0', app('2.0.0'), { counter: 2 })
  await refusedWith('below_floor', five)
})

test('T7 D12 forgotten floor: a floor that the channel has signed binds a device that has seen it, though stolen channel keys sign a lower one', async () => {
  const five = await startAtFive()
  const { repository, product } = origin
  const role = `${product}.stable`
  const sign = async (floorHighest: number, counterHighest: number) => {
    const signed = repository.targets.get(role)!
    const version = signed.version + 1
    repository.targets.set(role, {
      ...signed,
      version,
      seaworthy: { counterHighest, floorHighest },
    })
    await repository.publish(role)
    return version
  }
  origin.assignment = null
  const version = await sign(8, 8)
  agent.installer.pollNow()
  await waitUntil('the floor is seen', () => agent.status().metadata[role] === version)
  assert.deepEqual(agent.status().refusals, [])
  await agent.stop()
  await sign(3, 5)
  await origin.release('7.0.0', app('7.0.0'), { counter: 7 })
  await start()
  await waitUntil('release 5 runs again', () => agent.running.has(five))
  await refusedWith('below_floor', five)
})

test('T6 T7 a floor that stolen channel keys signed once ends with these keys, and what is committed stays', async () => {
  const five = await startAtFive()
  const { repository, product } = origin
  const role = `${product}.stable`
  const honest = repository.targets.get(role)!
  origin.assignment = null
  // The thief lists no release at all: only the marks.
  const version = honest.version + 1
  const seaworthy = { counterHighest: 1000, floorHighest: 1000 }
  repository.targets.set(role, { ...honest, version, seaworthy })
  await repository.publish(role)
  agent.installer.pollNow()
  await waitUntil('the marks are seen', () => agent.status().metadata[role] === version)
  // The owners replace every key of the channel, and restart its marks.
  repository.targets.set(role, { ...honest, version })
  await repository.rotateKeys(role, 3, 2)
  await origin.release('4.0.0', app('4.0.0'), { counter: 4 })
  await refusedWith('counter_below_committed', five)
  await origin.release('6.0.0', app('6.0.0'), { counter: 6 })
  agent.installer.pollNow()
  await waitUntil('release 6 committed', () => agent.status().committedCounter === 6)
})

test('T7 wrong channel: an assignment to a release of another channel is refused', async () => {
  const five = await startAtFive()
  await origin.repository.addChannel(origin.product, 'beta')
  await origin.release('6.0.0', app('6.0.0'), { channel: 'beta', counter: 6 })
  await refusedWith('wrong_channel', five)
})

test('T7 wrong product: an assignment to a release of another product is refused', async () => {
  const five = await startAtFive()
  origin.assignment = { targetPath: 'other/stable/6.0.0', sha256: 'a'.repeat(64) }
  await refusedWith('wrong_product', five)
})

test('T7 wrong platform: a release for another platform is refused', async () => {
  const five = await startAtFive()
  await origin.release('6.0.0', app('6.0.0'), { platforms: ['linux/riscv64'], counter: 6 })
  await refusedWith('wrong_platform', five)
})

test('T7 arbitrary software: an assignment that no role has signed is refused', async () => {
  const five = await startAtFive()
  origin.assignment = { targetPath: `${origin.product}/stable/9.9.9`, sha256: 'a'.repeat(64) }
  await refusedWith('target_unknown', five)
})

test('T7 an assignment that names other content than the signed target is refused', async () => {
  const five = await startAtFive()
  await origin.release('6.0.0', app('6.0.0'), { counter: 6 })
  origin.assignment = { ...origin.assignment!, sha256: 'b'.repeat(64) }
  await refusedWith('wrong_hash', five)
})

for (const [name, code, tamper] of [
  [
    'altered content',
    'wrong_hash',
    (bytes: Buffer) => Buffer.from(bytes.map((byte, i) => (i === 100 ? byte ^ 1 : byte))),
  ],
  ['content cut short', 'wrong_length', (bytes: Buffer) => bytes.subarray(0, -10)],
  ['content with more behind it', 'endless_data', (bytes: Buffer) => Buffer.concat([bytes, bytes])],
] as const) {
  test(`T7 ${name} from every source is refused with ${code}`, async () => {
    const five = await startAtFive()
    const { layer } = await origin.release('6.0.0', app('6.0.0', 50_000), { counter: 6 })
    const genuine = Buffer.from(
      await (await fetch(`${origin.url}/v2/${origin.product}/blobs/${layer.digest}`)).arrayBuffer(),
    )
    origin.intercept = (request, response) => {
      if (!request.url!.includes(layer.digest)) return false
      response.end(tamper(genuine))
      return true
    }
    await refusedWith(code, five)
  })
}

test('T7 endless data: a stream without an end is left at the signed length', async () => {
  const five = await startAtFive()
  const { layer } = await origin.release('6.0.0', app('6.0.0', 50_000), { counter: 6 })
  let sent = 0
  origin.intercept = (request, response) => {
    if (!request.url!.includes(layer.digest)) return false
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(16_384))) sent += 16_384
    }
    response.on('drain', more)
    more()
    return true
  }
  await refusedWith('endless_data', five)
  assert.ok(sent < layer.size + 4_000_000, `${sent} bytes were taken`)
})

test('T7 endless metadata is left at the limit', async () => {
  const five = await startAtFive()
  origin.intercept = (request, response) => {
    if (request.url !== '/tuf/timestamp.json') return false
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(16_384, 0x20)));
    }
    response.on('drain', more)
    more()
    return true
  }
  agent.installer.pollNow()
  await waitUntil('left', () => agent.status().lastError === 'endless_data')
  assert.deepEqual([...agent.running], [five])
})

test('T7 slow retrieval: a trickle is left, whatever the wall clock does', async () => {
  const fast = new ManualClock(new Date())
  const clock = { now: () => fast.now(), monotonicMs: () => performance.now() }
  const five = await startAtFive({
    clock,
    limits: { windowMs: 400, bytesPerSecondMin: 4096, deadlineBaseMs: 60_000 },
  })
  const { layer } = await origin.release('6.0.0', app('6.0.0', 50_000), { counter: 6 })
  fast.jumpTo(new Date(fast.now().getTime() + 3_600_000))
  origin.intercept = (request, response) => {
    if (!request.url!.includes(layer.digest)) return false
    response.writeHead(200, { 'content-length': layer.size })
    const timer = setInterval(() => response.write('x'), 50)
    response.on('close', () => clearInterval(timer))
    return true
  }
  await refusedWith('slow_retrieval', five)
})

test('D9 a mirror with bad content is left for the next source', async () => {
  const mirror = await startTestOrigin(`${folder.path}/${count}/mirror`)
  mirror.intercept = (request, response) => {
    if (request.headers.authorization !== undefined) origin.requests.push('TOKEN LEAKED')
    response.end('not what was asked for')
    return true
  }
  try {
    await startAtFive({ config: { mirrors: [{ url: mirror.url }] } })
    assert.ok(mirror.requests.length > 0)
    assert.ok(!origin.requests.includes('TOKEN LEAKED'))
  } finally {
    await mirror.close()
  }
})

/** Breaks off after other bytes than were asked for, as often as it is asked. */
const spoil =
  (length: number, size: number): NonNullable<TestOrigin['intercept']> =>
  (request, response) => {
    if (!request.url!.includes('/blobs/')) return false
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    response.writeHead(from === 0 ? 200 : 206, {
      'content-length': size - from,
      ...(from === 0 ? {} : { 'content-range': `bytes ${from}-${size - 1}/${size}` }),
    })
    if (from >= length) response.destroy()
    else response.write(Buffer.alloc(length - from, 0x41), () => response.destroy())
    return true
  }

test('T7 D9 a hostile mirror that breaks off after garbage: the honest server delivers within the same poll', async () => {
  const mirror = await startTestOrigin(`${folder.path}/${count}/mirror`)
  try {
    await startAtFive({ config: { mirrors: [{ url: mirror.url }] } })
    const six = await origin.release('6.0.0', app('6.0.0', 100_000), { counter: 6 })
    mirror.intercept = spoil(six.layer.size - 1000, six.layer.size)
    agent.installer.pollNow()
    await waitUntil('committed or refused', () => {
      const { committedCounter, refusals } = agent.status()
      return committedCounter === 6 || refusals.length > 0
    })
    assert.deepEqual(agent.status().refusals, [])
    assert.deepEqual([...agent.running], [six.sha256])
    assert.ok(
      mirror.requests.some((request) => request.includes('/blobs/')),
      'the mirror was asked first',
    )
    assert.deepEqual(
      readdirSync(agent.layout.fetch).filter((name) => /^sha256/.test(name)),
      [],
    )
  } finally {
    await mirror.close()
  }
})

test('T7 D9 a hostile mirror that sends just enough to be kept is left for the server', async () => {
  const mirror = await startTestOrigin(`${folder.path}/${count}/mirror`)
  try {
    await startAtFive({
      config: { mirrors: [{ url: mirror.url }] },
      limits: { windowMs: 500, bytesPerSecondMin: 1024, deadlineBaseMs: 600_000 },
    })
    const six = await origin.release('6.0.0', app('6.0.0', 400_000), { counter: 6 })
    let sent = 0
    mirror.intercept = (request, response) => {
      if (!request.url!.includes('/blobs/')) return false
      response.writeHead(200, { 'content-length': six.layer.size })
      const timer = setInterval(() => {
        sent += 512
        response.write(Buffer.alloc(512))
      }, 100)
      response.on('close', () => clearInterval(timer))
      return true
    }
    agent.installer.pollNow()
    await waitUntil('committed', () => agent.status().committedCounter === 6)
    assert.ok(sent < six.layer.size / 2, `it was left after ${sent} bytes`)
    assert.deepEqual(agent.status().refusals, [])
  } finally {
    await mirror.close()
  }
})

test('T7 D9 a source whose earlier bytes were garbage gets a clean try within the same poll', async () => {
  await startAtFive()
  const six = await origin.release('6.0.0', app('6.0.0', 100_000), { counter: 6 })
  origin.intercept = spoil(50_000, six.layer.size)
  agent.installer.pollNow()
  const kept = () => readdirSync(agent.layout.fetch).filter((name) => /^sha256/.test(name))
  await waitUntil('left with a part', () => agent.status().lastError === 'unreachable')
  assert.equal(kept().length, 1, 'the part is kept for that source')
  origin.intercept = undefined
  agent.installer.pollNow()
  await waitUntil('committed or refused', () => {
    const { committedCounter, refusals } = agent.status()
    return committedCounter === 6 || refusals.length > 0
  })
  assert.deepEqual(agent.status().refusals, [])
  assert.equal(agent.status().committedCounter, 6)
})

test('T7 D9 a fetcher whose answers about content are out of form makes the device give up no release', async () => {
  let reply: unknown
  const five = await startAtFive({
    hijack: (fetcher) => ({
      ...fetcher,
      answer: (request) =>
        reply !== undefined && request.kind === 'content'
          ? Promise.resolve(reply)
          : fetcher.answer(request),
    }),
  })
  await origin.release('6.0.0', app('6.0.0'), { counter: 6 })
  for (const answer of [
    null,
    { file: '../trust/device.key', isContinued: false },
    { file: 'nothing', isContinued: false },
  ]) {
    reply = answer
    const before = origin.reports.length
    agent.installer.pollNow()
    await waitUntil('noticed', () => agent.status().lastError !== null)
    await waitUntil('polled', () => origin.reports.length > before)
    assert.deepEqual([...agent.running], [five])
    assert.deepEqual(agent.status()['failed'], [])
  }
  const isGivenUp = origin.reports.some(({ report }) => report.update.state === 'failed')
  assert.ok(!isGivenUp, 'no signed report says that the release failed')
  reply = undefined
  agent.installer.pollNow()
  await waitUntil('committed', () => agent.status().committedCounter === 6)
})

test('T7 D9 a hostile server whose problem code is out of form does not end the fetcher', async () => {
  await startAtFive()
  for (const code of ['Not a code!', 'x'.repeat(10_000), '', '\u001b[2J']) {
    let seen = 0
    origin.intercept = (request, response) => {
      if (!request.url!.endsWith('/check-in')) return false
      seen++
      const problem = { type: 'about:blank', title: 'no', status: 403, code, detail: 'no' }
      response
        .writeHead(403, { 'content-type': 'application/problem+json', 'retry-after': '999999' })
        .end(JSON.stringify(problem))
      return true
    }
    agent.installer.pollNow()
    await waitUntil('the problem was seen', () => seen > 0 && agent.status().lastError !== null)
    assert.equal(agent.status().lastError, 'not_allowed')
  }
  origin.intercept = undefined
  await origin.release('6.0.0', app('6.0.0'), { counter: 6 })
  agent.installer.pollNow()
  await waitUntil('committed', () => agent.status().committedCounter === 6)
})

test('T7 D9 a release whose seaworthy.json is a link, a folder, too long or endless is refused, remembered and reported', async () => {
  const five = await startAtFive({
    config: { environment: { PORT: '1', LONG: 'x'.repeat(30_000) } },
  })
  const replace = (path: string, put: (manifest: string) => void) => {
    const manifest = `${path}/seaworthy.json`
    renameSync(manifest, `${path}/other.json`)
    put(manifest)
  }
  let counter = 5
  for (const put of [
    (manifest: string) => symlinkSync('other.json', manifest),
    (manifest: string) => mkdirSync(manifest),
    (manifest: string) => writeFileSync(manifest, ' '.repeat(70_000)),
    (manifest: string) =>
      writeFileSync(manifest, JSON.stringify({ start: ['./app.mjs', '${LONG}'.repeat(1300)] })),
  ]) {
    const version = `${++counter}.0.0`
    const path = app(version)
    replace(path, put)
    await origin.release(version, path, { counter })
    agent.installer.pollNow()
    await waitUntil(`${version} is reported`, () =>
      origin.reports.some(({ report: { update }, isSigned }) => {
        const isRefused = update.state === 'failed' && update.code === 'bundle_manifest_malformed'
        return isSigned && isRefused && update.targetPath?.endsWith(version) === true
      }),
    )
    assert.deepEqual([...agent.running], [five])
    assert.deepEqual(readdirSync(agent.layout.releases), [five])
  }
  assert.deepEqual(
    (agent.status()['failed'] as { code: string; counter: number }[]).map(
      ({ code, counter: failed }) => `${failed} ${code}`,
    ),
    [6, 7, 8, 9].map((failed) => `${failed} bundle_manifest_malformed`),
  )
  const blobs = () => origin.requests.filter((request) => request.includes('/blobs/')).length
  const [before, reports] = [blobs(), origin.reports.length]
  agent.installer.pollNow()
  await waitUntil('polled again', () => origin.reports.length > reports)
  assert.equal(blobs(), before, 'it is left alone until it is signed again')
  await origin.release('10.0.0', app('10.0.0'), { counter: 10 })
  agent.installer.pollNow()
  await waitUntil('the next one runs', () => agent.status().committedCounter === 10)
})

test('D9 without a server the device follows its channel from a mirror alone', async () => {
  await origin.release('1.0.0', app('1.0.0'), { assign: false })
  const newest = await origin.release('2.0.0', app('2.0.0'), { assign: false })
  await start({ config: { server: undefined as never, mirrors: [{ url: origin.url }] } })
  await waitUntil('committed', () => agent.status().committedCounter === 2)
  assert.deepEqual([...agent.running], [newest.sha256])
})

test('D10 a download that breaks off is resumed where it stopped', async () => {
  const { layer } = await origin.release('1.0.0', app('1.0.0', 400_000))
  let broken = 0
  const ranges: string[] = []
  origin.intercept = (request, response) => {
    if (!request.url!.includes(layer.digest)) return false
    ranges.push(request.headers.range ?? 'whole')
    if (broken++ > 0) return false
    response.writeHead(200, { 'content-length': layer.size })
    void fetch(`${origin.url}${request.url}`).then(async (whole) => {
      response.write(Buffer.from(await whole.arrayBuffer()).subarray(0, 100_000), () =>
        response.destroy(),
      )
    })
    return true
  }
  await start()
  await waitUntil('committed', () => agent.status().committedCounter === 1)
  assert.ok(
    ranges.some((range) => /^bytes=[1-9]/.test(range)),
    ranges.join(),
  )
})

test('T7 swap after verification: a file replaced while it is handed over changes nothing that is installed', async () => {
  const five = await startAtFive({
    hijack: (fetcher, layout) => ({
      ...fetcher,
      async answer(request) {
        const reply = await fetcher.answer(request)
        if (request.kind === 'content' && request.size > 20_000) {
          // The file is changed between the fetcher's answer and the end of the installer's copy,
          // again and again.
          const path = `${layout.fetch}/${(reply as { file: string }).file}`
          const timer = setInterval(() => {
            writeFileSync(`${path}.evil`, Buffer.alloc(request.size, 0x41))
            renameSync(`${path}.evil`, path)
          }, 0)
          setTimeout(() => clearInterval(timer), 300)
        }
        return reply
      },
    }),
  })
  const six = await origin.release('6.0.0', app('6.0.0', 200_000), { counter: 6 })
  agent.installer.pollNow()
  await waitUntil('either refused or genuine', () => {
    const { committedCounter, refusals } = agent.status()
    return committedCounter === 6 || refusals.some(({ code }) => code === 'wrong_hash')
  })
  assert.deepEqual([...agent.running], [agent.status().committedCounter === 6 ? six.sha256 : five])
})

for (const [name, deed] of [
  [
    'a link to a file of the installer',
    (path: string, layout: InlineAgent['layout']) =>
      symlinkSync(`${layout.trust}/device.key`, path),
  ],
  [
    'a truncated file',
    (path: string) => {
      writeFileSync(path, 'x'.repeat(100))
      truncateSync(path, 1)
    },
  ],
] as const) {
  test(`T7 a hijacked fetcher that hands over ${name} gets nowhere`, async () => {
    const five = await startAtFive({
      hijack: (fetcher, layout) => ({
        ...fetcher,
        async answer(request) {
          const reply = await fetcher.answer(request)
          if (
            request.kind === 'content' &&
            agent !== undefined &&
            agent.status().committedCounter === 5
          ) {
            const path = `${layout.fetch}/${(reply as { file: string }).file}`
            renameSync(path, `${layout.fetch}/gone`)
            deed(path, layout)
          }
          return reply
        },
      }),
    })
    await origin.release('6.0.0', app('6.0.0'), { counter: 6 })
    agent.installer.pollNow()
    await waitUntil('noticed', () => agent.status().lastError !== null)
    assert.deepEqual([...agent.running], [five])
    assert.equal(agent.status().committedCounter, 5)
  })
}

test('T7 freeze: withheld metadata installs nothing and is told', async () => {
  await origin.release('1.0.0', app('1.0.0'))
  await start({
    hijack: (fetcher) => ({
      ...fetcher,
      async answer(request) {
        if (request.kind === 'metadata') throw new FetchError('unreachable')
        return fetcher.answer(request)
      },
    }),
  })
  await waitUntil('told', () => agent.status().lastError === 'unreachable')
  assert.equal(agent.status().committedCounter, 0)
  assert.equal(agent.status()['timestampVerifiedAt'], null)
})

test('T11 a release whose file list is not its layer, or that has none, is not installed, and reported once', async () => {
  const five = await startAtFive()
  const file = { path: 'bin/app', isExecutable: true }
  const { layer } = craftLayer([{ ...file, content: 'back door' }])
  const listed = craftLayer([{ ...file, content: 'honest' }]).files
  const truth = craftLayer([{ ...file, content: 'back door' }]).files
  const lies: Omit<CraftedBundle, 'platform'>[][] = [
    [{ layer, listed }],
    [{ layer }],
    [{ layer, listed, filedUnder: '..' }],
    [{ layer, listed: Buffer.from('no list') }],
    [
      { layer, listed: truth },
      { layer, listed: truth, filedUnder: '..' },
    ],
  ]
  for (const [i, lie] of lies.entries()) {
    const { sha256 } = await origin.release(`6.0.${i}`, '', {
      counter: 6 + i,
      bundles: lie.map((one, n) => ({ platform: [testPlatform, 'linux/s390x'][n]!, ...one })),
    })
    agent.installer.pollNow()
    await waitUntil('failed with file_list_mismatch', () =>
      origin.reports.some(
        ({ report, isSigned }) =>
          isSigned &&
          report.update.code === 'file_list_mismatch' &&
          report.update.sha256 === sha256,
      ),
    )
    assert.deepEqual([...agent.running], [five])
    assert.deepEqual(readdirSync(agent.layout.releases), [five])
    assert.deepEqual(readdirSync(agent.layout.incoming), [])
  }
  assert.equal(agent.status().committedCounter, 5)
})
