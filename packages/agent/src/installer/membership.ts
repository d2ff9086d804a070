/**
 * The device's identity at its server: registration, and what happens when the server says that the
 * device was removed. That is only the server's word, and a server may lie. So it ends nothing:
 * what runs goes on running, counter and floor stay, the identity is kept and used again at every
 * poll. Only a provisioning key that somebody has put into the configuration since makes the device
 * register anew, with a new device key; the identity before that is kept beside it, for a server
 * that knows the old one and not the new.
 */
import { base64Encode, utf8Encode } from '@seaworthy/std/bytes'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import type { Enrolment } from '@seaworthy/trust/enrolment'
import { enrol, parseEnrolmentKey, readerIdOf } from '@seaworthy/trust/enrolment'
import type { Signer } from '@seaworthy/trust/keys'
import { trustError } from '@seaworthy/trust/tuf'
import {
  configBytesMax,
  findEnrolmentKey,
  findProvisioningKey,
  provisioningKeyId,
  withoutProvisioningKey,
} from '../config.ts'
import { askForToken } from './check-in-session.ts'
import { DiskError } from '../ports.ts'
import { FetchError } from '../refusals.ts'
import { openDeviceKey, signRegistration } from '../state/device-key.ts'
import type { DeviceState } from '../state/device-state.ts'
import { registeredBy } from '../state/device-state.ts'
import type { Identity } from '../state/identity.ts'
import { freeKeyFile, writeIdentity } from '../state/identity.ts'
import { ensureReceivingKey } from '../state/receiving-key.ts'
import { isStateUnreadable } from '../state/read-state.ts'
import { replaceFile } from '../state/replace-file.ts'
import { withSignedReport } from '../state/reports.ts'
import type { InstallerContext } from './context.ts'
import { publishStatus, reportFacts } from './context.ts'

export interface Membership {
  /**
   * The identity to ask with; registers a device that has never been registered. Throws
   * `Refusal<'not_provisioned'>`, `FetchError`, `TrustError`.
   */
  ensure(): Promise<string>
  /** The server accepted a check-in: it knows this device, whatever it said before. */
  confirm(): Promise<void>
  /**
   * The server refuses the identity by this code. True when there is another one to ask with now.
   */
  onRefused(problem: string): Promise<boolean>
}

/** Codes by which the server says that it does not know the identity, or no longer. */
const refusedIdentity = [
  'device_removed',
  'assertion_device_unknown',
  'assertion_signature_invalid',
  // Earlier servers use this code for all of these.
  'assertion_invalid',
]
/**
 * Codes by which the server says that there is no such device, or none any more: then it may
 * register anew.
 */
const unknownIdentity = ['device_removed', 'assertion_device_unknown']
/** Codes by which the server says that the device key, not the provisioning key, is in the way. */
const refusedKey = ['device_removed', 'device_already_registered']

