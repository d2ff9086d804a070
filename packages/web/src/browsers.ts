/** Browsers by what they say of themselves, which nothing relies on. */

const browsers = [
  ['Edge', /\bEdg(?:A|iOS)?\/(\d+)/],
  ['Firefox', /\b(?:Firefox|FxiOS)\/(\d+)/],
  ['Chrome', /\b(?:Chrome|CriOS|HeadlessChrome)\/(\d+)/],
  ['Safari', /\bVersion\/(\d+)[\d.]* (?:Mobile\/\S+ )?Safari\//],
] as const
const systems = [
  ['Android', /\bAndroid\b/],
  ['iOS', /\b(?:iPhone|iPad)\b/],
  ['Windows', /\bWindows\b/],
  ['macOS', /\bMac OS X\b/],
  ['Linux', /\bLinux\b/],
] as const

/** `Firefox 150 on Linux`, or the beginning of the text where it says nothing that is known. */
export function describeBrowser(userAgent: string): string {
  const found = browsers
    .map(([name, pattern]) => ({ name, version: pattern.exec(userAgent)?.[1] }))
    .find(({ version }) => version !== undefined)
  const system = systems.find(([, pattern]) => pattern.test(userAgent))?.[0]
  if (found === undefined) return userAgent === '' ? 'unknown' : userAgent.slice(0, 40)
  return `${found.name} ${found.version}${system === undefined ? '' : ` on ${system}`}`
}
