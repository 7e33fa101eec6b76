/** The event patterns that the handlers' tests and the simulator match with: read from their files, never copied. */

import * as fs from 'node:fs';
import * as path from 'node:path';

const DIRECTORY = path.resolve(import.meta.dirname, '../../handlers/event-patterns');

export type PatternName = 'placement-failure' | 'synthetic-placement-failure' | 'interruption' | 'workload-forwarding';

export function eventPattern(name: PatternName): Record<string, unknown> {
  return JSON.parse(fs.readFileSync(path.join(DIRECTORY, `${name}.json`), 'utf8'));
}
