/**
 * The digest by which the server recognises a report that it has stored (RFD 7). It has 132 bits of
 * SHA-256: nobody finds another report with the digest of a given one. The times are no part of it,
 * because they change with each report.
 */
import { hash } from 'node:crypto'
import type { DeviceReport } from '@seaworthy/api/device-self'

/**
 * The digest of a report. A caller that has computed `digestForm(report)` already passes it as
 * `form`.
 */
export function digestReport(report: DeviceReport, form: string = digestForm(report)): string {
  const { sequence, bootId } = report
  return digest(`${formOfRules} ${form} ${sequence}${bootId === undefined ? '' : ` ${bootId}`}`)
}

/**
 * Raised whenever the rules for unsigned reports change, so that no digest of a report taken under
 * other rules is recognised.
 */
const formOfRules = 2

/**
 * The digest of what a report has in common with those of many other devices: all but its sequence
 * number, its boot and its times.
 */
export function digestForm(report: DeviceReport): string {
  const { sequence: _, at: __, timestampVerifiedAt: ___, bootId: ____, ...form } = report
  return digest(JSON.stringify(form))
}

function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22)
}