export function createMembership(context: InstallerContext): Membership {
  const { ports, settings, store } = context
  const { config, layout } = settings
  const { disk, gateway, log } = ports

  const keyPath = (identity: Pick<Identity, 'keyFile'>) => `${layout.trust}/${identity.keyFile}`

  /** A file that cannot be read holds no key; what runs goes on without one. */
  const readConfigFile = async (path: string): Promise<Uint8Array | undefined> => {
    try {
      return await disk.read(path, configBytesMax)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      log.warn('configuration-unreadable', { error, wayOut: `put ${path} right` })
      return undefined
    }
  }

  /** The key that the file holds now: a person who puts a key there need not restart the agent. */
  const readProvisioningKey = async (): Promise<string | undefined> => {
    if (settings.configPath === undefined) return config.provisioningKey
    const bytes = await readConfigFile(settings.configPath)
    return bytes && findProvisioningKey(bytes)
  }

  const readEnrolmentKey = async (): Promise<string | undefined> => {
    if (settings.configPath === undefined) return config.enrolmentKey
    const bytes = await readConfigFile(settings.configPath)
    return bytes && findEnrolmentKey(bytes)
  }

  /**
   * What shows people that this device was enrolled. It is absent where no usable enrolment key was
   * given; the device registers all the same.
   */
  const describeEnrolment = async (signer: Signer): Promise<{ enrolment?: Enrolment }> => {
    const text = await readEnrolmentKey()
    if (text === undefined) return {}
    const { publicKey } = await ensureReceivingKey(disk, layout)
    try {
      const receivingKey = base64Encode(publicKey)
      const keys = { publicKey: signer.key, receivingKey }
      const enrolment = await enrol(parseEnrolmentKey(text), keys)
      // People compare it with what a server shows them of this device.
      log.info('enrolled', { key: await readerIdOf(signer.key, publicKey) })
      return { enrolment }
    } catch (error) {
      if (!(error instanceof TrustError)) throw error
      log.warn('not-enrolled', { error, wayOut: 'make a new configuration for this device' })
      return {}
    }
  }

  const isSpent = (key: string | undefined) => {
    if (key === undefined) return false
    const { registeredWith, spentKeys } = store.state
    const id = provisioningKeyId(key)
    return id === registeredWith || spentKeys.includes(id)
  }

  /** A provisioning key with which this device has not registered yet. */
  const readFreshKey = async (): Promise<string | undefined> => {
    const key = await readProvisioningKey()
    return isSpent(key) ? undefined : key
  }

  /**
   * Removes only a key that the device was registered with: a fresh one stays until it was used.
   */
  const destroySpentKey = async () => {
    if (isSpent(config.provisioningKey)) {
      delete config.provisioningKey
      delete config.enrolmentKey
    }
    const path = settings.configPath
    if (path === undefined) return
    const bytes = await readConfigFile(path)
    if (bytes === undefined || !isSpent(findProvisioningKey(bytes))) return
    const rest = withoutProvisioningKey(bytes)
    if (rest !== undefined) await replaceFile(disk, path, utf8Encode(rest), 0o600)
  }

  /**
   * Whether a provisioning key may still be in the file although the device has registered with it:
   * it stays until the server has accepted a check-in.
   */
  let mayHoldSpentKey = false

  const askToRegister = async (signer: Signer, provisioningKey: string): Promise<string> => {
    const { deviceId, product, channel } = await gateway.ask({
      kind: 'register',
      provisioningKey,
      body: {
        publicKey: signer.key,
        proof: await signRegistration(signer, provisioningKeyId(provisioningKey)),
        platform: config.platform,
        agentVersion: settings.agentVersion,
        ...(config.name === undefined ? {} : { name: config.name }),
        ...(config.hardware === undefined ? {} : { hardware: config.hardware }),
        ...(config.tags === undefined ? {} : { tags: config.tags }),
        ...(await describeEnrolment(signer)),
      },
    })
    if (product !== config.product)
      throw trustError('wrong_product', `the server's fleet runs ${product}`)
    if (channel !== config.channel)
      throw trustError('wrong_channel', `the server's fleet follows ${channel}`)
    return deviceId
  }

  const register = async () => {
    const provisioningKey = await readProvisioningKey()
    if (provisioningKey === undefined) {
      throw new Refusal<'not_provisioned'>(
        'not_provisioned',
        'the device is not registered and has no provisioning key',
      )
    }
    const deviceId = await askToRegister(context.signer, provisioningKey)
    const spent = provisioningKeyId(provisioningKey)
    await store.change((state) => ({ ...state, deviceId, ...registeredBy(state, spent) }))
    await writeIdentity(disk, layout, { deviceId, keyFile: store.state.keyFile })
    log.info('registered', { deviceId })
  }

  const present = (): Identity => ({
    deviceId: store.state.deviceId!,
    keyFile: store.state.keyFile,
  })

  /**
   * Makes `identity` the device's own from now on and keeps the one before. A report by the new key
   * replaces those not acknowledged yet.
   */
  const become = async (
    identity: Identity,
    signer: Signer,
    registration: Partial<Pick<DeviceState, 'registeredWith' | 'spentKeys'>>,
  ): Promise<void> => {
    const former = present()
    await store.change((state) =>
      withSignedReport(
        { ...state, ...identity, ...registration, former, removedAt: null, outbox: [] },
        reportFacts(context),
        signer,
        ports.clock.now(),
      ),
    )
    context.setSigner(signer)
    await writeIdentity(disk, layout, identity)
  }

  /** The key that an attempt before has made, where it can be read, else a new one. */
  const openNewKey = async (path: string): Promise<Signer> => {
    try {
      return await openDeviceKey(disk, path, true)
    } catch (error) {
      if (!isStateUnreadable(error)) throw error
      await disk.remove(path)
      return await openDeviceKey(disk, path, true)
    }
  }

  /**
   * Registers with a device key that the server has never seen: each attempt goes on with the key
   * that the attempt before has made.
   */
  const registerAnew = async (provisioningKey: string) => {
    const forgotten = store.state.former
    const keyFile = freeKeyFile([store.state.keyFile, forgotten?.keyFile])
    const signer = await openNewKey(keyPath({ keyFile }))
    let deviceId: string
    try {
      deviceId = await askToRegister(signer, provisioningKey)
    } catch (error) {
      if (error instanceof FetchError && refusedKey.includes(error.problem ?? '')) {
        await disk.remove(keyPath({ keyFile }))
      }
      throw error
    }
    const before = store.state.deviceId
    const spent = provisioningKeyId(provisioningKey)
    await become({ deviceId, keyFile }, signer, registeredBy(store.state, spent))
    if (forgotten !== null) await disk.remove(keyPath(forgotten))
    mayHoldSpentKey = true
    await signIn({ deviceId, keyFile }, signer)
    log.info('registered-anew', { deviceId, before })
  }

  const signIn = async ({ deviceId }: Identity, signer: Signer) => {
    const now = () => ports.clock.now()
    const { clockCheck } = context
    const server = config.server ?? ''
    await askForToken({ ...ports, signer, server, now, clockCheck }, deviceId)
  }

  /** There is no way back to an identity whose key cannot be read. */
  const openFormerKey = async (former: Identity): Promise<Signer | undefined> => {
    try {
      return await openDeviceKey(disk, keyPath(former), false)
    } catch (error) {
      if (!isStateUnreadable(error)) throw error
      log.warn('former-key-unreadable', { error })
      return undefined
    }
  }

  /** Returns to the identity before, which a server that was set back, or lied, may know. */
  const goBack = async (): Promise<boolean> => {
    const { former } = store.state
    if (former === null) return false
    const signer = await openFormerKey(former)
    if (signer === undefined) return false
    try {
      await signIn(former, signer)
    } catch (error) {
      if (error instanceof FetchError && error.problem !== undefined) return false
      throw error
    }
    await become(former, signer, {})
    log.warn('former-identity-taken', { deviceId: former.deviceId })
    return true
  }

  const noteRemoval = async (problem: string) => {
    if (store.state.removedAt !== null) return
    const removedAt = formatInstant(ports.clock.now())
    await store.change((state) => ({ ...state, removedAt }))
    log.warn('device-removed', {
      deviceId: store.state.deviceId,
      problem,
      why:
        problem === 'device_removed'
          ? 'the server says that this device was removed; what runs goes on, and nothing new comes'
          : 'the server says that it knows no such device, as after a backup from before its registration; what runs goes on, and nothing new comes',
      wayOut: 'put a fresh provisioningKey into the configuration: the device then registers anew',
    })
    publishStatus(context)
  }

  return {
    async ensure() {
      if (store.state.deviceId === null) await register()
      // This also runs after a crash between the two.
      if (isSpent(config.provisioningKey)) await destroySpentKey()
      return store.state.deviceId!
    },
    async confirm() {
      if (mayHoldSpentKey) await destroySpentKey()
      mayHoldSpentKey = false
      if (store.state.removedAt === null) return
      await store.change((state) => ({ ...state, removedAt: null }))
      log.info('device-known-again', { deviceId: store.state.deviceId })
      publishStatus(context)
    },
    async onRefused(problem) {
      if (!refusedIdentity.includes(problem)) return false
      if (await goBack()) return true
      if (!unknownIdentity.includes(problem)) return false
      await noteRemoval(problem)
      const provisioningKey = await readFreshKey()
      if (provisioningKey === undefined) return false
      await registerAnew(provisioningKey)
      return true
    },
  }
}
