import { createHash } from 'node:crypto';
import type { AdaptiveConfig } from '../config/adaptive.js';
import type { FinetuneConfig } from '../config/finetune.js';
import type { PreparedCheckpoint } from '../contract/training.js';

/**
 * The options that decide what the steps of a run compute and that only the preparation knows. A checkpoint stores them,
 * and a resumed run is compared with them.
 */
export function runFacts(config: FinetuneConfig): PreparedCheckpoint['facts'] {
  const { scheduler, loss, overlength, truncationSide, chatTemplate } = config;
  const facts: Record<string, unknown> = {
    loss,
    overlength,
    truncationSide,
    chatTemplate:
      chatTemplate === undefined ? "the model's own" : `given (hash ${hash(chatTemplate)})`,
    ...Object.fromEntries(
      Object.entries(scheduler).map(([name, value]) => [`scheduler.${name}`, value]),
    ),
    ...(config.adaptive === undefined ? {} : adaptiveFacts(config.adaptive)),
  };
  return Object.entries(facts).flatMap(([option, value]) =>
    value === undefined ? [] : [{ option, value: String(value) }],
  );
}

/** Another controller would make other decisions with the state of a checkpoint, but its code cannot be compared. */
function adaptiveFacts({ controller, ...options }: AdaptiveConfig): Record<string, unknown> {
  const facts = Object.entries(options).flatMap(([group, value]) =>
    typeof value === 'object'
      ? Object.entries(value).map(([name, each]) => [`adaptive.${group}.${name}`, each])
      : [[`adaptive.${group}`, value]],
  );
  return {
    'adaptive.controller': controller === undefined ? 'built-in' : 'given',
    ...Object.fromEntries(facts),
  };
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
