/**
 * What a device sends and receives: register, token, check-in, and the few things its credential
 * may do (V4).
 */
import { z } from 'zod'
import {
  base64Field,
  configVersionField,
  enrolmentField,
  idField,
  instant,
  nameField,
  pinField,
  platformField,
  productKind,
  productName,
  publicKeyField,
  refusalCode,
  settingName,
  sha256Hex,
  tagMap,
  text,
  versionField,
} from './fields.ts'
import { defineRoute, nothing } from './route.ts'

export const registerDevice = defineRoute({
  name: 'device.register',
  method: 'POST',
  path: '/v1/device/register',
  auth: 'provisioning-key',
  summary:
    'Trade a provisioning key for a device identity. The same public key registers once: repeating the call answers the same device.',
  body: z.strictObject({
    publicKey: publicKeyField,
    /**
     * Signature of the device key over `seaworthy-register-v1\n<provisioning key id>\n<keyid>`;
     * shows possession.
     */
    proof: base64Field(128),
    name: text(128, 1).optional(),
    platform: platformField,
    hardware: text(128).optional(),
    agentVersion: text(64),
    tags: tagMap.optional(),
    enrolment: enrolmentField.optional(),
  }),
  reply: z.object({
    deviceId: idField('device'),
    fleet: nameField,
    product: productName,
    channel: nameField,
    kind: productKind,
    serverTime: instant,
  }),
  status: 201,
})

export const createDeviceToken = defineRoute({
  name: 'device.token',
  method: 'POST',
  path: '/v1/device/token',
  auth: 'device-assertion',
  summary: 'Trade an assertion signed by the device key for an access token of one hour.',
  body: z.strictObject({
    /**
     * Compact JWT (EdDSA or ES256): `iss` = `sub` = device id, `aud` = the server URL's origin,
     * `iat` by the device's own clock, `exp` at most 300 s later, `jti`; `nonce` where a refusal
     * gave a challenge, which then stands for the clock.
     */
    assertion: text(2048),
  }),
  reply: z.object({ accessToken: z.string(), expiresAt: instant }),
})

/**
 * Why a device said no; the union of codes is closed in `trust`, the wire carries the code as text.
 */
export const refusalField = z.strictObject({
  code: refusalCode,
  at: instant,
  /** The release or role concerned. */
  subject: text(256).optional(),
  /** Why, in words. */
  reason: text(256).optional(),
})

export const updateState = z.enum([
  'idle',
  'downloading',
  'installing',
  'restarting',
  'watching',
  'committed',
  'rolled_back',
  'failed',
])

export const runningField = z.strictObject({
  product: productName,
  version: versionField,
  /** SHA-256 of the release's OCI index. */
  sha256: sha256Hex,
  counter: z.number().int().min(1),
})

/** Which variables and secrets the application of a device has, by the version of its fleet's. */
export const reportedSettings = z.strictObject({
  /** Those that it was healthy with; null before the first. */
  version: configVersionField.nullable(),
  /** Those that it was not healthy with last, so that it was given back the others. */
  failed: z.strictObject({ version: configVersionField, code: text(64) }).optional(),
})

/** Why the last update of a device failed; without the secrets that the device knows. */
export const failureField = z.strictObject({
  /** SHA-256 of the release's OCI index. */
  sha256: sha256Hex,
  code: text(64),
  /** The cause in words, such as `EACCES ./bin/app: it cannot be executed`. */
  reason: text(256).optional(),
  /** The last lines that the application wrote; absent where the device does not tell them. */
  output: z.array(text(256)).max(20).optional(),
})

/** What a device says of the machine that it is. */
export const machineField = z.strictObject({
  /** The version of Node that runs the agent. */
  node: text(64),
  /** What the system calls itself, such as `Debian GNU/Linux 13 (trixie)`. */
  os: text(128).optional(),
  kernel: text(128),
  /** The processor, as Node names it: `x64`, `arm64`. */
  architecture: text(32),
  /** The model of the board or machine, as its firmware says it. */
  model: text(128).optional(),
  bootedAt: instant,
  /** Bytes that are free where the agent keeps its state, in two figures. */
  freeBytes: z.number().int().min(0).optional(),
})

