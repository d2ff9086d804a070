/** The pages in a real browser, for tests of the whole product. Only for tests. */
export { findBarriers, startBrowser } from './browser.ts'
export type { Person, TestBrowser } from './browser.ts'
export { startWebServer } from './server.ts'
export type { WebServer } from './server.ts'
export { addProvider, becomeOwner, signInByProvider } from './walk.ts'
