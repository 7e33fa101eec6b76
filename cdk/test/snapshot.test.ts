/**
 * The whole templates, to be read when they change, and the app as it is started: by itself, without credentials. The committed
 * templates are what cfn-lint looks at. `npm run accept` writes them.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { DEV, PROD, dev, prod, temporary, zips } from './fixture.ts';

const SNAPSHOTS = path.join(import.meta.dirname, 'snapshots');

/** Without what differs between two builds or means nothing to a reader: the hash of a zip. */
function readable(template: object): string {
  const text = JSON.stringify(template, (key, value) => (key === 'S3Key' ? `${'0'.repeat(64)}.zip` : value), 2);
  return `${text}\n`;
}

for (const [cell, { name }] of [[dev, DEV], [prod, PROD]] as const) {
  test(`the template of ${name} is the committed one`, () => {
    const file = path.join(SNAPSHOTS, `${name}.template.json`);
    const text = readable(cell.template.toJSON());
    if (process.env.ACCEPT) {
      fs.mkdirSync(SNAPSHOTS, { recursive: true });
      fs.writeFileSync(file, text);
    }
    assert.equal(text, fs.readFileSync(file, 'utf8'), 'read the difference; if it is what you want: npm run accept');
  });
}

/** The app as `cdk synth` starts it, with nothing of AWS in its environment. */
function synth(context: object): { status: number | null; stderr: string; directory: string } {
  const directory = temporary();
  const app = path.join(import.meta.dirname, '../src/app.ts');
  const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', app], {
    cwd: path.join(import.meta.dirname, '..'),
    env: { PATH: process.env.PATH, HOME: directory, CDK_OUTDIR: directory, CDK_CONTEXT_JSON: JSON.stringify(context) },
    encoding: 'utf8',
  });
  return { status, stderr, directory };
}

test('it synthesizes without credentials, every cell of cells.json', () => {
  const { status, stderr, directory } = synth({ zips });
  assert.equal(status, 0, stderr);
  const templates = fs.readdirSync(directory).filter((file) => file.endsWith('.template.json')).sort();
  assert.deepEqual(templates, ['SpotRecovery-dev.template.json', 'SpotRecovery-prod.template.json']);
});

test('a wrong configuration ends it with exit code 2 and one sentence', () => {
  const { status, stderr } = synth({ zips: temporary(), cell: 'prod' });
  assert.equal(status, 2);
  assert.match(stderr, /^error: cell "prod": .*fargate-spot-task-placement-failure-handler\.zip is missing; build it: cargo xtask package --arch arm64\n$/);
});
