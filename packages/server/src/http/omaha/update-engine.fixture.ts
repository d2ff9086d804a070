/**
 * A machine with update_engine, as the server sees it: the same documents, in the same spelling and
 * order.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { TestClient } from '../../testing/index.ts'
import type { XmlElement } from './xml.ts'
import { parseXml } from './xml.ts'

export interface Machine {
  appId: string
  machineId: string
  version: string
  bootId: string
  /**
   * The version before, as the machine reports it with its next check: real once after an update,
   * otherwise empty.
   */
  previousVersion: string
  oem: string
  /** `undefined` when the credential is in the address of the server. */
  authorization: string | undefined
  path: string
}

export const flatcarAppId = '{e96281a6-d1af-4bde-9a0a-97b76e56dc57}'

export function createMachine(token: string, changes: Partial<Machine> = {}): Machine {
  return {
    appId: flatcarAppId,
    machineId: crypto.randomUUID().replaceAll('-', ''),
    version: '0.9.0',
    bootId: `{${crypto.randomUUID()}}`,
    previousVersion: '',
    oem: 'ami',
    authorization: `Basic ${Buffer.from(`machine:${token}`).toString('base64')}`,
    path: '/omaha/v1/update/',
    ...changes,
  }
}

/** Follows GetRequestXml and GetAppBody in src/update_engine/omaha_request_action.cc. */
export function formatRequest(machine: Machine, inside: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<request protocol="3.0" version="update_engine-0.4.10" updaterversion="update_engine-0.4.10" installsource="scheduler" ismachine="1">
    <os version="Chateau" platform="CoreOS" sp="3815.2.0_x86_64"></os>
${formatApp(machine, inside)}
</request>
`
}

export function formatApp(machine: Machine, inside: string): string {
  return `    <app appid="${machine.appId}" version="${machine.version}" track="stable" bootid="${machine.bootId}" oem="${machine.oem}" oemversion="1.0" alephversion="3510.2.0" machineid="${machine.machineId}" machinealias="" lang="en-US" board="amd64-usr" hardware_class="" delta_okay="false" >
${inside}    </app>`
}

export const checkBody = ({ previousVersion }: Machine) => `        <ping active="1"></ping>
        <updatecheck></updatecheck>
        <event eventtype="3" eventresult="2" previousversion="${previousVersion}"></event>
`

export interface Reply {
  readonly status: number
  readonly text: string
  readonly headers: Readonly<Record<string, string>>
}

export async function post(client: TestClient, machine: Machine, body: string): Promise<Reply> {
  const { authorization, path } = machine
  const { status, headers, bytes } = await client.send('POST', path, {
    headers: {
      'content-type': 'text/xml',
      ...(authorization === undefined ? {} : { authorization }),
    },
    body,
  })
  return { status, headers, text: Buffer.from(bytes).toString() }
}

export interface Package {
  readonly url: string
  readonly name: string
  readonly size: number
  readonly sha1: string
  readonly required: string
  readonly sha256Hex: string
}

export interface Checked {
  readonly app: string
  readonly status: string
  readonly pollSeconds: number | null
  readonly version: string | null
  readonly packages: readonly Package[]
  /** SHA-256 of the first package, from the action. */
  readonly sha256: string | null
}

/** Reads a reply as the client's parser does: by these paths, in this order. */
export function readReply(text: string): Checked {
  const root = parseXml(text)
  assert.equal(root.name, 'response')
  assert.equal(root.attributes.get('protocol'), '3.0')
  const app = child(root, 'app')
  const check = app.children.find(({ name }) => name === 'updatecheck')
  if (check === undefined) throw new Error(`no updatecheck in ${text}`)
  const poll = check.attributes.get('PollInterval')
  const status = check.attributes.get('status')!
  const shared = {
    app: app.attributes.get('status')!,
    status,
    pollSeconds: poll === undefined ? null : Number(poll),
  }
  if (status !== 'ok') return { ...shared, version: null, packages: [], sha256: null }
  const manifest = child(check, 'manifest')
  const codebase = child(child(check, 'urls'), 'url').attributes.get('codebase')!
  assert.ok(codebase.endsWith('/'))
  const packages = child(manifest, 'packages').children.map(({ attributes }) => ({
    url: codebase + attributes.get('name')!,
    name: attributes.get('name')!,
    size: Number(attributes.get('size')),
    sha1: attributes.get('hash')!,
    sha256Hex: attributes.get('hash_sha256')!,
    required: attributes.get('required')!,
  }))
  const action = child(child(manifest, 'actions'), 'action')
  assert.equal(action.attributes.get('event'), 'postinstall')
  for (const flag of ['needsadmin', 'IsDeltaPayload', 'DisablePayloadBackoff']) {
    assert.match(action.attributes.get(flag)!, /^(true|false)$/, 'booleans are lower-case')
  }
  const version = manifest.attributes.get('version')!
  return { ...shared, version, packages, sha256: action.attributes.get('sha256')! }
}

function child(element: XmlElement, name: string): XmlElement {
  const found = element.children.find((one) => one.name === name)
  assert.ok(found, `<${element.name}> has no <${name}>`)
  return found
}

export async function check(client: TestClient, machine: Machine): Promise<Checked> {
  const { status, text, headers } = await post(
    client,
    machine,
    formatRequest(machine, checkBody(machine)),
  )
  assert.equal(status, 200, text)
  assert.match(headers['content-type']!, /^text\/xml/)
  return readReply(text)
}

/** Sends an event by itself; the client does not look at the reply. */
export async function tell(
  client: TestClient,
  machine: Machine,
  type: number,
  result: number,
  errorCode?: number | string,
): Promise<void> {
  const code = errorCode === undefined ? '' : ` errorcode="${errorCode}"`
  const event = `        <event eventtype="${type}" eventresult="${result}"${code}></event>\n`
  const { status, text } = await post(client, machine, formatRequest(machine, event))
  assert.equal(status, 200)
  assert.match(text, /<event status="ok"><\/event>/)
}

/**
 * Downloads the payload without a credential, in ranges, and compares the hashes as the client
 * does.
 */
export async function download(client: TestClient, offer: Checked): Promise<Buffer> {
  const [payload] = offer.packages
  const { pathname } = new URL(payload!.url)
  const parts: Buffer[] = []
  for (let from = 0; from < payload!.size; from += 70_000) {
    const to = Math.min(from + 70_000, payload!.size) - 1
    const reply = await client.send('GET', pathname, { headers: { range: `bytes=${from}-${to}` } })
    assert.equal(reply.status, 206)
    parts.push(Buffer.from(reply.bytes))
  }
  const bytes = Buffer.concat(parts)
  assert.equal(createHash('sha256').update(bytes).digest('base64'), offer.sha256)
  assert.equal(createHash('sha256').update(bytes).digest('hex'), payload!.sha256Hex)
  assert.equal(createHash('sha1').update(bytes).digest('base64'), payload!.sha1)
  return bytes
}

/**
 * Changes the machine as its restart does: it has another boot id, and reports the version before
 * once.
 */
export function restartInto(machine: Machine, version: string): void {
  machine.previousVersion = machine.version
  machine.version = version
  machine.bootId = `{${crypto.randomUUID()}}`
}
