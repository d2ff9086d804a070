import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startTestServer } from '@seaworthy/server/testing'
import type { Comparison } from './lib/measure.ts'
import { compareInPairs, timed } from './lib/measure.ts'

export const title = 'how long commands take that ask the server one thing, and --help'

const rounds = 15
const runProgram = promisify(execFile)
const seaworthy = fileURLToPath(new URL('../../packages/cli/bin/seaworthy', import.meta.url))

/** A bare Node program that makes one request with a token and prints the answer. */
const bareRequest = `
import { request } from 'node:https'
const [url, token] = process.argv.slice(2)
const headers = { authorization: 'Bearer ' + token }
request(url, { headers, rejectUnauthorized: false }, (answer) => {
  answer.pipe(process.stdout)
}).end()
`

export async function run(log: (line: string) => void): Promise<Comparison[]> {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-bench-'))
  const server = await startTestServer()
  try {
    const bare = join(folder, 'bare.mjs')
    await writeFile(bare, bareRequest)
    // The cache of compiled modules is new, and filled by the first round, which is not counted.
    const env = { ...process.env, SEAWORTHY_CONFIG: folder, XDG_CACHE_HOME: join(folder, 'cache') }
    const cli = (...args: string[]) => runProgram(seaworthy, args, { env })
    await cli('login', server.url, '--pin', server.pin, '--token', server.adminToken)
    const node = (...args: string[]) => runProgram(process.execPath, args)
    const ask = (path: string) => node(bare, `${server.url}${path}`, server.adminToken)
    const sides = [
      {
        ...{ name: 'seaworthy --help', ours: () => cli('--help'), ratioMax: 1.5 },
        ...{ baseline: 'a bare start of Node', theirs: () => node('-e', '0') },
      },
      {
        ...{ name: 'seaworthy whoami', ours: () => cli('whoami'), ratioMax: 2 },
        ...{ baseline: 'a bare Node program with one request', theirs: () => ask('/v1/whoami') },
      },
      {
        ...{ name: 'seaworthy device list', ours: () => cli('device', 'list'), ratioMax: 2 },
        ...{ baseline: 'a bare Node program with one request', theirs: () => ask('/v1/devices') },
      },
    ]
    const comparisons: Comparison[] = []
    for (const { name, baseline, ours, theirs, ratioMax } of sides) {
      const paired = await compareInPairs(
        () => timed(ours),
        () => timed(theirs),
        rounds,
      )
      log(`${name}: ${paired.ours.toFixed(0)} and ${paired.theirs.toFixed(0)} ms`)
      comparisons.push({
        ...paired,
        ...{ name, baseline, unit: 'ms', target: `at most ${ratioMax}` },
        isMet: paired.ratio <= ratioMax,
      })
    }
    return comparisons
  } finally {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
}
