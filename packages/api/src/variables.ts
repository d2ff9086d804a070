/** Variables of applications, for a fleet or for one device. They are no secrets. */
import { z } from 'zod'
import { configVersionField, idField, instant, nameField, settingName, text } from './fields.ts'
import { defineRoute, nothing } from './route.ts'

const variableParams = z.strictObject({ fleet: nameField, variable: settingName })
/** No device means the whole fleet. */
const ofDevice = z.strictObject({ deviceId: idField('device').optional() })

const variableView = z.object({
  name: settingName,
  /** Null for the whole fleet. */
  deviceId: idField('device').nullable(),
  value: z.string(),
  version: configVersionField,
  setAt: instant,
  setBy: z.string(),
})
export type VariableView = z.output<typeof variableView>

export const listVariables = defineRoute({
  name: 'variable.list',
  method: 'GET',
  path: '/v1/fleets/:fleet/variables',
  auth: 'actor',
  summary: 'List the variables of a fleet, and those of one of its devices where it is named.',
  params: z.strictObject({ fleet: nameField }),
  query: ofDevice,
  reply: z.object({
    /** The version of all that is set for the fleet and its devices. */
    version: configVersionField,
    items: z.array(variableView),
  }),
})

export const setVariable = defineRoute({
  name: 'variable.set',
  method: 'PUT',
  path: '/v1/fleets/:fleet/variables/:variable',
  auth: 'actor',
  summary:
    'Set a variable of a fleet, or of one of its devices, where it comes before that of the fleet.',
  params: variableParams,
  body: ofDevice.extend({
    value: text(4096),
    /** Gives it a new version though it has that value: devices on which it failed try it again. */
    isAgain: z.literal(true).optional(),
  }),
  reply: variableView,
})

export const removeVariable = defineRoute({
  name: 'variable.remove',
  method: 'DELETE',
  path: '/v1/fleets/:fleet/variables/:variable',
  auth: 'actor',
  stepUp: true,
  summary: 'Remove a variable of a fleet, or of one of its devices.',
  params: variableParams,
  query: ofDevice,
  reply: nothing,
  status: 204,
})
