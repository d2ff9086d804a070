/** `manifest.json`: what the build of the pages has made, as the server reads it. */
import { z } from 'zod'
import { sha256Hex } from './fields.ts'

export const webCoding = z.enum(['zstd', 'br', 'gzip'])
export type WebCoding = z.output<typeof webCoding>

export const webManifest = z.strictObject({
  /**
   * Addresses of pages, each of which is answered with `index.html`. A part such as `$deviceId`
   * stands for any name.
   */
  pages: z.array(z.string().regex(/^\/[a-z-]*(?:\/\$[a-zA-Z]+){0,2}$/)),
  files: z.array(
    z.strictObject({
      path: z.string().regex(/^\/(?:assets\/)?[A-Za-z0-9][\w.-]*$/),
      type: z.string(),
      sha256: sha256Hex,
      /** Codings in which the file lies beside itself, the smallest first. */
      codings: z.array(webCoding),
    }),
  ),
})
export type WebManifest = z.output<typeof webManifest>
