/**
 * What the demo ships: Node-RED in an older and a newer version from the npm registry, or, where
 * that cannot be reached, a small application that comes with the project. The newer version comes
 * a second time, broken.
 */
import { cp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeFolders } from '@seaworthy/oci/folders'
import type { RunProgram } from './processes.ts'

export interface DemoRelease {
  version: string
  folder: string
  /** The version that the running application says it is. */
  answers: string
}

export interface DemoApplication {
  /** `Node-RED` or the name of the stand-in. */
  title: string
  product: string
  /** Folders ready for `release create --from`: older, newer, broken, mended. */
  releases: readonly [DemoRelease, DemoRelease, DemoRelease, DemoRelease]
  /** Why the application is the stand-in, if it is. */
  standInBecause?: string
}

/**
 * Each version has a lock file of all its packages, so that the demo ships the same bytes whatever
 * the registry has today.
 */
const nodeRedVersions = ['4.0.9', '4.1.15'] as const
const applicationsFolder = new URL('../../../demo-app/', import.meta.url)
/** The time is long enough for three applications to start at once on a small machine. */
const windowSeconds = 12

/** Fetches both versions; falls back to the stand-in when npm cannot, and says why. */
export async function prepareApplication(
  folder: string,
  runProgram: RunProgram,
): Promise<DemoApplication> {
  try {
    return await prepareNodeRed(folder, runProgram)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return { ...(await prepareStandIn(folder)), standInBecause: why }
  }
}

async function prepareNodeRed(folder: string, runProgram: RunProgram): Promise<DemoApplication> {
  const [older, newer] = nodeRedVersions
  const folders = Object.fromEntries(
    nodeRedVersions.map((version) => [version, join(folder, `node-red-${version}`)]),
  )
  for (const version of nodeRedVersions) {
    makeFolders(folders[version]!)
    await cp(
      fileURLToPath(new URL(`node-red-${version}/`, applicationsFolder)),
      folders[version]!,
      {
        recursive: true,
      },
    )
    await runProgram('npm', [
      'ci',
      '--prefix',
      folders[version]!,
      '--ignore-scripts',
      '--omit=dev',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      '--fetch-retries=1',
      '--fetch-timeout=60000',
    ])
    // The files with which npm fetched the application are not part of it.
    await rm(join(folders[version]!, 'package-lock.json'))
    await rm(join(folders[version]!, 'package.json'))
    await describeStart(folders[version]!, nodeRedStart, '/settings')
  }
  const broken = join(folder, `node-red-${newer}-broken`)
  await cp(folders[newer]!, broken, { recursive: true, verbatimSymlinks: true })
  await writeFile(
    join(broken, 'settings.js'),
    "// the mistake: the editor moves, and the health check no longer finds it\nmodule.exports = { httpAdminRoot: '/moved' }\n",
  )
  await describeStart(broken, [...nodeRedStart, '--settings', 'settings.js'], '/settings')
  return {
    title: 'Node-RED',
    product: 'node-red',
    releases: [
      { version: older, folder: folders[older]!, answers: older },
      { version: newer, folder: folders[newer]!, answers: newer },
      { version: `${newer}-moved`, folder: broken, answers: newer },
      { version: `${newer}-mended`, folder: folders[newer]!, answers: newer },
    ],
  }
}

const nodeRedStart = [
  '${NODE}',
  'node_modules/node-red/red.js',
  '--port',
  '${PORT}',
  '--userDir',
  '${DATA}',
] as const

async function prepareStandIn(folder: string): Promise<Omit<DemoApplication, 'standInBecause'>> {
  const source = fileURLToPath(new URL('stand-in/', applicationsFolder))
  const prepare = async (
    version: string,
    answers: string,
    ...flags: string[]
  ): Promise<DemoRelease> => {
    const target = join(folder, `stand-in-${version}`)
    await rm(target, { recursive: true, force: true })
    await cp(source, target, { recursive: true })
    await writeFile(
      join(target, 'package.json'),
      JSON.stringify({ version: answers, type: 'module' }),
    )
    await describeStart(target, ['${NODE}', 'server.mjs', '${PORT}', ...flags], '/settings')
    return { version, folder: target, answers }
  }
  return {
    title: 'the stand-in application',
    product: 'stand-in',
    releases: [
      await prepare('1.0.0', '1.0.0'),
      await prepare('1.1.0', '1.1.0'),
      await prepare('1.1.0-moved', '1.1.0', '--moved'),
      await prepare('1.1.0-mended', '1.1.0'),
    ],
  }
}

async function describeStart(
  folder: string,
  start: readonly string[],
  path: string,
): Promise<void> {
  const manifest = {
    start,
    health: { http: `http://127.0.0.1:\${PORT}${path}`, windowSeconds },
    stopSeconds: 5,
  }
  await writeFile(join(folder, 'seaworthy.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)
}
