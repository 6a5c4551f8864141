import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import {
  exportAdapterSchema,
  importAdapterSchema,
  mergeAdapterSchema,
} from '../../../src/config/adapter-files.js';
import { benchSchema } from '../../../src/config/bench.js';
import { chinchillaSchema } from '../../../src/config/chinchilla.js';
import { countTokensSchema } from '../../../src/config/count-tokens.js';
import { createModelSchema } from '../../../src/config/create-model.js';
import { describeOptions } from '../../../src/config/describe.js';
import { devicesSchema } from '../../../src/config/devices.js';
import { embedSchema } from '../../../src/config/embed.js';
import { evaluateSchema, evaluationSchemas } from '../../../src/config/evaluate.js';
import { finetuneSchema } from '../../../src/config/finetune.js';
import { generateSchema } from '../../../src/config/generate.js';
import { inspectDatasetSchema } from '../../../src/config/inspect-dataset.js';
import { judgeSchema } from '../../../src/config/judge.js';
import { loadModelSchema } from '../../../src/config/load-model.js';
import { peakSchema } from '../../../src/config/peak.js';
import { quantizeModelSchema } from '../../../src/config/quantize-model.js';
import { raftSchema } from '../../../src/config/raft.js';
import { scoreSchema } from '../../../src/config/score.js';
import { benchmarkSchemas, suiteSchema } from '../../../src/config/suite.js';
import { testDeviceSchema } from '../../../src/config/test-device.js';
import { verifierSchema } from '../../../src/config/verifier.js';

// docs/configuration.md is generated from the schemas. After a change: npm run docs

const sections: [title: string, intro: string, schema: z.ZodType][] = [
  [
    'finetune',
    'Options of `finetune()`, `finetuneLora()`, `finetuneFull()` and `llamatune finetune`.',
    finetuneSchema,
  ],
  ['generate', 'Options of `generate()` and `llamatune generate`.', generateSchema],
  ['judge', 'Options of `judge()` and `llamatune judge`.', judgeSchema],
  ['evaluate', 'Options of `evaluate()` and `llamatune evaluate`.', evaluateSchema],
  ...Object.entries(evaluationSchemas).map(([name, schema]): [string, string, z.ZodType] => [
    `evaluation ${name}`,
    name === 'system'
      ? 'Fields of a system of `evaluate()`.'
      : `Fields of a task of \`evaluate()\` with \`type: '${name.replace('task ', '')}'\`.`,
    schema,
  ]),
  ...verifierSchema.options.map((schema): [string, string, z.ZodType] => {
    const [type] = schema.shape.type.values;
    return [`verifier ${type}`, `Options of a verifier with \`type: '${type}'\`.`, schema];
  }),
  ['score', 'Options of `score()`.', scoreSchema],
  ['embed', 'Options of `embed()`.', embedSchema],
  ['loadModel', 'Options of `loadModel()`.', loadModelSchema],
  ['devices', 'Options of `devices()` and `llamatune devices`.', devicesSchema],
  ['testDevice', 'Options of `testDevice()` and `llamatune devices --test`.', testDeviceSchema],
  ['raft', 'Options of `raft()` and `llamatune raft`.', raftSchema],
  ['bench', 'Options of `bench()` and `llamatune bench`.', benchSchema],
  [
    'benchmark suite',
    'Fields of a suite of `runSuite()` and of the JSON file of `llamatune bench --suite`.',
    suiteSchema,
  ],
  ...Object.entries(benchmarkSchemas).map(([task, schema]): [string, string, z.ZodType] => [
    `benchmark ${task}`,
    `Fields of a benchmark of a suite with \`task: '${task}'\`.`,
    schema,
  ]),
  [
    'chinchillaAdvice',
    'Options of `chinchillaAdvice()` and `llamatune bench advise`.',
    chinchillaSchema,
  ],
  [
    'inspectDataset',
    'Options of `inspectDataset()` and `llamatune inspect data`.',
    inspectDatasetSchema,
  ],
  ['countTokens', 'Options of `countTokens()`.', countTokensSchema],
  ['measurePeak', 'Options of `measurePeak()`.', peakSchema],
  ['exportAdapter', 'Options of `exportAdapter()` and `llamatune export`.', exportAdapterSchema],
  ['importAdapter', 'Options of `importAdapter()` and `llamatune import`.', importAdapterSchema],
  ['mergeAdapter', 'Options of `mergeAdapter()` and `llamatune merge`.', mergeAdapterSchema],
  ['createModel', 'Options of `createModel()`.', createModelSchema],
  ['quantizeModel', 'Options of `quantizeModel()`.', quantizeModelSchema],
];

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function defaultOf(value: unknown, required: boolean): string {
  if (required) return '**required**';
  if (value === undefined) return '';
  const isObject = typeof value === 'object' && value !== null;
  return `\`${cell(isObject ? JSON.stringify(value).replaceAll(',', ', ') : String(value))}\``;
}

function reference(): string {
  const tables = sections.map(([title, intro, schema]) => {
    const rows = describeOptions(schema).map(
      (option) =>
        `| \`${option.path}\` | ${cell(option.type)} | ${defaultOf(option.default, option.required)} | ${cell(option.description)} |`,
    );
    return [
      `## ${title}`,
      '',
      intro,
      '',
      '| option | type | default | |',
      '|---|---|---|---|',
      ...rows,
    ].join('\n');
  });
  return `${[
    '# Configuration',
    'Every option of every call, with its type and default. Dots lead into objects: `lora.rank` is `{ lora: { rank } }`, and ' +
      '`--lora.rank` on the command line. Unknown options, wrong types and options that do not go together are errors ' +
      '(`CONFIG_INVALID`), all of them at once; nothing is corrected silently.',
    ...tables,
  ].join('\n\n')}\n`;
}

describe('docs/configuration.md', () => {
  it('lists every option as the schemas define it', async () => {
    await expect(reference()).toMatchFileSnapshot('../../../docs/configuration.md');
  });

  it('has a description for every option', () => {
    for (const [title, , schema] of sections) {
      for (const { path, description } of describeOptions(schema)) {
        expect(description, `${title}: ${path}`).not.toBe('');
      }
    }
  });
});
