/**
 * Prints the rows as tokens with loss masks, as llamatune trains on them, so that PEFT learns from the same ones:
 *
 *     node tools/bench-quality/encode.mjs '{ "model": "smollm2-135m", "data": …, "base": … }'
 */

import { SampleEncoder } from '../../dist/data/encode-sample.js';
import { parseRow } from '../../dist/data/rows.js';
import { loadModel } from '../../dist/index.js';
import { readQuestions, trainingRow } from './rows.mjs';
import { MODELS } from './settings.mjs';

const { model, data, base } = JSON.parse(process.argv[2]);
const loaded = await loadModel({ model: base, device: 'cpu' });
const encoder = new SampleEncoder(loaded.textModel, { loss: 'assistant' });

function encoded(name) {
  return readQuestions(data, name).map((row, i) => {
    const where = `${name}.jsonl:${i + 1}`;
    const { tokens, weights } = encoder.encode(
      parseRow(trainingRow(row, MODELS[model].chat), where),
      where,
    );
    return { tokens: [...tokens], weights: [...weights] };
  });
}

console.log(JSON.stringify({ train: encoded('train'), validation: encoded('validation') }));
await loaded.dispose();
