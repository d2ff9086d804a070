/** Attacks with the credential of one device: it may speak for that device, and for no other. */
import { base64Decode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { parsePublicKey, signerFromPkcs8 } from '@seaworthy/trust/keys'
import type { PublicKey, Signer } from '@seaworthy/trust/keys'
import { signAssertion } from '@seaworthy/agent/testing'
import type { Attacker } from '../world/attacker.ts'
import type { SimDevice } from '../world/device.ts'
import type { Attack } from './attack.ts'

export const credentialAttacks: Readonly<Record<string, Attack>> = {
  'ask-token': {
    usage:
      'ask-token DEVICE: with the key of a stolen device, asks the server for a token as a device',
    async run(attacker, given) {
      const victim = attacker.world.devices.get(given.next('device'))
      if (victim === undefined) throw new Error('there is no such device')
      const [stolen] = attacker.devices.values()
      if (stolen === undefined) throw new Error('no device was taken')
      attacker.world.tell(`the server answers ${await askToken(attacker, stolen, victim)}`)
    },
  },
  'use-provisioning-key': {
    usage: 'use-provisioning-key DEVICE: looks for the provisioning key on a stolen device',
    async run(attacker, given) {
      const stolen = attacker.devices.get(given.next('device'))
      if (stolen === undefined) throw new Error('this device was not taken')
      const text = stolen.disk
        .filesBelow('')
        .map(({ bytes }) => Buffer.from(bytes).toString('latin1'))
        .join('\n')
      attacker.world.tell(
        /swp_[A-Za-z0-9]+_[A-Za-z0-9]+/.test(text)
          ? 'the provisioning key is still there'
          : 'there is no provisioning key any more',
      )
    },
  },
}

async function keyOf(device: SimDevice): Promise<Signer> {
  const file = device.disk
    .filesBelow(device.layout.trust)
    .find(({ path }) => path.endsWith('/device.key'))
  const { key, pkcs8 } = JSON.parse(utf8Decode(file!.bytes)) as { key: PublicKey; pkcs8: string }
  return signerFromPkcs8(parsePublicKey(key).key, base64Decode(pkcs8))
}

async function askToken(
  { world }: Attacker,
  stolen: SimDevice,
  victim: SimDevice,
): Promise<string> {
  const deviceId = victim.life?.installer.status()['deviceId']
  if (typeof deviceId !== 'string') throw new Error('the victim is not registered')
  const assertion = await signAssertion(await keyOf(stolen), {
    deviceId,
    audience: world.server.origin,
    now: world.time.now(),
    random: world.random,
  })
  const path = '/v1/device/token'
  const request = {
    method: 'POST',
    url: `${world.server.origin}${path}`,
    body: utf8Encode(JSON.stringify({ assertion })),
  }
  const { status, body } = await world.server.answer(request, path)
  return status === 200
    ? 'with a token'
    : String((JSON.parse(utf8Decode(body)) as { code: string }).code)
}
