/** Where everything lies on a device. All paths hang below one folder. */

export interface Layout {
  root: string
  /** The installer's own folder: TUF state, device state, device key. */
  trust: string
  /** The fetcher's folder: partial downloads and files handed over. Hostile. */
  fetch: string
  /** Content copied out of the fetcher's folder while hashing; emptied at every start. */
  incoming: string
  productFolder: string
  releases: string
  current: string
  previous: string
  /** The application's own folder, kept over all releases. */
  appData: string
  /** The application's variables and secrets, in memory: `<name>` of each holds its value. */
  appConfig: string
  /** Status for people and programs without the socket. */
  statusFile: string
}

/** The parent of what is kept in memory, unless the whole agent lies below another folder. */
const memoryDir = '/run/seaworthy-app'
const stateDirDefault = '/var/lib/seaworthy'

export function layoutOf(stateDir: string, product: string): Layout {
  const productFolder = `${stateDir}/products/${product}`
  return {
    root: stateDir,
    trust: `${stateDir}/trust`,
    fetch: `${stateDir}/fetch`,
    incoming: `${stateDir}/incoming`,
    productFolder,
    releases: `${productFolder}/releases`,
    current: `${productFolder}/current`,
    previous: `${productFolder}/previous`,
    appData: `${productFolder}/data`,
    appConfig: `${stateDir === stateDirDefault ? memoryDir : `${stateDir}/app-config`}/${product}`,
    statusFile: `${stateDir}/status.json`,
  }
}
