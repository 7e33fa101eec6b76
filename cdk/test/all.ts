/** Every test in one process: loading the CDK takes longer than all of them. */

import * as fs from 'node:fs';

for (const file of fs.readdirSync(import.meta.dirname).sort()) {
  if (file.endsWith('.test.ts')) await import(`./${file}`);
}
