import {
  describeOptions,
  type EvaluateOptions,
  evaluate,
  evaluateSchema,
  renderEvaluation,
} from '../index.js';
import { parseArguments, refusePositionals } from './arguments.js';
import type { Command } from './command.js';
import { configurationOf } from './configuration.js';
import { evaluateView } from './evaluate-view.js';
import { jsonLine } from './json.js';
import { cliOptions, commonOptions } from './option.js';
import { showRun } from './show-run.js';

const options = cliOptions(describeOptions(evaluateSchema));
const excludedOptions = new Set(commonOptions.map(({ name }) => name));

export const evaluateCommand: Command = {
  help: {
    name: 'evaluate',
    summary:
      'Compare models, adapters and outputs of other programs on a dataset, with intervals and paired tests.',
    usage: 'evaluate --dataset <path> --systems <system> … --tasks <task>,… [options]',
    options,
    examples: [
      {
        what: 'whether an adapter is better than its base model',
        line: 'llamatune evaluate --dataset validation.jsonl --systems base=base.gguf \\\n    --systems tuned=base.gguf+adapter.gguf --tasks token-f1,rouge-l --output results',
      },
      {
        what: "accuracy of yes, no and uncertain in rows like { text: 'Q: …\\nA: Yes. …', label: 'Yes' }",
        line: "llamatune evaluate --dataset validation.jsonl --answerMarker $'\\nA:' --systems base.gguf \\\n    --systems base.gguf+adapter.gguf --tasks classification,jaccard --maxTokens 64",
      },
      {
        what: 'compare with what another program answered, as JSON Lines',
        line: 'llamatune evaluate --dataset validation.jsonl --systems base.gguf --systems peft=peft.jsonl \\\n    --tasks exact-match --json',
      },
      {
        what: 'read systems and tasks with their options from a file',
        line: 'llamatune evaluate --config evaluation.json --output results',
      },
    ],
    notes: [
      'The report goes to standard output, progress to standard error. With --output, the folder also has results.json, ' +
        'the report (summary.md, summary.txt, report.html, charts/), and every answer in samples/. Nothing is overwritten.',
      'A system is a model, a model with adapters (added up), or a file of outputs: rows with index (from 0) or id, and output.',
    ],
  },

  async run(args, io) {
    const parsed = parseArguments(args, [...options, ...commonOptions], 'evaluate');
    refusePositionals(parsed, 'evaluate');
    const json = parsed.values.get('json') === true;
    const config = configurationOf(parsed, excludedOptions);
    const run = evaluate({ ...config, signal: io.signal } as EvaluateOptions);
    const { samples: _, ...results } = await showRun(run, evaluateView(io, json));
    io.stdout.write(
      json
        ? jsonLine({ type: 'done', result: results })
        : renderEvaluation(results, { format: 'text' }),
    );
  },
};
