/**
 * Servers on machines whose clock is hours off. Other replicas compare what they write, so the
 * time must be the database's everywhere.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDeviceToken } from '@seaworthy/api/device-self'
import { showDevice } from '@seaworthy/api/devices'
import { listFleets } from '@seaworthy/api/fleets'
import { createToken } from '@seaworthy/api/tokens'
import { generateSigner } from '@seaworthy/trust/keys'
import { addController } from '../testing/controllers.ts'
import {
  createTestClient,
  makeAssertion,
  makeProvisioningKey,
  makeReport,
  register,
  report,
  setUpTrust,
  startTestServer,
} from '../testing/index.ts'

/** Preloaded into every process of the server; PostgreSQL keeps the clock of the machine. */
function shiftedBy(hours: number): string {
  const code = `const D=Date,m=${hours * 3600_000};globalThis.Date=class extends D{constructor(...a){if(a.length)super(...a);else super(D.now()+m)}static now(){return D.now()+m}}`
  return `--import=data:text/javascript,${encodeURIComponent(code)}`
}

for (const hours of [-6, 6]) {
  const how = hours < 0 ? 'behind' : 'ahead'
  test(`D3 fault: the clock of a replica is hours ${how}: no device becomes silent or loses its token, and what has expired has expired`, async (t) => {
    const server = await startTestServer({ env: { NODE_OPTIONS: shiftedBy(hours) } })
    const client = createTestClient(server)
    const db = server.openDatabase()
    t.after(async () => {
      client.close()
      await db.close()
      await server.stop()
    })
    assert.match(server.log(), new RegExp(`"clock.differs".*"aheadSeconds":${hours * 3600}\\b`))
    await setUpTrust(client)

    // Its own time is right: nothing asks it for a challenge, and nothing is shown as off.
    const key = await makeProvisioningKey(client, 1)
    const signer = await generateSigner('ed25519')
    const { deviceId } = await register(client, key, signer)
    const assertion = await makeAssertion(signer, deviceId, server.url)
    const { accessToken } = await client.api.call(createDeviceToken, { body: { assertion } })
    const device = { id: deviceId, signer, accessToken }
    const { clockOffsetSeconds } = await client.api.call(showDevice, { params: { deviceId } })
    assert.ok(Math.abs(clockOffsetSeconds!) < 60, String(clockOffsetSeconds))

    const unit = await addController(client, 'unit 1')
    const heardAgo = async (id: string) => {
      const [row] = await db.reader.sql<
        { seen: number; reported: number; signed: number | null }[]
      >`
        select extract(epoch from clock_timestamp() - seen_at)::float8 as seen,
          extract(epoch from clock_timestamp() - reported_at)::float8 as reported,
          (select extract(epoch from clock_timestamp() - max(received_at))::float8
            from device_reports r where r.device = s.device) as signed
        from device_states s where device = ${id}`
      return row!
    }
    const isNow = (seconds: number | null) => seconds !== null && Math.abs(seconds) < 60
    const said = { ...makeReport(), sequence: 1 }
    for (const isSigned of [true, false, false]) {
      await report(client, device, said, isSigned)
      const { seen, signed } = await heardAgo(deviceId)
      assert.ok(isNow(seen) && isNow(signed), `${seen} s, ${signed} s`)
    }
    for (let poll = 0; poll < 2; poll++) {
      assert.equal((await unit.send('GET', '')).status, 200)
      const { seen, reported } = await heardAgo(unit.deviceId)
      assert.ok(isNow(seen) && isNow(reported), `${seen} s, ${reported} s`)
    }

    // A token that another replica made an hour ago, or let end a minute ago.
    const make = (name: string) =>
      client.api.call(createToken, { body: { name, role: 'viewer', lifetimeSeconds: 3600 } })
    const [good, ended] = [await make('good'), await make('ended')]
    await db.write(
      ({ sql }) =>
        sql`update tokens set expires_at = now() - interval '1 minute' where id = ${ended.view.id}`,
    )
    assert.ok((await client.as(good.token).call(listFleets, { query: {} })).items.length > 0)
    await assert.rejects(client.as(ended.token).call(listFleets, { query: {} }), {
      code: 'unauthenticated',
    })
  })
}
