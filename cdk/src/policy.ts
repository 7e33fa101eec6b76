/** The tunables, as docs/policy.md has them: that table is checked against the handlers' code, so it is not written down again here. */

import * as fs from 'node:fs';
import * as path from 'node:path';

const PAGE = path.resolve(import.meta.dirname, '../../docs/policy.md');
const ROW = /^\| `(\w+)` \| `(SPOT_RECOVERY_\w+)` \| [^|]* \| ([^|]*) \|/gm;

interface Tunable {
  readonly variable: string;
  /** `immediate or shortfall`, `0 to 100`, `1s to 1day`. */
  readonly range: string;
}

const tunables = new Map<string, Tunable>(
  [...fs.readFileSync(PAGE, 'utf8').matchAll(ROW)].map(([, name, variable, range]) => [name!, { variable: variable!, range: range! }]),
);

/** The environment variables of `policy`, given by short names. A function would not start with a wrong one, so it is refused here. */
export function policyVariables(policy: Readonly<Record<string, unknown>>, refuse: (problem: string) => never): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(policy)) {
    const tunable = tunables.get(name) ?? refuse(`policy "${name}" is no tunable; known are ${[...tunables.keys()].join(', ')}`);
    const text = String(value);
    if (!isWithin(text, tunable.range)) {
      refuse(`policy ${name} ${JSON.stringify(value)}: must be ${tunable.range}; see docs/policy.md`);
    }
    variables[tunable.variable] = text;
  }
  return variables;
}

function isWithin(text: string, range: string): boolean {
  if (range.includes(' or ')) return range.split(' or ').includes(text);
  const [least, most] = range.split(' to ').map(measure);
  const measured = measure(text);
  // A number where a duration belongs, or the other way round, is none.
  return measured !== undefined && measured.unit === least!.unit && measured.value >= least!.value && measured.value <= most!.value;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, day: 86_400_000, days: 86_400_000 };

/** A whole number, or a duration in milliseconds: numbers and units, `1h 30m`. */
function measure(text: string): { unit: 'number' | 'duration'; value: number } | undefined {
  if (/^\d+$/.test(text)) return { unit: 'number', value: Number(text) };
  if (!/^(\d+(ms|s|m|h|days?)\s*)+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+)(ms|s|m|h|days?)/g)];
  return { unit: 'duration', value: parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit!]!, 0) };
}

/** Milliseconds of a duration that `policyVariables` let pass. */
export const milliseconds = (text: string): number => measure(text)?.value ?? 0;
