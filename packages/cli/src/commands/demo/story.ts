/** The demo, chapter by chapter: everything in it is real, and done as a user would do it. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeFolders } from '@seaworthy/oci/folders'
import { base64UrlEncode } from '@seaworthy/std/bytes'
import { parseAnyJsonText } from '@seaworthy/std/json'
import { CliError, reportIt } from '../../failure.ts'
import { formatCount } from '../../output/format.ts'
import type { DemoApplication } from './applications.ts'
import { prepareApplication } from './applications.ts'
import { attackDevices } from './attack.ts'
import { proveClocks } from './forged-clock.ts'
import { attackSigners } from './lying-builder.ts'
import type { DemoDevice } from './devices.ts'
import { findFreePort, startDevice } from './devices.ts'
import type { Mirror } from './mirror.ts'
import { startMirror } from './mirror.ts'
import type { People, Person } from './people.ts'
import { gatherPeople } from './people.ts'
import type { RunningProcess } from './processes.ts'
import { allAtOnce, askWhy, oneFirst, rollOut } from './rollouts.ts'
import { channel, fleet } from './scene.ts'
import { bringSecrets } from './secrets.ts'
import type { Server, Story } from './scene.ts'

const deviceCount = 3
const updateTimeoutMs = 120_000
/** The states in which a device is shown to be at work. */
const underWay: readonly string[] = ['downloading', 'installing', 'watching']

/** Plays the whole story; resolves with the server that runs at its end. */
export async function playStory(story: Story): Promise<{ server: Server; loginLine: string }> {
  const mirror = await startMirror()
  try {
    return await playChapters(story, mirror)
  } finally {
    mirror.close()
  }
}

async function playChapters(
  story: Story,
  mirror: Mirror,
): Promise<{ server: Server; loginLine: string }> {
  const { stage } = story
  const { ports } = story.context
  const passphrase = base64UrlEncode(ports.random.bytes(18))
  const people = await gatherPeople(story.folder, story.processes, passphrase)

  stage.chapter('A server that nobody has to trust, and an application to ship')
  const preparing = prepareApplication(join(story.folder, 'applications'), story.processes.run)
  const server = await stage.step('start the server: PostgreSQL, certificate, online keys', () =>
    startServer(story),
  )
  const loginLine = await stage.step('pair the command line with its public key', () =>
    logIn(server, people),
  )
  const application = await stage.step(
    'fetch two versions of the application from npm',
    () => preparing,
  )
  if (application.standInBecause !== undefined) {
    stage.tell(`the npm registry cannot be reached (${application.standInBecause.split('\n')[0]})`)
    stage.tell('so a small application that comes with the project stands in for Node-RED')
  }

  stage.chapter('Three signers, of whom two must agree; the server never sees their keys')
  await stage.step('each makes an encrypted key', async () => {
    await Promise.all(
      people.signers.map((signer) => signer.seaworthy('key', 'create', signer.keyFile)),
    )
  })
  await establishTrust(story, people, application)

  stage.chapter(`${application.title} ${application.releases[0].version} to three devices`)
  await publish(story, people, application, 0)
  const devices = await bringDevices(story, people, mirror)
  await awaitVersion(story, devices, application, 0)

  const { product, releases } = application
  stage.chapter(`The update, one device first: ${application.title} ${releases[1].version}`)
  await stage.step(`from now on ${fleet} takes what rollouts offer, wave by wave`, () =>
    people.owner.seaworthy('fleet', 'set', fleet, '--follow', 'rollouts'),
  )
  await publish(story, people, application, 1)
  const update = await stage.step(
    'rollout: one device first, the others once it has stayed well',
    () => rollOut(story, people, `${product}@${releases[1].version}`, oneFirst),
  )
  await awaitVersion(story, devices, application, 1)
  if (!(await update.finished))
    throw new CliError('failed', 'the update was stopped', { wayOut: reportIt })

  stage.chapter(`A release that fails its health check: ${releases[2].version}`)
  await publish(story, people, application, 2)
  await playBrokenRelease(story, people, devices, application)

  stage.chapter('A secret for the application, which the server cannot read')
  const secrets = await bringSecrets(story, people, application, devices)

  stage.chapter('The builder lies: a back door in the layer, the honest file list beside it')
  await attackSigners(story, people, application)

  stage.chapter('The attack: the whole server is stolen, database, master key and online keys')
  const { version } = releases[1]
  await attackDevices(story, { server, application, devices, version, secrets })
  await stage.step('take the mirror as well: it breaks off after garbage from now on', async () =>
    mirror.turnHostile(),
  )

  stage.chapter('The owners take their server back')
  const again = await stage.step('start the server again on its data', () =>
    startServer(story, server.listen),
  )
  await stage.step('check the audit log against what was seen before', () =>
    people.owner.seaworthy('log', 'verify'),
  )
  await replaceOnlineKeys(story, people)
  await publish(story, people, application, 3)
  const mended = await stage.step('rollout: all devices at once', () =>
    rollOut(story, people, `${product}@${releases[3].version}`, allAtOnce),
  )
  await awaitVersion(story, devices, application, 3)
  await mended.finished
  await proveClocks(story, devices)
  await proveMirror(story, mirror, devices)
  return { server: again, loginLine }
}

