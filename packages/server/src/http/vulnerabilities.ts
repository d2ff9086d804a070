import {
  importVulnerabilities,
  listExposures,
  listSetAsideRecords,
  listVulnerabilities,
  showDeviceExposure,
  showPatching,
  showReleaseExposure,
  showVulnerability,
} from '@seaworthy/api/vulnerabilities'
import { parseInstant } from '@seaworthy/std/time'
import * as vulnerabilities from '../app/vulnerabilities/index.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const vulnerabilityEndpoints: readonly Endpoint[] = [
  audited(
    importVulnerabilities,
    {
      permission: 'vulnerability:write',
      subject: () => 'vulnerabilities',
      before: async (_app, { actor, body }) => vulnerabilities.readBatch(actor, body.records),
    },
    async (_app, tx, { actor }, batch) => {
      const reply = await vulnerabilities.importRecords(tx, actor, batch)
      const { added, changed, withdrawn, findings, setAsideNew, statementsReopened } = reply
      return {
        reply,
        detail: {
          ...{ added, changed, withdrawn, findings, setAside: setAsideNew },
          ...(statementsReopened === 0 ? {} : { statementsReopened }),
        },
        isUnchanged: added + changed + setAsideNew === 0,
      }
    },
  ),
  read(listVulnerabilities, 'vulnerability:read', (app, { actor, query, now }) =>
    vulnerabilities.listVulnerabilities(app.db.reader, actor, query, now),
  ),
  read(showVulnerability, 'vulnerability:read', (app, { actor, params, query, now }) => {
    const { at, tag } = query
    const wanted = { at: at === undefined ? undefined : parseInstant(at), tag }
    const name = params.vulnerability
    return vulnerabilities.showVulnerability(app.db.reader, actor, { name, ...wanted }, now)
  }),
  read(showPatching, 'vulnerability:read', (app, { actor, params, now }) =>
    vulnerabilities.showPatching(app.db.reader, actor, params.vulnerability, now),
  ),
  read(listExposures, 'vulnerability:read', (app, { actor, now }) =>
    vulnerabilities.listExposures(app.db.reader, actor, now),
  ),
  read(listSetAsideRecords, 'vulnerability:read', (app) =>
    vulnerabilities.listSetAsideRecords(app.db.reader),
  ),
  read(showReleaseExposure, 'vulnerability:read', (app, { actor, params, now }) =>
    vulnerabilities.showReleaseExposure(app, actor, params, now),
  ),
  read(showDeviceExposure, 'vulnerability:read', (app, { actor, params, now }) =>
    vulnerabilities.showDeviceExposure(app.db.reader, actor, params.deviceId, now),
  ),
]
