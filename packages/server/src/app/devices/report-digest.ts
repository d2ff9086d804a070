/**
 * By what the server knows a report again that it has stored (RFD 7). A digest has 132 bits of
 * SHA-256: nobody finds another report with the digest of a given one. The times are no part of it,
 * they change with each.
 */
import { hash } from 'node:crypto'
import type { DeviceReport } from '@seaworthy/api/device-self'

/** `form` is `digestForm(report)`, for whoever has it already. */
export function digestReport(report: DeviceReport, form: string = digestForm(report)): string {
  const { sequence, bootId } = report
  return digest(bootId === undefined ? `${form} ${sequence}` : `${form} ${sequence} ${bootId}`)
}

/**
 * Of what a report has in common with those of many other devices: all but its sequence number, its
 * boot and its times.
 */
export function digestForm(report: DeviceReport): string {
  const { sequence: _, at: __, timestampVerifiedAt: ___, bootId: ____, ...form } = report
  return digest(JSON.stringify(form))
}

function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22)
}
