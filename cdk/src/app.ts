/** The CDK app: a stack for each cell of `cells.json`. Context: `cells` (another file),
 * `zips` (another directory), `cell` (only this one, so that another cell's zips need not be there). */

import * as path from 'node:path';
import { App } from 'aws-cdk-lib';
import { ConfigError, readCells, select } from './cell.ts';
import { CellStack } from './cell-stack.ts';

const app = new App();
const context = (key: string, otherwise: string): string => path.resolve(app.node.tryGetContext(key) ?? otherwise);
const root = path.resolve(import.meta.dirname, '..');

try {
  const zips = context('zips', path.join(root, '../target/package'));
  const file = context('cells', path.join(root, 'cells.json'));
  const cells = readCells(file);
  const one: string | undefined = app.node.tryGetContext('cell');
  for (const cell of one === undefined ? cells : [select(cells, one, file)]) new CellStack(app, { cell, zips });
  app.synth();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 2;
}
