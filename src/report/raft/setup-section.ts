import * as format from '../../format.js';
import type { PromptsUsed, RaftSummary } from '../../raft/summary.js';
import type { Section } from '../suite/document.js';

/** What was run, and where. */
export function setupSection(summary: RaftSummary): Section {
  const { model, machine, versions, prompts, evaluationPrompts, options, sensors } = summary;
  const read = sensors.filter(({ problem }) => problem === null).map(({ source }) => source);
  const facts: [string, string][] = [
    [
      'Model',
      `${model.path} (${model.description}, ${format.count(model.parameters)} parameters, ${format.bytes(model.bytes)})`,
    ],
    ['Prompts', promptsText(prompts)],
    ...(evaluationPrompts === null
      ? []
      : [['Held-out prompts', promptsText(evaluationPrompts)] as [string, string]]),
    ['Verifier', summary.verifier],
    [
      'Machine',
      `${machine.cpu}, ${format.plural(machine.cores, 'core')}, ${format.bytes(machine.memoryBytes)}`,
    ],
    ...machine.devices.map(({ name, description }): [string, string] => [
      'Device',
      `${name}: ${description}`,
    ]),
    ['Sensors', read.join(', ') || 'none'],
    [
      'Versions',
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
    ['Adapter', summary.adapter ?? 'none: nothing was trained'],
  ];
  return {
    title: 'Setup',
    blocks: [
      { kind: 'facts', facts },
      { kind: 'facts', title: 'Options', facts: flat(options) },
      { kind: 'text', text: NOTE },
    ],
  };
}

const NOTE =
  'Energy is n/a where no sensor measures the device that computes. A stage that was interrupted counts from its last start, ' +
  'so its time and energy are lower bounds, which > marks.';

const promptsText = ({ name, count, hash }: PromptsUsed): string =>
  `${format.plural(count, 'prompt')} from ${name} (SHA-256 ${hash.slice(0, 12)}…)`;

/** Nested options with dotted names. */
function flat(options: Record<string, unknown>, prefix = ''): [string, string][] {
  return Object.entries(options).flatMap(([name, value]): [string, string][] => {
    const isNested = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (isNested) return flat(value as Record<string, unknown>, `${prefix}${name}.`);
    return [[`${prefix}${name}`, typeof value === 'string' ? value : JSON.stringify(value)]];
  });
}
