/** The attack on the devices, with everything that the server held. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CliError, reportIt } from '../../failure.ts'
import type { DemoApplication } from './applications.ts'
import type { DemoDevice } from './devices.ts'
import type { RunningProcess } from './processes.ts'
import { forgeClock } from './forged-clock.ts'
import { channel } from './scene.ts'
import type { Server, Story } from './scene.ts'
import { searchStolen } from './secrets.ts'

/**
 * What the thief tries, in an order in which no attempt spoils the next, and what must come of it.
 */
const attempts = [
  {
    attack: 'older-release',
    title: 'order every device to run the oldest release',
    code: 'counter_below_committed',
  },
  {
    attack: 'unsigned-release',
    title: 'push a release that the signers never signed',
    code: 'signature_threshold',
  },
  {
    attack: 'older-metadata',
    title: 'serve the genuine metadata of before the last release',
    code: 'rollback',
  },
] as const

const refusalTimeoutMs = 60_000

/**
 * Throws when a device does anything but refuse with the right code, or runs anything but
 * `version`.
 */
export async function attackDevices(
  story: Story,
  scene: {
    server: Server
    application: DemoApplication
    devices: readonly DemoDevice[]
    version: string
    /** What must not be found in anything that the server had. */
    secrets: readonly string[]
  },
): Promise<void> {
  const { stage, processes } = story
  const { server, application, devices } = scene
  const said: string[] = []
  const thief = processes.start({
    file: process.execPath,
    args: [
      fileURLToPath(import.meta.resolve('@seaworthy/sim/stolen')),
      ...['--data-dir', server.dataDir, '--product', application.product, '--channel', channel],
    ],
    logFile: join(story.folder, 'thief.log'),
    onLine: (line) => said.push(line),
  })
  await stage.step('copy the database and open its online keys with the master key', () =>
    awaitWord(story, thief, said, 'stolen'),
  )
  const count = await stage.step('look for the secrets in everything that the server had', () =>
    searchStolen(server, scene.secrets),
  )
  stage.tell(`neither of them is in any of ${count} files: they are sealed to the devices`)
  await stage.step('kill the server and take its place, with its own certificate', async () => {
    await server.running.stop('SIGKILL')
    thief.order(`serve ${server.listen}`)
    await awaitWord(story, thief, said, 'serving')
  })
  const [first, ...others] = attempts
  const attempt = async ({ attack, title, code }: (typeof attempts)[number]) => {
    await stage.step(title, () => order(story, thief, said, attack))
    await Promise.all(devices.map((device) => awaitRefusal(story, device, code)))
  }
  await attempt(first)
  await forgeClock(story, devices, () => order(story, thief, said, 'forged-clock'))
  for (const other of others) await attempt(other)
  for (const device of devices) {
    const version = await device.askVersion()
    if (version !== scene.version) {
      throw new CliError('refused', `${device.name} runs ${version}: the promise is broken`, {
        wayOut: reportIt,
      })
    }
  }
  stage.tell(`every device still runs ${scene.version}, as its owners signed it`)
  await thief.stop('SIGKILL')
}

/** Has the thief put an attack in place. */
async function order(
  story: Story,
  thief: RunningProcess,
  said: readonly string[],
  attack: string,
): Promise<void> {
  thief.order(attack)
  await awaitWord(story, thief, said, `attack ${attack}`)
}

async function awaitWord(
  { context, folder }: Story,
  thief: RunningProcess,
  said: readonly string[],
  word: string,
): Promise<void> {
  let end: string | undefined
  void thief.ended.then((how) => (end = how))
  while (!said.includes(word)) {
    if (end !== undefined) {
      throw new CliError('failed', `the attack itself failed (${end})`, {
        wayOut: `Look at ${join(folder, 'thief.log')}.`,
      })
    }
    await context.ports.sleep(50, context.ports.signal)
  }
}

async function awaitRefusal(story: Story, device: DemoDevice, code: string): Promise<void> {
  const { clock, sleep, signal } = story.context.ports
  const deadlineMs = clock.monotonicMs() + refusalTimeoutMs
  for (;;) {
    if (device.events.some((one) => one.event === 'refused' && one.code === code)) {
      story.stage.device(device.name, 'good', `refused: ${code}`)
      return
    }
    if (clock.monotonicMs() > deadlineMs) {
      throw new CliError('failed', `${device.name} did not refuse with ${code}`, {
        wayOut: `Look at ${join(story.folder, device.name, 'agent.log')}.`,
      })
    }
    await sleep(100, signal)
  }
}