/**
 * Proves that every device asked the hostile mirror and then turned to the server. Throws when a
 * device did not ask it.
 */
async function proveMirror(
  { stage }: Story,
  mirror: Mirror,
  devices: readonly DemoDevice[],
): Promise<void> {
  for (const device of devices) {
    const wasLeft = device.events.some(
      (one) => one.event === 'source-failed' && one.source === mirror.url,
    )
    if (!wasLeft)
      throw new CliError('failed', `${device.name} did not ask the hostile mirror`, {
        wayOut: reportIt,
      })
  }
  stage.tell(
    `the mirror is hostile still: it spoiled ${mirror.spoiledCount} downloads, and each device went on to the server at once`,
  )
}

async function startServer(story: Story, listen?: string): Promise<Server> {
  const { processes, folder, webFolder } = story
  const dataDir = join(folder, 'server')
  const address = listen ?? `127.0.0.1:${await findFreePort()}`
  const readyFile = join(folder, 'server-ready.json')
  makeFolders(dataDir)
  await rm(readyFile, { force: true })
  const running = processes.start({
    file: process.execPath,
    args: [
      fileURLToPath(import.meta.resolve('@seaworthy/server/main')),
      ...['--data-dir', dataDir, '--listen', address, '--ready-file', readyFile],
      ...(webFolder === undefined ? [] : ['--web-folder', webFolder]),
    ],
    logFile: join(folder, 'server.log'),
  })
  const { url, ownerLinkFile } = await untilThere(story, running, async () => {
    // The file is absent until the server answers; the caller that waits notices when the server
    // ends instead.
    const text = await readFile(readyFile, 'utf8').catch(() => undefined)
    return text === undefined
      ? undefined
      : (parseAnyJsonText(text) as { url: string; ownerLinkFile: string })
  })
  const ownerLink = (await readFile(ownerLinkFile, 'utf8')).trim()
  return { url, listen: address, dataDir, ownerLink, running }
}

/** Waits for `find` to give something, and gives up when the server ends. */
async function untilThere<T>(
  story: Story,
  running: RunningProcess,
  find: () => Promise<T | undefined>,
): Promise<T> {
  let end: string | undefined
  void running.ended.then((how) => (end = how))
  for (;;) {
    const found = await find()
    if (found !== undefined) return found
    if (end !== undefined) {
      throw new CliError('failed', `the server did not start (${end})`, {
        wayOut: `Look at ${join(story.folder, 'server.log')}.`,
      })
    }
    await story.context.ports.sleep(50, story.context.ports.signal)
  }
}

/** Pairs with the line that the server printed at its first start. */
async function logIn(server: Server, people: People): Promise<string> {
  const log = await readFile(join(server.dataDir, '..', 'server.log'), 'utf8')
  const line = /^.*\bseaworthy (login .*)$/m.exec(log)?.[1]
  if (line === undefined)
    throw new CliError('failed', 'the server printed no login line', { wayOut: reportIt })
  await people.owner.seaworthy(...line.trim().split(/\s+/))
  return `seaworthy ${line.trim()}`
}

/** Finds the proposal's id in what a command printed as JSON. */
function proposalIn(output: string): string {
  const id = /"(proposal_[0-9a-z]{26})"/.exec(output)?.[1]
  if (id === undefined)
    throw new CliError('failed', 'the command made no proposal', { wayOut: reportIt })
  return id
}

