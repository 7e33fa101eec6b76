/** Prints the architecture of the cell named on the command line, for `cargo xtask deploy`. Exit code 2: there is no such cell. */

import * as path from 'node:path';
import { ConfigError, readCells, select } from './cell.ts';

try {
  const file = path.resolve(process.argv[3] ?? path.join(import.meta.dirname, '../cells.json'));
  console.log(select(readCells(file), process.argv[2] ?? '', file).architecture);
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 2;
}
