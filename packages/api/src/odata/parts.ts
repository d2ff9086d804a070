/**
 * Entities that are parts of others: tags of devices, and variables. What a request sends of one;
 * the route that carries it out checks names and values.
 */
import { z } from 'zod'
import { idField, nameField, settingName, tagName, text } from '../fields.ts'

const value = text(4096)
const device = idField('device')

/** What PATCH sends: the key names the rest. */
export const partValue = z.strictObject({ value })
/** A whole part, as POST sends it, by the name of the set. */
export const wholeParts = {
  deviceTags: z.strictObject({ device, name: tagName, value }),
  deviceVariables: z.strictObject({ device, name: settingName, value }),
  fleetVariables: z.strictObject({ fleet: nameField, name: settingName, value }),
} as const
export type PartSet = keyof typeof wholeParts
