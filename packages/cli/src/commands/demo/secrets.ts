/** A secret on its way to the application of each device, and what a thief finds of it. */
import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { base64Encode, base64UrlEncode, hexEncode, utf8Encode } from '@seaworthy/std/bytes'
import { CliError, reportIt } from '../../failure.ts'
import type { DemoApplication } from './applications.ts'
import type { DemoDevice } from './devices.ts'
import type { People } from './people.ts'
import { fleet } from './scene.ts'
import type { Server, Story } from './scene.ts'

const name = 'TOKEN'
const arrivalTimeoutMs = 120_000

/** Sets a secret, then another in its place. Returns both, for the thief to look for. */
export async function bringSecrets(
  story: Story,
  { owner }: People,
  application: DemoApplication,
  devices: readonly DemoDevice[],
): Promise<readonly string[]> {
  const { stage, folder, context } = story
  const file = join(folder, 'token.txt')
  const words: string[] = []
  for (const [title, newReaders] of [
    ['seal a secret to each device that the signers enrolled', devices.length],
    ['seal another in its place', 0],
  ] as const) {
    const word = base64UrlEncode(context.ports.random.bytes(24))
    words.push(word)
    await writeFile(file, word, { mode: 0o600 })
    const heard = devices.map(({ events }) => events.length)
    await stage.step(title, () =>
      owner.seaworthy(
        ...['secret', 'set', name, '--fleet', fleet, '--file', file],
        ...['--accept-new', String(newReaders)],
      ),
    )
    await Promise.all(
      devices.map(async (device, i) => {
        await awaitSecret(story, application, { device, heard: heard[i]! }, word)
        stage.device(device.name, 'good', `its application has secret ${words.length}`)
      }),
    )
  }
  return words
}

/** Waits for the secret; `heard` counts what the device had logged before it was set. */
async function awaitSecret(
  { context, folder }: Story,
  { product, standInBecause }: DemoApplication,
  { device, heard }: { readonly device: DemoDevice; readonly heard: number },
  word: string,
): Promise<void> {
  const { clock, sleep, signal } = context.ports
  const deadlineMs = clock.monotonicMs() + arrivalTimeoutMs
  const digest = createHash('sha256').update(word).digest('hex')
  for (;;) {
    const isThere = (await device.readSecret(product, name)) === word
    // Only the stand-in says what it read; Node-RED is asked whether it runs again.
    const { version, tokenSha256 } = await device.askSettings()
    const isRead = standInBecause === undefined ? version !== undefined : tokenSha256 === digest
    if (isThere && isRead) return
    if (device.events.slice(heard).some(({ event }) => event === 'configuration-put-back')) {
      throw new CliError('failed', `the application of ${device.name} was not healthy in time`, {
        wayOut: 'Run the demo again when this machine has less to do: applications start slowly.',
      })
    }
    if (clock.monotonicMs() > deadlineMs) {
      throw new CliError('failed', `the application of ${device.name} did not get the secret`, {
        wayOut: `Look at ${join(folder, device.name, 'agent.log')}.`,
      })
    }
    await sleep(200, signal)
  }
}

/** Looks for the secrets in every file that the server had. Throws where one is found. */
export async function searchStolen(server: Server, words: readonly string[]): Promise<number> {
  const forms = words.flatMap((word) => {
    const bytes = utf8Encode(word)
    return [word, base64Encode(bytes), hexEncode(bytes)]
  })
  let count = 0
  let isSearchSound = false
  for (const entry of await readdir(server.dataDir, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    // A file of the running database may be gone by now.
    const bytes = await readFile(path).catch(() => undefined)
    if (bytes === undefined) continue
    count++
    isSearchSound ||= bytes.includes(fleet)
    if (forms.some((form) => bytes.includes(form))) {
      throw new CliError('refused', `${path} holds a secret: the promise is broken`, {
        wayOut: reportIt,
      })
    }
  }
  if (isSearchSound) return count
  throw new CliError('failed', 'the search does not even find the name of the fleet', {
    wayOut: reportIt,
  })
}
