/**
 * The sources that serve `/tuf/` and `/v2/`. None is trusted; only the server ever sees the
 * device's token.
 */
import type { AgentConfig } from '../config.ts'
import type { SourceSettings } from '../handover/messages.ts'

/**
 * The sources of the configuration; the server is number 0 where there is one. `readPem` reads a CA
 * file.
 */
export async function sourcesOf(
  config: AgentConfig,
  readPem: (path: string) => Promise<string>,
): Promise<SourceSettings[]> {
  const places = [
    ...(config.server === undefined
      ? []
      : [{ url: config.server, pin: config.pin, ca: config.ca, isServer: true }]),
    ...config.mirrors.map(({ url, pin, ca }) => ({ url, pin, ca, isServer: false })),
  ]
  return Promise.all(
    places.map(async ({ url, pin, ca, isServer }) => ({
      url,
      isServer,
      ...(pin === undefined ? {} : { pins: [pin] as const }),
      ...(ca === undefined ? {} : { ca: await readPem(ca) }),
    })),
  )
}

/**
 * The order in which sources are asked: the server gives fresh metadata; mirrors are for bulk
 * content, so the server comes last there.
 */
export function sourceOrder(
  sources: readonly SourceSettings[],
  wanted: 'metadata' | 'content',
): number[] {
  const all = sources.map((_source, i) => i)
  const isServer = (i: number) => sources[i]!.isServer
  return wanted === 'metadata'
    ? all
    : [...all.filter((i) => !isServer(i)), ...all.filter((i) => isServer(i))]
}
