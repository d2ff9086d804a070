/**
 * The people of the demo: one who runs releases, and three signers whose keys the server never
 * sees.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeFolders } from '@seaworthy/oci/folders'
import { parseAnyJsonText } from '@seaworthy/std/json'
import type { Environment, DemoProcesses } from './processes.ts'

export interface Person {
  /**
   * Runs `seaworthy …` as this person; the output is parsed as JSON with `--json` among the
   * arguments.
   */
  readonly seaworthy: (...args: readonly string[]) => Promise<string>
  /**
   * Runs a long command and passes its lines on; resolves with how it ended, for example `exit code
   * 0`.
   */
  readonly follow: (onLine: (line: string) => void, ...args: readonly string[]) => Promise<string>
}

export interface DemoPerson extends Person {
  readonly name: string
  readonly keyFile: string
  /**
   * The folder for files that are handed in and out; nothing else connects this person to the
   * others.
   */
  readonly folder: string
}

export interface People {
  readonly owner: Person
  readonly signers: readonly [DemoPerson, DemoPerson, DemoPerson]
  /** Carries a proposal to two signers, who sign without the server, and applies it. */
  readonly signAndApply: (proposalId: string, signers: readonly DemoPerson[]) => Promise<void>
}

export async function gatherPeople(
  folder: string,
  processes: DemoProcesses,
  passphrase: string,
): Promise<People> {
  const main = fileURLToPath(new URL('../../main.ts', import.meta.url))
  const person = (configDir: string): Person => {
    const environment: Environment = {
      SEAWORTHY_CONFIG: configDir,
      SEAWORTHY_PASSPHRASE: passphrase,
      NO_COLOR: '1',
    }
    return {
      seaworthy: (...args) =>
        processes.run(process.execPath, [main, '--yes', ...args], environment),
      follow: (onLine, ...args) => {
        const logFile = join(folder, `${args.join('-')}.log`)
        const file = process.execPath
        return processes.start({ file, args: [main, ...args], logFile, environment, onLine }).ended
      },
    }
  }
  const owner = person(join(folder, 'owner'))
  const createSigner = async (number: number): Promise<DemoPerson> => {
    const own = join(folder, `signer-${number}`)
    makeFolders(own)
    return {
      name: `signer ${number}`,
      folder: own,
      keyFile: join(own, 'signer.key'),
      ...person(own),
    }
  }
  const signers = await Promise.all([createSigner(1), createSigner(2), createSigner(3)])
  // The digest of the root that the signers wrote down when they had made it.
  let root: string | undefined
  return {
    owner,
    signers,
    async signAndApply(proposalId, chosen) {
      const exported = join(folder, `${proposalId}.json`)
      await owner.seaworthy('proposal', 'export', proposalId, '-o', exported)
      const signatures = await Promise.all(
        chosen.map(async (signer) => {
          const file = join(signer.folder, `${proposalId}.signatures`)
          const { seaworthy, keyFile } = signer
          const pinned = root === undefined ? [] : ['--root', `sha256:${root}`]
          await seaworthy('proposal', 'sign', exported, '--key', keyFile, '-o', file, ...pinned)
          return file
        }),
      )
      // Importing the last signature that is needed also publishes.
      await owner.seaworthy('proposal', 'import', ...signatures)
      if (root === undefined) {
        const status = parseAnyJsonText(
          await owner.seaworthy('--json', 'trust', 'status'),
        ) as object
        root = 'anchor' in status ? String(status.anchor) : undefined
      }
    },
  }
}
