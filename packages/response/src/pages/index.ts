/**
 * Pages for the public as whole HTML documents. Promises: they need no script, load nothing, and
 * say the same to everybody; no text in them becomes markup.
 */
import type { Markup } from './markup.ts'
import { markup } from './markup.ts'

export { escapeMarkup, Markup, markup } from './markup.ts'

/** The content of the one style element; whoever serves a page allows this and nothing else. */
export const pageStyle = `:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.6rem}h2{font-size:1.2rem}pre,.text{white-space:pre-wrap;overflow-wrap:anywhere}label{display:block;margin:.8rem 0 .2rem;font-weight:600}input:not([type=checkbox]),textarea{width:100%;box-sizing:border-box;font:inherit;padding:.4rem}textarea{min-height:14rem}button{font:inherit;padding:.5rem 1.2rem;margin:1rem 0}article{border-left:3px solid;padding:.1rem 1rem;margin:1rem 0}.warning{border:2px solid;padding:.6rem 1rem;font-weight:600}table{border-collapse:collapse;width:100%}th,td{border:1px solid;padding:.3rem .6rem;text-align:left;vertical-align:top}dt{font-weight:600}`

/** A whole document. `title` may be any text: it is escaped. */
export function renderPage({ title, body }: { title: string; body: Markup }): string {
  // The style is constant and holds no character that HTML would read as something else.
  const head = markup`<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title>`
  return `<!doctype html>\n<html lang="en"><head>${head.text}<style>${pageStyle}</style></head>\n<body>\n${body.text}\n</body></html>\n`
}
