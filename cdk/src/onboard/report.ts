/** The list as people read it, and the exit code that says the same. */

import type { Cell } from '../cell.ts';
import type { Finding } from './check.ts';

const MARK = { there: 'ok       ', missing: 'MISSING  ', unknown: '?        ' };

/** Exit code 0: all of it is there. 1: something is missing, or could not be looked at. */
export function report(account: string, cell: Cell, findings: Finding[]): { text: string; exitCode: number } {
  const lines = findings.flatMap(({ what, state, because }) => [
    `${MARK[state]}${what}`,
    ...(because === undefined ? [] : [`${' '.repeat(MARK[state].length)}  ${because}`]),
  ]);
  const count = (state: Finding['state']): number => findings.filter((finding) => finding.state === state).length;
  const [missing, unknown] = [count('missing'), count('unknown')];
  const summary = missing + unknown === 0 ? 'onboarded' : `${missing} missing, ${unknown} not known`;
  const text = [`account ${account}, cell "${cell.name}", ${cell.region}`, '', ...lines, '', summary].join('\n');
  return { text, exitCode: missing + unknown > 0 ? 1 : 0 };
}
