/** A client in Go, which a generator makes of a server's openapi.json, compiled and run. */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findProgram } from '@seaworthy/std/testing/programs'

const sources = fileURLToPath(new URL('../../../../tools/openapi-client/', import.meta.url))
const run = promisify(execFile)

export interface GoClientOptions {
  readonly document: Uint8Array
  /** The certificate of the server's authority. */
  readonly authority: Uint8Array
  readonly env: Readonly<Record<string, string>>
}

/** What the program in `tools/openapi-client` prints. */
export async function runGoClient({ document, authority, env }: GoClientOptions): Promise<string> {
  const generator = findProgram('openapi-client')!
  const go = join(dirname(generator), 'bin/go')
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-go-client-'))
  try {
    await cp(sources, folder, { recursive: true })
    const generated = join(folder, 'seaworthy')
    await mkdir(generated)
    await writeFile(join(folder, 'openapi.json'), document)
    await writeFile(join(folder, 'ca.crt'), authority)
    const config = ['-config', 'oapi-codegen.yaml', '-o', 'seaworthy/client.gen.go']
    await run(generator, [...config, 'openapi.json'], { cwd: folder })
    // What it imports was fetched with the generator: nothing is asked of a registry here.
    const offline = { ...process.env, GOFLAGS: '-mod=readonly -trimpath', GOPROXY: 'off' }
    await run(go, ['build', '-o', 'client', '.'], { cwd: folder, env: offline })
    const { stdout } = await run(join(folder, 'client'), [], {
      env: { ...env, CA_FILE: join(folder, 'ca.crt') },
    })
    return stdout
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
