/**
 * The server changes its key: devices and command lines that heard of it go on without being paired
 * again, those that slept through it say so, and a thief of the old key gets nowhere.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect } from 'node:tls'
import type { TestAgent } from '@seaworthy/agent/testing'
import type { ServerKeyView } from '@seaworthy/api/server-keys'
import { addDevice, makeProvisioningKey, openTlsKey } from '@seaworthy/server/testing'
import { nextPinHeader } from '@seaworthy/std/pins'
import { waitUntil } from '@seaworthy/std/testing'
import type { Installation } from './testing/installation.ts'
import { buildInstallation } from './testing/installation.ts'
import type { CommandLine } from './testing/program.ts'
import { createCommandLine } from './testing/program.ts'

/** The pins that a device keeps beside the one of its configuration. */
function keptBy(agent: TestAgent): string[] {
  const file = join(agent.stateDir, 'trust', 'server-pins')
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(1) : []
}

const restart = (agent: TestAgent) => {
  agent.cutPower()
  agent.start()
}

describe('the key of the server', () => {
  let installation: Installation
  let person: CommandLine
  let sleeper: CommandLine
  let agent: TestAgent
  let old: string
  let next: string
  let thief: { keyPem: string; certificatePem: string }
  const view = () => person.json<ServerKeyView>('server', 'key', 'show')

  /** A check-in that the device makes now. */
  const checkIn = async (isSeen: () => boolean | Promise<boolean>, what: string) =>
    waitUntil(
      async () => `${what}\n${agent.log.slice(-20).join('')}`,
      async () => {
        await agent.updateNow().catch(() => undefined)
        return isSeen()
      },
    )

  before(async () => {
    installation = await buildInstallation({ workers: 2 })
    const { server, adminToken, folder } = installation
    old = server.pin
    const commandLine = async (name: string, token: string) => {
      const line = createCommandLine(join(folder, name))
      await line.ok('login', server.url, '--pin', old, '--token', token)
      return line
    }
    person = await commandLine('person', adminToken)
    const made = await person.json<{ token: string }>(
      ...['token', 'create', 'sleeper', '--role', 'viewer'],
    )
    sleeper = await commandLine('sleeper', made.token)
    const { client } = installation
    // A device that nobody hears again.
    await addDevice(client, server.url, await makeProvisioningKey(client, 1))
    agent = await installation.addAgent('device', { pollSeconds: 1 })
    agent.start()
    await waitUntil('both devices are known', async () => {
      const devices = await person.json<unknown[]>('device', 'list')
      return devices.length === 2
    })
    const { hostname, port } = new URL(server.url)
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    thief = {
      keyPem: await openTlsKey(server),
      certificatePem: socket.getPeerX509Certificate()!.toString(),
    }
    socket.destroy()
  })
  after(() => installation?.stop())

  it('A6 V8 the next key is announced: a device keeps both pins before it confirms, whatever kills it, and a command line at its next command', async () => {
    assert.deepEqual(await view(), { pin: old, next: null })
    const refused = await person.run('server', 'key', 'use-next')
    assert.match(refused.err, /no next key is announced/)
    const announced = await person.json<ServerKeyView>('server', 'key', 'rotate')
    next = announced.next!.pin
    assert.notEqual(next, old)
    assert.deepEqual(
      [announced.pin, announced.next!.devices.count, announced.next!.devices.confirmed],
      [old, 2, 0],
    )
    const again = await person.json<ServerKeyView>('server', 'key', 'rotate')
    assert.equal(again.next!.pin, next, 'it stays the one that is announced')

    await checkIn(() => keptBy(agent).includes(next), 'the device keeps both')
    restart(agent)
    await checkIn(async () => (await view()).next!.devices.confirmed === 1, 'it confirms')
    assert.deepEqual(keptBy(agent), [old, next])
    const { devices, tokens } = (await view()).next!
    assert.deepEqual([devices.unconfirmed.length, devices.silent], [1, 1])
    assert.ok(tokens.unused.some(({ name }) => name === 'sleeper'))
  })

  it('A6 the next key is not used while a device has not confirmed, unless it is cut off by number', async () => {
    const refused = await person.run('server', 'key', 'use-next')
    assert.equal(refused.exitCode, 3, refused.err)
    assert.match(refused.err, /1 of 2 devices have not confirmed .*--cut-off 1/)
    const done = await person.json<object>('server', 'key', 'use-next', '--cut-off', '1')
    assert.deepEqual(done, { pin: next, before: old, cutOff: 1 })
  })

  it('A6 whoever heard of the next key goes on without being paired again, and forgets the old one', async () => {
    assert.deepEqual(await view(), { pin: next, next: null })
    const made = await person.ok('token', 'create', 'later', '--role', 'viewer')
    assert.ok(made.includes(`--pin ${next}`), 'who is paired later gets the new pin')
    // Workers show the new key one after the other.
    restart(agent)
    await checkIn(() => keptBy(agent).join() === next, 'the device keeps the new pin alone')
    restart(agent)
    await person.ok('server', 'key', 'rotate')
    await checkIn(() => keptBy(agent).length === 2, 'it knows it still, and hears of another one')
    assert.equal(keptBy(agent)[0], next)
  })

  it('A6 whoever slept through it refuses the server, and goes on when its pin is changed', async () => {
    const refused = await sleeper.run('whoami')
    assert.match(refused.err, /\(pin_mismatch\)/)
    assert.equal(refused.exitCode, 3)
    await agent.stop()
    // The device is one that never heard of the next key.
    rmSync(join(agent.stateDir, 'trust', 'server-pins'))
    agent.log.length = 0
    agent.start()
    await waitUntil('the device refuses the server', async () => {
      await agent.updateNow().catch(() => undefined)
      return agent.log.join('').includes('pin_mismatch')
    })
    await agent.stop()
    const config = JSON.parse(readFileSync(agent.configPath, 'utf8')) as object
    writeFileSync(agent.configPath, JSON.stringify({ ...config, pin: next }), { mode: 0o600 })
    agent.start()
    await checkIn(() => keptBy(agent).length === 2, 'the device checks in again')
  })

  it('A6 attack: a man in the middle with the old key announces a pin of his own, and no device and no command line hears him', async () => {
    const servers = join(installation.folder, 'person', 'servers')
    const kept = () => {
      const [name] = readdirSync(servers)
      return [keptBy(agent), readFileSync(join(servers, name!, 'pins'), 'utf8')]
    }
    const before = kept()
    const { port } = new URL(installation.server.url)
    await installation.server.stop()
    let requests = 0
    const { keyPem: key, certificatePem: cert } = thief
    const middle = createServer({ key, cert }, (_request, response) => {
      requests += 1
      response
        .setHeader(nextPinHeader, `sha256:${'e'.repeat(43)}`)
        .writeHead(200)
        .end('{}')
    })
    middle.listen(Number(port), '127.0.0.1')
    try {
      await once(middle, 'listening')
      agent.log.length = 0
      const refused = await person.run('whoami')
      assert.match(refused.err, /\(pin_mismatch\)/)
      await waitUntil('the device refuses him', async () => {
        await agent.updateNow().catch(() => undefined)
        return agent.log.join('').includes('pin_mismatch')
      })
    } finally {
      middle.closeAllConnections()
      middle.close()
    }
    assert.equal(requests, 0, 'nothing was said to him')
    assert.deepEqual(kept(), before)
    await installation.restartServer()
    await person.ok('whoami')
  })
})
