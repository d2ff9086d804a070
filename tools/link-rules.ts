/** Links in Markdown files that lead nowhere. */
import { posix } from 'node:path'

/** The anchors that headings give, as forges make them. */
function listAnchors(markdown: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading] of withoutCode(markdown).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const slug = heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-')
    let anchor = slug
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`
    anchors.add(anchor)
  }
  for (const [, id] of markdown.matchAll(/<a\s+(?:id|name)="([^"]+)"/g)) anchors.add(id!)
  return anchors
}

function withoutCode(markdown: string): string {
  return markdown
    .replaceAll(/^ *(`{3,}|~{3,})[\s\S]*?^ *\1/gm, '')
    .replaceAll(/(`+)[^`\n](?:.*?[^`])?\1(?!`)/g, (code) => (code.includes('](') ? '' : code))
}

/** Targets of relative links in `path` that are no file or folder, or no heading of that file. */
export function findDeadLinks(
  path: string,
  read: (path: string) => string | undefined,
  exists: (path: string) => boolean,
): string[] {
  const text = withoutCode(read(path) ?? '')
  const targets = [
    ...[...text.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)].map((m) => m[1]!),
    ...[...text.matchAll(/^\[[^\]]+\]:\s*(\S+)/gm)].map((m) => m[1]!),
  ]
  return targets.filter((target) => {
    if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return false
    const [file, anchor] = target.split('#')
    const found = file === '' ? path : posix.join(posix.dirname(path), decodeURIComponent(file!))
    if (found.startsWith('..') || !exists(found)) return true
    if (anchor === undefined || !found.endsWith('.md')) return false
    return !listAnchors(read(found) ?? '').has(decodeURIComponent(anchor).toLowerCase())
  })
}
