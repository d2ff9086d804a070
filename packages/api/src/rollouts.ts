/** Rollouts: the intent to move a fleet to a release, wave by wave (D3, D4, D5, D11). */
import { updateStates, weekdays } from '@seaworthy/fleet/rollouts'
import { z } from 'zod'
import {
  idField,
  instant,
  nameField,
  pageOf,
  pageQuery,
  productName,
  sha256Hex,
  text,
  versionField,
} from './fields.ts'
import { defineRoute } from './route.ts'

const rolloutParams = z.strictObject({ rolloutId: idField('rollout') })
const percentField = z.number().min(0).max(100)
const whole = (max: number) => z.number().int().min(1).max(max)
/** An IANA time zone; whether it exists is checked by the rollout's policy. */
export const timeZoneField = z.string().regex(/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/)

export const windowsField = z.strictObject({
  /** IANA name, or `device`: what the device's tag `time-zone` says. */
  timeZone: timeZoneField,
  /** The zone of devices without that tag. */
  fallbackTimeZone: timeZoneField,
  spans: z
    .array(
      z.strictObject({
        days: z.array(z.enum(weekdays)).max(7),
        from: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/),
        /** Local time of the end; at or before `from` it is on the next day. */
        to: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/),
      }),
    )
    .max(50),
})

const gateField = z.strictObject({
  bakeSeconds: z
    .number()
    .int()
    .min(0)
    .max(90 * 86400),
  successPercentMin: percentField,
  successOf: z.enum(['members', 'ended']),
  failurePercentMax: percentField.nullable(),
  sampleMin: whole(1_000_000),
})

const waveField = z.strictObject({
  members: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('percent'), percent: percentField }),
    z.strictObject({ kind: z.literal('count'), count: whole(100_000_000) }),
    z.strictObject({
      kind: z.literal('tag'),
      key: z.string().regex(/^[a-z][a-z0-9_.-]{0,62}$/),
      value: text(255),
    }),
  ]),
  needsApproval: z.boolean(),
  gate: gateField,
})

export const rolloutPolicyField = z.strictObject({
  waves: z.array(waveField).min(1).max(50),
  inFlightMax: whole(100_000_000).nullable(),
  perPeriod: z
    .strictObject({ updatesMax: whole(100_000_000), seconds: whole(30 * 86400) })
    .nullable(),
  rate: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('constant'), perMinute: z.number().positive().max(1e7) }),
      z.strictObject({
        kind: z.literal('exponential'),
        perMinute: z.number().positive().max(1e7),
        factor: z.number().min(1).max(100),
        everyHealthy: whole(100_000_000),
        perMinuteMax: z.number().positive().max(1e7),
      }),
    ])
    .nullable(),
  windows: windowsField.nullable(),
  timeoutSeconds: z
    .number()
    .int()
    .min(60)
    .max(30 * 86400),
  /**
   * Seconds after which a device that was not heard from is no longer waited for; null: every
   * device is.
   */
  silentAfterSeconds: z
    .number()
    .int()
    .min(60)
    .max(90 * 86400)
    .nullable(),
  safeMode: z.boolean(),
  failuresMax: z.number().int().min(0).max(100_000_000).nullable(),
  onFailure: z.enum(['pause', 'abort']),
  attempts: z.strictObject({
    max: whole(10),
    waitSeconds: z
      .number()
      .int()
      .min(0)
      .max(30 * 86400),
  }),
  isEmergency: z.boolean(),
})

const count = z.number().int().min(0)

/**
 * The facts that a sentence tells, by name, so that a page can say it in its own words. Waves are
 * counted from 1, instants are in RFC 3339.
 */
const reasonValues = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).nullable())

export const waveView = z.object({
  /** The wave's number, counted from 1. */
  number: z.number().int(),
  state: z.enum(['waiting', 'awaiting_approval', 'open', 'passed']),
  /** Devices that belong to it; null until they were counted. */
  membersCount: count.nullable(),
  /** Members that were offered nothing yet and were not heard from. */
  silentCount: count.nullable(),
  openedAt: instant.nullable(),
  /** When its success condition began to hold; null while it does not. */
  successSince: instant.nullable(),
  approvedAt: instant.nullable(),
  approvedBy: z.string().nullable(),
  offeredCount: count,
  inFlightCount: count,
  healthyCount: count,
  failedCount: count,
  supersededCount: count,
})

