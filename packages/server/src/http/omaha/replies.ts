/** Omaha v3 replies, in the spelling and order that update_engine parses. */
import type { Offer } from '../../app/foreign/index.ts'
import { formatElement } from './xml.ts'

/** The protocol's words for the status of an app. */
export type AppStatus =
  | 'ok'
  | 'restricted'
  | 'error-unknownApplication'
  | 'error-invalidVersion'
  | 'error-internal'

export interface AppReply {
  /** Echoed in the client's spelling. */
  readonly appId: string
  readonly status: AppStatus
  readonly eventsCount: number
  readonly hasPing: boolean
  /** `null` when the client did not ask for an update. */
  readonly check: CheckReply | null
}

export type CheckReply =
  | {
      readonly status: 'noupdate' | 'error-internal' | 'error-unsupportedProtocol'
      readonly pollSeconds: number | null
    }
  | {
      readonly status: 'ok'
      readonly pollSeconds: number
      readonly offer: Offer
      /** Ends with `/`; the client appends the names of the files. */
      readonly codebase: string
    }

export function formatReply(apps: readonly AppReply[]): string {
  const body = formatElement('response', { protocol: '3.0', server: 'seaworthy' }, [
    formatElement('daystart', { elapsed_seconds: 0 }),
    ...apps.map(formatApp),
  ])
  return `<?xml version="1.0" encoding="UTF-8"?>\n${body}\n`
}

function formatApp({ appId, status, eventsCount, hasPing, check }: AppReply): string {
  const events = Array.from({ length: eventsCount }, () => formatElement('event', { status: 'ok' }))
  return formatElement('app', { appid: appId, status }, [
    ...events,
    ...(hasPing ? [formatElement('ping', { status: 'ok' })] : []),
    ...(check === null ? [] : [formatCheck(check)]),
  ])
}

function formatCheck(check: CheckReply): string {
  const { status } = check
  const attributes = {
    status,
    PollInterval: check.pollSeconds === null ? undefined : clampPollSeconds(check.pollSeconds),
  }
  if (check.status !== 'ok') return formatElement('updatecheck', attributes)
  const { offer, codebase } = check
  return formatElement('updatecheck', attributes, [
    formatElement('urls', {}, [formatElement('url', { codebase })]),
    formatManifest(offer),
  ])
}

/** Clamps to what update_engine accepts: between 45 minutes and 4 hours. */
function clampPollSeconds(seconds: number): number {
  return Math.min(14_400, Math.max(2700, seconds))
}

/**
 * Hashes are SHA-1 in base64 for the package, SHA-256 in base64 for the action, and hexadecimal
 * digits where Omaha 3.1 has them.
 */
function formatManifest({ release, files }: Offer): string {
  const [payload] = files
  const packages = files.map((file, i) =>
    formatElement('package', {
      name: file.name,
      hash: base64(file.sha1),
      hash_sha256: file.sha256,
      size: file.size,
      required: i === 0 ? 'true' : 'false',
    }),
  )
  const action = formatElement('action', {
    event: 'postinstall',
    sha256: base64(payload!.sha256),
    needsadmin: 'false',
    IsDeltaPayload: 'false',
    DisablePayloadBackoff: 'true',
    MaxFailureCountPerUrl: 10,
    MetadataSize: '',
    MetadataSignatureRsa: '',
    deadline: '',
  })
  return formatElement('manifest', { version: release.version }, [
    formatElement('packages', {}, packages),
    formatElement('actions', {}, [action]),
  ])
}

function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64')
}
