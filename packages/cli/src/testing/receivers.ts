/** Devices that are enrolled, and open what their server gives them. */
import { base64Decode, base64Encode, utf8Decode } from '@seaworthy/std/bytes'
import { enrol, parseEnrolmentKey } from '@seaworthy/trust/enrolment'
import type { ReceivingKey } from '@seaworthy/trust/hpke'
import { generateReceivingKey, openReceivingKey } from '@seaworthy/trust/hpke'
import { createSecretEnvelope } from '@seaworthy/trust/secrets'
import type { RegisteredDevice } from './devices.ts'
import { registerDevices } from './devices.ts'
import type { TestedServer } from './server.ts'

/** The keys of a file that `provisioning-key create --agent-config` wrote. */
export interface JoinKeys {
  provisioningKey: string
  enrolmentKey?: string
}

export interface Receiver {
  device: RegisteredDevice
  key: ReceivingKey
  close: () => void
}

/** A device that shows an enrolment and stays connected; `shown` replaces its receiving key. */
export async function addReceiver(
  server: TestedServer,
  config: JoinKeys,
  shown?: string,
): Promise<Receiver> {
  const key = await openReceivingKey((await generateReceivingKey()).pkcs8)
  const enrolmentKey = parseEnrolmentKey(config.enrolmentKey!)
  const receivingKey = base64Encode(key.publicKey)
  const { devices, close } = await registerDevices(server, {
    provisioningKey: config.provisioningKey,
    count: 1,
    counterOf: () => 1,
    enrol: async (signer) => ({
      ...(await enrol(enrolmentKey, { publicKey: signer.key, receivingKey })),
      ...(shown === undefined ? {} : { receivingKey: shown }),
    }),
  })
  return { device: devices[0]!, key, close }
}

/** What the device opens of what its server gives it. */
export async function readSettings({ device, key }: Receiver): Promise<Record<string, string>> {
  const { fleet, entries } = await device.readConfiguration()
  const envelope = await createSecretEnvelope()
  const opened: Record<string, string> = {}
  for (const { name, kind, isOfFleet, version, content } of entries) {
    const bytes = base64Decode(content)
    const scope = isOfFleet ? { fleet } : ('device' as const)
    const binding = { scope, name, version, deviceKeyId: device.keyId }
    opened[name] = utf8Decode(
      kind === 'variable' ? bytes : await envelope.open(key, binding, bytes),
    )
  }
  return opened
}
