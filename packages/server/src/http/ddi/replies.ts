/** The documents of DDI, in the spelling that clients parse. */
import type { Agenda, Deployment } from '../../app/foreign/index.ts'
import type { ReleaseFile } from '../../app/app.ts'

/** Makes a link below the controller's own address. */
export type Link = (path: string) => { href: string }

const sleepSecondsMin = 1
const sleepSecondsMax = 86_399

/** `HH:MM:SS` with nothing after it: a client reads it with strptime. */
function formatSleep(pollSeconds: number): string {
  const seconds = Math.min(sleepSecondsMax, Math.max(sleepSecondsMin, Math.round(pollSeconds)))
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  return `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`
}

export function viewBase(agenda: Agenda, pollSeconds: number, link: Link): object {
  const { deployment, cancel, installed, wantsAttributes } = agenda
  return {
    config: { polling: { sleep: formatSleep(pollSeconds) } },
    _links: {
      ...(cancel === null ? {} : { cancelAction: link(`cancelAction/${cancel}`) }),
      // `c` is for caches that ignore headers: it changes with the action.
      ...(deployment === null || cancel !== null
        ? {}
        : { deploymentBase: link(`deploymentBase/${deployment}?c=${deployment}`) }),
      ...(installed === null ? {} : { installedBase: link(`installedBase/${installed}`) }),
      ...(wantsAttributes ? { configData: link('configData') } : {}),
    },
  }
}

export function viewDeployment(
  { action, files }: Deployment,
  options: { readonly mayInstall: boolean; readonly historyMax: number; readonly link: Link },
): object {
  const { mayInstall, historyMax, link } = options
  const messages = historyMax < 0 ? action.messages : action.messages.slice(0, historyMax)
  return {
    id: String(action.id),
    deployment: {
      // A client that can keep what it has fetched may fetch it before it may install it.
      download: 'forced',
      update: mayInstall ? 'forced' : 'skip',
      ...(mayInstall ? {} : { maintenanceWindow: 'unavailable' }),
      chunks: [
        {
          part: 'os',
          version: action.version,
          name: action.product,
          artifacts: viewFiles(action.id, files, link),
        },
      ],
    },
    ...(historyMax === 0
      ? {}
      : { actionHistory: { status: action.state.toUpperCase(), messages: [...messages] } }),
  }
}

export function viewFiles(actionId: number, files: readonly ReleaseFile[], link: Link): object[] {
  return files.map((file) => {
    const path = `softwaremodules/${actionId}/artifacts/${encodeURIComponent(file.name)}`
    return {
      filename: file.name,
      hashes: { sha1: file.sha1, md5: file.md5, sha256: file.sha256 },
      size: file.size,
      _links: { download: link(path), md5sum: link(`${path}.MD5SUM`) },
    }
  })
}

export function viewCancel(actionId: number): object {
  return { id: String(actionId), cancelAction: { stopId: String(actionId) } }
}

/** The server decides who may be updated, wave by wave: no client is asked to confirm. */
export function viewConfirmation(link: Link): object {
  return {
    autoConfirm: { active: true, initiator: 'seaworthy', remark: 'rollouts decide' },
    _links: { deactivateAutoConfirm: link('confirmationBase/deactivateAutoConfirm') },
  }
}