/** A statement of the device about itself, canonical JSON, signed when it changes something. */
export const reportField = z.strictObject({
  /** Grows by one with each signed report of this device. */
  sequence: z.number().int().min(0),
  at: instant,
  running: runningField.nullable(),
  committedCounter: z.number().int().min(0),
  floor: z.number().int().min(0),
  update: z.strictObject({
    state: updateState,
    targetPath: text(300).optional(),
    sha256: sha256Hex.optional(),
    /** Percentage of the download, 0 to 100. */
    percent: z.number().int().min(0).max(100).optional(),
    code: text(64).optional(),
  }),
  metadata: z.record(text(130), z.number().int().min(1)),
  /** When the device last verified a timestamp; the freeze alarm counts from here. */
  timestampVerifiedAt: instant.nullable(),
  refusals: z.array(refusalField).max(32),
  /** Absent where the device never had variables or secrets. */
  configuration: reportedSettings.optional(),
  /** Only in signed reports, from the failure of an update until a release commits. */
  failure: failureField.optional(),
  /** Only in signed reports, as it was when they were made. */
  machine: machineField.optional(),
  agentVersion: text(64),
  platform: platformField,
  bootId: text(64).optional(),
})
export type DeviceReport = z.output<typeof reportField>

export const checkIn = defineRoute({
  name: 'device.check-in',
  method: 'POST',
  path: '/v1/device/check-in',
  auth: 'device',
  summary: 'Report what runs, and learn what should run: nothing, or exactly one release.',
  body: z.strictObject({
    report: reportField,
    /**
     * Signature of the device key over `seaworthy-report-v1\n` and the canonical JSON of `report`.
     * Needed when the report changes something; stored with the report.
     */
    signature: base64Field(128).optional(),
  }),
  reply: z.object({
    assignment: z
      .object({
        /** `<product>/<channel>/<version>` */
        targetPath: text(300),
        sha256: sha256Hex,
        /**
         * False: the device makes the release ready, and waits for a later answer that says true
         * before it restarts into it (V12).
         */
        mayRestart: z.boolean().optional(),
        /** A number above 1: the device tries again a release that failed there fewer times. */
        attempt: z.number().int().min(2).max(10).optional(),
      })
      .nullable(),
    pollSeconds: z.number().int().min(1),
    /** Another number than that of the configuration it has: the device fetches the newer one. */
    configVersion: configVersionField,
    commands: z.array(z.object({ id: z.string(), name: z.string() })),
    serverTime: instant,
    /** Whether the signed report is now durable. */
    acknowledgedSequence: z.number().int().min(0).nullable(),
  }),
})

export const setOwnMetadata = defineRoute({
  name: 'device.set-metadata',
  method: 'PATCH',
  path: '/v1/device/metadata',
  auth: 'device',
  summary: "Change the device's own name. Its tags are for people: waves and windows go by them.",
  body: z.strictObject({
    name: text(128, 1).optional(),
  }),
  reply: nothing,
  status: 204,
})

export const readOwnApplication = defineRoute({
  name: 'device.application',
  method: 'GET',
  path: '/v1/device/application',
  auth: 'device',
  summary: "Read the metadata of the device's own fleet, product and channel.",
  reply: z.object({
    fleet: nameField,
    product: productName,
    channel: nameField,
    kind: productKind,
    pollSeconds: z.number().int().min(1),
  }),
})

export const readOwnSettings = defineRoute({
  name: 'device.configuration',
  method: 'GET',
  path: '/v1/device/configuration',
  auth: 'device',
  summary: "Read the variables of the device's application, and its secrets, sealed to the device.",
  reply: z.object({
    version: configVersionField,
    fleet: nameField,
    /**
     * One entry per name: what is set for the device takes precedence over what is set for the
     * fleet.
     */
    entries: z
      .array(
        z.object({
          name: settingName,
          kind: z.enum(['variable', 'secret']),
          isOfFleet: z.boolean(),
          version: configVersionField,
          /** The value of a variable in UTF-8, or the sealed secret; Base64. */
          content: base64Field(16_384 + 48),
        }),
      )
      .max(100),
  }),
})

export const confirmNextPin = defineRoute({
  name: 'device.confirm-pin',
  method: 'PUT',
  path: '/v1/device/next-pin',
  auth: 'device',
  summary:
    'Say that the device keeps the pin that the server announces in the header seaworthy-next-pin.',
  body: z.strictObject({ pin: pinField }),
  reply: nothing,
  status: 204,
})