async function establishTrust(
  { stage }: Story,
  { owner, signers, signAndApply }: People,
  { product }: DemoApplication,
): Promise<void> {
  const [one, two, three] = signers
  const publicKeys = (option: string) =>
    signers.flatMap(({ keyFile }) => [option, `${keyFile}.pub`])
  const propose = async (...args: readonly string[]) =>
    proposalIn(await owner.seaworthy('--json', ...args))
  await stage.step('root and targets: signed offline by signers 1 and 2', async () => {
    const id = await propose('trust', 'init', ...publicKeys('--root-key'), '--threshold', '2')
    await signAndApply(id, [one, two])
  })
  await stage.step(`product ${product}: signed by signers 2 and 3`, async () => {
    await signAndApply(await propose('product', 'create', product, '--kind', 'bundle'), [
      two,
      three,
    ])
  })
  await stage.step(`channel ${channel}: signed by signers 1 and 3`, async () => {
    const keys = [...publicKeys('--key'), '--threshold', '2']
    await signAndApply(await propose('channel', 'create', product, channel, ...keys), [one, three])
  })
  await stage.step(`fleet ${fleet}`, () =>
    owner.seaworthy(
      'fleet',
      'create',
      fleet,
      '--product',
      product,
      '--channel',
      channel,
      '--poll',
      '1s',
    ),
  )
}

/** What the thief holds is worth nothing once a new root names other online keys. */
async function replaceOnlineKeys(
  { stage }: Story,
  { owner, signers, signAndApply }: People,
): Promise<void> {
  const [one, two, three] = signers
  for (const [role, chosen] of [
    ['snapshot', [one, two]],
    ['timestamp', [two, three]],
  ] as const) {
    const names = chosen.map(({ name }) => name).join(' and ')
    await stage.step(`a new ${role} key, in a new root signed by ${names}`, async () => {
      const output = await owner.seaworthy('--json', 'trust', 'rotate', role, '--new-online-key')
      await signAndApply(proposalIn(output), chosen)
    })
  }
}

async function publish(
  story: Story,
  people: People,
  { product, releases }: DemoApplication,
  index: number,
): Promise<void> {
  const { version, folder } = releases[index]!
  const { stage } = story
  const { owner, signers, signAndApply } = people
  await stage.step(`release ${version}: pack, push, register`, () =>
    owner.seaworthy(
      ...['release', 'create', product, version],
      ...['--platform', `linux/${process.arch === 'x64' ? 'amd64' : 'arm64'}`, '--from', folder],
    ),
  )
  const two = signers.filter((_, i) => i !== index % signers.length)
  await stage.step(`publish: signed by ${two.map(({ name }) => name).join(' and ')}`, async () => {
    const output = await owner.seaworthy(
      '--json',
      'publish',
      product,
      version,
      '--channel',
      channel,
    )
    await signAndApply(proposalIn(output), two)
  })
  if (index === 0) await tellComponents(story, owner, { product, version })
}

/** What the release is made of, by the document that the signatures cover. */
async function tellComponents(
  { stage }: Story,
  owner: Person,
  { product, version }: { product: string; version: string },
): Promise<void> {
  const output = await owner.seaworthy('--json', 'release', 'sbom', product, version)
  const components = parseAnyJsonText(output) as readonly { licence: string }[]
  const licences = new Set(components.map(({ licence }) => licence)).size
  stage.tell(
    `its bill of materials, which the signatures cover: ${formatCount(components.length, 'package')} under ${formatCount(licences, 'licence')} (seaworthy release sbom)`,
  )
}

async function bringDevices(
  story: Story,
  { owner, signers }: People,
  mirror: Mirror,
): Promise<DemoDevice[]> {
  const { stage, folder, context, processes } = story
  const configFile = join(folder, 'agent.json')
  await owner.seaworthy(
    ...['provisioning-key', 'create', '--fleet', fleet, '--uses', String(deviceCount)],
    ...['--agent-config', configFile],
    // With it, the devices prove that these two enrolled them.
    ...signers.slice(0, 2).flatMap(({ keyFile }) => ['--sign-with', keyFile]),
  )
  const config = parseAnyJsonText(await readFile(configFile, 'utf8')) as object
  const names = Array.from({ length: deviceCount }, (_, i) => `device-${i + 1}`)
  return Promise.all(
    names.map((name) =>
      startDevice({
        name,
        folder: join(folder, name),
        config,
        mirror: mirror.url,
        node: process.execPath,
        ports: context.ports,
        processes,
        onEvent(event) {
          if (event.event === 'registered') {
            stage.device(name, 'busy', 'registered with its own key; the provisioning key is gone')
          }
          if (event.event === 'rolling-back') {
            stage.device(name, 'bad', `not well (${event.code}), goes back by itself`)
          }
        },
      }),
    ),
  )
}

