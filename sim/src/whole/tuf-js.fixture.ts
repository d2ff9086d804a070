/**
 * `tuf-js.fixture.ts FOLDER BASE-URL TARGET…`: the stock JavaScript client, which trusts
 * FOLDER/root.json, downloads targets into FOLDER.
 */
import { Updater } from 'tuf-js'

const [folder, baseUrl, ...targets] = process.argv.slice(2)
const updater = new Updater({
  metadataDir: folder!,
  metadataBaseUrl: `${baseUrl}/tuf`,
  targetDir: folder!,
  targetBaseUrl: `${baseUrl}/tuf/targets`,
})
await updater.refresh()
for (const target of targets) {
  const found = await updater.getTargetInfo(target)
  if (found === undefined) throw new Error(`no role lists ${target}`)
  process.stdout.write(`${await updater.downloadTarget(found)}\n`)
}
