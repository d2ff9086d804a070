import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Comparison } from './lib/measure.ts'
import { medianOf, takeTurns, timed } from './lib/measure.ts'

export const title = 'push and pull blobs of 100 MB, against docker-registry (or nginx, pulls only)'

const blobBytes = 100_000_000
const rounds = 9
const programs = { registry: 'docker-registry', files: 'nginx' } as const

interface RunningServer {
  url: string
  process: ChildProcess
}

async function findFreePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}

async function waitFor(url: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (spawnSync('curl', ['-s', '-o', '/dev/null', url]).status === 0) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${url} does not answer`)
}

async function startOurs(root: string): Promise<RunningServer> {
  const script = fileURLToPath(new URL('lib/registry-server.fixture.ts', import.meta.url))
  const child = spawn(process.execPath, [script, root], { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await new Promise<string>((resolve) =>
    child.stdout.once('data', (text: Buffer) => resolve(text.toString().trim())),
  )
  return { url: `http://127.0.0.1:${port}`, process: child }
}

async function startDockerRegistry(root: string): Promise<RunningServer> {
  const port = await findFreePort()
  const config = join(root, 'config.yml')
  await writeFile(
    config,
    `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${join(root, 'data')}}}
http: {addr: "127.0.0.1:${port}"}
`,
  )
  const child = spawn(programs.registry, ['serve', config], { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  await waitFor(`${url}/v2/`)
  return { url, process: child }
}

/** Serves the one blob under the path where a registry has it. */
async function startNginx(root: string, digest: string, file: string): Promise<RunningServer> {
  const port = await findFreePort()
  const config = join(root, 'nginx.conf')
  await writeFile(
    config,
    `daemon off; worker_processes 1; pid ${join(root, 'pid')}; error_log stderr crit;
events {}
http { access_log off; sendfile on; server { listen 127.0.0.1:${port};
  location = /v2/bench/blobs/${digest} { alias ${file}; } } }
`,
  )
  const child = spawn(programs.files, ['-c', config, '-p', root], { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  await waitFor(url)
  return { url, process: child }
}

function curl(...options: string[]): string {
  return execFileSync('curl', ['-s', '-S', '--fail', ...options], { encoding: 'utf8' })
}

/** Pushes as podman and docker do: POST, PATCH with everything, PUT with the digest. */
function push({ url }: RunningServer, file: string, digest: string): void {
  const locate = (text: string) => {
    const location = /^location: (\S+)/im.exec(text)![1]!
    return new URL(location, url)
  }
  const started = curl('-X', 'POST', '-D', '-', '-o', '/dev/null', `${url}/v2/bench/blobs/uploads/`)
  const type = ['-H', 'content-type: application/octet-stream', '-H', 'expect:']
  const sent = curl('-X', 'PATCH', '-T', file, ...type, '-D', '-', locate(started).href)
  const last = locate(sent)
  last.searchParams.set('digest', digest)
  curl('-X', 'PUT', '-H', 'content-length: 0', '-o', '/dev/null', last.href)
}

function pull({ url }: RunningServer, digest: string): void {
  curl('-o', '/dev/null', `${url}/v2/bench/blobs/${digest}`)
}

export async function run(log: (line: string) => void): Promise<Comparison[]> {
  const has = (program: string) => spawnSync('which', [program]).status === 0
  if (!has('curl')) throw new Error('needs curl (apt install curl)')
  const root = await mkdtemp(join(tmpdir(), 'seaworthy-bench-'))
  const running: RunningServer[] = []
  try {
    const file = join(root, 'blob')
    const bytes = randomBytes(blobBytes)
    await writeFile(file, bytes)
    /** The content is new each time: neither side may know it already. */
    const renew = async () => {
      randomBytes(16).copy(bytes)
      const handle = await open(file, 'r+')
      await handle.write(bytes, 0, 16, 0)
      await handle.close()
      execFileSync('sync')
      return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    }
    for (const folder of ['ours', 'theirs']) await mkdir(join(root, folder))
    const ours = await startOurs(join(root, 'ours'))
    running.push(ours)
    const digest = await renew()
    push(ours, file, digest)
    const comparisons: Comparison[] = []
    const compare = async (
      name: string,
      baseline: string,
      sides: Record<'ours' | 'theirs', () => Promise<number>>,
    ) => {
      const times = await takeTurns(sides, rounds)
      const perSecond = (list: number[]) => blobBytes / 1e3 / medianOf(list)
      const ratio = perSecond(times.ours) / perSecond(times.theirs)
      comparisons.push({
        name,
        baseline,
        ours: perSecond(times.ours),
        theirs: perSecond(times.theirs),
        unit: 'MB/s',
        ratio,
        target: 'at least 0.8',
        isMet: ratio >= 0.8,
      })
    }
    const timePull = (server: RunningServer) => timed(async () => pull(server, digest))
    if (has(programs.registry)) {
      const theirs = await startDockerRegistry(join(root, 'theirs'))
      running.push(theirs)
      push(theirs, file, digest)
      const timePush = async (server: RunningServer) => {
        const fresh = await renew()
        return timed(async () => push(server, file, fresh))
      }
      await compare('push', 'docker-registry', {
        ours: () => timePush(ours),
        theirs: () => timePush(theirs),
      })
      await compare('pull', 'docker-registry', {
        ours: () => timePull(ours),
        theirs: () => timePull(theirs),
      })
    } else if (has(programs.files)) {
      log('docker-registry is not installed: pulls only, against nginx')
      const theirs = await startNginx(join(root, 'theirs'), digest, file)
      running.push(theirs)
      await compare('pull', 'nginx', {
        ours: () => timePull(ours),
        theirs: () => timePull(theirs),
      })
    } else throw new Error('needs docker-registry (apt install docker-registry)')
    return comparisons
  } finally {
    for (const server of running) server.process.kill()
    await rm(root, { recursive: true, force: true })
  }
}