const rolloutState = z.enum(['active', 'paused', 'finished', 'aborted'])

export const rolloutView = z.object({
  id: idField('rollout'),
  fleet: nameField,
  product: productName,
  channel: nameField,
  version: versionField,
  sha256: sha256Hex,
  counter: z.number().int(),
  state: rolloutState,
  stopCode: z
    .enum(['by_person', 'failure_gate', 'error_budget', 'safe_mode', 'release_withdrawn'])
    .nullable(),
  /** The figures of a stop that failures brought; a wave is counted from 1. */
  stopValues: z.record(z.string(), z.number()).nullable(),
  stopReason: z.string().nullable(),
  wayBackOf: idField('rollout').nullable(),
  policy: rolloutPolicyField,
  /** Grows with each change of the policy; `rollout.edit` names the one it is based on. */
  policyVersion: z.number().int(),
  /** The last changes of the policy, oldest first. */
  policyChanges: z.array(
    z.object({
      at: instant,
      by: z.string(),
      reason: z.string().nullable(),
      /** What changed from what to what, one sentence each. */
      lines: z.array(z.string()),
    }),
  ),
  waves: z.array(waveView),
  /** What happens next, in one sentence with the figures. */
  next: z.string(),
  /** The same as a stable code for programs, and the facts that the sentence tells. */
  nextCode: z.string(),
  nextValues: reasonValues,
  createdAt: instant,
  createdBy: z.string(),
  startAt: instant,
  endedAt: instant.nullable(),
})
export type RolloutView = z.output<typeof rolloutView>

const wantedRollout = z.strictObject({
  fleet: nameField,
  version: versionField,
  policy: rolloutPolicyField,
  /** The earliest start. */
  startAt: instant.optional(),
  /**
   * The rollout to go back from: only devices that run its release take part. `version` is the
   * signed rollback: old content published again under a higher counter. The other rollout is
   * aborted if it still runs.
   */
  wayBackOf: idField('rollout').optional(),
})

export const createRollout = defineRoute({
  name: 'rollout.create',
  method: 'POST',
  path: '/v1/rollouts',
  auth: 'actor',
  summary:
    'Begin to move a fleet to a release of its channel. The fleet must follow rollouts; the release must be published and newer.',
  body: wantedRollout,
  reply: rolloutView,
  status: 201,
})

export const checkRollout = defineRoute({
  name: 'rollout.check',
  method: 'POST',
  path: '/v1/rollouts/check',
  auth: 'actor',
  summary:
    'Check whether such a rollout could begin now. It is refused as `rollout.create` would be, and begins nothing.',
  body: wantedRollout,
  reply: z.object({
    waves: z.array(
      z.object({
        /** How many devices of the fleet have the wave's tag; null where it is no wave by tag. */
        taggedCount: count.nullable(),
      }),
    ),
  }),
})

export const listRollouts = defineRoute({
  name: 'rollout.list',
  method: 'GET',
  path: '/v1/rollouts',
  auth: 'actor',
  summary: 'List rollouts, newest first.',
  query: pageQuery.extend({
    fleet: nameField.optional(),
    state: rolloutState.optional(),
  }),
  reply: pageOf(rolloutView),
})

export const showRollout = defineRoute({
  name: 'rollout.show',
  method: 'GET',
  path: '/v1/rollouts/:rolloutId',
  auth: 'actor',
  summary: 'Show one rollout with its waves as they stand.',
  params: rolloutParams,
  reply: rolloutView,
})

const reasonBody = z.strictObject({ reason: text(500).optional() })

export const pauseRollout = defineRoute({
  name: 'rollout.pause',
  method: 'POST',
  path: '/v1/rollouts/:rolloutId/pause',
  auth: 'actor',
  summary: 'Offer no further updates; those under way finish.',
  params: rolloutParams,
  body: reasonBody,
  reply: rolloutView,
})

export const resumeRollout = defineRoute({
  name: 'rollout.resume',
  method: 'POST',
  path: '/v1/rollouts/:rolloutId/resume',
  auth: 'actor',
  summary: 'Continue a paused rollout. Failures seen so far are taken as accepted.',
  params: rolloutParams,
  body: reasonBody,
  reply: rolloutView,
})

