/** How code says no. */
import type { Rule } from './rule.ts'
import { at, banCalls, inPackages } from './rule.ts'

export const refusalRules: Rule[] = [
  banCalls(
    'a refusal says of which union its code is',
    [
      {
        pattern:
          /\b(?:new (?:Refusal|TrustError)|refusalAs|refuseAs|throwRefusal|trustErrorsOf)\(/g,
        instead: 'new Refusal<ReleaseRefusal>(…), the closed union of its module',
      },
    ],
    {
      caught: [
        at("throw new Refusal('a', 'b')"),
        at("const e = new TrustError('a', 'b')"),
        at("const refuse: Refuse = refuseAs('a')"),
        at("throwRefusal('a', 'b')"),
      ],
      passes: [
        at("throw new Refusal<ReleaseRefusal>('a', 'b')"),
        at('new MyRefusal(a)'),
        at('const refuse: RefuseBy<ReleaseRefusal> = throwRefusal'),
        at("const malformed = refusalAs<ReleaseRefusal>('a')"),
      ],
    },
    (file) => inPackages(file) && file.path !== 'packages/std/src/refusal.ts' && !file.isTest,
  ),
  banCalls(
    'a refusal under another name is made by std/refusal',
    [
      {
        pattern:
          /(?:=>|\)(?::[^=;{}()]*)?\s*\{)\s*(?:\{\s*)?(?:throw |return )?new (?:Refusal|TrustError)<\w+>\(\s*(?:code|' *')\s*,\s*(?:what|why|(?:publicM|m)essage)\s*[,)]/g,
        instead: 'refuseAs, refusalAs, throwRefusal or trustErrorsOf',
      },
    ],
    {
      caught: [
        at("const tooMany = (why: string) => new Refusal<ARefusal>('too_many', why)"),
        at("function refuse(what: string): never {\n  throw new Refusal<A>('a', what)\n}"),
        at('const refuse = (code: A, what: string): never => { throw new Refusal<A>(code, what) }'),
        at('function f(code: A, message: string) {\n  return new TrustError<A>(code, message)\n}'),
      ],
      passes: [
        at("const tooMany = refusalAs<ARefusal>('too_many')"),
        at("const unknown = () => new Refusal<ARefusal>('a_unknown', 'no such a')"),
        at("if (fault !== null) throw new Refusal<ARefusal>('a_faulty', fault)"),
      ],
    },
    (file) => inPackages(file) && file.path !== 'packages/std/src/refusal.ts' && !file.isTest,
  ),
]