/**
 * The first device goes back by itself, the rollout stops, and the others never see the release.
 */
async function playBrokenRelease(
  story: Story,
  people: People,
  devices: readonly DemoDevice[],
  { product, releases }: DemoApplication,
): Promise<void> {
  const { stage } = story
  const { version } = releases[2]
  const targetPath = `${product}/${channel}/${version}`
  const { id, finished } = await stage.step(
    'rollout: one device first, and the first failure stops it',
    () => rollOut(story, people, `${product}@${version}`, oneFirst),
  )
  if (await finished)
    throw new CliError('failed', 'the broken release was not stopped', { wayOut: reportIt })
  const isTried = (device: DemoDevice) => device.events.some((one) => one.targetPath === targetPath)
  const wanted = { targetPath, event: 'rolled-back', answers: releases[1].answers } as const
  const [spared] = devices.filter((device) => !isTried(device))
  for (const device of devices) {
    if (isTried(device)) await awaitEvent(story, device, wanted)
    else stage.device(device.name, 'good', `never got it; ${await answerOf(device)}`)
  }
  if (spared === undefined)
    throw new CliError('failed', 'every device tried the broken release', { wayOut: reportIt })
  stage.tell(`why ${spared.name} is not offered it: ${await askWhy(people, id, spared.name)}`)
}

async function answerOf(device: DemoDevice): Promise<string> {
  return `${device.url} answers ${(await device.askVersion()) ?? 'nothing'}`
}

/**
 * Waits until every device has committed the release and its application answers with the version.
 */
async function awaitVersion(
  story: Story,
  devices: readonly DemoDevice[],
  { product, releases }: DemoApplication,
  index: number,
): Promise<void> {
  const { version, answers } = releases[index]!
  const targetPath = `${product}/${channel}/${version}`
  await Promise.all(
    devices.map((device) => awaitEvent(story, device, { targetPath, event: 'committed', answers })),
  )
}

/**
 * Waits until the device says `event` of the release and its application answers with the version.
 */
async function awaitEvent(
  story: Story,
  device: DemoDevice,
  wanted: { targetPath: string; event: 'committed' | 'rolled-back'; answers: string },
): Promise<void> {
  const { clock, sleep, signal } = story.context.ports
  const { targetPath, event, answers } = wanted
  const deadlineMs = clock.monotonicMs() + updateTimeoutMs
  const version = targetPath.split('/').at(-1)!
  // An agent tries a download again after a damaged part of it: each activity is told once.
  const told = new Set<string>()
  for (;;) {
    const activity = (await device.readStatus())?.update?.state
    if (activity !== undefined && underWay.includes(activity) && !told.has(activity)) {
      told.add(activity)
      story.stage.device(device.name, 'busy', activity)
    }
    const entry = device.events.find((one) => one.event === event && one.targetPath === targetPath)
    const answer = await device.askVersion()
    if (entry !== undefined && answer === answers) {
      const mark = event === 'committed' ? 'committed' : 'rolled back'
      const why = entry.code === undefined ? '' : ` (${entry.code})`
      const text = `${version} ${mark}${why}; ${device.url} answers ${answer}`
      return story.stage.device(device.name, 'good', text)
    }
    if (clock.monotonicMs() > deadlineMs) {
      throw new CliError('failed', `${device.name} did not get to ${version} in time`, {
        wayOut: `Look at ${join(story.folder, device.name, 'agent.log')}.`,
      })
    }
    await sleep(200, signal)
  }
}

/** Tells a user who looks around later where things are. */
export async function writeKeepNote(folder: string, lines: readonly string[]): Promise<void> {
  // The lines have a token and the first owner's link, and other users can get into the folder.
  await writeFile(join(folder, 'README.txt'), `${lines.join('\n')}\n`, { mode: 0o600 })
}