export const abortRollout = defineRoute({
  name: 'rollout.abort',
  method: 'POST',
  path: '/v1/rollouts/:rolloutId/abort',
  auth: 'actor',
  summary: 'End a rollout for good. Devices that have not begun to install are told to stay.',
  params: rolloutParams,
  body: reasonBody,
  reply: rolloutView,
})

export const approveRollout = defineRoute({
  name: 'rollout.approve',
  method: 'POST',
  path: '/v1/rollouts/:rolloutId/approve',
  auth: 'actor',
  summary: 'Approve that a wave may open once the gate before it has passed.',
  params: rolloutParams,
  body: z.strictObject({ wave: whole(50) }),
  reply: rolloutView,
})

export const editRollout = defineRoute({
  name: 'rollout.edit',
  method: 'PATCH',
  path: '/v1/rollouts/:rolloutId',
  auth: 'actor',
  summary:
    'Change the policy of a rollout: all of it before its first wave opens; while it runs, its gates, its limits of failures, its pace and its windows.',
  params: rolloutParams,
  body: z.strictObject({
    policy: rolloutPolicyField,
    /** The version of the policy that this one is made of: a change in between is refused. */
    policyVersion: whole(1_000_000_000),
    /** The earliest start; possible until the first wave opens. */
    startAt: instant.optional(),
    reason: text(500).optional(),
  }),
  reply: rolloutView,
})

/** What a device reports of an update, and what only the server knows of one. */
export const updateStateField = z.enum(updateStates)

export const updateView = z.object({
  rolloutId: idField('rollout'),
  deviceId: idField('device'),
  wave: z.number().int(),
  attempt: z.number().int(),
  state: updateStateField,
  /** The device's code of a failure, or the server's. */
  code: z.string().nullable(),
  /** The device's own words for its last failure, where this is the update that failed. */
  reason: z.string().nullable(),
  offeredAt: instant,
  changedAt: instant,
  deadlineAt: instant,
  endedAt: instant.nullable(),
})
export type UpdateView = z.output<typeof updateView>

export const listRolloutUpdates = defineRoute({
  name: 'rollout.updates',
  method: 'GET',
  path: '/v1/rollouts/:rolloutId/updates',
  auth: 'actor',
  summary: 'List the updates of a rollout by device.',
  params: rolloutParams,
  query: pageQuery.extend({ state: updateStateField.optional() }),
  reply: pageOf(updateView),
})

export const showRolloutHistory = defineRoute({
  name: 'rollout.history',
  method: 'GET',
  path: '/v1/rollouts/:rolloutId/history',
  auth: 'actor',
  summary:
    'Show the progress of a rollout over time, oldest first; thinned to at most 500 samples.',
  params: rolloutParams,
  reply: z.object({
    samples: z.array(
      z.object({
        at: instant,
        waves: z.array(
          z.object({ offered: count, inFlight: count, healthy: count, failed: count }),
        ),
      }),
    ),
    /** How often each code ended an update that failed. */
    failures: z.array(
      z.object({
        state: updateStateField,
        code: z.string().nullable(),
        count,
        /** The reason that most of these devices gave. */
        reason: z.string().nullable(),
        /** One of the devices. */
        deviceId: idField('device'),
      }),
    ),
  }),
})

export const whyView = z.object({
  deviceId: idField('device'),
  rolloutId: idField('rollout').nullable(),
  /** A stable code for programs. */
  code: z.string(),
  values: reasonValues,
  /** One sentence with the facts. */
  sentence: z.string(),
  /** The wave that takes the device in, counted from 1; null when none does. */
  wave: z.number().int().nullable(),
  /**
   * The device's bucket, 0 to 100: the share of the fleet from which on a wave by percentage
   * includes it; null without a rollout.
   */
  placePercent: z.number().nullable(),
  /** The earliest instant at which the answer may change by itself, where that is known. */
  earliestAt: instant.nullable(),
})
export type WhyView = z.output<typeof whyView>

export const explainRollout = defineRoute({
  name: 'rollout.why',
  method: 'GET',
  path: '/v1/rollouts/:rolloutId/why/:deviceId',
  auth: 'actor',
  summary: 'Say why a device does or does not get the release of a rollout.',
  params: rolloutParams.extend({ deviceId: idField('device') }),
  /** The zone for times in the sentence; UTC unless given. */
  query: z.strictObject({ timeZone: timeZoneField.optional() }),
  reply: whyView,
})
