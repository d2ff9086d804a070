/** The pages of somebody who reports a flaw, in words for people who have no account. */
import type { ReportState } from '@seaworthy/response/cases'
import type { Markup } from '@seaworthy/response/pages'
import { markup } from '@seaworthy/response/pages'
import { formatInstant } from '@seaworthy/std/time'
import type { ReportStatus } from '../app/cases/index.ts'
import { reportLimits } from '../app/cases/index.ts'

interface Page {
  readonly title: string
  readonly body: Markup
}

export type ReportFields = Readonly<
  Record<'title' | 'product' | 'text' | 'contact' | 'credit' | 'scanner', string>
>

export const emptyFields: ReportFields = {
  ...{ title: '', product: '', text: '', contact: '', credit: '', scanner: '' },
}

const warning = (text: string) => (text === '' ? [] : [markup`<p class="warning">${text}</p>`])

/** `fault` says what is wrong with what was sent; what was filled in stays. */
export function formPage(fields: ReportFields, fault = ''): Page {
  const { title, line } = reportLimits
  const body = markup`<h1>Report a vulnerability</h1>
${warning(fault)}
<p>You need no account, and you may stay anonymous. What you write is encrypted when it is stored, and only the people who handle your report read it. We confirm within 24 hours that a person has read it, give you a detailed answer within 48 hours, and then write at least every seven days until it is settled.</p>
<p>We take no legal steps against anybody who looks for flaws in good faith, spares other people’s data and services, and gives us time to protect our users before the flaw is published.</p>
<form method="post" action="/report">
<label for="title">What is wrong, in one line</label><input id="title" name="title" required maxlength="${title}" value="${fields.title}">
<label for="product">Product and version</label><input id="product" name="product" maxlength="${line}" value="${fields.product}">
<label for="text">What happens, how to see it, and what somebody could do with it</label><textarea id="text" name="text" required maxlength="${reportLimits.text}">${fields.text}</textarea>
<label for="contact">How we reach you besides the private page that you get (optional)</label><input id="contact" name="contact" maxlength="${line}" value="${fields.contact}">
<label for="credit">How you want to be named when we thank you (optional)</label><input id="credit" name="credit" maxlength="${line}" value="${fields.credit}">
<p><input type="checkbox" id="scanner" name="scanner" value="yes"${fields.scanner === '' ? [] : [markup` checked`]}> This is the output of a scanner that nobody has looked into</p>
<button>Send the report</button>
</form>`
  return { title: 'Report a vulnerability', body }
}

export function receivedPage(link: string): Page {
  const body = markup`<h1>Your report has arrived</h1>
<p class="warning">Keep this address. It is the only way to your report, and it is shown now and never again:</p>
<p><a class="text" href="${link}">${link}</a></p>
<p>There you see how your report stands, read our answers, and add messages. Whoever has the address can do the same.</p>`
  return { title: 'Your report has arrived', body }
}

const stateWords: Readonly<Record<ReportState, string>> = {
  received: 'It is being examined.',
  invalid: 'We could not confirm it. If you know more, write to us below.',
  valid: 'We have confirmed it, and are deciding how to go on.',
  accepted: 'We have confirmed it, and are working on it.',
  deferred: 'We have confirmed it, and will work on it later.',
  closed: 'It is closed. You may still write to us below.',
}

export function statusPage(path: string, status: ReportStatus, fault = ''): Page {
  const { report, isTaken, openedAt, messages } = status
  const words = isTaken ? stateWords[report] : 'It has arrived, and waits for somebody to read it.'
  const body = markup`<h1>Your report</h1>
${warning(fault)}
<p>Received ${formatInstant(openedAt)}. ${words}</p>
${messages.map(
  ({
    at,
    isOurs,
    text,
  }) => markup`<article><p><b>${isOurs ? 'We wrote' : 'You wrote'}</b>, ${formatInstant(at)}</p><p class="text">${text}</p></article>
`,
)}<form method="post" action="${path}">
<label for="text">Add a message</label><textarea id="text" name="text" required maxlength="${reportLimits.text}"></textarea>
<button>Send</button>
</form>`
  return { title: 'Your report', body }
}

export function refusedPage(title: string, sentence: string): Page {
  return {
    title,
    body: markup`<h1>${title}</h1><p>${sentence}</p><p><a href="/report">Report a vulnerability</a></p>`,
  }
}
