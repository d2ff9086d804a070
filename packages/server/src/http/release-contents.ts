import {
  listReleaseFiles,
  listReleasePackages,
  showReleaseChanges,
} from '@seaworthy/api/release-contents'
import * as content from '../app/content/index.ts'
import * as trust from '../app/trust/index.ts'
import { read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const releaseContentEndpoints: readonly Endpoint[] = [
  read(listReleaseFiles, 'release:read', async (app, { actor, params, query }, leaving) => {
    const release = await trust.findRelease(app, actor, params.product, params.version)
    const { platform, folder = '' } = query
    return content.listFolder(app, release, { platform, folder }, leaving?.())
  }),
  read(listReleasePackages, 'release:read', async (app, { actor, params, query }, leaving) => {
    const release = await trust.findRelease(app, actor, params.product, params.version)
    return content.listPackages(app, release, query.platform, leaving?.())
  }),
  read(showReleaseChanges, 'release:read', async (app, { actor, params, query }, leaving) => {
    const { product, version } = params
    const before = await trust.findRelease(app, actor, product, query.from)
    const after = await trust.findRelease(app, actor, product, version)
    return content.describeReleaseChanges(app, before, after, leaving?.())
  }),
]
