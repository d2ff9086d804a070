import {
  abortRollout,
  approveRollout,
  checkRollout,
  createRollout,
  editRollout,
  explainRollout,
  listRolloutUpdates,
  listRollouts,
  pauseRollout,
  resumeRollout,
  showRollout,
  showRolloutHistory,
} from '@seaworthy/api/rollouts'
import type { BodyOf } from '@seaworthy/api/route'
import { parseInstant } from '@seaworthy/std/time'
import { describeProgress, viewRollout } from '../app/rollouts/index.ts'
import * as rollouts from '../app/rollouts/index.ts'
import { explainRollout as explain } from '../app/why.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'
import { readTimeZone } from './time-zones.ts'

function wantedOf(body: BodyOf<typeof createRollout>): rollouts.WantedRollout {
  const { fleet, version, policy, startAt, wayBackOf } = body
  return {
    fleet,
    version,
    policy,
    startAt: startAt === undefined ? null : parseInstant(startAt),
    wayBackOf: wayBackOf ?? null,
  }
}

function editOf({ policy, policyVersion, startAt, reason }: BodyOf<typeof editRollout>) {
  return {
    ...{ policy, policyVersion, reason: reason ?? null },
    startAt: startAt === undefined ? null : parseInstant(startAt),
  }
}

export const rolloutEndpoints: readonly Endpoint[] = [
  audited(
    createRollout,
    {
      permission: 'rollout:write',
      subject: (call) => call.body.fleet,
      effect: (app, tx, { actor, body }) => rollouts.rolloutEffect(app, tx, actor, wantedOf(body)),
    },
    async (app, tx, { actor, body }) => {
      const created = await rollouts.createRollout(app, tx, actor, wantedOf(body))
      return {
        reply: viewRollout(created.rollout, await tx.now()),
        subject: created.rollout.id,
        detail: created.detail,
        afterCommit: () => app.rollouts.put(created.changed),
      }
    },
  ),
  audited(
    checkRollout,
    { permission: 'rollout:write', subject: (call) => call.body.fleet },
    async (app, tx, { actor, body }) => ({
      reply: await rollouts.checkRollout(app, tx, actor, wantedOf(body)),
      // It changes nothing, so only its refusals are recorded, within their allowance.
      isUnchanged: true,
    }),
  ),
  read(listRollouts, 'rollout:read', (app, { actor, query, now }) =>
    rollouts.listRollouts(app, actor, query, now),
  ),
  read(showRollout, 'rollout:read', async (app, { actor, params, now }) =>
    viewRollout(await rollouts.findRollout(app, actor, params.rolloutId), now),
  ),
  audited(
    editRollout,
    {
      permission: 'rollout:write',
      subject: (call) => call.params.rolloutId,
      effect: (app, tx, { actor, params, body }) =>
        rollouts.editEffect(app, tx, actor, params.rolloutId, editOf(body)),
    },
    async (app, tx, { actor, params, body }) => {
      const after = await rollouts.editRollout(app, tx, actor, params.rolloutId, editOf(body))
      return {
        reply: viewRollout(after, await tx.now()),
        detail: rollouts.describeEdit(after),
        afterCommit: () => app.rollouts.put([after]),
      }
    },
  ),
  audited(
    pauseRollout,
    { permission: 'rollout:write', subject: (call) => call.params.rolloutId },
    async (app, tx, { actor, params, body }) => {
      const reason = body.reason ?? null
      const after = await rollouts.pauseRollout(tx, actor, params.rolloutId, reason)
      return {
        reply: viewRollout(after, await tx.now()),
        detail: describeProgress(after),
        afterCommit: () => app.rollouts.put([after]),
      }
    },
  ),
  audited(
    resumeRollout,
    {
      permission: 'rollout:write',
      subject: (call) => call.params.rolloutId,
      effect: (_app, tx, { actor, params }) => rollouts.resumeEffect(tx, actor, params.rolloutId),
    },
    async (app, tx, { actor, params, body }) => {
      const after = await rollouts.resumeRollout(tx, actor, params.rolloutId)
      return {
        reply: viewRollout(after, await tx.now()),
        detail: { ...describeProgress(after), reason: body.reason ?? null },
        afterCommit: () => app.rollouts.put([after]),
      }
    },
  ),
  audited(
    abortRollout,
    { permission: 'rollout:write', subject: (call) => call.params.rolloutId },
    async (app, tx, { actor, params, body }) => {
      const reason = body.reason ?? null
      const after = await rollouts.abortRollout(tx, actor, params.rolloutId, reason)
      return {
        reply: viewRollout(after, await tx.now()),
        detail: describeProgress(after),
        afterCommit: () => app.rollouts.put([after]),
      }
    },
  ),
  audited(
    approveRollout,
    {
      permission: 'rollout:approve',
      subject: (call) => call.params.rolloutId,
      effect: (_app, tx, { actor, params, body }) =>
        rollouts.waveEffect(tx, actor, params.rolloutId, body.wave - 1),
    },
    async (app, tx, { actor, params, body }) => {
      const after = await rollouts.approveWave(tx, actor, params.rolloutId, body.wave - 1)
      return {
        reply: viewRollout(after, await tx.now()),
        detail: { ...describeProgress(after), wave: body.wave },
        afterCommit: () => app.rollouts.put([after]),
      }
    },
  ),
  read(listRolloutUpdates, 'update:read', async (app, { actor, params, query }) => {
    const { id } = await rollouts.findRollout(app, actor, params.rolloutId)
    return rollouts.listRolloutUpdates(app.db.reader, id, query)
  }),
  read(showRolloutHistory, 'rollout:read', async (app, { actor, params }) => {
    const { id } = await rollouts.findRollout(app, actor, params.rolloutId)
    return rollouts.showRolloutHistory(app.db.reader, id)
  }),
  read(explainRollout, 'update:read', (app, { actor, params, query, now }) =>
    explain(app, actor, { ...params, timeZone: readTimeZone(app, query.timeZone) }, now),
  ),
]
