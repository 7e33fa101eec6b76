/** cdk-nag's rules of the AWS Solutions library: every finding is mended, or acknowledged with its reason where it is. */

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { Validations } from 'aws-cdk-lib';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { AwsSolutionsChecks } from 'cdk-nag';
import { checkCell } from '../src/cell.ts';
import { CellStack } from '../src/cell-stack.ts';
import { DEV, PROD, app as newApp, zips } from './fixture.ts';

/** Synthesizes the cells, and `more` in them, as cdk-nag looks on: it fails the synthesis when it finds something. */
function synth(more: (stack: CellStack) => void): string {
  const app = newApp();
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  for (const cell of [DEV, PROD]) more(new CellStack(app, { cell: checkCell(cell), zips }));
  return path.join(app.synth().directory, 'validation-report.json');
}

test('cdk-nag has nothing to say of a cell', () => {
  assert.deepEqual(JSON.parse(fs.readFileSync(synth(() => {}), 'utf8')).pluginReports, []);
});

test('cdk-nag does find what is planted', (context) => {
  context.mock.method(process.stderr, 'write', () => true);
  context.mock.method(console, 'error', () => {});
  assert.throws(() => synth((stack) => void new sqs.Queue(stack, 'Planted')), /Validation failed/);
});
