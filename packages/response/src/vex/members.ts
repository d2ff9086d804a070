/** Members of JSON documents of others: what is not of the wanted kind is as if it were absent. */
import type { Json } from '@seaworthy/std/json'

export type Members = { readonly [name: string]: Json }

export function membersOf(value: Json | undefined): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}

export function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : []
}

export function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}

/** An instant to the second, or `undefined` where it is none. */
export function instantOf(value: Json | undefined): Date | undefined {
  const ms = Date.parse(textOf(value))
  return Number.isNaN(ms) ? undefined : new Date(Math.floor(ms / 1000) * 1000)
}
