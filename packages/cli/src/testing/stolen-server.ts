/** What a thief of all files of a server, its log and the arguments of processes finds. */
import type { PlantedSecrets } from '@seaworthy/std/testing/leaks'
import { searchArguments, searchFolder, searchFor } from '@seaworthy/std/testing/leaks'
import type { TestedServer } from './server.ts'

export async function searchServer(
  server: TestedServer,
  planted: PlantedSecrets,
): Promise<string[]> {
  const search = searchFor(planted)
  return [
    ...(await searchFolder(search, server.folder)),
    ...search(server.log()).map((name) => `${name} in the log`),
    ...(await searchArguments(search)),
  ]
}
